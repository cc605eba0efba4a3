package bustest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus"
)

// A queue is a bus.Queue in a trial. What must work fails the trial if it does
// not.
type queue struct {
	*bus.Queue
	t     *trial
	name  string
	lease time.Duration // how long a received message is hidden, for one of [trial.leased]
	from  *queue        // what it is a receiver of, or nil
	dead  *queue        // its dead-letter queue, for one of [trial.deadLetters]

	gone atomic.Bool // deleted, so that shutting down may say so
	shut atomic.Bool // shut down

	mu   sync.Mutex // guards held
	held []*message // received
}

// A span is when something happened: not before from, and not after by.
type span struct{ from, by time.Time }

// A sent is a message that was sent.
type sent struct {
	span
	id string // "" if the backend does not tell
}

// A message is a received message, with the span of its Receive.
type message struct {
	*pubsub.Message
	span
	about bus.MessageDetails // as of the receive

	done atomic.Bool // acknowledged, either way
}

// An option is something said of a message that is about to be sent.
type option func(*pubsub.Message)

func delayed(d time.Duration) option       { return func(m *pubsub.Message) { bus.Delay(m, d) } }
func grouped(id string) option             { return func(m *pubsub.Message) { bus.Group(m, id) } }
func deduplicated(id string) option        { return func(m *pubsub.Message) { bus.Deduplicate(m, id) } }
func metadata(md map[string]string) option { return func(m *pubsub.Message) { m.Metadata = md } }

func attribute(name string, a bus.Attribute) option {
	return func(m *pubsub.Message) { bus.SetAttribute(m, name, a) }
}

func offered(name string, a bus.Attribute) option {
	return func(m *pubsub.Message) { bus.OfferAttribute(m, name, a) }
}

// full returns the name under which the backend knows the trial's queue.
func (t *trial) full(name string) string { return t.prefix + name }

// queue makes a queue, if the backend can, and opens it.
func (t *trial) queue(name string, s bus.QueueSettings) *queue {
	q, err := t.tryQueue(name, s)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return q
}

// tryQueue is queue for settings that may be refused.
func (t *trial) tryQueue(name string, s bus.QueueSettings) (*queue, error) {
	if !t.has(create) {
		return t.open(name, t.url(t.full(name))), nil
	}
	url, err := t.create(name, s)
	if err != nil {
		return nil, err
	}
	if t.has(remove) && !t.backend.Virtual {
		t.Cleanup(func() { t.remove(url) })
	}
	return t.open(name, url), nil
}

// plain makes a queue as it comes.
func (t *trial) plain() *queue { return t.queue("donors", bus.QueueSettings{}) }

// leased makes a queue that hides received messages for d or, if the kit cannot have
// that, for as long as the backend's queues do.
func (t *trial) leased(d time.Duration) *queue {
	if t.has(create) {
		q, err := t.tryQueue("leased", bus.QueueSettings{Visibility: &d})
		if err == nil {
			q.lease = d
			return q
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Fatalf("create: %v", err)
		}
	}
	q := t.plain()
	if t.has(receivers) {
		return q.receiver(d)
	}
	if q.lease = t.backend.Visibility; q.lease == 0 {
		t.Fatalf("no queue can be made with a visibility timeout; give the Backend its Visibility")
	}
	return q
}

// receiver opens a receiver of the queue that hides messages for d.
func (q *queue) receiver(d time.Duration) *queue {
	opened, err := q.OpenReceiver(bus.ReceiverOptions{Visibility: &d})
	if err != nil {
		q.t.Fatalf("open a receiver: %v", err)
	}
	r := q.t.opened(q.name, opened)
	r.lease, r.from = d, q
	return r
}

// fifo makes a FIFO queue.
func (t *trial) fifo(s bus.QueueSettings) *queue {
	s.FIFO = new(true)
	return t.queue("donors.fifo", s)
}

// probe makes a queue without knowing what the backend can do.
func (t *trial) probe(name string) *queue {
	if _, err := t.create(name, bus.QueueSettings{}); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		t.Fatalf("create: %v", err)
	}
	return t.open(name, t.url(t.full(name)))
}

func (t *trial) create(name string, s bus.QueueSettings) (url string, err error) {
	return t.mux.Create(t.ctx, t.url(t.full(name)), s)
}

// open opens a queue, which is shut down at the end.
func (t *trial) open(name, url string) *queue {
	opened, err := t.mux.Open(t.ctx, url)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return t.opened(name, opened)
}

// opened has a queue shut down at the end.
func (t *trial) opened(name string, opened *bus.Queue) *queue {
	q := &queue{Queue: opened, t: t, name: name}
	t.Cleanup(func() {
		q.letGo()
		q.shutdown()
	})
	return q
}

// remove deletes a queue after the trial. That it works is a promise of its own.
func (t *trial) remove(url string) {
	ctx, cancel := t.timeout(context.Background(), t.patience())
	defer cancel()
	if q, err := t.mux.Open(ctx, url); err == nil {
		q.Delete(ctx)
		q.Shutdown(ctx)
	}
}

// another opens the queue a second time: another consumer of it.
func (q *queue) another() *queue {
	if q.from != nil {
		return q.from.another().receiver(q.lease)
	}
	other := q.t.open(q.name, q.URL())
	other.lease = q.lease
	return other
}

// letGo acknowledges what the promise left, of which the Go CDK would complain.
func (q *queue) letGo() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.held {
		m.Ack()
	}
}

// Ack acknowledges the message, unless that has been done.
func (m *message) Ack() {
	if m.done.CompareAndSwap(false, true) {
		m.Message.Ack()
	}
}

// Nack gives the message back.
func (m *message) Nack() {
	m.done.Store(true)
	m.Message.Nack()
}

// shutdown shuts the queue down, unless that has been done.
func (q *queue) shutdown() {
	if q.shut.Swap(true) {
		return
	}
	ctx, cancel := q.t.timeout(context.Background(), q.t.patience())
	defer cancel()
	err := q.Shutdown(ctx)
	if err != nil && !(q.gone.Load() && gcerrors.Code(err) == gcerrors.NotFound) {
		q.t.Errorf("shut down: %v", err)
	}
}

// trySend sends a message.
func (q *queue) trySend(body string, opts ...option) (sent, error) {
	m := &pubsub.Message{Body: []byte(body)}
	for _, o := range opts {
		o(m)
	}
	var stored bus.SentMessage
	bus.StoreSent(m, &stored)
	ctx, cancel := q.t.timeout(q.t.ctx, q.t.patience())
	defer cancel()
	s := sent{span: span{from: q.t.now()}}
	err := q.Topic.Send(ctx, m)
	s.by, s.id = q.t.now(), stored.ID
	return s, err
}

// send sends a message that must be accepted.
func (q *queue) send(body string, opts ...option) sent {
	s, err := q.trySend(body, opts...)
	if err != nil {
		q.t.Fatalf("send %s: %v", brief(body), err)
	}
	return s
}

// next returns the next message, if one comes before ctx ends.
func (q *queue) next(ctx context.Context) (*message, error) {
	from := q.t.now()
	m, err := q.Subscription.Receive(ctx)
	if err != nil {
		return nil, err
	}
	got := &message{Message: m, span: span{from, q.t.now()}, about: bus.Details(m)}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = append(q.held, got)
	return got, nil
}

// take returns the next message, which must come. Others may have been fetched
// with it.
func (q *queue) take() *message {
	ctx, cancel := q.t.timeout(q.t.ctx, q.t.patience())
	defer cancel()
	m, err := q.next(ctx)
	if err != nil {
		q.t.Fatalf("no message came in %v: %v", q.t.patience(), err)
	}
	return m
}

// receive returns the next message, which must come, and gives back what was
// fetched with it. So when the message's visibility timeout began is known: in
// the span of this receive, not in that of an earlier one.
func (q *queue) receive() *message {
	m := q.take()
	q.release()
	return m
}

// receiveAgain receives m again when its visibility timeout is over. It begins just
// before, so that when the new timeout begins is known.
func (q *queue) receiveAgain(m *message) *message {
	q.t.sleepUntil(m.span, q.lease-1*time.Second)
	again := q.receive()
	q.t.came(again, m.span, q.lease)
	return again
}

// release gives back what was fetched and not handed out, where that is exact.
func (q *queue) release() {
	if !q.t.has(bus.ControlRelease) {
		return
	}
	if _, err := q.Release(q.t.ctx); err != nil {
		q.t.Fatalf("release: %v", err)
	}
}

// begin starts a receive, and returns what waits for its message, which must
// come.
func (q *queue) begin() (wait func() *message) {
	type result struct {
		m   *message
		err error
	}
	results := make(chan result, 1)
	ctx, cancel := context.WithCancel(q.t.ctx)
	q.t.Go(func() {
		m, err := q.next(ctx)
		results <- result{m, err}
	})
	return func() *message {
		defer q.t.after(q.t.patience(), cancel)()
		r := <-results
		if r.err != nil {
			q.t.Fatalf("no message came in %v: %v", q.t.patience(), r.err)
		}
		return r.m
	}
}

// none checks that no message comes for d.
func (q *queue) none(d time.Duration) {
	ctx, cancel := q.t.timeout(q.t.ctx, d)
	defer cancel()
	m, err := q.next(ctx)
	switch {
	case err == nil:
		q.t.Fatalf("%v came, and no message should have", m)
	case !errors.Is(err, ctx.Err()):
		q.t.Fatalf("receive: %v; want the error of its context", err)
	}
	q.release()
}

// change makes a message visible in d from now, and returns when that was.
func (q *queue) change(m *message, d time.Duration) span {
	s := span{from: q.t.now()}
	if err := q.ChangeVisibility(q.t.ctx, m.Message, d); err != nil {
		q.t.Fatalf("change visibility of %v to %v: %v", m, d, err)
	}
	s.by = q.t.now()
	return s
}

// counts waits for the queue to count so many messages.
func (q *queue) counts(visible, inFlight, delayed int) {
	want := bus.Counts{Visible: visible, InFlight: inFlight, Delayed: delayed}
	q.t.eventually(func() string {
		a, err := q.Attributes(q.t.ctx)
		if err != nil {
			return err.Error()
		}
		a.OldestAge = 0
		if a.Counts != want {
			return fmt.Sprintf("the queue counts %s; want %s", countsText(a.Counts), countsText(want))
		}
		return ""
	})
}

func countsText(c bus.Counts) string {
	return fmt.Sprintf("%d visible, %d in flight, %d delayed", c.Visible, c.InFlight, c.Delayed)
}

// String shows the message for a failure's text.
func (m *message) String() string { return "message " + brief(string(m.Body)) }

func brief(s string) string {
	const most = 60
	if len(s) > most {
		s = s[:most] + "…"
	}
	return fmt.Sprintf("%q", s)
}
