package engine

import (
	"iter"

	"omnibus/bus/spec"
)

// Redrive moves up to n ready messages of a dead-letter queue to the queue named
// to or, if that is "", back to the queues they came from, and returns how many
// it moved. They are new messages there: id, time of sending and receive count
// begin anew. It fails with UnsupportedOperation unless some queue's redrive
// policy names this one. Messages without a source that still exists stay.
//
// With a directory ([Open]) it moves what takes more than some 64 MiB in parts: other
// calls come in between, and an error in the middle comes with the number of messages
// that were moved before.
func (q *Queue) Redrive(to string, n int) (moved int, err error) {
	return q.redrive(to, n, func() iter.Seq[*message] { return q.state.eachReady })
}

// redrive moves up to n messages in parts. Of each part it asks choose, with the engine's
// lock held, which messages are to be moved.
func (q *Queue) redrive(to string, n int, choose func() iter.Seq[*message]) (moved int, err error) {
	part := func() (more bool, err error) {
		if err := q.lockTo(adds); err != nil {
			return false, err
		}
		defer q.finish(&err)
		if err := q.checkRedrive(to); err != nil {
			return false, err
		}
		some, _, more := q.move(to, n-moved, choose())
		moved += some
		return more, nil
	}
	for more := true; more && err == nil; {
		more, err = part()
	}
	return moved, err
}

func (q *Queue) checkRedrive(to string) error {
	if len(q.engine.deadLetterSources(q.state.name)) == 0 {
		return spec.Errorf(spec.UnsupportedOperation, "queue %s is not a dead-letter queue of any queue", q.state.name)
	}
	if to != "" && q.engine.queues[to] == nil {
		return spec.NoQueue(to)
	}
	if to != "" && spec.IsFIFOName(to) != q.state.attrs.FIFO {
		return spec.Errorf(spec.InvalidParameterValue, "queue %s is not of the type of %s: both must be FIFO or both standard", to, q.state.name)
	}
	return nil
}

// move moves up to n of some ready messages. It reports whether it passed over some that
// have no queue to go to, and whether there are more, which it left because the next frame
// is large. engine.mu is held.
func (q *Queue) move(to string, n int, messages iter.Seq[*message]) (moved int, stuck, more bool) {
	touched := map[*Queue]bool{}
	for m := range messages {
		if moved >= n {
			break
		}
		if moved > 0 && q.engine.keeper.large() {
			more = true
			break
		}
		name := to
		if name == "" {
			name = m.extras().source
		}
		dest := q.engine.queues[name]
		if dest == nil || dest == q {
			stuck = true
			continue
		}
		dest.advance()
		q.state.drop(m)
		q.engine.ids++
		again := &message{id: q.engine.ids, body: m.body, attrs: m.attrs, sent: dest.state.now}
		if x := m.extras(); x.group != "" || x.trace != "" {
			again.extra = &extra{group: x.group, dedup: x.dedup, trace: x.trace}
		}
		dest.state.add(again, int64(dest.state.attrs.Delay))
		touched[dest] = true
		moved++
	}
	for dest := range touched {
		dest.serve()
	}
	return moved, stuck, more
}
