package snsserver_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/sqsbus"
)

const queueOrigin = "http://127.0.0.1:9324/" + account + "/"

// subscribing opens a queue that subscribes to topics of the rig, with parameters.
func (r *rig) subscribing(t *testing.T, name, parameters string) *bus.Queue {
	mux := new(bus.Mux)
	sqsbus.New(&sqsbus.Options{HTTPClient: r.http}).Register(mux)
	if _, err := mux.Create(t.Context(), queueOrigin+name+"?region="+region, bus.QueueSettings{}); err != nil {
		t.Fatal(err)
	}
	q, err := mux.Open(t.Context(), queueOrigin+name+"?region="+region+parameters)
	ok(t, err)
	t.Cleanup(func() { ok(t, q.Shutdown(context.WithoutCancel(t.Context()))) })
	return q
}

func topicURL(arn string) string {
	return sqsbus.SchemeSNS + ":///" + arn + "?endpoint=http://127.0.0.1:9324"
}

// policy returns the Sids of a queue's policy.
func (r *rig) policy(t *testing.T, name string) (text string, sids []string) {
	got, err := r.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: new(queueOrigin + name), AttributeNames: []sqstypes.QueueAttributeName{"Policy"}})
	ok(t, err)
	text = got.Attributes["Policy"]
	var p struct{ Statement []struct{ Sid string } }
	ok(t, json.Unmarshal([]byte(text), &p))
	for _, s := range p.Statement {
		sids = append(sids, s.Sid)
	}
	return text, sids
}

func TestSubscribingAddsToTheQueuesPolicyOnceATopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		q := r.subscribing(t, "q", "")
		const own = `{"Version": "2008-10-17", "Id": "mine", "Statement": {"Sid": "mine", "Effect": "Allow", "Principal": "*", "Action": "sqs:ReceiveMessage", "Resource": "*"}}`
		_, err := r.sqs.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: new(queueOrigin + "q"), Attributes: map[string]string{"Policy": own}})
		ok(t, err)
		for i, want := range []int{2, 2, 3} {
			topic, err := r.sns.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String([]string{"a", "a", "b"}[i])})
			ok(t, err)
			ok(t, q.SubscribeTo(t.Context(), topicURL(*topic.TopicArn), bus.SubscriptionSettings{}))
			text, sids := r.policy(t, "q")
			if len(sids) != want || sids[0] != "mine" || !strings.Contains(text, `"Id":"mine"`) || !strings.Contains(text, "2008-10-17") {
				t.Errorf("after %d: the policy is %s; want %d statements, and what was there", i+1, text, want)
			}
			if !strings.Contains(text, *topic.TopicArn) || !strings.Contains(text, "sns.amazonaws.com") {
				t.Errorf("the policy %s does not name the topic", text)
			}
		}
	})
}

func TestSubscribingAgainReplacesAllThatTheSubscriptionHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		q := r.subscribing(t, "q", "")
		topic, err := r.sns.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("a")})
		ok(t, err)
		made, err := r.sns.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"),
			Endpoint: aws.String("arn:aws:sqs:" + region + ":" + account + ":q"), ReturnSubscriptionArn: true})
		ok(t, err)
		for _, s := range []bus.SubscriptionSettings{
			{Filter: `{"a": {"b": ["x"]}}`, FilterBody: true}, {Filter: `{"a": ["x"]}`}, {}, {Filter: `{"c": ["x"]}`, FilterBody: true}, {},
		} {
			ok(t, q.SubscribeTo(t.Context(), topicURL(*topic.TopicArn), s))
			has, err := r.sns.GetSubscriptionAttributes(t.Context(), &sns.GetSubscriptionAttributesInput{SubscriptionArn: made.SubscriptionArn})
			ok(t, err)
			scope := map[bool]string{true: "MessageBody", false: "MessageAttributes"}[s.FilterBody]
			if s.Filter == "" {
				scope = ""
			}
			if a := has.Attributes; a["FilterPolicy"] != s.Filter || a["FilterPolicyScope"] != scope || a["RawMessageDelivery"] != "true" {
				t.Errorf("with %+v the subscription has %v", s, a)
			}
		}
	})
}

func TestAQueueThatOpensTheTopicsEnvelopesGetsEnvelopes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		topic, err := r.sns.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("a")})
		ok(t, err)
		q := r.subscribing(t, "q", "&snstopicarn="+*topic.TopicArn)
		ok(t, q.SubscribeTo(t.Context(), topicURL(*topic.TopicArn), bus.SubscriptionSettings{}))
		_, err = r.sns.Publish(t.Context(), &sns.PublishInput{TopicArn: topic.TopicArn, Message: aws.String("hello")})
		ok(t, err)
		shown, err := r.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: new(queueOrigin + "q"), VisibilityTimeout: 1})
		ok(t, err)
		if len(shown.Messages) != 1 || !strings.Contains(*shown.Messages[0].Body, `"Notification"`) {
			t.Errorf("the queue got %v; want an envelope", shown.Messages)
		}
		m, err := q.Subscription.Receive(t.Context())
		ok(t, err)
		if m.Ack(); string(m.Body) != "hello" {
			t.Errorf("received %q", m.Body)
		}
	})
}

func TestWhatCannotBeSubscribedToIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		q := r.subscribing(t, "q", "")
		fifo, err := r.sns.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("a.fifo"), Attributes: map[string]string{"FifoTopic": "true"}})
		ok(t, err)
		ok(t, q.SubscribeTo(t.Context(), topicURL(*fifo.TopicArn), bus.SubscriptionSettings{})) // AWS allows it
		for url, code := range map[string]gcerrors.ErrorCode{
			q.URL():             gcerrors.InvalidArgument,
			"memsns://a":        gcerrors.InvalidArgument,
			"awssns:///nothing": gcerrors.InvalidArgument,
			topicURL("arn:aws:sns:" + region + ":" + account + ":none"): gcerrors.NotFound,
		} {
			if err := q.SubscribeTo(t.Context(), url, bus.SubscriptionSettings{}); gcerrors.Code(err) != code {
				t.Errorf("%s: %v; want code %v", url, err, code)
			}
		}
		ok(t, q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("the queue goes on")}))
	})
}
