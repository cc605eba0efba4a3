// Package lab is the hands-on lab on SQS standard queues in one process: a queue
// whose messages are delayed by 5 s, a slow and a fast producer of 50 donors
// each, a slow and a fast consumer that compete for them, and a monitor that
// watches the three counts rise and fall until all is handled.
//
// The workers are those of package workers with the lab's settings. The lab runs on
// any backend that can be opened by a URL; [Lab.Run] says what it leaves out where a
// backend lacks a control.
package lab

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gocloud.dev/pubsub"
	"golang.org/x/sync/errgroup"

	"omnibus/bus"
	"omnibus/workers"
)

// MaxSpeed is how many times faster than the clock a lab can run: beyond it the
// queue's retention would fall below what SQS allows.
const MaxSpeed = 1000

// A Lab is one run of the lab. Set its fields and call Run once.
type Lab struct {
	Mux *bus.Mux // opens URL; nil means bus.DefaultMux
	URL string   // of the queue, for example mem://mynewq

	// Speed divides every duration, 1 to 1000; 0 means 1. Only backends that
	// count fractions of a second can go faster.
	Speed int

	// DrainTimeout is how long Run may take to end when ctx does; 0 means 10 s. In
	// the first half the workers finish what they have in hand, in the second the
	// queue confirms what it was told.
	DrainTimeout time.Duration

	// OnEvent, if not nil, is called with everything that happens. Calls do not
	// overlap.
	OnEvent func(Event)

	mu sync.Mutex // one call of OnEvent at a time
}

// The kinds of events.
const (
	EventCreated = "created"  // the queue is there
	EventSent    = "sent"     // a producer sent a message
	EventHandled = "handled"  // a consumer handled one and acknowledged it
	EventFailed  = "failed"   // a consumer could not handle one
	EventStatus  = "status"   // the monitor took a sample
	EventDone    = "finished" // a worker ended
)

// An Event is something that happens in the lab. Fields that a kind of event does
// not have are zero.
type Event struct {
	Event    string    `json:"event"`
	Time     time.Time `json:"time"`
	URL      string    `json:"url,omitempty"`    // created
	Worker   string    `json:"worker,omitempty"` // sent, handled, failed, finished
	Number   int       `json:"number,omitempty"` // sent, handled: the worker's n-th
	ID       string    `json:"id,omitempty"`
	Producer string    `json:"producer,omitempty"`
	JobType  string    `json:"job_type,omitempty"`
	Body
	ReceiveCount int     `json:"receive_count,omitempty"`
	Error        string  `json:"error,omitempty"`
	Counts       *Counts `json:"counts,omitempty"` // status
}

// Counts are the three counts of a status event.
type Counts struct {
	Visible  int `json:"visible"`
	InFlight int `json:"in_flight"`
	Delayed  int `json:"delayed"`
}

// A Summary is what came of a run.
type Summary struct {
	Event       string `json:"event"` // "summary"
	Sent        int    `json:"sent"`
	Received    int    `json:"received"`
	Deleted     int    `json:"deleted"`
	Redelivered int    `json:"redelivered"`
	Counts
}

const defaultDrainTimeout = 10 * time.Second

// Run creates the queue if the backend can, starts the producers, the consumers
// and the monitor, and ends when all that was sent is handled and the three
// counts are zero. If ctx ends before, Run stops them cleanly and returns what was
// done so far, and no error unless something was not confirmed in time.
//
// Without the control "attributes" there are no status events, and Run ends when
// as many messages are handled as were sent; without "receivers" the
// consumers have the queue's own visibility timeout.
func (l *Lab) Run(ctx context.Context) (Summary, error) {
	if l.Speed == 0 {
		l.Speed = 1
	}
	if l.Speed < 1 || l.Speed > MaxSpeed {
		return Summary{}, fmt.Errorf("lab: speed %d is out of range; allowed are 1 to %d", l.Speed, MaxSpeed)
	}
	if l.DrainTimeout == 0 {
		l.DrainTimeout = defaultDrainTimeout
	}
	if l.DrainTimeout < 0 {
		return Summary{}, fmt.Errorf("lab: DrainTimeout is %v; it must not be negative", l.DrainTimeout)
	}
	if l.Mux == nil {
		l.Mux = bus.DefaultMux()
	}
	if err := l.create(ctx); err != nil {
		return Summary{}, err
	}
	r := &run{lab: l, done: make(chan struct{})}
	stopping, stop := context.WithCancel(ctx)
	last, cancel := workers.Outlast(stopping, l.DrainTimeout)
	defer cancel()
	err := r.open(ctx)
	opened := err == nil
	if opened {
		err = r.work(ctx)
	}
	stop()
	last, cancel = context.WithTimeout(last, l.DrainTimeout) // without a deadline Shutdown would set one of its own
	defer cancel()
	err = errors.Join(err, r.shutdown(last))
	if !opened {
		return Summary{}, err
	}
	s, summaryErr := r.summary(last)
	return s, errors.Join(err, summaryErr, r.status.Shutdown(last))
}

// create creates the queue, unless the backend's queues come into being when
// they are opened.
func (l *Lab) create(ctx context.Context) error {
	s := QueueSettings()
	*s.Delay /= time.Duration(l.Speed)
	*s.Retention /= time.Duration(l.Speed)
	url, err := l.Mux.Create(ctx, l.URL, s)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	l.emit(Event{Event: EventCreated, URL: url})
	return nil
}

func (l *Lab) emit(e Event) {
	if l.OnEvent == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Time = time.Now()
	l.OnEvent(e)
}

// run is a lab under way.
type run struct {
	lab       *Lab
	producers []*producer
	consumers []*consumer
	status    *bus.Queue

	mu      sync.Mutex    // guards all below
	sending int           // producers that are not done
	ended   bool          // whether done is closed
	done    chan struct{} // closed when all is handled
}

type producer struct {
	name  string
	queue *bus.Queue
	*workers.Producer
}

type consumer struct {
	name  string
	queue *bus.Queue
	*workers.Consumer
}

// open opens a queue for every worker, as programs of their own would.
func (r *run) open(ctx context.Context) error {
	l := r.lab
	for _, name := range []string{"slow", "fast"} {
		q, err := l.Mux.Open(ctx, l.URL)
		if err != nil {
			return err
		}
		preset := Producers[name]
		r.producers = append(r.producers, &producer{preset.Name, q, preset.producer(q, l.Speed)})
	}
	for _, name := range []string{"slow", "fast"} {
		q, err := l.Mux.Open(ctx, l.URL)
		if err != nil {
			return err
		}
		preset := Consumers[name]
		r.consumers = append(r.consumers, &consumer{preset.Name, q, preset.consumer(q, l.Speed)})
	}
	var err error
	r.status, err = l.Mux.Open(ctx, l.URL)
	return err
}

// shutdown shuts down the workers' queues, all at a time, since they share the
// drain timeout.
func (r *run) shutdown(ctx context.Context) error {
	var queues []*bus.Queue
	for _, p := range r.producers {
		queues = append(queues, p.queue)
	}
	for _, c := range r.consumers {
		queues = append(queues, c.queue)
	}
	errs := make([]error, len(queues))
	var wg sync.WaitGroup
	for i, q := range queues {
		wg.Go(func() { errs[i] = q.Shutdown(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// work runs all workers until the lab is done, ctx ends or one of them fails.
func (r *run) work(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	r.sending = len(r.producers)
	for _, p := range r.producers {
		g.Go(func() error { return r.produce(ctx, p) })
	}
	for _, c := range r.consumers {
		g.Go(func() error { return r.consume(ctx, c) })
	}
	if r.status.Supports(bus.ControlAttributes) {
		m := &workers.Monitor{Queue: r.status, Every: time.Second / time.Duration(r.lab.Speed), OnSample: r.sampled}
		g.Go(func() error { return m.Run(ctx) })
	}
	g.Go(func() error {
		select {
		case <-r.done:
			stop()
		case <-ctx.Done():
		}
		return nil
	})
	return g.Wait()
}

func (r *run) produce(ctx context.Context, p *producer) error {
	p.DrainTimeout = r.lab.DrainTimeout / 2
	p.OnSent = func(s workers.Sent) {
		r.lab.emit(Event{
			Event: EventSent, Worker: p.name, Number: s.Number, ID: s.ID,
			Producer: p.Metadata["Producer"], JobType: p.Metadata["JobType"], Body: NewBody(s.Body),
		})
	}
	if err := p.Run(ctx); err != nil {
		return err
	}
	r.lab.emit(Event{Event: EventDone, Worker: p.name, Number: p.Sent()})
	r.mu.Lock()
	r.sending--
	r.mu.Unlock()
	r.check(nil)
	return nil
}

func (r *run) consume(ctx context.Context, c *consumer) error {
	c.DrainTimeout = r.lab.DrainTimeout / 2
	c.Handler = func(context.Context, *pubsub.Message) error { return nil } // the lab's work is the pause
	handled := 0                                                            // one at a time
	c.OnDone = func(d workers.Done) {
		details := bus.Details(d.Message)
		e := Event{
			Event: EventHandled, Worker: c.name, Number: handled + 1, ID: details.ID,
			Producer: d.Message.Metadata["Producer"], JobType: d.Message.Metadata["JobType"],
			Body: NewBody(d.Message.Body), ReceiveCount: details.ReceiveCount,
		}
		if d.Err != nil {
			e.Event, e.Error = EventFailed, d.Err.Error()
		} else {
			handled++
		}
		r.lab.emit(e)
		r.check(nil)
	}
	if err := c.Run(ctx); err != nil {
		return err
	}
	r.lab.emit(Event{Event: EventDone, Worker: c.name, Number: c.Stats().Deleted})
	return nil
}

func (r *run) sampled(s workers.Sample) {
	counts := Counts{s.Attributes.Visible, s.Attributes.InFlight, s.Attributes.Delayed}
	r.lab.emit(Event{Event: EventStatus, Counts: &counts})
	r.check(&counts)
}

// check ends the lab when everything sent is handled and, where the queue can be
// asked, the counts are zero.
func (r *run) check(counts *Counts) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sent, _, deleted, _ := r.totals()
	asks := r.status.Supports(bus.ControlAttributes)
	if r.ended || r.sending > 0 || deleted < sent || asks && (counts == nil || *counts != Counts{}) {
		return
	}
	r.ended = true
	close(r.done)
}

func (r *run) totals() (sent, received, deleted, redelivered int) {
	for _, p := range r.producers {
		sent += p.Sent()
	}
	for _, c := range r.consumers {
		s := c.Stats()
		received += s.Received
		deleted += s.Deleted
		redelivered += s.Redelivered
	}
	return sent, received, deleted, redelivered
}

func (r *run) summary(ctx context.Context) (Summary, error) {
	s := Summary{Event: "summary"}
	s.Sent, s.Received, s.Deleted, s.Redelivered = r.totals()
	if !r.status.Supports(bus.ControlAttributes) {
		return s, nil
	}
	a, err := r.status.Attributes(ctx)
	s.Counts = Counts{a.Visible, a.InFlight, a.Delayed}
	return s, err
}
