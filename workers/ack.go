package workers

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"gocloud.dev/pubsub"

	"omnibus/bus"
)

// An ack is a consumer's acknowledgement of one message, counted as what the queue
// answers.
type ack struct {
	consumer *Consumer
	message  *pubsub.Message
	told     bool        // the queue answers
	waiting  atomic.Bool // for the answer
}

// expect prepares the acknowledgement of m, before a handler has m and may settle
// it, against the rules.
func (c *Consumer) expect(m *pubsub.Message) *ack {
	a := &ack{consumer: c, message: m}
	a.told = bus.AfterAck(m, a.answer)
	return a
}

// send acknowledges the message. It panics if that has been done.
func (a *ack) send() {
	a.consumer.answers.begin()
	a.waiting.Store(true)
	sent := false
	defer func() {
		if !sent && a.waiting.Swap(false) {
			a.consumer.answers.end()
		}
	}()
	a.message.Ack()
	sent = true
	if !a.told {
		a.answer(nil)
	}
}

// answer counts the acknowledgement.
func (a *ack) answer(err error) {
	if !a.waiting.Swap(false) {
		return // it was not ours
	}
	s := &a.consumer.stats
	switch {
	case err == nil:
		s.deleted.Add(1)
	case errors.Is(err, bus.ErrLeaseLost):
		s.lost.Add(1)
	default:
		s.unconfirmed.Add(1)
	}
	a.consumer.answers.end()
}

// answers are those that have not come yet. The zero value is ready.
type answers struct {
	mu   sync.Mutex    // guards all below
	n    int           // outstanding
	none chan struct{} // closed when n is 0, if not nil
}

func (as *answers) begin() {
	as.mu.Lock()
	defer as.mu.Unlock()
	as.n++
}

func (as *answers) end() {
	as.mu.Lock()
	defer as.mu.Unlock()
	if as.n--; as.n == 0 && as.none != nil {
		close(as.none)
		as.none = nil
	}
}

func (as *answers) outstanding() int {
	as.mu.Lock()
	defer as.mu.Unlock()
	return as.n
}

// wait waits until there are none, or ctx ends.
func (as *answers) wait(ctx context.Context) {
	as.mu.Lock()
	none := make(chan struct{})
	if as.n == 0 {
		close(none)
	} else {
		as.none = none
	}
	as.mu.Unlock()
	select {
	case <-none:
	case <-ctx.Done():
	}
}
