package docdedup_test

import (
	"context"
	"fmt"
	"log"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	_ "omnibus/bus/membus"
	"omnibus/workers"
	"omnibus/workers/docdedup"
)

// What was handled is remembered in the collection that a URL names: in memory here, in
// DynamoDB with dynamodb://TABLE?partition_key=Key.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	store, err := docdedup.Open(ctx, "mem://example/Key")
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	q, err := bus.Open(ctx, "mem://example-docdedup")
	if err != nil {
		log.Fatal(err)
	}
	defer q.Shutdown(context.Background())
	for _, body := range []string{"donor 1", "donor 1", "donor 2"} {
		if err := q.Topic.Send(ctx, &pubsub.Message{Body: []byte(body)}); err != nil {
			log.Fatal(err)
		}
	}
	c := &workers.Consumer{
		Queue: q,
		Middleware: []workers.Middleware{workers.Deduplicate(store, &workers.DeduplicateOptions{
			Key: func(m *pubsub.Message) string { return string(m.Body) },
		})},
		Handler: func(_ context.Context, m *pubsub.Message) error {
			fmt.Printf("%s\n", m.Body)
			if string(m.Body) == "donor 2" {
				stop()
			}
			return nil
		},
	}
	if err := c.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// donor 1
	// donor 2
}
