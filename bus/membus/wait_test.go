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

// A receiver that does not wait in the engine polls four times a second. Without a
// rest it would take a whole processor, and this test would never end.
func TestAReceiverThatDoesNotWaitRests(t *testing.T) {
	for _, wait := range []string{"0s", "1ms"} {
		synctest.Test(t, func(t *testing.T) {
			mux := new(bus.Mux)
			mux.Register(membus.Scheme, membus.New(nil))
			q, err := mux.Open(t.Context(), "mem://q?wait="+wait)
			if err != nil {
				t.Fatal(err)
			}
			defer q.Shutdown(context.Background())
			begin := time.Now()
			time.AfterFunc(time.Hour+100*time.Millisecond, func() {
				if err := q.Topic.Send(context.Background(), &pubsub.Message{Body: []byte("m")}); err != nil {
					t.Error(err)
				}
			})
			m, err := q.Subscription.Receive(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			m.Ack()
			if took := time.Since(begin) - time.Hour; took < 100*time.Millisecond || took > 350*time.Millisecond {
				t.Errorf("with wait=%s a message came %v after the send; want at most 250ms", wait, took-100*time.Millisecond)
			}

			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			begin = time.Now()
			if _, err := q.Subscription.Receive(ctx); err == nil || time.Since(begin) != 10*time.Millisecond {
				t.Errorf("a receive of 10 ms ended after %v with %v", time.Since(begin), err)
			}
		})
	}
}
