package workers

import (
	"context"
	"maps"
	"sync"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
)

// DueTime is the attribute that carries a delay that the queue cannot: when the
// message is due, as RFC 3339 writes it, in UTC.
const DueTime = "OmnibusDueTime"

// mostDelay is how long SQS delays a message.
const mostDelay = 15 * time.Minute

// Delay holds a message back that is about to be sent to q until d from now, whatever
// d is. Call it before Topic.Send, in place of [bus.Delay].
//
// Up to 15 minutes on a standard queue are the queue's own delay. A longer one, and
// any on a FIFO queue, which has no delays of single messages, is carried by the message,
// as the attribute [DueTime], and kept by a [Consumer]; others receive the message
// earlier. On a standard queue the consumer sends the message on with the rest of the
// delay, every 15 minutes, and deletes it: it gets another id and another time of
// sending, and its receive count begins anew. Should the process die in between there are
// two of it. On a FIFO queue the message stays where it is, and holds its group back:
// the consumer keeps its lease, for 12 hours at a time, which costs one receive each,
// and one more whenever a consumer stops meanwhile. There the delay must end before the
// queue's retention period does.
func Delay(q *bus.Queue, m *pubsub.Message, d time.Duration) {
	if d < 0 || !q.FIFO() && d <= mostDelay {
		bus.Delay(m, d) // which is an error if it is negative
		return
	}
	m.Metadata = maps.Clone(m.Metadata)
	if m.Metadata == nil {
		m.Metadata = map[string]string{}
	}
	m.Metadata[DueTime] = time.Now().Add(d).UTC().Format(time.RFC3339Nano)
	if !q.FIFO() {
		bus.Delay(m, mostDelay)
	}
}

// dueTime returns when a received message is due, or zero if it does not say so.
func dueTime(m *pubsub.Message) time.Time {
	due, err := time.Parse(time.RFC3339Nano, m.Metadata[DueTime])
	if err != nil {
		return time.Time{}
	}
	return due
}

// mostHeld is how many messages a consumer holds that are not due.
const mostHeld = 1000

// putOff keeps a message that is not due yet: it sends it on with the rest of its
// delay or, where that would change a group's order, or cannot be, holds it.
func (r *run) putOff(d *delivery, due time.Time, next *[]*delivery) {
	if d.group == "" && d.intake.can.delay {
		err := r.sendOn(d, time.Until(due))
		if err == nil {
			r.stats.delayed.Add(1)
			r.proceed(d, next)
			return
		}
		r.log.Warn("workers: a message that is not due could not be sent on, and is held", d.with("due", due, "error", err)...)
	}
	if r.held.add(d, due, r.gate.interrupt) {
		r.keeper.hold(d, func(error) { r.held.free(d, r.gate.interrupt) })
		return
	}
	r.giveBackEarly(d, due)
}

// giveBackEarly gives a message back for the rest of its delay.
func (r *run) giveBackEarly(d *delivery, due time.Time) {
	if r.keeper.end(d) != nil {
		r.lose(d)
		return
	}
	r.stats.delayed.Add(1)
	r.fail(d, r.within(d, time.Until(due)))
}

// sendOn sends a message again, with a delay, and acknowledges this one.
func (r *run) sendOn(d *delivery, rest time.Duration) error {
	ctx, cancel := context.WithTimeout(r.settling, settleTime)
	defer cancel()
	m := d.intake.queue.Forward(d.message)
	bus.Delay(m, wholeSeconds(min(rest, mostDelay)))
	if err := d.intake.queue.Topic.Send(ctx, m); err != nil {
		return err
	}
	r.keeper.end(d)
	d.moved = true
	return r.ack(d)
}

// held are the deliveries that are held until they are due. The zero value is ready.
type held struct {
	mu     sync.Mutex // guards all below
	timers map[*delivery]*time.Timer
	due    []*delivery // of those that were held
}

// add holds a delivery until it is due, and then calls wake; or reports false if too
// many are held.
func (h *held) add(d *delivery, due time.Time, wake func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.timers) >= mostHeld {
		return false
	}
	if h.timers == nil {
		h.timers = map[*delivery]*time.Timer{}
	}
	h.timers[d] = time.AfterFunc(time.Until(due), func() { h.free(d, wake) })
	return true
}

// free has a delivery held no more: it is due, or its lease is lost.
func (h *held) free(d *delivery, wake func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t, ok := h.timers[d]; ok {
		t.Stop()
		delete(h.timers, d)
		h.due = append(h.due, d)
		wake()
	}
}

// next returns a delivery that has become due, or nil.
func (h *held) next() *delivery {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.due) == 0 {
		return nil
	}
	d := h.due[0]
	h.due = h.due[1:]
	return d
}

// drain returns the deliveries that are not due, and those that are.
func (h *held) drain() (early, due []*delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for d, t := range h.timers {
		t.Stop()
		early = append(early, d)
	}
	due = h.due
	h.timers, h.due = nil, nil
	return early, due
}
