package workers

import (
	"context"
	"errors"
	"sync"

	"omnibus/bus"
)

// mostUnanswered is how many acknowledgements may wait for their answers before
// nothing more is received: when the queue gives and does not take, memory does not
// grow.
const mostUnanswered = 4096

// acks are the acknowledgements that the queue has not answered yet. The zero value
// is ready.
type acks struct {
	mu    sync.Mutex    // guards all below
	n     int           // outstanding
	moved int           // of those, ones of messages that were sent elsewhere
	fewer chan struct{} // closed when n falls, if not nil
}

// ack acknowledges a message. It fails if the handler has settled it.
func (r *run) ack(d *delivery) error {
	r.acks.begin(d)
	d.waiting.Store(true)
	if err := guard(d.message.Ack); err != nil {
		if d.waiting.Swap(false) {
			r.acks.end(d)
			r.done(d)
		}
		return err
	}
	if !d.told {
		r.answered(d, nil)
	}
	return nil
}

// answered counts an acknowledgement as what the queue says of it.
func (r *run) answered(d *delivery, err error) {
	if !d.waiting.Swap(false) {
		return // it was not ours
	}
	switch {
	case d.moved: // counted already
	case err == nil:
		r.stats.deleted.Add(1)
	case errors.Is(err, bus.ErrLeaseLost):
		r.stats.lost.Add(1)
	default:
		r.stats.unconfirmed.Add(1)
	}
	r.done(d)
	r.acks.end(d)
}

func (as *acks) begin(d *delivery) {
	as.mu.Lock()
	defer as.mu.Unlock()
	as.n++
	if d.moved {
		as.moved++
	}
}

func (as *acks) end(d *delivery) {
	as.mu.Lock()
	defer as.mu.Unlock()
	as.n--
	if d.moved {
		as.moved--
	}
	if as.fewer != nil {
		close(as.fewer)
		as.fewer = nil
	}
}

// wait waits until there are no more than so many, and reports false if ctx ends
// before.
func (as *acks) wait(ctx context.Context, most int) bool {
	for {
		as.mu.Lock()
		if as.n <= most {
			as.mu.Unlock()
			return true
		}
		if as.fewer == nil {
			as.fewer = make(chan struct{})
		}
		fewer := as.fewer
		as.mu.Unlock()
		select {
		case <-fewer:
		case <-ctx.Done():
			return false
		}
	}
}

// outstanding returns how many there are, those of messages that were sent elsewhere
// not counted.
func (as *acks) outstanding() int {
	as.mu.Lock()
	defer as.mu.Unlock()
	return as.n - as.moved
}
