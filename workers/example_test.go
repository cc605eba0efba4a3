package workers_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"gocloud.dev/pubsub"
	"golang.org/x/time/rate"

	"omnibus/bus"
	_ "omnibus/bus/membus"
	"omnibus/workers"
)

// A producer sends what a source yields, here the lines of a text.
func ExampleProducer() {
	ctx := context.Background()
	q, err := bus.Open(ctx, "mem://example-producer")
	if err != nil {
		log.Fatal(err)
	}
	defer q.Shutdown(ctx)
	p := &workers.Producer{
		Queue:    q,
		Source:   workers.Documents("donors", strings.NewReader("{\"name\": \"A\"}\n{\"name\": \"B\"}\n")),
		Metadata: map[string]string{"JobType": "NewDonor"},
		OnSent:   func(s workers.Sent) { fmt.Println(s.Number, string(s.Body)) },
	}
	if err := p.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1 {"name":"A"}
	// 2 {"name":"B"}
}

// A consumer runs until its context ends, which is a clean stop: Run returns nil
// when the handlers have finished and what they handled is acknowledged. A
// command gets its context from signal.NotifyContext.
func ExampleConsumer() {
	ctx, stop := context.WithCancel(context.Background())
	q, err := bus.Open(ctx, "mem://example-consumer")
	if err != nil {
		log.Fatal(err)
	}
	defer q.Shutdown(context.Background())
	if err := q.Topic.Send(ctx, &pubsub.Message{Body: []byte("work")}); err != nil {
		log.Fatal(err)
	}
	c := &workers.Consumer{Queue: q, Handler: func(ctx context.Context, m *pubsub.Message) error {
		fmt.Printf("%s\n", m.Body)
		stop() // a signal would do this
		return nil
	}}
	fmt.Println(c.Run(ctx), c.Stats().Deleted)
	// Output:
	// work
	// <nil> 1
}

func ExampleMonitor() {
	ctx, stop := context.WithCancel(context.Background())
	q, err := bus.Open(ctx, "mem://example-monitor?delay=1m")
	if err != nil {
		log.Fatal(err)
	}
	defer q.Shutdown(context.Background())
	if err := q.Topic.Send(ctx, &pubsub.Message{Body: []byte("later")}); err != nil {
		log.Fatal(err)
	}
	m := &workers.Monitor{Queue: q, OnSample: func(s workers.Sample) {
		fmt.Println(s.Attributes.Visible, "visible,", s.Attributes.Delayed, "delayed")
		stop()
	}}
	if err := m.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: 0 visible, 1 delayed
}

// A typed handler gets what the body says. A body that cannot be decoded is not
// tried again.
func ExampleJSON() {
	ctx := context.Background()
	q, err := bus.Open(ctx, "mem://example-json")
	if err != nil {
		log.Fatal(err)
	}
	defer q.Shutdown(ctx)
	type Donor struct {
		Name     string
		Donation float64
	}
	m, err := workers.JSONCodec().Message(Donor{"Harper Pierce", 97.5})
	if err != nil {
		log.Fatal(err)
	}
	if err := q.Topic.Send(ctx, m); err != nil {
		log.Fatal(err)
	}
	c := &workers.Consumer{Queue: q, Max: 1, Handler: workers.JSON(func(ctx context.Context, d Donor, m *pubsub.Message) error {
		fmt.Printf("%s gave %.2f; the body is %s\n", d.Name, d.Donation, m.Metadata[workers.ContentType])
		return nil
	})}
	if err := c.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: Harper Pierce gave 97.50; the body is application/json
}

// Middleware is around the handler, the first outermost: here each donation is
// charged once, though it was sent twice, at most a hundred a second, and each try
// may take five seconds.
func ExampleConsumer_middleware() {
	ctx := context.Background()
	q, err := bus.Open(ctx, "mem://example-middleware")
	if err != nil {
		log.Fatal(err)
	}
	defer q.Shutdown(ctx)
	for range 2 {
		if err := q.Topic.Send(ctx, &pubsub.Message{Body: []byte("donation 17")}); err != nil {
			log.Fatal(err)
		}
	}
	c := &workers.Consumer{
		Queue: q,
		Middleware: []workers.Middleware{
			workers.Deduplicate(new(workers.MemoryStore), &workers.DeduplicateOptions{
				Key: func(m *pubsub.Message) string { return string(m.Body) },
			}),
			workers.RateLimit(rate.NewLimiter(100, 1)),
			workers.Timeout(5 * time.Second),
		},
		Handler: func(ctx context.Context, m *pubsub.Message) error {
			fmt.Printf("charge %s\n", m.Body)
			return nil
		},
		Max: 2,
	}
	err = c.Run(ctx)
	fmt.Println(c.Stats().Deleted, "acknowledged", err)
	// Output:
	// charge donation 17
	// 2 acknowledged <nil>
}
