package workers_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/workers"
)

// A batch handler gets several messages, for one statement of a database say, and says
// of each what became of it.
func ExampleBatchHandler() {
	ctx := context.Background()
	q := open("mem://example-batch")
	defer q.Shutdown(ctx)
	for _, amount := range []string{"97.50", "28.31", "no number"} {
		if err := q.Topic.Send(ctx, &pubsub.Message{Body: []byte(amount)}); err != nil {
			log.Fatal(err)
		}
	}
	c := &workers.Consumer{
		Queue:     q,
		Max:       3,
		BatchSize: 25,
		BatchWait: 200 * time.Millisecond,
		BatchHandler: func(ctx context.Context, ms []*pubsub.Message) []error {
			errs := make([]error, len(ms))
			var total float64
			for i, m := range ms {
				var amount float64
				if _, err := fmt.Sscan(string(m.Body), &amount); err != nil {
					errs[i] = workers.Drop(err) // it is logged
				}
				total += amount
			}
			fmt.Printf("%.2f in one statement\n", total)
			return errs
		},
		Logger: quiet,
	}
	if err := c.Run(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Stats().Deleted, "deleted,", c.Stats().Dropped, "dropped")
	// Output:
	// 125.81 in one statement
	// 3 deleted, 1 dropped
}
