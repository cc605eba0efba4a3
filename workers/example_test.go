package workers_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"gocloud.dev/pubsub"

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
