package workers_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/batcher"
	"gocloud.dev/pubsub/mempubsub"

	"omnibus/bus"
	"omnibus/bus/membus"
	"omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
)

// onBackends runs a test in virtual time on a stock mempubsub topic, on membus,
// and on sqsbus over sqsserver. open opens the test's one queue once more.
func onBackends(t *testing.T, test func(t *testing.T, open func() *bus.Queue)) {
	t.Run("mempubsub", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			topic := mempubsub.NewTopic()
			sub := mempubsub.NewSubscriptionWithOptions(topic, time.Minute, &mempubsub.SubscriptionOptions{
				ReceiveBatcherOptions: batcher.Options{MaxHandlers: 1, MaxBatchSize: 1},
			})
			q := bus.Wrap(topic, sub)
			t.Cleanup(func() {
				shutdown(t, q)
				time.Sleep(time.Second) // mempubsub's last sleep
			})
			test(t, func() *bus.Queue { return q }) // to open it again would fan out
		})
	})
	t.Run("membus", func(t *testing.T) {
		inMemory(t, func(t *testing.T, open func(params string) *bus.Queue) {
			test(t, func() *bus.Queue { return open("") })
		})
	})
	t.Run("sqsbus", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			mux := new(bus.Mux)
			sqsbus.New(&sqsbus.Options{HTTPClient: sqsserver.New(nil).Client()}).Register(mux)
			const url = "http://127.0.0.1:9324/000000000000/work"
			if _, err := mux.Create(t.Context(), url, bus.QueueSettings{}); err != nil {
				t.Fatal(err)
			}
			test(t, func() *bus.Queue { return openQueue(t, mux, url) })
		})
	})
}

// inMemory runs a test in virtual time on membus. open opens the test's one
// queue once more, with parameters.
func inMemory(t *testing.T, test func(t *testing.T, open func(params string) *bus.Queue)) {
	synctest.Test(t, func(t *testing.T) {
		var mux bus.Mux
		mux.Register(membus.Scheme, membus.New(nil))
		test(t, func(params string) *bus.Queue {
			return openQueue(t, &mux, "mem://work"+params)
		})
	})
}

func openQueue(t *testing.T, mux *bus.Mux, url string) *bus.Queue {
	q, err := mux.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, q) })
	return q
}

func shutdown(t *testing.T, q *bus.Queue) {
	if err := q.Shutdown(context.Background()); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

// send sends messages with the bodies given.
func send(t *testing.T, q *bus.Queue, bodies ...string) {
	t.Helper()
	for _, b := range bodies {
		if err := q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte(b)}); err != nil {
			t.Fatal(err)
		}
	}
}
