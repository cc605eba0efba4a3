// Package live fills the streams of package watch: a [Poller] takes samples of queues of
// package bus, and [Watch] tells of what a consumer does.
package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"omnibus/bus"
	"omnibus/watch"
	"omnibus/workers"
)

// A Poller samples queues for all who follow its stream: however many they are, each
// queue is asked once. A queue that cannot be read now has samples with an error, and is
// asked again.
type Poller struct {
	Samples *watch.Stream[watch.Sample] // required

	// Every is the time from one sample of a queue to the next; 0 means 1 s. Each
	// sample is a request that SQS bills.
	Every time.Duration

	// Account, if not nil, returns what else is known of a queue: see
	// [watch.Ledger]. It is called from several goroutines.
	Account func(q *bus.Queue) watch.Account

	// Price is what requests cost; the zero value means watch.ListPrice().
	Price watch.Price

	mu     sync.Mutex // guards all below
	queues map[*bus.Queue]context.CancelFunc
	ctx    context.Context // of Run; nil before
	asking sync.WaitGroup
}

const (
	defaultEvery = time.Second
	leastRetry   = time.Second // after an error
)

// Add has a queue sampled from now on, or from when Run begins. It may be called at
// any time. The queue must have the control "attributes" and is to be shut down by the
// caller, after Remove or after Run.
func (p *Poller) Add(q *bus.Queue) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.queues == nil {
		p.queues = map[*bus.Queue]context.CancelFunc{}
	}
	if _, known := p.queues[q]; known {
		return
	}
	p.queues[q] = func() {}
	if p.ctx != nil {
		p.follow(q)
	}
}

// Remove has a queue sampled no more.
func (p *Poller) Remove(q *bus.Queue) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if stop, known := p.queues[q]; known {
		stop()
		delete(p.queues, q)
	}
}

// Run samples until ctx ends, which returns nil. It is to be called once.
func (p *Poller) Run(ctx context.Context) error {
	if p.Samples == nil {
		return errors.New("live: Poller.Samples is missing")
	}
	if p.Every < 0 {
		return fmt.Errorf("live: Poller.Every is %v; it must not be negative", p.Every)
	}
	p.mu.Lock()
	p.ctx = ctx
	for q := range p.queues {
		p.follow(q)
	}
	p.mu.Unlock()
	<-ctx.Done()
	p.mu.Lock() // nothing is added from here on
	defer p.mu.Unlock()
	p.asking.Wait()
	return nil
}

// follow begins to sample a queue. The caller holds mu.
func (p *Poller) follow(q *bus.Queue) {
	if p.ctx.Err() != nil {
		return
	}
	ctx, stop := context.WithCancel(p.ctx)
	p.queues[q] = stop
	p.asking.Go(func() {
		defer stop()
		p.sample(ctx, q)
	})
}

// sample samples a queue until ctx ends.
func (p *Poller) sample(ctx context.Context, q *bus.Queue) {
	every := cmp.Or(p.Every, defaultEvery)
	price := p.Price
	if price == (watch.Price{}) {
		price = watch.ListPrice()
	}
	var series watch.Series
	publish := func(s watch.Sample) {
		s.Queue, s.Name, s.FIFO = bus.Redact(q.URL()), q.Name(), q.FIFO()
		var a watch.Account
		if p.Account != nil {
			a = p.Account(q)
		}
		p.Samples.Publish(series.Next(s, a, price))
	}
	m := &workers.Monitor{Queue: q, Every: every, OnSample: func(s workers.Sample) {
		c := s.Attributes.Counts
		publish(watch.Sample{
			Time:   s.Time,
			Counts: watch.Counts{Visible: c.Visible, InFlight: c.InFlight, Delayed: c.Delayed},
			Oldest: c.OldestAge, DeadLetter: s.Attributes.DeadLetter.Queue,
		})
	}}
	for {
		err := m.Run(ctx)
		if err == nil {
			return
		}
		publish(watch.Sample{Time: time.Now(), Error: err.Error()})
		select {
		case <-time.After(max(every, leastRetry)):
		case <-ctx.Done():
			return
		}
	}
}
