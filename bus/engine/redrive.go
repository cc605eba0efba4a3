package engine

import "omnibus/bus/spec"

// Redrive moves up to n ready messages of a dead-letter queue to the queue named
// to or, if that is "", back to the queues they came from, and returns how many
// it moved. They are new messages there: id, time of sending and receive count
// begin anew. It fails with UnsupportedOperation unless some queue's redrive
// policy names this one. Messages without a source that still exists stay.
func (q *Queue) Redrive(to string, n int) (moved int, err error) {
	if err := q.lockTo(adds); err != nil {
		return 0, err
	}
	defer q.finish(&err)
	if err := q.checkRedrive(to); err != nil {
		return 0, err
	}
	moved, _ = q.redrive(to, n)
	return moved, nil
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

// redrive moves up to n ready messages, and reports whether it passed over some
// that have no queue to go to. engine.mu is held.
func (q *Queue) redrive(to string, n int) (moved int, stuck bool) {
	return q.move(to, func(f func(*message) bool) {
		left := n
		q.state.eachReady(func(m *message) bool {
			if left <= 0 {
				return false
			}
			if f(m) {
				left--
			}
			return true
		})
	})
}

// move moves the ready messages for which each calls its function, which reports
// whether it moved one. engine.mu is held.
func (q *Queue) move(to string, each func(func(*message) bool)) (moved int, stuck bool) {
	touched := map[*Queue]bool{}
	each(func(m *message) bool {
		name := to
		if name == "" {
			name = m.extras().source
		}
		dest := q.engine.queues[name]
		if dest == nil || dest == q {
			stuck = true
			return false
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
		return true
	})
	for dest := range touched {
		dest.serve()
	}
	return moved, stuck
}
