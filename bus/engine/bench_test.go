package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"omnibus/bus/spec"
)

// benchBatch is how many calls of one kind are measured at a time. What prepares
// them, and what brings the queue back to the number held, is not.
const benchBatch = 500

const benchVisibility = spec.MaxVisibility - time.Hour // so that it can be extended

// BenchmarkHeld measures one call with so many messages held, on the state
// machine as the shell drives it: with the time going on before every call. It
// also reports the bytes that a message held takes beyond its body.
func BenchmarkHeld(b *testing.B) {
	for _, state := range []string{"ready", "delayed", "inflight"} {
		for _, held := range []int{1_000, 100_000, 1_000_000} {
			var h *holder // built by the first benchmark that is not filtered out
			for _, op := range []string{"send", "receive", "delete", "change"} {
				b.Run(fmt.Sprintf("state=%s/held=%d/op=%s", state, held, op), func(b *testing.B) {
					if h == nil {
						h = newHolder(state, held)
					}
					var took time.Duration
					calls := 0
					for b.Loop() { // over batches, not calls
						took += h.measure(op, benchBatch)
						calls += benchBatch
					}
					if n := h.q.count[map[string]int{"delayed": int(delayed), "ready": int(ready), "inflight": int(inFlight)}[state]]; n != held {
						b.Fatalf("%d messages are %s, want %d", n, state, held)
					}
					b.ReportMetric(float64(took)/float64(calls), "ns/op")
					b.ReportMetric(h.bytes, "B/held")
				})
			}
		}
	}
}

// holder is a queue that holds messages in one state.
type holder struct {
	q       *queue
	state   string
	bytes   float64 // beyond the body, for each message held
	ids     uint64
	message Message
	delays  []*time.Duration
}

func newHolder(state string, held int) *holder {
	before := heapInUse()
	h := &holder{
		q:       newQueue("q", 1, 1, new(clock)),
		state:   state,
		message: Message{Body: strings.Repeat("x", 100)}, // one string for all
	}
	for d := range 5 {
		h.delays = append(h.delays, new(spec.MaxDelay-time.Duration(d)*time.Second))
	}
	for range held {
		h.fill()
	}
	h.bytes = float64(heapInUse()-before) / float64(held)
	return h
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// fill adds one message in the holder's state.
func (h *holder) fill() {
	m := h.message
	if h.state == "delayed" {
		m.Delay = h.delays[h.ids%uint64(len(h.delays))]
	}
	h.send(m)
	if h.state == "inflight" {
		h.take()
	}
}

func (h *holder) send(m Message) {
	h.q.advance(h.q.now + 100)
	h.ids++
	if _, err := h.q.send(&m, h.ids); err != nil {
		panic(err)
	}
}

func (h *holder) receive() string {
	h.q.advance(h.q.now + 100)
	if h.q.count[inFlight] >= spec.MaxInFlight {
		return h.take().ReceiptHandle
	}
	out, _, err := h.q.receive(1, benchVisibility)
	if err != nil || len(out) != 1 {
		panic(err)
	}
	return out[0].ReceiptHandle()
}

// take does what receive does, beyond the most that may be in flight.
func (h *holder) take() Delivery {
	m := h.q.nextReady()
	h.q.take(m, benchVisibility)
	return h.q.delivery(m)
}

func (h *holder) delete(handle string) {
	h.q.advance(h.q.now + 100)
	r, err := parseReceipt(handle, h.q.number)
	if err != nil {
		panic(err)
	}
	if deleted, err := h.q.delete(r); !deleted || err != nil {
		panic(err)
	}
}

// handles returns handles of n messages in flight, in no order: the oldest of
// those held, or else of messages made for it.
func (h *holder) handles(n int) (out []string) {
	if h.state == "inflight" {
		m := h.q.due.first()
		for range min(n, h.q.count[inFlight]) {
			out = append(out, receipt{h.q.number, m.seq, m.receives, 0}.String())
			if m = m.links[byDue].next; m == nil { // in the first lane
				break
			}
		}
	}
	for len(out) < n {
		h.send(h.message)
		out = append(out, h.receive())
	}
	rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// measure does n operations and returns how long they took.
func (h *holder) measure(op string, n int) time.Duration {
	held := h.held()
	var do func(i int)
	switch op {
	case "send":
		m := h.message
		if h.state == "delayed" {
			m.Delay = h.delays[0]
		}
		do = func(int) { h.send(m) }
	case "receive":
		if h.state != "ready" {
			for range n {
				h.send(h.message)
			}
		}
		do = func(int) { h.receive() }
	case "delete":
		handles := h.handles(n)
		do = func(i int) { h.delete(handles[i]) }
	case "change":
		handles := h.handles(n)
		do = func(i int) {
			h.q.advance(h.q.now + 100)
			if err := h.q.changeVisibility(handles[i], benchVisibility, true); err != nil {
				panic(err)
			}
		}
	}
	start := time.Now()
	for i := range n {
		do(i)
	}
	took := time.Since(start)
	h.restore(held)
	return took
}

func (h *holder) held() int { return h.q.count[delayed] + h.q.count[ready] + h.q.count[inFlight] }

// restore brings back the number and the state of the messages held.
func (h *holder) restore(held int) {
	if h.state != "inflight" {
		for _, p := range h.q.taken {
			for _, m := range p.messages {
				if m != nil {
					h.q.drop(m)
				}
			}
		}
	}
	for h.held() > held {
		h.q.drop(h.q.age.byKey[0].tail) // the newest
	}
	for h.held() < held {
		h.fill()
	}
}

// BenchmarkWakeUp measures the time from a send to the return of the receive
// that waits for it.
func BenchmarkWakeUp(b *testing.B) {
	q, err := New(nil).Create("q", spec.QueueSettings{})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	returned := make(chan time.Time)
	go func() {
		defer close(returned)
		for {
			got, err := q.Receive(ctx, ReceiveRequest{Wait: new(spec.MaxWait)})
			at := time.Now()
			if err != nil {
				return
			}
			if deleted, err := q.Delete(got[0].ReceiptHandle); !deleted || err != nil {
				panic(err)
			}
			returned <- at
		}
	}()
	var took time.Duration
	sends := 0
	for b.Loop() {
		for waiters := 0; waiters == 0; {
			runtime.Gosched()
			q.engine.mu.Lock()
			waiters = q.waiters.Len()
			q.engine.mu.Unlock()
		}
		start := time.Now()
		if _, err := q.Send(Message{Body: "x"}); err != nil {
			b.Fatal(err)
		}
		took += (<-returned).Sub(start)
		sends++
	}
	b.ReportMetric(float64(took)/float64(sends), "ns/op")
	cancel()
	<-returned
}
