package engine

import (
	"slices"
	"strconv"
	"time"

	"omnibus/bus/spec"
)

// queue is one SQS queue as a state machine: it takes the time, returns values,
// and has neither lock nor goroutine. Time is an int64 of nanoseconds that never
// falls; the clock is there to say what the wall clock shows at a time.
type queue struct {
	name   string
	number uint64 // in receipt handles
	seed   uint64 // in message ids
	attrs  spec.QueueAttributes
	clock  *clock
	keeper *keeper // writes down what changes; nil if nobody does

	now   int64
	order uint64 // the seq of the last message added
	rank  int64  // that of the last message made ready

	visible list // ready messages of a standard queue, in the order of delivery
	due     lanes
	age     lanes
	taken   directory // every message that was ever received
	count   [gone]int // messages by state

	tenants  tenants  // of a standard queue
	groups   groups   // of a FIFO queue
	dedup    dedup    // of a FIFO queue
	attempts attempts // of a FIFO queue

	purged int64      // the time of the last purge; 0 before
	walk   *queueWalk // nil while none is under way
}

func newQueue(name string, number, seed uint64, c *clock) *queue {
	now := c.tick()
	q := &queue{
		name:   name,
		number: number,
		seed:   seed,
		clock:  c,
		now:    now,
		attrs: spec.QueueAttributes{
			Visibility:      spec.DefaultVisibility,
			Retention:       spec.DefaultRetention,
			MaxMessageBytes: spec.MaxMessageBytes,
			FIFO:            spec.IsFIFOName(name),
			Created:         c.past(now),
			Modified:        c.past(now),
		},
	}
	q.clear()
	return q
}

// set changes the attributes given, which the caller has checked with CheckFor. A
// changed delay holds for the messages that a FIFO queue delays already; those of a
// standard queue stay as they are
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-delay-queues.html).
func (q *queue) set(s spec.QueueSettings) error {
	if err := s.CheckOver(q.attrs); err != nil {
		return err
	}
	if q.attrs.FIFO && s.Delay != nil {
		q.due.move(q.delayLane(int64(q.attrs.Delay)), q.delayLane(int64(*s.Delay)), func(m *message) { m.due = m.sent + int64(*s.Delay) })
	}
	q.attrs.Set(s)
	q.attrs.Modified = q.clock.past(q.now)
	return nil
}

// admits reports whether the redrive allow policy lets the queue named source have
// this one as its dead-letter queue.
func (q *queue) admits(source string) bool {
	p := q.attrs.DeadLetterSources
	return p.Permission != spec.RedriveDenyAll && (p.Permission != spec.RedriveByQueue || slices.Contains(p.Queues, source))
}

// clear forgets all messages.
func (q *queue) clear() {
	q.visible = list{which: byDue}
	q.due = newLanes(byDue)
	q.age = newLanes(bySent)
	q.taken = directory{}
	q.count = [gone]int{}
	q.tenants = tenants{}
	q.groups = newGroups()
	q.walk = nil
}

// advance does all that time has done by now: delays and visibility timeouts
// that end, messages that outlive the retention period. Each message is touched
// once for each such event, so the cost over all calls is that of the events.
func (q *queue) advance(now int64) {
	q.now = max(q.now, now)
	for m, at := q.next(); m != nil && at <= q.now; m, at = q.next() {
		if m.state != ready && m.due == at {
			q.due.remove(m)
			q.makeReady(m)
			q.keeper.state(q, m)
		} else {
			q.drop(m)
		}
	}
	q.dedup.forget(q.now)
	q.attempts.forget(q.now)
}

// next returns the message to which time does something next, and when: a delay
// or a visibility timeout ends, or the message has been kept for the retention
// period. The latter matters to those who wait as well, since a message in
// flight that goes unlocks its group.
func (q *queue) next() (*message, int64) {
	due, oldest := q.due.first(), q.age.first()
	if oldest == nil {
		return nil, 0
	}
	if end := oldest.sent + int64(q.attrs.Retention); due == nil || end < due.due {
		return oldest, end
	}
	return due, due.due
}

// makeReady makes a message receivable that is on no list by due time.
func (q *queue) makeReady(m *message) {
	was := m.state
	q.setState(m, ready)
	q.rank++
	m.due = q.rank
	if m.group != nil {
		q.groups.makeReady(m, was == inFlight)
	} else {
		q.visible.pushBack(m)
	}
}

func (q *queue) setState(m *message, s state) {
	m.tenant().follow(m.state, s)
	q.count[m.state]--
	q.count[s]++
	m.state = s
}

// unlist takes a message off the list by due time that its state has it on.
func (q *queue) unlist(m *message) {
	switch {
	case m.state != ready:
		q.due.remove(m)
	case m.group != nil:
		q.groups.unlist(m)
	default:
		q.unready(m)
	}
}

// drop forgets a message, in whatever state it is.
func (q *queue) drop(m *message) {
	q.walk.skip(m)
	q.keeper.noMessage(q, m)
	q.unlist(m)
	q.age.remove(m)
	if m.receives > 0 {
		q.taken.remove(m)
	}
	q.tenants.leave(m)
	q.count[m.state]--
	was := m.state
	m.state = gone
	if m.group != nil {
		q.groups.drop(m, was == inFlight)
	}
}

// add puts a message into the queue that is in none. It comes with its id, its
// time of sending and a delay.
func (q *queue) add(m *message, delay int64) {
	q.order++
	m.seq = q.order
	m.state = delayed
	if q.attrs.FIFO {
		q.groups.add(m)
	} else {
		q.tenants.join(m, q.now)
	}
	q.age.add(m, q.now-m.sent)
	q.count[delayed]++
	if delay > 0 {
		m.due = q.now + delay
		q.due.add(m, q.delayLane(delay))
	} else {
		q.makeReady(m)
	}
	q.keeper.message(q, m)
}

// delayLane returns the lane for messages with a delay. On a FIFO queue all have
// the queue's own, and a lane that no message in flight is in, so that it can be
// moved as a whole.
func (q *queue) delayLane(delay int64) int64 {
	if q.attrs.FIFO {
		return -1 - delay
	}
	return delay
}

// check reports what the queue would refuse in a message.
func (q *queue) check(in *Message) error {
	if err := spec.CheckMessage(in.Body, in.Attributes, q.attrs.MaxMessageBytes); err != nil {
		return err
	}
	if in.Group != "" {
		if err := spec.CheckGroup("MessageGroupId", in.Group); err != nil {
			return err
		}
	}
	if in.Delay != nil {
		if err := spec.CheckDelay(*in.Delay); err != nil {
			return err
		}
	}
	if q.attrs.FIFO {
		return q.checkFIFO(in)
	}
	if in.Deduplication != "" {
		return spec.NotForType(in.Deduplication, "MessageDeduplicationId", q.name)
	}
	return nil
}

// posted is what a queue answers to a sender, before it is put into words.
type posted struct {
	id, seq   uint64
	fifo      bool
	duplicate bool // of an earlier message, which these are the numbers of
}

// send adds a message with the id given, unless it is a duplicate.
func (q *queue) send(in *Message, id uint64) (posted, error) {
	if err := q.check(in); err != nil {
		return posted{}, err
	}
	m := &message{id: id, body: in.Body, attrs: in.Attributes, sent: q.now}
	delay := q.attrs.Delay
	if in.Delay != nil && !q.attrs.FIFO {
		delay = *in.Delay
	}
	if in.Group != "" || in.TraceHeader != "" {
		m.extra = &extra{group: in.Group, trace: in.TraceHeader}
	}
	if q.attrs.FIFO {
		m.extra.dedup = dedupID(in)
		if old, ok := q.dedup.seen(q.dedupKey(m)); ok {
			return posted{old.id, old.seq, true, true}, nil
		}
	}
	q.add(m, int64(delay))
	if q.attrs.FIFO {
		key := q.dedupKey(m)
		q.dedup.remember(key, m.id, m.seq, q.now)
		q.keeper.dedup(q, key, dedupEntry{m.id, m.seq}, q.now)
	}
	return posted{m.id, m.seq, q.attrs.FIFO, false}, nil
}

// receive takes up to n ready messages. Those that the redrive policy gives up
// are taken out of the queue and returned as dead.
func (q *queue) receive(n int, visibility time.Duration) (out []Taken, dead []*message, err error) {
	if q.count[inFlight]+n > spec.MaxInFlight {
		n = spec.MaxInFlight - q.count[inFlight]
		if n <= 0 && !q.attrs.FIFO {
			return nil, nil, spec.TooManyInFlight(q.name)
		}
	}
	for len(out) < n {
		m := q.nextReady()
		if m == nil {
			break
		}
		if limit := q.attrs.DeadLetter.MaxReceives; limit > 0 && m.receivesHere() >= limit {
			q.drop(m)
			dead = append(dead, m)
			continue
		}
		if out == nil {
			out = make([]Taken, 0, min(n, 1+q.count[ready]))
		}
		q.take(m, visibility)
		out = append(out, q.delivered(m))
	}
	q.groups.endReceive()
	return out, dead, nil
}

// nextReady returns the message that the next receive takes, or nil.
func (q *queue) nextReady() *message {
	if q.attrs.FIFO {
		return q.groups.next()
	}
	return q.nextFair()
}

// take puts a ready message in flight.
func (q *queue) take(m *message, visibility time.Duration) {
	q.unlist(m)
	if m.receives == 0 {
		m.first = q.now
	}
	q.taken.add(m)
	m.receives++
	m.settled = false
	m.taken = q.now
	q.setState(m, inFlight)
	if m.group != nil {
		m.group.take(m)
	}
	q.wait(m, visibility)
	q.keeper.state(q, m)
}

// wait puts a message on the list by due time, d from now.
func (q *queue) wait(m *message, d time.Duration) {
	m.due = q.now + int64(d)
	q.due.add(m, int64(d))
}

// delivery returns all that is told of a message, in whatever state it is.
func (q *queue) delivery(m *message) Delivery {
	t := q.delivered(m)
	d := t.Delivery()
	if m.receives == 0 {
		d.FirstReceived = time.Time{}
	}
	if m.state == ready {
		d.VisibleAt = time.Time{}
	}
	return d
}

// untake undoes take for a delivery that reached nobody. The message becomes
// the next one to be received.
func (q *queue) untake(t *Taken) {
	m := q.taken.get(t.seq)
	if m == nil || m.receives != t.receives {
		return // received again, deleted or purged since
	}
	m.receives--
	if m.receives == 0 {
		q.taken.remove(m)
	}
	if m.state == inFlight { // else its visibility timeout is over already
		q.due.remove(m)
		q.makeReady(m)
	}
	if m.group != nil {
		q.groups.toFront(m.group)
	} else {
		q.unready(m)
		if first := q.visible.head; first != nil {
			m.due = first.due - 1
		}
		q.visible.insertAfter(nil, m)
	}
	q.keeper.state(q, m)
}

// delete removes the message that a receipt names. It reports false when the
// receipt is of an earlier delivery and a newer one holds the message, when its
// delivery was given back, or when the message is gone already: to SQS all are
// successes.
func (q *queue) delete(r receipt) (bool, error) {
	m := q.taken.get(r.message)
	if m == nil {
		return false, nil
	}
	holds := m.holds(r)
	if q.attrs.FIFO && !holds {
		return false, spec.ReceiptExpired(r.String())
	}
	if !holds && (m.state == inFlight || m.settled) {
		return false, nil
	}
	q.drop(m)
	return true, nil
}

// changeVisibility makes the message that a receipt handle names visible again
// in d from now. On a standard queue any receipt handle of the message will do,
// unless its delivery must hold the message.
func (q *queue) changeVisibility(handle string, d time.Duration, mustHold bool) error {
	if err := spec.CheckVisibilityChange(d); err != nil {
		return err
	}
	m, holds, err := q.named(handle)
	if err != nil {
		return err
	}
	if !holds && (mustHold || q.attrs.FIFO || m.settled) {
		return spec.NotInFlight(handle)
	}
	if q.now-m.taken+int64(d) > int64(spec.MaxVisibility) {
		return spec.HiddenTooLong(d, time.Duration(q.now-m.taken))
	}
	switch {
	case d > 0:
		q.unlist(m)
		q.setState(m, inFlight) // which it may not be any more
		q.wait(m, d)
	case m.state == inFlight:
		q.due.remove(m)
		q.makeReady(m)
	}
	q.keeper.state(q, m)
	return nil
}

// held returns the message that a receipt handle's delivery still holds.
func (q *queue) held(handle string) (*message, error) {
	m, holds, err := q.named(handle)
	if err == nil && !holds {
		err = spec.NotInFlight(handle)
	}
	return m, err
}

// named returns the message that a receipt handle names, and whether the handle's
// delivery still holds it.
func (q *queue) named(handle string) (m *message, holds bool, err error) {
	r, err := parseReceipt(handle, q.number)
	if err != nil {
		return nil, false, err
	}
	m = q.taken.get(r.message)
	if m == nil {
		return nil, false, spec.NotAvailable(handle)
	}
	return m, m.holds(r), nil
}

func (q *queue) counts() spec.Counts {
	c := spec.Counts{Visible: q.count[ready], InFlight: q.count[inFlight], Delayed: q.count[delayed]}
	if m := q.age.first(); m != nil {
		c.OldestAge = time.Duration(q.now - m.sent)
	}
	return c
}

// peek returns up to n ready messages and changes nothing. Their receipt
// handles are empty.
func (q *queue) peek(n int) []Delivery {
	var out []Delivery
	q.eachReady(func(m *message) bool {
		if len(out) >= n {
			return false
		}
		d := q.delivery(m)
		d.ReceiptHandle = ""
		out = append(out, d)
		return true
	})
	return out
}

// eachReady calls f for the ready messages, next to be received first, until it
// returns false. Those of groups that are locked come last.
func (q *queue) eachReady(f func(*message) bool) {
	runs := append([]run{{from: q.visible.head}}, q.tenants.runs()...)
	for _, r := range append(runs, q.groups.inOrder()...) {
		for m := r.from; m != r.to; {
			next := m.links[byDue].next // f may remove m
			if !f(m) {
				return
			}
			m = next
		}
	}
}

// purge deletes all messages. Unless lenient, it works once in a minute.
func (q *queue) purge(lenient bool) error {
	if !lenient && q.purged != 0 && q.now-q.purged < int64(spec.PurgeInterval) {
		return spec.PurgedRecently(q.name, time.Duration(q.now-q.purged))
	}
	q.purged = q.now
	q.clear()
	q.dedup, q.attempts = dedup{}, attempts{}
	q.keeper.clear(q)
	return nil
}

// sequenceNumber writes a FIFO sequence number as SQS does: in 20 digits without a
// long run of zeros, the next greater by 256 at least.
func sequenceNumber(seq uint64) string {
	const first = 849_496_460_467_696_128
	return "18" + strconv.FormatUint(first+256*seq, 10)
}
