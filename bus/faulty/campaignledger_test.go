package faulty_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"omnibus/bus/faulty"
	"omnibus/workers"
)

// The promises that a campaign holds bus and workers to:
//
//   - No message is lost: each that was sent is handled, or buried if it is poison.
//   - None is handled again once its acknowledgement has been answered with success. On
//     SQS that holds as far as the endpoint delivers a message to one consumer at a time,
//     answers receives at once, and no change of visibility overtakes another: with every
//     other seed.
//   - None comes as two messages, unless the answer to a send of it was lost or a fault
//     doubled it; in a FIFO queue not even then.
//   - Those of a group are handled in order.
//   - No consumer ends by itself, and what cannot be sent is an error.
//
// A ledger is what has become of each message. It is safe for concurrent use.
type ledger struct {
	again bool // acknowledged messages may come again: receives are doubled or answered late, changes overtaken

	mu      sync.Mutex // guards all below
	bodies  map[string]*entry
	acked   map[string]bool // ids whose acknowledgement was answered with success
	excused map[string]bool // ids that a fault had delivered twice
	next    map[int][]string
	broken  []string
	tally   tally
}

// An entry is what has become of one body.
type entry struct {
	sent    int             // sends that were answered with success
	open    bool            // a send was not answered, or doubled
	ids     map[string]bool // of messages with it
	handled int
}

// A tally counts.
type tally struct{ sent, faults, unconfirmed, refused, handled, again, buried, lost int }

func (n *tally) add(o tally) {
	n.sent += o.sent
	n.faults += o.faults
	n.unconfirmed += o.unconfirmed
	n.refused += o.refused
	n.handled += o.handled
	n.again += o.again
	n.buried += o.buried
	n.lost += o.lost
}

func (n *tally) String() string {
	return fmt.Sprintf("%d messages sent, %d faults (%d sends unconfirmed, %d failed), %d handlings, of which %d were again, %d buried, %d lost",
		n.sent, n.faults, n.unconfirmed, n.refused, n.handled, n.again, n.buried, n.lost)
}

func newLedger() *ledger {
	return &ledger{bodies: map[string]*entry{}, acked: map[string]bool{}, excused: map[string]bool{}, next: map[int][]string{}}
}

func (l *ledger) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed(format, args...)
}

func (l *ledger) failed(format string, args ...any) {
	l.broken = append(l.broken, fmt.Sprintf(format, args...))
}

// of returns the entry of a body.
func (l *ledger) of(body string) *entry {
	e := l.bodies[body]
	if e == nil {
		e = &entry{ids: map[string]bool{}}
		l.bodies[body] = e
		if g := group(body); g >= 0 {
			l.next[g] = append(l.next[g], body)
		}
	}
	return e
}

// sending says that a message is about to be sent, perhaps again.
func (l *ledger) sending(body string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(body)
}

// answered says what came of a send, and reports whether that was a success.
func (l *ledger) answered(body string, err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.of(body)
	switch {
	case err == nil:
		e.sent++
		l.tally.sent++
	case errors.Is(err, workers.ErrUnconfirmed):
		e.open = true
		l.tally.unconfirmed++
	default:
		l.tally.refused++
	}
	return err == nil
}

// doubled says that a message may be there twice: an answer to a send of it gets lost,
// or a fault sends it twice.
func (l *ledger) doubled(body string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(body).open = true
}

func (l *ledger) countFault() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tally.faults++
}

// sawFault keeps what a fault of mem:// excuses.
func (l *ledger) sawFault(c *faulty.Call, f faulty.Fault) {
	if f == (faulty.Fault{}) {
		return
	}
	l.countFault()
	switch {
	case c.Operation == faulty.Send && (f.Twice || f.Lose != nil):
		l.doubled(string(c.Body))
	case c.Operation == faulty.Receive && f.Twice:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.excused[c.ID] = true
	}
}

// began says that a delivery is handled.
func (l *ledger) began(body, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.bodies[body]
	if e == nil {
		l.failed("%q was never sent, and is handled", body)
		return
	}
	if l.acked[id] && !l.excused[id] && !l.again {
		l.failed("%q (%s) is handled again after its acknowledgement was answered", body, id)
	}
	e.ids[id] = true
	if len(e.ids) > 1 && (!e.open || group(body) >= 0) {
		l.failed("%q came as %d messages, and nothing doubled it", body, len(e.ids))
	}
	if g := group(body); g >= 0 {
		for _, before := range l.next[g] {
			if before == body {
				break
			}
			if l.bodies[before].handled == 0 {
				l.failed("%q is handled before %q", body, before)
			}
		}
	}
}

// handled says that a handler has succeeded.
func (l *ledger) handled(body, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.of(body)
	l.tally.handled++
	if e.handled++; e.handled > 1 {
		l.tally.again++
	}
}

// acknowledged says what came of an acknowledgement.
func (l *ledger) acknowledged(id string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.acked[id] = true
	}
}

// close counts, with the bodies that were buried, and returns all that is wrong.
func (l *ledger) close(dead []string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	buried := map[string]bool{}
	for _, body := range dead {
		buried[body] = true
		if !poisoned(body) {
			l.failed("%q was buried", body)
		}
	}
	l.tally.buried = len(buried)
	for body, e := range l.bodies {
		switch {
		case e.sent == 0:
			l.failed("%q was not sent", body)
		case poisoned(body) && !buried[body], !poisoned(body) && e.handled == 0:
			l.tally.lost++
			l.failed("%q is lost", body)
		}
	}
	slices.Sort(l.broken)
	return slices.Compact(l.broken)
}
