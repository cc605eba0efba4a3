package workers_test

import (
	"context"
	"fmt"
	"log"
	"sync"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

// The messages of one donor are handled in order, while those of others are handled
// beside them.
func ExampleConsumer_fifo() {
	ctx := context.Background()
	q := open("mem://example.fifo?contentdedup=true")
	defer q.Shutdown(ctx)
	for _, body := range []string{"Harper 1", "Lois 1", "Harper 2", "Lois 2"} {
		m := &pubsub.Message{Body: []byte(body)}
		bus.Group(m, body[:len(body)-2])
		if err := q.Topic.Send(ctx, m); err != nil {
			log.Fatal(err)
		}
	}
	var mu sync.Mutex
	handled := map[string][]string{}
	c := &workers.Consumer{
		Queue:       q,
		Concurrency: 16,
		Max:         4,
		Handler: func(ctx context.Context, m *pubsub.Message) error {
			mu.Lock()
			defer mu.Unlock()
			donor := bus.Details(m).Group
			handled[donor] = append(handled[donor], string(m.Body))
			return nil
		},
	}
	if err := c.Run(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(handled["Harper"])
	fmt.Println(handled["Lois"])
	// Output:
	// [Harper 1 Harper 2]
	// [Lois 1 Lois 2]
}
