package workers

import (
	"context"
	"sync"
	"time"

	"omnibus/bus"
)

// A Share is a queue that a Consumer receives from beside others.
type Share struct {
	Queue *bus.Queue // required, with a Subscription

	// Weight is the queue's part of the handlers; 0 means 1. Of two queues that have
	// messages, the one with weight 3 gets three times as many as that with weight 1.
	Weight int
}

// An offer is what an intake among several has for the dispatcher. It is guarded by the
// mux.
type offer struct {
	delivery *delivery
	err      error
	asked    time.Time // when the intake began to receive; zero if it does not
	credit   int
}

// source returns where the dispatcher receives until ctx ends, and what ends that.
func (r *run) source(ctx context.Context) (source, func()) {
	if len(r.intakes) == 1 {
		return r.intakes[0], func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	m := &mux{ctx: ctx, intakes: r.intakes, strict: r.Strict, offers: make(chan struct{}, 1)}
	return m, func() { cancel(); m.receivers.Wait() }
}

// A mux receives from several queues. Each receives one message when the dispatcher
// wants one, and offers it; those that are not chosen stay until they are.
type mux struct {
	ctx       context.Context
	intakes   []*intake
	strict    bool
	receivers sync.WaitGroup
	offers    chan struct{} // holds one: there is a new offer

	mu sync.Mutex // guards the intakes' offers
}

// grace is how long a queue is waited for whose turn it is, before another is served.
// One that has messages offers the next within that time.
const grace = 100 * time.Millisecond

// next returns one of the messages that are offered.
func (m *mux) next(ctx context.Context) (*delivery, error) {
	for {
		m.ask()
		d, rest, err := m.choose(time.Now())
		if d != nil || err != nil {
			return d, err
		}
		var rested <-chan time.Time
		var t *time.Timer
		if rest > 0 {
			t = time.NewTimer(rest)
			rested = t.C
		}
		select {
		case <-m.offers:
		case <-rested:
		case <-ctx.Done():
		}
		if t != nil {
			t.Stop()
		}
		if ctx.Err() != nil {
			return nil, nil
		}
	}
}

// ask has the intakes receive that have nothing to offer.
func (m *mux) ask() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, in := range m.intakes {
		if o := &in.offer; o.delivery == nil && o.err == nil && o.asked.IsZero() && m.ctx.Err() == nil {
			o.asked = time.Now()
			m.receivers.Go(func() { m.receive(in) })
		}
	}
}

func (m *mux) receive(in *intake) {
	d, err := in.next(m.ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	in.offer.delivery, in.offer.err, in.offer.asked = d, err, time.Time{}
	select {
	case m.offers <- struct{}{}:
	default:
	}
}

// choose takes the offer of the queue whose turn it is, or says how long to wait for
// that. It is the first in a strict order; else the one with the most credit, which each
// gets by its weight, whenever one is chosen, as long as it has messages.
func (m *mux) choose(now time.Time) (d *delivery, rest time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var best *intake
	var busy []*intake // that have messages, as far as is known
	for _, in := range m.intakes {
		if in.offer.err != nil {
			return nil, 0, in.offer.err
		}
		if in.offer.delivery == nil && now.Sub(in.offer.asked) >= grace {
			continue
		}
		busy = append(busy, in)
		if best == nil || !m.strict && in.offer.credit+in.weight() > best.offer.credit+best.weight() {
			best = in
		}
	}
	if best == nil {
		return nil, 0, nil
	}
	if best.offer.delivery == nil {
		return nil, best.offer.asked.Add(grace).Sub(now), nil
	}
	for _, in := range busy {
		in.offer.credit += in.weight()
		best.offer.credit -= in.weight()
	}
	d, best.offer.delivery = best.offer.delivery, nil
	return d, 0, nil
}

func (in *intake) weight() int { return max(1, in.share.Weight) }

// offered takes what the intake offered and nobody chose. Nothing must be received any
// more.
func (in *intake) offered() *delivery {
	d := in.offer.delivery
	in.offer.delivery = nil
	return d
}
