package bus_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/membus"
)

// A program opens its queue by URL. Here the mux is the test's own; a program
// calls bus.Open and imports its backends for their schemes.
func Example() {
	ctx := context.Background()
	var mux bus.Mux
	mux.Register(membus.Scheme, membus.New(nil))
	q, err := mux.Open(ctx, "mem://donors")
	if err != nil {
		log.Fatal(err)
	}
	defer q.Shutdown(ctx)

	if err := q.Topic.Send(ctx, &pubsub.Message{Body: []byte("hello")}); err != nil {
		log.Fatal(err)
	}
	m, err := q.Subscription.Receive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, delivery %d\n", m.Body, bus.Details(m).ReceiveCount)
	m.Ack()
	// Output: hello, delivery 1
}

func ExampleDelay() {
	ctx := context.Background()
	q, err := bus.Open(ctx, "mem://example-delay")
	if err != nil {
		log.Fatal(err)
	}
	defer q.Shutdown(ctx)
	m := &pubsub.Message{Body: []byte("later")}
	bus.Delay(m, time.Hour)
	err = q.Topic.Send(ctx, m)
	fmt.Println(err != nil) // an hour is over the limit of 15 minutes

	m = &pubsub.Message{Body: []byte("later")}
	bus.Delay(m, 10*time.Minute)
	if err := q.Topic.Send(ctx, m); err != nil {
		log.Fatal(err)
	}
	a, err := q.Attributes(ctx)
	fmt.Println(a.Visible, a.Delayed, err)
	// Output:
	// true
	// 0 1 <nil>
}

// A topic sends each message to the queues that subscribe to it, which may say by
// attributes what they want.
func ExampleQueue_SubscribeTo() {
	ctx := context.Background()
	open := func(url string) *bus.Queue {
		q, err := bus.Open(ctx, url)
		if err != nil {
			log.Fatal(err)
		}
		return q
	}
	topic := open("memsns://example-donations") // on SNS: awssns:///arn:aws:sns:…
	all, large := open("mem://example-all"), open("mem://example-large")
	for q, filter := range map[*bus.Queue]string{all: "", large: `{"euros": [{"numeric": [">=", 1000]}]}`} {
		if err := q.SubscribeTo(ctx, topic.URL(), bus.SubscriptionSettings{Filter: filter}); err != nil {
			log.Fatal(err)
		}
	}
	for _, euros := range []string{"20", "1500"} {
		m := &pubsub.Message{Body: []byte(euros + " euros")}
		bus.SetAttribute(m, "euros", bus.Number(euros))
		if err := topic.Topic.Send(ctx, m); err != nil {
			log.Fatal(err)
		}
	}
	for _, q := range []*bus.Queue{all, large} {
		a, err := q.Attributes(ctx)
		fmt.Println(q.Name(), a.Visible, err)
	}
	// Output:
	// example-all 2 <nil>
	// example-large 1 <nil>
}

func ExampleQueue_Supports() {
	q, err := bus.Open(context.Background(), "mempubsub://example-supports")
	if err != nil {
		log.Fatal(err)
	}
	defer q.Shutdown(context.Background())
	fmt.Println(q.Supports(bus.ControlDelay), q.Supports(bus.ControlPurge))
	fmt.Println(errors.Is(q.Purge(context.Background()), errors.ErrUnsupported))
	// Output:
	// true false
	// true
}

func ExampleQueue_ChangeVisibility() {
	ctx := context.Background()
	q, err := bus.Open(ctx, "mem://example-visibility?visibility=5s")
	if err != nil {
		log.Fatal(err)
	}
	defer q.Shutdown(ctx)
	if err := q.Topic.Send(ctx, &pubsub.Message{Body: []byte("a long job")}); err != nil {
		log.Fatal(err)
	}
	m, err := q.Subscription.Receive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := q.ChangeVisibility(ctx, m, time.Minute); err != nil {
		log.Fatal(err)
	}
	fmt.Println(time.Until(bus.Details(m).VisibleAt) > 50*time.Second)
	m.Ack()
	// Output: true
}
