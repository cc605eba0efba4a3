package sqsbus

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/awssnssqs"
	"gocloud.dev/pubsub/batcher"

	"omnibus/bus"
	"omnibus/bus/spec"
)

// This file opens the stock driver as it comes, so that each trap's test shows
// both: that the stock driver falls into it, and that this package does not.

func init() { slog.SetLogLoggerLevel(slog.LevelError) }

// client returns a client of the SDK as it comes.
func (e *endpoint) client() *sqs.Client {
	return sqs.New(sqs.Options{
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("k", "s", ""),
		BaseEndpoint: new(testOrigin),
		HTTPClient:   e,
	})
}

// stock opens both ends of the queue donors with the stock driver.
func (e *endpoint) stock(opts awssnssqs.SubscriptionOptions) *bus.Queue {
	opts.Raw = true
	topic := awssnssqs.OpenSQSTopic(context.Background(), e.client(), testQueue, nil)
	sub := awssnssqs.OpenSubscription(context.Background(), e.client(), testQueue, &opts)
	return bus.Wrap(topic, sub)
}

// drained are options with which a stock subscription can be shut down without
// leaking a goroutine.
var drained = awssnssqs.SubscriptionOptions{
	WaitTime:              20 * time.Second,
	ReceiveBatcherOptions: batcher.Options{MaxHandlers: 1, MaxBatchSize: 1},
}

// stop shuts a stock queue down. Its fetch in progress is ended by the endpoint,
// and what it brought is drained.
func (e *endpoint) stop(q *bus.Queue) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		m, err := q.Subscription.Receive(ctx)
		if err != nil {
			break
		}
		m.Ack()
	}
	_ = q.Topic.Shutdown(context.Background())
	_ = q.Subscription.Shutdown(context.Background())
	time.Sleep(time.Second) // naps
}

// send sends messages, which must be accepted.
func send(t testing.TB, q *bus.Queue, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if err := q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte(body)}); err != nil {
			t.Fatalf("send %s: %v", body, err)
		}
	}
}

// receive returns the next message, which must come within d.
func receive(t testing.TB, q *bus.Queue, d time.Duration) *pubsub.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	m, err := q.Subscription.Receive(ctx)
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	return m
}

// counts checks the queue's counts.
func (e *endpoint) counts(t testing.TB, visible, inFlight, delayed int) {
	t.Helper()
	q, err := e.engine.Queue("donors")
	if err != nil {
		t.Fatal(err)
	}
	a, err := q.Attributes()
	if err != nil {
		t.Fatal(err)
	}
	a.OldestAge = 0
	if want := (spec.Counts{Visible: visible, InFlight: inFlight, Delayed: delayed}); a.Counts != want {
		t.Errorf("the queue counts %+v; want %+v", a.Counts, want)
	}
}

func numbered(n int) []string {
	bodies := make([]string, n)
	for i := range bodies {
		bodies[i] = fmt.Sprint("m", i)
	}
	return bodies
}
