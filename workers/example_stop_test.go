package workers_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/workers"
)

// A service that Kubernetes stops with SIGTERM, and kills 30 s later: its consumer
// finishes what handlers have, and gives back the rest.
func ExampleConsumer_gracefulStop() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	q := open("mem://example-stop")
	if err := q.Topic.Send(ctx, &pubsub.Message{Body: []byte("a donation")}); err != nil {
		log.Fatal(err)
	}
	c := &workers.Consumer{
		Queue:        q,
		Concurrency:  16,
		DrainTimeout: 20 * time.Second,
		Handler: func(ctx context.Context, m *pubsub.Message) error {
			stop() // as a signal would
			select {
			case <-time.After(50 * time.Millisecond): // the work
				fmt.Printf("%s is handled\n", m.Body)
				return nil
			case <-ctx.Done(): // 20 s after the signal, or when the lease is lost
				return context.Cause(ctx)
			}
		},
	}
	if err := c.Run(ctx); err != nil { // nil after a stop
		log.Fatal(err)
	}
	closing, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := q.Shutdown(closing); err != nil {
		log.Fatal(err)
	}
	fmt.Println("deleted:", c.Stats().Deleted)
	// Output:
	// a donation is handled
	// deleted: 1
}
