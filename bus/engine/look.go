package engine

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"omnibus/bus/spec"
)

// A State is where a message of a queue is: the three that SQS counts.
type State string

// The states of messages.
const (
	Visible  State = "visible"   // a receive would find it, now or when its group is free
	InFlight State = "in flight" // received, its visibility timeout not over
	Delayed  State = "delayed"   // sent, its delay not over
)

// MaxLook is how many messages of a state [Queue.Look] returns at most, and how many
// [Queue.Remove] and [Queue.RedriveChosen] search: a queue may hold millions, and the
// lock is held meanwhile.
const MaxLook = 10_000

// Looked is a message that was looked at where it is. Its receipt handle is empty.
type Looked struct {
	Delivery
	Since time.Time // of one in flight, its latest receive; else when it was sent
}

// Look returns up to n messages in one of the states, at most MaxLook, without
// receiving them: visible ones in the order in which they would be received, others in
// that in which they become visible.
func (q *Queue) Look(s State, n int) ([]Looked, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := q.lock(); err != nil {
		return nil, err
	}
	defer q.unlock()
	var out []Looked
	q.state.firstOf(s, min(n, MaxLook), func(m *message) bool {
		d := q.state.delivery(m)
		d.ReceiptHandle = ""
		since := m.sent
		if m.state == inFlight {
			since = m.taken
		}
		out = append(out, Looked{d, q.state.clock.past(since)})
		return true
	})
	return out, nil
}

// check reports a state that is none.
func (s State) check() error {
	if s != Visible && s != InFlight && s != Delayed {
		return spec.InvalidParameter(string(s), "State", "Must be visible, in flight or delayed.")
	}
	return nil
}

// firstOf calls f for the first n messages of a state until it returns false. f may
// take its message out of the queue.
func (q *queue) firstOf(s State, n int, f func(*message) bool) {
	if s == Visible {
		q.eachReady(func(m *message) bool {
			n--
			return n >= 0 && f(m)
		})
		return
	}
	want := inFlight
	if s == Delayed {
		want = delayed
	}
	found := q.due.some(MaxLook, func(m *message) bool { return m.state == want })
	for _, m := range found[:max(0, min(n, len(found)))] {
		if !f(m) {
			return
		}
	}
}

// some returns up to n messages that a test wants, in the order of their times. Where
// there are more, they are mostly those with the earliest times.
func (l *lanes) some(n int, want func(*message) bool) []*message {
	var out []*message
	tries := 2 * n // messages of the other state share the lanes
	for _, lane := range l.heads.lanes {
		for m := lane.head; m != nil && len(out) < n && tries > 0; m = m.links[l.which].next {
			if tries--; want(m) {
				out = append(out, m)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b *message) int { return cmp.Compare(a.due, b.due) })
	return out
}

// Remove deletes the messages with the ids given, in whatever state they are and
// whoever holds them, and returns how many it found. It is for people who look at a
// queue; consumers delete with receipt handles. Of each state it searches the first
// MaxLook messages.
func (q *Queue) Remove(ids []string) (n int, err error) {
	if err := q.lockTo(changes); err != nil {
		return 0, err
	}
	defer q.finish(&err)
	found := q.state.find(ids, Visible, InFlight, Delayed)
	for _, m := range found {
		q.state.drop(m)
	}
	return len(found), nil
}

// RedriveChosen is [Queue.Redrive] for the ready messages with the ids given. Of
// those it searches the first MaxLook.
func (q *Queue) RedriveChosen(to string, ids []string) (n int, err error) {
	return q.redrive(to, len(ids), func() iter.Seq[*message] { return slices.Values(q.state.find(ids, Visible)) })
}

// find returns the messages with the ids given among the first of some states.
func (q *queue) find(ids []string, states ...State) []*message {
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	var found []*message
	for _, s := range states {
		q.firstOf(s, MaxLook, func(m *message) bool {
			if wanted[messageID(q.seed, m.id)] {
				found = append(found, m)
			}
			return len(found) < len(wanted)
		})
	}
	return found
}
