package workers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

// A retry policy says when a message that failed comes again. A handler's error may say
// so itself, or that the message is to be buried, or dropped.
func ExampleConsumer_retry() {
	ctx, stop := context.WithCancel(context.Background())
	queue, dead := open("mem://example-retry"), open("mem://example-retry-dead")
	defer queue.Shutdown(context.Background())
	defer dead.Shutdown(context.Background())
	for _, body := range []string{"declined card", "busy bank"} {
		if err := queue.Topic.Send(ctx, &pubsub.Message{Body: []byte(body)}); err != nil {
			log.Fatal(err)
		}
	}
	attempts := 0
	c := &workers.Consumer{
		Queue:       queue,
		Retry:       workers.Backoff(10*time.Second, 5*time.Minute),
		DeadLetter:  dead,
		MaxReceives: 8,
		OnDead:      func(d workers.Dead) { fmt.Printf("buried: %s: %v\n", d.Message.Body, d.Err) },
		Logger:      slog.New(slog.NewTextHandler(io.Discard, nil)),
		Handler: func(ctx context.Context, m *pubsub.Message) error {
			switch string(m.Body) {
			case "declined card":
				return workers.Permanent(errors.New("declined"))
			case "busy bank":
				if attempts++; attempts == 1 {
					return workers.RetryAfter(errors.New("429"), time.Second)
				}
			}
			fmt.Printf("charged: %s\n", m.Body)
			stop()
			return nil
		},
	}
	if err := c.Run(ctx); err != nil {
		log.Fatal(err)
	}
	m, err := dead.Subscription.Receive(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bus.DeadLetterReason, "=", m.Metadata[bus.DeadLetterReason])
	m.Ack()
	// Output:
	// buried: declined card: declined
	// charged: busy bank
	// DeadLetterReason = declined
}

// open opens a queue for an example.
func open(url string) *bus.Queue {
	q, err := bus.Open(context.Background(), url)
	if err != nil {
		log.Fatal(err)
	}
	return q
}
