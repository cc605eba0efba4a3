//go:build strangers

package kit

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"gocloud.dev/pubsub"

	"omnibus/bus"
)

func TestSqsdFanOut(t *testing.T)   { fanOut(t, "SQSD_ENDPOINT") }
func TestFauxqsFanOut(t *testing.T) { fanOut(t, "FAUXQS_ENDPOINT") }

// fanOut checks that a message sent to an SNS topic reaches every queue that is
// subscribed to it, in SNS's envelope or raw, and is received as it was sent.
func fanOut(t *testing.T, variable string) {
	origin := origin(t, variable)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	mux := new(bus.Mux)
	newBackend().Register(mux)
	client := snsClient(origin)
	run := time.Now().UnixNano()
	topic, err := client.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String(fmt.Sprintf("fan-out-%d", run))})
	if err != nil {
		t.Fatal(err)
	}
	open := func(url string) *bus.Queue {
		t.Helper()
		q, err := mux.Open(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := q.Shutdown(context.WithoutCancel(ctx)); err != nil {
				t.Error(err)
			}
		})
		return q
	}
	var queues []*bus.Queue
	for _, raw := range []bool{false, true} {
		name := fmt.Sprintf("fan-out-%d-raw-%t", run, raw)
		url, err := mux.Create(ctx, origin+"/000000000000/"+name, bus.QueueSettings{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Subscribe(ctx, &sns.SubscribeInput{
			TopicArn:   topic.TopicArn,
			Protocol:   aws.String("sqs"),
			Endpoint:   aws.String("arn:aws:sqs:us-east-1:000000000000:" + name),
			Attributes: map[string]string{"RawMessageDelivery": fmt.Sprint(raw)},
		}); err != nil {
			t.Fatal(err)
		}
		if !raw {
			url += "?snstopicarn=" + *topic.TopicArn
		}
		queues = append(queues, open(url))
	}
	sent := &pubsub.Message{Body: []byte(`{"name": "Harper Pierce"}`), Metadata: map[string]string{"JobType": "NewDonor"}}
	if err := open("awssns:///"+*topic.TopicArn+"?endpoint="+origin).Topic.Send(ctx, sent); err != nil {
		t.Fatal(err)
	}
	for _, q := range queues {
		m, err := q.Subscription.Receive(ctx)
		if err != nil {
			t.Fatalf("%s: %v", q.URL(), err)
		}
		m.Ack()
		if string(m.Body) != string(sent.Body) || m.Metadata["JobType"] != "NewDonor" {
			t.Errorf("%s: got %s with %v", q.URL(), m.Body, m.Metadata)
		}
	}
}

func snsClient(origin string) *sns.Client {
	return sns.New(sns.Options{
		BaseEndpoint: &origin,
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
}
