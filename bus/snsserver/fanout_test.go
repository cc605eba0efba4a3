package snsserver_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// The SDKs through the whole way: filters, raw and enveloped delivery, types of
// attributes.
func TestFanOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		topic := r.topic("donors")
		plain, _ := r.subscribed(topic, "plain")
		raw, _ := r.subscribed(topic, "raw", "RawMessageDelivery", "true")
		some, _ := r.subscribed(topic, "some", "FilterPolicy", `{"kind":[{"prefix":"ne"}]}`, "RawMessageDelivery", "true")
		blob := []byte{0, 1, 254, 255, '"', '<', '\n'}
		out, err := r.sns.Publish(t.Context(), &sns.PublishInput{
			TopicArn: topic, Message: new("<é>\r\n\"\\"), Subject: new("A donor & more"),
			MessageAttributes: map[string]snstypes.MessageAttributeValue{
				"kind": text("new"), "amount": {DataType: new("Number.eur"), StringValue: new("97.5")}, "blob": {DataType: new("Binary"), BinaryValue: blob},
			},
		})
		ok(t, err)
		r.publish(topic, "old")

		ms := r.receive(plain)
		var envelope struct {
			Type, MessageId, TopicArn, Subject, Message string
			MessageAttributes                           map[string]struct{ Type, Value string }
		}
		ok(t, json.Unmarshal([]byte(*ms[0].Body), &envelope))
		if envelope.MessageId != *out.MessageId || envelope.TopicArn != *topic || envelope.Subject != "A donor & more" || envelope.Message != "<é>\r\n\"\\" || len(ms) != 2 || len(ms[0].MessageAttributes) != 0 {
			t.Errorf("%d messages, %+v", len(ms), envelope)
		}
		if a := envelope.MessageAttributes; fmt.Sprint(a) != "map[amount:{Number.eur 97.5} blob:{Binary AAH+/yI8Cg==} kind:{String new}]" {
			t.Errorf("attributes %v", a)
		}
		for queue, url := range map[string]*string{"raw": raw, "some": some} {
			ms := r.receive(url)
			if want := map[string]int{"raw": 2, "some": 1}[queue]; len(ms) != want {
				t.Fatalf("%s has %d messages", queue, len(ms))
			}
			a := ms[0].MessageAttributes
			if *ms[0].Body != "<é>\r\n\"\\" || !bytes.Equal(a["blob"].BinaryValue, blob) || *a["amount"].DataType != "Number.eur" || *a["amount"].StringValue != "97.5" || *a["kind"].StringValue != "new" {
				t.Errorf("%s: %s, %v", queue, *ms[0].Body, a)
			}
		}
	})
}

func TestFIFOFanOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		topic := r.topic("donors.fifo", "ContentBasedDeduplication", "true")
		fifo, _ := r.subscribed(topic, "q.fifo", "RawMessageDelivery", "true")
		standard, _ := r.subscribed(topic, "q", "RawMessageDelivery", "true")
		var entries []snstypes.PublishBatchRequestEntry
		for i := range 5 {
			entries = append(entries, snstypes.PublishBatchRequestEntry{Id: new(fmt.Sprint(i)), Message: new(fmt.Sprint("m", i)), MessageGroupId: new("g")})
		}
		var first *sns.PublishBatchOutput
		for range 2 { // the second is a duplicate of the first
			out, err := r.sns.PublishBatch(t.Context(), &sns.PublishBatchInput{TopicArn: topic, PublishBatchRequestEntries: entries})
			ok(t, err)
			if len(out.Successful) != 5 || len(out.Failed) != 0 || out.Successful[0].SequenceNumber == nil {
				t.Fatalf("%+v", out)
			}
			if first != nil && *first.Successful[4].SequenceNumber != *out.Successful[4].SequenceNumber {
				t.Errorf("duplicates have numbers %s and %s", *first.Successful[4].SequenceNumber, *out.Successful[4].SequenceNumber)
			}
			first = out
		}
		for _, url := range []*string{fifo, standard} {
			var bodies []string
			for _, m := range r.receive(url) {
				bodies = append(bodies, *m.Body)
				if _, has := m.Attributes["MessageGroupId"]; has != (url == fifo) {
					t.Errorf("%s: %v", *url, m.Attributes)
				}
			}
			if got := strings.Join(bodies, " "); got != "m0 m1 m2 m3 m4" {
				t.Errorf("%s has %s", *url, got)
			}
		}
	})
}

// Publishing is as a delay in the queue leaves it: time is virtual.
func TestDelaysOfQueuesHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		topic := r.topic("t")
		url, _ := r.subscribed(topic, "q")
		_, err := r.sqs.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: map[string]string{"DelaySeconds": "900"}})
		ok(t, err)
		r.publish(topic, "m")
		time.Sleep(900*time.Second - time.Nanosecond)
		if n := len(r.receive(url)); n != 0 {
			t.Errorf("%d messages too early", n)
		}
		time.Sleep(time.Nanosecond)
		if n := len(r.receive(url)); n != 1 {
			t.Errorf("%d messages", n)
		}
	})
}

func TestDeadLettersOfSubscriptions(t *testing.T) {
	r := newRig(t)
	topic := r.topic("t")
	dead, deadARN := r.queue("dead")
	_, subscription := r.subscribed(topic, "q", "RawMessageDelivery", "true")
	_, err := r.sns.SetSubscriptionAttributes(t.Context(), &sns.SetSubscriptionAttributesInput{SubscriptionArn: subscription, AttributeName: new("RedrivePolicy"), AttributeValue: new(`{"deadLetterTargetArn":"` + deadARN + `"}`)})
	ok(t, err)
	attrs := map[string]snstypes.MessageAttributeValue{}
	for i := range 11 {
		attrs[fmt.Sprint("a", i)] = text("v")
	}
	_, err = r.sns.Publish(t.Context(), &sns.PublishInput{TopicArn: topic, Message: new("eleven"), MessageAttributes: attrs})
	ok(t, err)
	if ms := r.receive(dead); len(ms) != 1 || !strings.Contains(*ms[0].Body, `"Message" : "eleven"`) || strings.Count(*ms[0].Body, `{"Type":"String","Value":"v"}`) != 11 {
		t.Errorf("%v", ms)
	}
}

// Each region and each account has topics of its own.
func TestRegionsAndAccounts(t *testing.T) {
	r := newRig(t)
	clients := map[string]*sns.Client{}
	for _, region := range []string{"us-east-1", "cn-north-1"} {
		for _, account := range []string{"111111111111", "222222222222"} {
			c := snsClient(r.http, region, account)
			clients[region+":"+account] = c
			out, err := c.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: new("t")})
			ok(t, err)
			partition := map[bool]string{true: "aws-cn"}[region == "cn-north-1"]
			if partition == "" {
				partition = "aws"
			}
			if want := "arn:" + partition + ":sns:" + region + ":" + account + ":t"; *out.TopicArn != want {
				t.Errorf("%s, want %s", *out.TopicArn, want)
			}
		}
	}
	for name, c := range clients {
		out, err := c.ListTopics(t.Context(), &sns.ListTopicsInput{})
		ok(t, err)
		if len(out.Topics) != 1 || !strings.HasSuffix(*out.Topics[0].TopicArn, name+":t") {
			t.Errorf("%s lists %v", name, out.Topics)
		}
	}
	// One account publishes to the other's topic, and subscribes a queue of its
	// own, but in the topic's region only.
	one, other := clients["us-east-1:111111111111"], "arn:aws:sns:us-east-1:222222222222:t"
	out, err := one.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: &other, Protocol: new("sqs"), Endpoint: new("arn:aws:sqs:us-east-1:111111111111:q"), ReturnSubscriptionArn: true})
	ok(t, err)
	a, err := one.GetSubscriptionAttributes(t.Context(), &sns.GetSubscriptionAttributesInput{SubscriptionArn: out.SubscriptionArn})
	ok(t, err)
	if a.Attributes["Owner"] != "111111111111" || a.Attributes["PendingConfirmation"] != "false" {
		t.Errorf("%v", a.Attributes)
	}
	_, err = clients["cn-north-1:111111111111"].Publish(t.Context(), &sns.PublishInput{TopicArn: &other, Message: new("m")})
	wantError(t, err, "InvalidParameter", "Invalid parameter: TopicArn")
}

func TestPages(t *testing.T) {
	r := newRig(t)
	topic := r.topic("topic-000")
	want := []string{*topic}
	var subscriptions []string
	for i := range 119 {
		want = append(want, *r.topic(fmt.Sprintf("topic-%03d", i+1)))
		_, err := r.sns.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic, Protocol: new("sqs"), Endpoint: new(fmt.Sprintf("arn:aws:sqs:%s:%s:q%d", region, account, i))})
		ok(t, err)
		subscriptions = append(subscriptions, fmt.Sprint("q", i))
	}
	var got []string
	var sizes []int
	for p := sns.NewListTopicsPaginator(r.sns, &sns.ListTopicsInput{NextToken: new("")}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		ok(t, err)
		sizes = append(sizes, len(out.Topics))
		for _, topic := range out.Topics {
			got = append(got, *topic.TopicArn)
		}
	}
	if !slices.Equal(got, want) || fmt.Sprint(sizes) != "[100 20]" {
		t.Errorf("pages of %v: %v", sizes, got)
	}
	var all, ofTopic []string
	for p := sns.NewListSubscriptionsPaginator(r.sns, &sns.ListSubscriptionsInput{}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		ok(t, err)
		for _, s := range out.Subscriptions {
			all = append(all, (*s.Endpoint)[strings.LastIndexByte(*s.Endpoint, ':')+1:])
		}
	}
	for p := sns.NewListSubscriptionsByTopicPaginator(r.sns, &sns.ListSubscriptionsByTopicInput{TopicArn: topic}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		ok(t, err)
		for _, s := range out.Subscriptions {
			ofTopic = append(ofTopic, (*s.Endpoint)[strings.LastIndexByte(*s.Endpoint, ':')+1:])
		}
	}
	if !slices.Equal(all, subscriptions) || !slices.Equal(ofTopic, subscriptions) {
		t.Errorf("subscriptions %v\nof the topic %v", all, ofTopic)
	}
	for _, token := range []string{"!", "garbage"} {
		_, err := r.sns.ListTopics(t.Context(), &sns.ListTopicsInput{NextToken: &token})
		wantError(t, err, "InvalidParameter", "Invalid parameter: NextToken")
	}
}
