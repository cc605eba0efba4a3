package engine

import "omnibus/bus/spec"

// baseWalk writes all that an engine holds, some of it with each frame, while it goes on
// changing: what changes meanwhile is written anyhow, before or after what the walk
// writes of it. All is guarded by the engine's lock.
type baseWalk struct {
	queues []*Queue // still to be walked; the first is begun
}

// queueWalk is how far a walk has come in a queue.
type queueWalk struct {
	lanes  []*lane  // by age, still to be walked
	cursor *message // the next one of the lane that is walked
	last   uint64   // seq of the last message that was there when the walk began
	dedup  []dedupTime
}

// newBase begins a base: with all but the messages and what else grows.
func (k *keeper) newBase() *baseWalk {
	e := k.engine
	k.buf = appendJSON(k.buf, recordEngine, e.record())
	k.end++
	w := &baseWalk{}
	for _, q := range e.queues {
		k.queue(q)
		w.queues = append(w.queues, q)
	}
	return w
}

// dropBase gives up a base that is being written.
func (k *keeper) dropBase() {
	if k.base == nil {
		return
	}
	k.base = nil
	for _, q := range k.engine.queues {
		q.state.walk = nil
	}
}

// walk adds at least so many bytes of the base, and reports whether that was all.
func (w *baseWalk) walk(k *keeper, chunk int) bool {
	for limit := len(k.buf) + chunk; len(w.queues) > 0; w.queues = w.queues[1:] {
		q := w.queues[0]
		if q.closed.Load() {
			continue
		}
		if q.state.walk == nil {
			q.state.beginWalk(k)
		}
		if !q.state.walkOn(k, limit) {
			return false
		}
		q.state.walk = nil
	}
	k.buf = append(k.buf, byte(recordBaseEnd))
	k.end++
	return true
}

func (q *queue) beginWalk(k *keeper) {
	q.walk = &queueWalk{last: q.order, dedup: q.dedup.ids}
	for _, l := range q.age.byKey {
		q.walk.lanes = append(q.walk.lanes, l)
	}
	for id, a := range q.attempts.byID {
		k.attempt(q, id, a)
	}
}

// walkOn writes messages and deduplication ids until there are limit bytes, and reports
// whether those were all.
func (q *queue) walkOn(k *keeper, limit int) bool {
	w := q.walk
	for len(k.buf) < limit {
		switch {
		case w.cursor != nil && w.cursor.seq <= w.last:
			k.message(q, w.cursor)
			w.cursor = w.cursor.links[bySent].next
		case len(w.lanes) > 0:
			w.cursor, w.lanes = w.lanes[0].head, w.lanes[1:]
		case len(w.dedup) > 0:
			t := w.dedup[0]
			w.dedup = w.dedup[1:]
			if e, ok := q.dedup.seen(t.id); ok && t.at+int64(spec.DeduplicationWindow) > q.now { // else it was forgotten meanwhile
				k.dedup(q, t.id, e, t.at)
			}
		default:
			return true
		}
	}
	return false
}

// skip moves a walk on from a message that leaves the queue. w may be nil.
func (w *queueWalk) skip(m *message) {
	if w != nil && w.cursor == m {
		w.cursor = m.links[bySent].next
	}
}
