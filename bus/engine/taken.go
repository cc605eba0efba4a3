package engine

import (
	"context"
	"time"

	"omnibus/bus/spec"
)

// A Taken is a delivery in numbers, half as large as a [Delivery] and cheaper to
// make, for those who receive many and ask little of most. It does not change,
// whatever becomes of its message.
type Taken struct {
	Body       string
	Attributes []spec.NamedAttribute // shared; not to be changed

	// Deleted is set by [Queue.DeleteTaken].
	Deleted bool

	receives    int32
	queue       *queue // of which only what never changes is read
	extra       *extra // which never changes; nil if there is none
	id, seq     uint64
	sent, first int64 // nanoseconds of Unix time
	visibleAt   time.Time
	visibility  time.Duration // from the receive on
}

// delivered returns the latest delivery of a message.
func (q *queue) delivered(m *message) Taken {
	return Taken{
		Body:       m.body,
		Attributes: m.attrs,
		receives:   m.receives,
		queue:      q,
		extra:      m.extra,
		id:         m.id,
		seq:        m.seq,
		sent:       q.clock.pastUnix(m.sent),
		first:      q.clock.pastUnix(m.first),
		visibleAt:  q.clock.future(m.due),
		visibility: time.Duration(m.due - m.taken),
	}
}

// ID returns the message's id.
func (t *Taken) ID() string { return messageID(t.queue.seed, t.id) }

// ReceiptHandle returns the delivery's receipt handle.
func (t *Taken) ReceiptHandle() string { return t.receipt().String() }

// VisibleAt returns when the visibility timeout that the receive began ends.
func (t *Taken) VisibleAt() time.Time { return t.visibleAt }

func (t *Taken) receipt() receipt {
	return receipt{t.queue.number, t.seq, t.receives, t.visibility}
}

// Delivery returns all that the delivery tells.
func (t *Taken) Delivery() Delivery {
	d := Delivery{
		Body:          t.Body,
		Attributes:    t.Attributes,
		Sent:          time.Unix(0, t.sent),
		FirstReceived: time.Unix(0, t.first),
		ReceiveCount:  int(t.receives),
		VisibleAt:     t.visibleAt,
	}
	d.ID, d.ReceiptHandle = names(t.queue.seed, t.id, t.receipt())
	if x := t.extra; x != nil {
		d.Group, d.Deduplication, d.TraceHeader, d.DeadLetterSource = x.group, x.dedup, x.trace, x.source
	}
	if spec.IsFIFOName(t.queue.name) {
		d.SequenceNumber = sequenceNumber(t.seq)
	}
	return d
}

// Receive is [Queue.Take] for those who want to be told all of each message.
func (q *Queue) Receive(ctx context.Context, r ReceiveRequest) ([]Delivery, error) {
	taken, err := q.Take(ctx, r)
	if len(taken) == 0 {
		return nil, err
	}
	out := make([]Delivery, len(taken))
	for i := range taken {
		out[i] = taken[i].Delivery()
	}
	return out, err
}

// DeleteTaken is [Queue.Delete] for deliveries of this queue, all at once. It sets
// Deleted of those whose messages it deleted, and fails only if the queue has been
// deleted, or as [Open] says.
func (q *Queue) DeleteTaken(ts []*Taken) (err error) {
	if err := q.lockTo(changes); err != nil {
		return err
	}
	defer q.finish(&err)
	for _, t := range ts {
		if t.queue == q.state {
			t.Deleted, _ = q.state.delete(t.receipt())
		}
	}
	return nil
}
