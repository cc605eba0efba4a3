package engine

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// restorer makes an engine of what its journal says.
type restorer struct {
	engine  engineRecord
	begun   bool // a base has begun: what came before is not needed
	inBase  bool // it has not ended: what is not known yet will come
	whole   bool // one has ended
	some    bool // anything has been read
	now     int64
	bytes   int64 // about the size of a base, were it written now
	queues  map[uint64]*restored
	deleted map[uint64]bool // numbers of queues that were deleted; no other queue gets them
	unknown message
}

// restored is a queue that is being restored.
type restored struct {
	queueRecord
	messages directory
	dedup    map[string]restoredDedup
	attempts map[string]attempt
}

type restoredDedup struct {
	dedupEntry
	at int64
}

// read reads the records of a frame.
func (r *restorer) read(content []byte) error {
	r.some = true
	in := recordReader{b: content}
	for len(in.b) > 0 && in.err == nil {
		if err := r.record(&in); err != nil {
			return err
		}
	}
	return in.err
}

// check reports a log that does not begin with a whole base: some of what was held is not
// in it.
func (r *restorer) check() error {
	if r.some && !r.whole {
		return errors.New("what was held when it began is not all there")
	}
	return nil
}

var errUnknown = errors.New("a record is of a queue or a message that is not there")

func (r *restorer) record(in *recordReader) error {
	switch kind := recordKind(in.byte()); kind {
	case recordEngine:
		var e engineRecord
		in.json(&e)
		e.IDs, e.Numbers = max(e.IDs, r.engine.IDs), max(e.Numbers, r.engine.Numbers)
		r.engine, r.begun, r.inBase = e, true, true
		r.now = max(r.now, e.Now)
	case recordClock:
		in.json(&r.engine.Steps)
	case recordQueue:
		var q queueRecord
		in.json(&q)
		r.queue(q)
	case recordNoQueue:
		var q noQueueRecord
		in.json(&q)
		delete(r.queues, q.Number)
		if r.deleted == nil {
			r.deleted = map[uint64]bool{}
		}
		r.deleted[q.Number] = true
		if r.engine.Deleted == nil {
			r.engine.Deleted = map[string]int64{}
		}
		r.engine.Deleted[q.Name] = q.At
	case recordAttempt:
		var a attemptRecord
		in.json(&a)
		if q := r.queues[a.Number]; q != nil {
			q.attempts[a.ID] = attempt{a.At, a.Taken}
		}
	case recordBaseEnd:
		r.inBase, r.whole = false, true
	case recordMessage, recordState, recordNoMessage, recordClear, recordDedup:
		return r.ofQueue(kind, in)
	default:
		return fmt.Errorf("a record is of the kind %d, which this program does not know", kind)
	}
	return nil
}

// ofQueue reads a record that begins with a queue's number. Earlier versions of this
// program could write records of a queue that had just been deleted; those are for nobody.
func (r *restorer) ofQueue(kind recordKind, in *recordReader) error {
	number := in.fixed()
	complete := r.begun && !r.inBase && !r.deleted[number] // all that there is has been read
	q := r.queues[number]
	if q == nil {
		q = &restored{} // what is read is for nobody
		if complete && in.err == nil {
			return errUnknown
		}
	}
	switch kind {
	case recordMessage:
		m := &message{seq: in.uvarint()}
		in.state(m)
		in.message(m)
		if q.messages != nil && in.err == nil {
			if old := q.messages.get(m.seq); old != nil {
				*old = *m
			} else {
				q.messages.add(m)
			}
			q.Order = max(q.Order, m.seq)
			r.engine.IDs = max(r.engine.IDs, m.id)
			r.now = max(r.now, m.sent, m.taken)
		}
	case recordState:
		m := q.messages.get(in.uvarint())
		if m == nil {
			m = &r.unknown
			if complete && in.err == nil {
				return errUnknown
			}
		}
		in.state(m)
		r.now = max(r.now, m.taken)
	case recordNoMessage:
		if m := q.messages.get(in.uvarint()); m != nil {
			q.messages.remove(m)
		}
	case recordClear:
		if q.messages != nil {
			q.clear()
		}
	case recordDedup:
		key := in.text()
		d := restoredDedup{dedupEntry{in.uvarint(), in.uvarint()}, in.varint()}
		if q.dedup != nil && in.err == nil {
			q.dedup[key] = d
			r.engine.IDs = max(r.engine.IDs, d.id)
			q.Order = max(q.Order, d.seq)
			r.now = max(r.now, d.at)
		}
	}
	return nil
}

// queue notes what is known of a queue, whose messages stay.
func (r *restorer) queue(q queueRecord) {
	if r.queues == nil {
		r.queues = map[uint64]*restored{}
	}
	old := r.queues[q.Number]
	if old == nil {
		old = &restored{}
		old.clear()
		r.queues[q.Number] = old
	}
	q.Order = max(q.Order, old.Order)
	old.queueRecord = q
	r.engine.IDs, r.engine.Numbers = max(r.engine.IDs, q.IDs), max(r.engine.Numbers, q.Numbers)
	r.now = max(r.now, q.Purged)
	delete(r.engine.Deleted, q.Name)
}

func (q *restored) clear() {
	q.messages, q.dedup, q.attempts = directory{}, map[string]restoredDedup{}, map[string]attempt{}
}

// restore gives a new engine what was read.
func (r *restorer) restore(e *Engine) {
	e.seed, e.numbers, e.ids = r.engine.Seed, r.engine.Numbers, r.engine.IDs
	e.clock.restore(r.engine.Steps, r.now)
	maps.Copy(e.deleted, r.engine.Deleted)
	for _, from := range r.queues {
		q := newHandle(e, from.Name, from.Number)
		q.state.attrs = from.Attrs
		q.tags = from.Tags
		e.queues[from.Name] = q
		r.bytes += q.state.restore(from)
	}
	for _, from := range r.queues {
		e.queues[from.Name].restoreMoves(from.Moves)
	}
}

// restoreMoves has the move tasks that run go on.
func (q *Queue) restoreMoves(moves []moveRecord) {
	for _, from := range moves {
		m := &move{MoveTask: from.MoveTask, begun: from.Begun}
		q.moves = append(q.moves, m)
		if m.Status == MoveRunning {
			m.begin(q.state.now)
			q.schedule(m)
		}
	}
}

// restoredLane is the key of the lanes that restored messages are in, whatever they
// wait for: no others come to those.
const restoredLane = math.MinInt64

// restore fills a new queue, and returns about how many bytes that takes in a base.
func (q *queue) restore(from *restored) (size int64) {
	q.purged, q.order = from.Purged, from.Order
	var messages []*message
	for _, number := range slices.Sorted(maps.Keys(from.messages)) {
		for _, m := range from.messages[number].messages {
			if m != nil {
				messages = append(messages, m)
			}
		}
	}
	for _, m := range messages { // in the order in which they came
		size += m.recordSize()
		q.readmit(m)
	}
	sorted := func(less func(a, b *message) int) []*message {
		slices.SortStableFunc(messages, less)
		return messages
	}
	for _, m := range sorted(func(a, b *message) int { return cmp.Compare(a.sent, b.sent) }) {
		q.age.add(m, restoredLane)
	}
	for _, m := range sorted(func(a, b *message) int { return cmp.Compare(a.due, b.due) }) {
		switch {
		case m.state != ready && m.state == delayed && q.attrs.FIFO:
			q.due.add(m, q.delayLane(int64(q.attrs.Delay)))
		case m.state != ready:
			q.due.add(m, restoredLane)
		default:
			q.rank = m.due
			if m.group == nil {
				q.visible.pushBack(m)
			} else {
				q.groups.place(m.group)
			}
		}
	}
	q.dedup.restore(from.dedup)
	q.attempts.restore(from.attempts)
	return size + int64(len(from.dedup))*64
}

// readmit gives a restored message its place among those of its group, and counts it.
// The others of its queue that came before it are there.
func (q *queue) readmit(m *message) {
	q.count[m.state]++
	if m.receives > 0 {
		q.taken.add(m)
	}
	if !q.attrs.FIFO {
		q.tenants.join(m, m.sent)
		m.tenant().follow(delayed, m.state)
		return
	}
	q.groups.add(m)
	switch m.state {
	case delayed:
		m.due = m.sent + int64(q.attrs.Delay) // which may have been changed since
	case ready:
		m.group.ready.pushBack(m)
	case inFlight:
		m.group.take(m)
	}
}

func (d *dedup) restore(from map[string]restoredDedup) {
	for key, e := range from {
		if d.byID == nil {
			d.byID = map[string]dedupEntry{}
		}
		d.byID[key] = e.dedupEntry
		d.ids = append(d.ids, dedupTime{key, e.at})
	}
	slices.SortFunc(d.ids, func(a, b dedupTime) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id)) })
}

func (as *attempts) restore(from map[string]attempt) {
	if len(from) > 0 {
		as.byID = from
	}
	for id, a := range from {
		as.ids = append(as.ids, dedupTime{id, a.at})
	}
	slices.SortFunc(as.ids, func(a, b dedupTime) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id)) })
}
