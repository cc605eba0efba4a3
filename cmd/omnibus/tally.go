package main

import (
	"sync"

	"gocloud.dev/pubsub"

	"omnibus/bus"
)

// A tally counts what became of the dead letters that a command has seen. Each is
// counted once, so that the counts add up to those seen.
type tally struct {
	mu sync.Mutex // guards counts
	counts
}

type counts struct {
	moved       int // sent, if they were to be, and then deleted
	unmatched   int // left, since the filter does not want them
	homeless    int // left, since it is not known where they come from
	returned    int // left, since they have come back meanwhile
	unconfirmed int // sent, or told to be deleted, and not known to be deleted
	interrupted int // left, since the command ended
}

// seen returns how many there were.
func (c counts) seen() int {
	return c.moved + c.unmatched + c.homeless + c.returned + c.unconfirmed + c.interrupted
}

func (t *tally) add(to *int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*to++
}

// settle acknowledges a message. It counts as not confirmed until it is known to be
// deleted.
func (t *tally) settle(m *pubsub.Message, deleted *int) {
	t.add(&t.unconfirmed)
	bus.AfterAck(m, func(err error) {
		if err != nil {
			return
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.unconfirmed--
		*deleted++
	})
	m.Ack()
}

// snapshot returns the counts so far.
func (t *tally) snapshot() counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}
