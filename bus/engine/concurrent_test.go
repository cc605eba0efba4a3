package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"omnibus/bus/spec"
)

// crowd is many goroutines on one queue and its dead-letter queue, in real time,
// and what they saw.
type crowd struct {
	t      *testing.T
	fifo   bool
	queues []*Queue

	mu         sync.Mutex          // guards the maps
	sent       map[string]string   // bodies, by message id
	deleted    map[string]int      // how often, by id
	deliveries map[string][]*lease // by id
}

// lease is the time in which one delivery holds its message, on the clock of its
// queue.
type lease struct {
	queue       *Queue
	count       int
	taken, ends time.Time
}

const crowdVisibility = 20 * time.Millisecond

func TestEveryMessageIsAccountedFor(t *testing.T) {
	for _, suffix := range []string{"", ".fifo"} {
		t.Run("q"+suffix, func(t *testing.T) {
			e := New(&Options{Lenient: true})
			dead := create(t, e, "dead"+suffix, spec.QueueSettings{Visibility: new(crowdVisibility)})
			q := create(t, e, "q"+suffix, spec.QueueSettings{
				Visibility: new(crowdVisibility),
				DeadLetter: &spec.DeadLetter{Queue: dead.Name(), MaxReceives: 4},
			})
			c := &crowd{
				t: t, fifo: suffix != "", queues: []*Queue{q, dead},
				sent: map[string]string{}, deleted: map[string]int{}, deliveries: map[string][]*lease{},
			}
			c.run(4, 8, 700*time.Millisecond)
			c.account()
			c.drain()
			c.wantNoOverlap()
		})
	}
}

// run has senders and receivers at work for a while, and one who looks and
// changes settings.
func (c *crowd) run(senders, receivers int, d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	var all sync.WaitGroup
	for sender := range senders {
		all.Go(func() { c.send(ctx, sender) })
	}
	for range receivers {
		all.Go(func() { c.receive(ctx) })
	}
	all.Go(func() { c.look(ctx) })
	all.Wait()
}

// send sends, in groups of its own on a FIFO queue, until ctx ends. It pauses, or
// the receivers would have no reason to wait.
func (c *crowd) send(ctx context.Context, sender int) {
	q := c.queues[0]
	for i := 0; ctx.Err() == nil; i++ {
		m := Message{Body: fmt.Sprintf("%d-%d", sender, i)}
		if c.fifo {
			m.Group, m.Deduplication = fmt.Sprintf("%d-%d", sender, rand.IntN(20)), m.Body
		} else if rand.IntN(4) == 0 {
			m.Delay = new(time.Duration(rand.IntN(3)) * time.Millisecond)
		}
		sent, err := q.Send(m)
		if err != nil {
			c.t.Error(err)
			return
		}
		c.mu.Lock()
		c.sent[sent.ID] = m.Body
		c.mu.Unlock()
		if i%4 == 3 {
			select {
			case <-ctx.Done():
			case <-time.After(time.Duration(rand.IntN(1000)) * time.Microsecond):
			}
		}
	}
}

func (c *crowd) look(ctx context.Context) {
	for ctx.Err() == nil {
		for _, q := range c.queues {
			a, err := q.Attributes()
			if err != nil || a.Visible < 0 || a.InFlight < 0 || a.Delayed < 0 || a.OldestAge < 0 {
				c.t.Errorf("attributes %+v, %v", a, err)
			}
			if _, err := q.Peek(3); err != nil {
				c.t.Error(err)
			}
			if err := q.SetAttributes(spec.QueueSettings{Visibility: new(crowdVisibility)}); err != nil {
				c.t.Error(err)
			}
		}
	}
}

// receive takes messages, with contexts that end at any time, and treats them in
// every way until ctx ends.
func (c *crowd) receive(ctx context.Context) {
	for ctx.Err() == nil {
		q := c.queues[rand.IntN(8)/7]
		short, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(2000))*time.Microsecond)
		got, err := q.Receive(short, ReceiveRequest{Max: 1 + rand.IntN(10), Wait: new(5 * time.Millisecond)})
		cancel()
		if err != nil {
			if len(got) > 0 || err != short.Err() {
				c.t.Errorf("receive: %d messages, %v", len(got), err)
			}
			continue
		}
		if c.fifo && len(got) > 0 {
			c.wantOrder(q, got[0])
		}
		leases := c.note(q, got)
		for i, d := range got {
			if !c.treat(q, d, leases[i]) && c.fifo {
				break // the rest must not overtake it
			}
		}
	}
}

// note writes the deliveries down.
func (c *crowd) note(q *Queue, got []Delivery) (leases []*lease) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range got {
		l := &lease{q, d.ReceiveCount, d.VisibleAt.Add(-crowdVisibility), d.VisibleAt}
		leases = append(leases, l)
		c.deliveries[d.ID] = append(c.deliveries[d.ID], l)
	}
	return leases
}

// treat deletes a message, most often, or extends its lease, gives it back or
// forgets about it. It reports whether the message is gone.
func (c *crowd) treat(q *Queue, d Delivery, l *lease) bool {
	switch n := rand.IntN(10); {
	case n == 0: // its lease runs out
		return false
	case n == 1:
		c.mu.Lock()
		l.ends = l.taken // given back before the end, we do not know when
		c.mu.Unlock()
		_ = q.ChangeHeld(d.ReceiptHandle, 0) // fails when the lease is over
		return false
	case n == 2:
		if q.ChangeHeld(d.ReceiptHandle, 2*crowdVisibility) == nil {
			if at, held := q.VisibleAt(d.ReceiptHandle); held {
				c.mu.Lock()
				l.ends = at
				c.mu.Unlock()
			}
		}
	}
	deleted, err := q.Delete(d.ReceiptHandle)
	if !deleted || err != nil { // the lease is over
		return false
	}
	c.mu.Lock()
	c.deleted[d.ID]++
	c.mu.Unlock()
	return true
}

// wantOrder fails the test if the queue still holds a message that comes before
// d in its group. d is the first of its receive.
func (c *crowd) wantOrder(q *Queue, d Delivery) {
	q.engine.mu.Lock()
	defer q.engine.mu.Unlock()
	for _, lane := range q.state.age.byKey {
		for m := lane.head; m != nil; m = m.links[bySent].next {
			if m.extra.group == d.Group && sequenceNumber(m.seq) < d.SequenceNumber {
				c.t.Errorf("%s of %s was delivered while %s was held", d.Body, q.Name(), m.body)
			}
		}
	}
}

// account fails the test unless the messages sent are those deleted and those
// held.
func (c *crowd) account() {
	held := 0
	for _, q := range c.queues {
		a, err := q.Attributes()
		ok(c.t, err)
		held += a.Visible + a.InFlight + a.Delayed
	}
	if len(c.sent) != len(c.deleted)+held {
		c.t.Errorf("%d messages sent, %d deleted, %d held", len(c.sent), len(c.deleted), held)
	}
	c.t.Logf("%d messages sent, %d deleted, %d held", len(c.sent), len(c.deleted), held)
}

// drain deletes what is held, and fails the test unless every message sent is
// then deleted, once.
func (c *crowd) drain() {
	for _, q := range c.queues {
		for {
			a, err := q.Attributes()
			ok(c.t, err)
			if a.Visible+a.InFlight+a.Delayed == 0 {
				break
			}
			got, err := q.Receive(context.Background(), ReceiveRequest{Max: 10, Visibility: new(time.Hour), Wait: new(time.Second)})
			ok(c.t, err)
			for _, d := range got {
				wantDeleted(c.t, q, d.ReceiptHandle, true)
				c.deleted[d.ID]++
			}
		}
	}
	for id, body := range c.sent {
		if n := c.deleted[id]; n != 1 {
			c.t.Errorf("message %s was deleted %d times", body, n)
		}
	}
}

// wantNoOverlap fails the test if a message was delivered while a delivery held
// it, or twice with one receive count.
func (c *crowd) wantNoOverlap() {
	for id, leases := range c.deliveries {
		slices.SortFunc(leases, func(a, b *lease) int { return a.count - b.count })
		for i, l := range leases[1:] {
			before := leases[i]
			if l.count == before.count || l.queue == before.queue && l.taken.Before(before.ends) {
				c.t.Errorf("message %s: receive %d ends at %v, receive %d begins at %v", id, before.count, before.ends, l.count, l.taken)
			}
		}
	}
}
