package membus_test

import (
	"bytes"
	"context"
	"runtime"
	"testing"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/membus"
)

// A message that is acknowledged and not let go of yet, as all are until the garbage
// collector has come twice, takes the memory of one body: the program's own.
func TestAnAcknowledgedMessageKeepsNoSecondBody(t *testing.T) {
	const messages, size = 64, 128 << 10
	mux := new(bus.Mux)
	mux.Register(membus.Scheme, membus.New(nil))
	q, err := mux.Open(t.Context(), "mem://q")
	if err != nil {
		t.Fatal(err)
	}
	body := bytes.Repeat([]byte("b"), size)
	for range messages {
		if err := q.Topic.Send(t.Context(), &pubsub.Message{Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	before := heap() // the queue's own copies
	var received []*pubsub.Message
	for range messages {
		m, err := q.Subscription.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		m.Ack()
		received = append(received, m)
	}
	if err := q.Shutdown(context.Background()); err != nil { // all are deleted then
		t.Fatal(err)
	}
	if more := heap() - before; more > messages*size/2 {
		t.Errorf("%d messages of %d KiB that were acknowledged take %d KiB more than when they were in the queue", messages, size>>10, more>>10)
	}
	runtime.KeepAlive(received)
}

// heap returns how many bytes of the heap are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
