package engine

import (
	"fmt"
	"time"

	"omnibus/bus/spec"
)

// queue is one SQS queue as a state machine: it takes the time, returns values,
// and has neither clock nor lock nor goroutine. Time is an int64 of nanoseconds
// that never falls.
type queue struct {
	name   string
	number uint64 // in receipt handles
	seed   uint64 // in message ids
	attrs  spec.QueueAttributes
	now    int64
	order  uint64 // the seq of the last message added

	visible list // ready messages of a standard queue, in the order of delivery
	due     lanes
	age     lanes
	taken   map[uint64]*message // by id; every message that was ever received
	count   [gone]int           // messages by state

	groups groups // of a FIFO queue
	dedup  dedup  // of a FIFO queue

	purged int64 // the time of the last purge; 0 before
}

func newQueue(name string, number, seed uint64, now int64) *queue {
	q := &queue{
		name:   name,
		number: number,
		seed:   seed,
		now:    now,
		attrs: spec.QueueAttributes{
			Visibility:      spec.DefaultVisibility,
			Retention:       spec.DefaultRetention,
			MaxMessageBytes: spec.MaxMessageBytes,
			FIFO:            spec.IsFIFOName(name),
			Created:         time.Unix(0, now),
			Modified:        time.Unix(0, now),
		},
	}
	q.clear()
	return q
}

// clear forgets all messages. What FIFO deduplication remembers stays.
func (q *queue) clear() {
	q.visible = list{which: byDue}
	q.due = newLanes(byDue)
	q.age = newLanes(bySent)
	q.taken = map[uint64]*message{}
	q.count = [gone]int{}
	q.groups = newGroups()
}

// advance does all that time has done by now: delays and visibility timeouts
// that end, messages that outlive the retention period. Each message is touched
// once for each such event, so the cost over all calls is that of the events.
func (q *queue) advance(now int64) {
	q.now = max(q.now, now)
	for m := q.due.first(); m != nil && m.due <= q.now; m = q.due.first() {
		q.due.remove(m)
		q.makeReady(m)
	}
	for m := q.age.first(); m != nil && m.sent+int64(q.attrs.Retention) <= q.now; m = q.age.first() {
		q.drop(m)
	}
	q.dedup.forget(q.now)
}

// nextDue returns when the next delayed or in-flight message becomes ready.
func (q *queue) nextDue() (int64, bool) {
	if m := q.due.first(); m != nil {
		return m.due, true
	}
	return 0, false
}

// makeReady makes a message receivable that is on no list by due time.
func (q *queue) makeReady(m *message) {
	was := m.state
	q.setState(m, ready)
	if m.group != nil {
		q.groups.makeReady(m, was == inFlight)
	} else {
		q.visible.pushBack(m)
	}
}

func (q *queue) setState(m *message, s state) {
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
		q.visible.remove(m)
	}
}

// drop forgets a message, in whatever state it is.
func (q *queue) drop(m *message) {
	q.unlist(m)
	q.age.remove(m)
	if m.receives > 0 {
		delete(q.taken, m.id)
	}
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
		delay = q.groups.add(m, q.now, delay)
	}
	q.age.add(m, q.now-m.sent)
	q.count[delayed]++
	if delay > 0 {
		m.due = q.now + delay
		q.due.add(m, delay)
	} else {
		q.makeReady(m)
	}
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
		return spec.Errorf(spec.InvalidParameterValue, "MessageDeduplicationId %q is for FIFO queues only; %s is a standard queue", in.Deduplication, q.name)
	}
	return nil
}

// send adds a message with the id given, and reports whether it used the id.
func (q *queue) send(in *Message, id uint64) (sent Sent, used bool, err error) {
	if err := q.check(in); err != nil {
		return Sent{}, false, err
	}
	m := &message{id: id, body: in.Body, attrs: in.Attributes, sent: q.now}
	delay := q.attrs.Delay
	if in.Delay != nil && !q.attrs.FIFO {
		delay = *in.Delay
	}
	if in.Group != "" {
		m.extra = &extra{group: in.Group}
	}
	if q.attrs.FIFO {
		m.extra.dedup = dedupID(in)
		if old, ok := q.dedup.seen(m.extra.dedup); ok {
			return Sent{ID: messageID(q.seed, old.id), SequenceNumber: sequenceNumber(old.seq), Duplicate: true}, false, nil
		}
	}
	q.add(m, int64(delay))
	sent.ID = messageID(q.seed, m.id)
	if q.attrs.FIFO {
		sent.SequenceNumber = sequenceNumber(m.seq)
		q.dedup.remember(m.extra.dedup, m.id, m.seq, q.now)
	}
	return sent, true, nil
}

// receive takes up to n ready messages. Those that the redrive policy gives up
// are taken out of the queue and returned as dead.
func (q *queue) receive(n int, visibility time.Duration) (out []Delivery, dead []*message, err error) {
	if q.count[inFlight]+n > spec.MaxInFlight {
		n = spec.MaxInFlight - q.count[inFlight]
		if n <= 0 && !q.attrs.FIFO {
			return nil, nil, spec.Errorf(spec.OverLimit, "queue %s has %d messages in flight, the most that are allowed", q.name, q.count[inFlight])
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
			out = make([]Delivery, 0, min(n-len(out), 1+q.count[ready]))
		}
		q.take(m, visibility)
		out = append(out, q.delivery(m))
	}
	q.groups.endReceive()
	return out, dead, nil
}

// nextReady returns the message that the next receive takes, or nil.
func (q *queue) nextReady() *message {
	if q.attrs.FIFO {
		return q.groups.next()
	}
	return q.visible.head
}

// take puts a ready message in flight.
func (q *queue) take(m *message, visibility time.Duration) {
	q.unlist(m)
	if m.receives == 0 {
		m.first = q.now
	}
	q.taken[m.id] = m
	m.receives++
	m.taken = q.now
	q.setState(m, inFlight)
	if m.group != nil {
		m.group.inFlight++
	}
	q.wait(m, visibility)
}

// wait puts a message on the list by due time, d from now.
func (q *queue) wait(m *message, d time.Duration) {
	m.due = q.now + int64(d)
	q.due.add(m, int64(d))
}

func (q *queue) delivery(m *message) Delivery {
	x := m.extras()
	d := Delivery{
		ID:               messageID(q.seed, m.id),
		ReceiptHandle:    receipt{q.number, m.id, m.receives}.String(),
		Body:             m.body,
		Attributes:       m.attrs,
		Sent:             time.Unix(0, m.sent),
		ReceiveCount:     int(m.receives),
		Group:            x.group,
		Deduplication:    x.dedup,
		DeadLetterSource: x.source,
	}
	if m.receives > 0 {
		d.FirstReceived = time.Unix(0, m.first)
	}
	if m.state != ready {
		d.VisibleAt = time.Unix(0, m.due)
	}
	if q.attrs.FIFO {
		d.SequenceNumber = sequenceNumber(m.seq)
	}
	return d
}

// untake undoes take for a delivery that reached nobody. The message becomes
// the next one to be received.
func (q *queue) untake(handle string) {
	r, err := parseReceipt(handle, q.number)
	m := q.taken[r.message]
	if err != nil || m == nil || m.state != inFlight || m.receives != r.delivery {
		return // expired, deleted or purged since
	}
	q.due.remove(m)
	m.receives--
	if m.receives == 0 {
		m.first = 0
		delete(q.taken, m.id)
	}
	q.setState(m, ready)
	if m.group != nil {
		q.groups.makeReady(m, true)
	} else {
		q.visible.insertAfter(nil, m)
	}
}

// delete removes the message that a receipt handle names. It reports false when
// the handle is of an earlier delivery and a newer one holds the message, or
// when the message is gone already: to SQS both are successes.
func (q *queue) delete(handle string) (bool, error) {
	r, err := parseReceipt(handle, q.number)
	if err != nil {
		return false, err
	}
	m := q.taken[r.message]
	if m == nil {
		return false, nil
	}
	holds := m.state == inFlight && m.receives == r.delivery
	if q.attrs.FIFO && !holds {
		return false, spec.Errorf(spec.InvalidParameterValue, "the receipt handle has expired")
	}
	if m.state == inFlight && !holds {
		return false, nil
	}
	q.drop(m)
	return true, nil
}

// changeVisibility makes the message that a receipt handle names visible again
// in d from now.
func (q *queue) changeVisibility(handle string, d time.Duration) error {
	if err := spec.CheckVisibility(d); err != nil {
		return err
	}
	m, err := q.held(handle)
	if err != nil {
		return err
	}
	if q.now-m.taken+int64(d) > int64(spec.MaxVisibility) {
		return spec.Errorf(spec.InvalidParameterValue,
			"VisibilityTimeout %v would hide the message for over 12 hours since it was received %v ago", d, time.Duration(q.now-m.taken))
	}
	q.due.remove(m)
	if d == 0 {
		q.makeReady(m)
	} else {
		q.wait(m, d)
	}
	return nil
}

// held returns the message that a receipt handle's delivery still holds.
func (q *queue) held(handle string) (*message, error) {
	r, err := parseReceipt(handle, q.number)
	if err != nil {
		return nil, err
	}
	m := q.taken[r.message]
	if m == nil {
		return nil, spec.Errorf(spec.InvalidParameterValue, "the message of the receipt handle does not exist any more")
	}
	if m.state != inFlight || m.receives != r.delivery {
		return nil, spec.Errorf(spec.MessageNotInflight, "the receipt handle's visibility timeout is over")
	}
	return m, nil
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
		if len(out) == n {
			return false
		}
		d := q.delivery(m)
		d.ReceiptHandle = ""
		out = append(out, d)
		return true
	})
	return out
}

// eachReady calls f for the ready messages until it returns false.
func (q *queue) eachReady(f func(*message) bool) {
	if q.attrs.FIFO {
		q.groups.eachReady(f)
		return
	}
	for m := q.visible.head; m != nil; {
		next := m.links[byDue].next // f may remove m
		if !f(m) {
			return
		}
		m = next
	}
}

// purge deletes all messages. Unless lenient, it works once in a minute.
func (q *queue) purge(lenient bool) error {
	if !lenient && q.purged != 0 && q.now-q.purged < int64(spec.PurgeInterval) {
		return spec.Errorf(spec.PurgeQueueInProgress, "queue %s was purged %v ago; once in %d seconds is allowed",
			q.name, time.Duration(q.now-q.purged).Round(time.Millisecond), int(spec.PurgeInterval/time.Second))
	}
	q.purged = q.now
	q.clear()
	return nil
}

// set changes the attributes given. The caller has checked their ranges.
func (q *queue) set(s spec.QueueSettings) error {
	if s.FIFO != nil && *s.FIFO != q.attrs.FIFO {
		return spec.Errorf(spec.InvalidAttributeValue, "FifoQueue %t does not fit the name %s: the names of FIFO queues, and no others, end in %s", *s.FIFO, q.name, spec.FIFOSuffix)
	}
	if s.ContentBasedDeduplication != nil && !q.attrs.FIFO {
		return spec.Errorf(spec.InvalidAttributeName, "ContentBasedDeduplication is for FIFO queues only; %s is a standard queue", q.name)
	}
	if d := s.DeadLetter; d != nil && *d != (spec.DeadLetter{}) && spec.IsFIFOName(d.Queue) != q.attrs.FIFO {
		return spec.Errorf(spec.InvalidAttributeValue, "dead-letter queue %s is not of the type of %s: both must be FIFO or both standard", d.Queue, q.name)
	}
	give(&q.attrs.Delay, s.Delay)
	give(&q.attrs.Visibility, s.Visibility)
	give(&q.attrs.Retention, s.Retention)
	give(&q.attrs.Wait, s.Wait)
	give(&q.attrs.MaxMessageBytes, s.MaxMessageBytes)
	give(&q.attrs.ContentBasedDeduplication, s.ContentBasedDeduplication)
	give(&q.attrs.DeadLetter, s.DeadLetter)
	q.attrs.Modified = time.Unix(0, q.now)
	return nil
}

// differs names the first attribute given that is not as the queue has it.
func (q *queue) differs(s spec.QueueSettings) string {
	a := q.attrs
	for name, differs := range map[string]bool{
		"DelaySeconds":                  unlike(a.Delay, s.Delay),
		"VisibilityTimeout":             unlike(a.Visibility, s.Visibility),
		"MessageRetentionPeriod":        unlike(a.Retention, s.Retention),
		"ReceiveMessageWaitTimeSeconds": unlike(a.Wait, s.Wait),
		"MaximumMessageSize":            unlike(a.MaxMessageBytes, s.MaxMessageBytes),
		"FifoQueue":                     unlike(a.FIFO, s.FIFO),
		"ContentBasedDeduplication":     unlike(a.ContentBasedDeduplication, s.ContentBasedDeduplication),
		"RedrivePolicy":                 unlike(a.DeadLetter, s.DeadLetter),
	} {
		if differs {
			return name
		}
	}
	return ""
}

func give[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func unlike[T comparable](has T, given *T) bool { return given != nil && *given != has }

// sequenceNumber writes a FIFO sequence number as SQS does, in 20 digits.
func sequenceNumber(seq uint64) string { return fmt.Sprintf("%020d", seq) }
