package workers_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/workers"
)

// Two processes run the schedule of a nightly report and share a store: it is sent once.
// They catch up on the latest night, and so this example need not wait for the next one.
func ExampleSchedule() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	q := open("mem://example-schedule")
	store := new(workers.MemoryStore) // one of a database, if the processes are not one
	nightly := func() *workers.Schedule {
		return &workers.Schedule{
			Name:     "nightly-report",
			Cron:     "30 2 * * *",
			CatchUp:  true,
			Producer: &workers.Producer{Queue: q},
			Store:    store,
			Message: func(_ context.Context, due time.Time) (*pubsub.Message, error) {
				return &pubsub.Message{Body: []byte("the report of " + due.Format("15:04"))}, nil
			},
		}
	}
	err := workers.Run(ctx, nightly(), nightly(), &workers.Consumer{Queue: q, Handler: func(_ context.Context, m *pubsub.Message) error {
		fmt.Printf("%s\n", m.Body)
		stop()
		return nil
	}})
	if err != nil {
		log.Fatal(err)
	}
	// Output: the report of 02:30
}
