package membus_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/membus"
)

// What a receiver has not taken is there for others, unless it has proved to be
// fast, and then at most nine messages wait for it; once it pauses it is back at
// none.
func TestOnlyAFastReceiverIsGivenMessagesAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux bus.Mux
		mux.Register(membus.Scheme, membus.New(nil))
		q, err := mux.Open(t.Context(), "mem://q?visibility=30s")
		if err != nil {
			t.Fatal(err)
		}
		defer q.Shutdown(context.Background())
		for range 1000 {
			if err := q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("x")}); err != nil {
				t.Fatal(err)
			}
		}
		taken := 0
		// take receives n messages at a pace and returns how many more are hidden
		// than it holds, at most.
		take := func(n int, pace time.Duration) (waiting int) {
			for range n {
				m, err := q.Subscription.Receive(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				m.Ack()
				taken++
				synctest.Wait()
				a, err := q.Attributes(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				waiting = max(waiting, a.InFlight)
				time.Sleep(pace)
			}
			return waiting
		}
		if got := take(200, 30*time.Millisecond); got != 0 {
			t.Errorf("for a receiver of 30 ms a message %d waited, want none", got)
		}
		if got := take(100, 29*time.Millisecond); got != 0 {
			t.Errorf("before it had proved fast %d waited, want none", got)
		}
		if got := take(100, 29*time.Millisecond); got != 9 {
			t.Errorf("for a fast receiver %d waited, want 9", got)
		}
		take(10, time.Second) // what is left of the last fetch
		if got := take(20, time.Second); got != 0 {
			t.Errorf("after a pause %d waited, want none", got)
		}
	})
}
