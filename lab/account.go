package lab

import (
	"time"

	"omnibus/bus"
	"omnibus/watch"
)

// Requests are counted as SQS would see them of programs such as the notes': a message a
// request, and receives one after the other, each of which waits for as long as the
// consumer's do, or for restless if that is less.
const restless = 250 * time.Millisecond // between two receives that do not wait, as bus/sqsbus and bus/membus have it

// account returns what is known of a queue so far.
func (r *run) account(q *bus.Queue) watch.Account {
	a := r.ledger.Account(q.Name())
	if r.lab.Requests != nil {
		if requests := r.lab.Requests(q); requests != nil {
			a.Requests = requests
		}
	}
	return a
}

// sampled counts the request of a sample, and the receives under way, and returns what
// is known of a queue.
func (r *run) sampled(q *bus.Queue) watch.Account {
	r.ledger.Request(q.Name(), "GetQueueAttributes", 1, 0)
	r.mu.Lock()
	for _, c := range r.consumers {
		if c.queue.Name() == q.Name() {
			r.countPolls(c, time.Now())
		}
	}
	r.mu.Unlock()
	return r.account(q)
}

// countPolls counts the receives of a consumer that have come back empty by now. The
// caller holds mu.
func (r *run) countPolls(c *consumer, now time.Time) {
	if c.polled.IsZero() {
		return
	}
	each := max(c.Wait, restless) / time.Duration(r.lab.Speed)
	n := now.Sub(c.polled) / each
	r.ledger.Request(c.queue.Name(), "ReceiveMessage", int(n), 0)
	c.polled = c.polled.Add(n * each)
}

// count counts the requests and the flow that an event of a consumer's message stands
// for.
func (r *run) count(e watch.Event, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, c := r.find(e.Worker); c != nil {
		if e.Kind == watch.Received || e.Kind == watch.Redelivered {
			r.countPolls(c, e.Time)
			c.polled = time.Time{}
		} else {
			c.polled = e.Time.Add(c.Rest)
		}
	}
	switch e.Kind {
	case watch.Received, watch.Redelivered:
		r.ledger.Request(e.Queue, "ReceiveMessage", 1, bytes)
	case watch.Handled:
		r.ledger.Request(e.Queue, "DeleteMessage", 1, 0)
		r.flow(e.Queue, 0, 1)
	case watch.Failed:
		r.ledger.Request(e.Queue, "ChangeMessageVisibility", 1, 0)
	case watch.Dead:
		r.ledger.Request(e.Queue, "ChangeMessageVisibility", 1, 0)
		r.dead++
		r.flow(e.Queue, 0, 1)
		for _, st := range r.stages {
			if st.queue.Name() == e.Queue && st.dead != "" {
				r.flow(r.stage(st.dead).queue.Name(), 1, 0)
			}
		}
	}
}

// flow notes messages that come and go, where those that come are known.
func (r *run) flow(queue string, in, out int) {
	if r.topic == nil {
		r.ledger.Flow(queue, in, out)
	}
}
