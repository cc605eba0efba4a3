package main

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/watch"
	"omnibus/watch/metrics"
	"omnibus/workers"
)

// metricsFlags are the flags of commands that serve metrics, and what they serve.
type metricsFlags struct {
	flags     *flagSet
	addr      string
	drainIn   time.Duration
	consumers int

	server      *metrics.Server // nil without -metrics
	instruments *instruments
	telemetry   *workers.Telemetry
	queues      []*bus.Queue
	pace        pace // of the consumer, if there is one
}

// addMetrics adds the flag -metrics.
func (f *flagSet) addMetrics() *metricsFlags {
	m := &metricsFlags{flags: f}
	f.StringVar(&m.addr, "metrics", "", "serve /metrics for Prometheus, and /health, at this `HOST:PORT`; :PORT is on loopback,\nand 0.0.0.0:PORT lets other machines read too. Each time it is read is a request\nfor the queue's counts (default: none)")
	return m
}

// addScale adds the flags of what autoscalers are told.
func (m *metricsFlags) addScale() {
	m.flags.DurationVar(&m.drainIn, "drain-in", 5*time.Minute, "time in which consumers are to handle a backlog, over 0s, for the number of consumers\nneeded in -metrics")
	m.flags.IntVar(&m.consumers, "consumers", 1, "how many consumers share the queue, 1 or more, for the backlog a consumer in\n-metrics")
}

// listen begins to listen, if there are to be metrics. Close closes.
func (m *metricsFlags) listen() error {
	f := m.flags
	if f.Lookup("drain-in") != nil {
		if m.drainIn <= 0 {
			return usagef("-drain-in is %v; it must be over 0s", m.drainIn)
		}
		if err := atLeast("consumers", m.consumers, 1); err != nil {
			return err
		}
	}
	if m.addr == "" {
		return nil
	}
	_, _, err := net.SplitHostPort(m.addr)
	if err != nil {
		return usagef("-metrics %s: %w; want HOST:PORT, or :PORT for loopback", m.addr, err)
	}
	if m.server, err = metrics.Listen(m.addr, m.families); err != nil {
		return err
	}
	m.instruments = newInstruments()
	m.telemetry = m.instruments.telemetry()
	return nil
}

func (m *metricsFlags) close() {
	if m.server != nil {
		_ = m.server.Close() // of what has ended anyway
	}
}

// during serves while use runs, for the queues given.
func (m *metricsFlags) during(ctx context.Context, use func() error, queues ...*bus.Queue) error {
	if m.server == nil {
		return use()
	}
	for _, q := range queues {
		if q == nil {
			continue
		}
		m.queues = append(m.queues, q)
		stop, err := m.telemetry.WatchRequests(q)
		if err != nil {
			return err
		}
		defer func() { _ = stop() }()
	}
	m.flags.app.log().Info("metrics are served", "url", m.server.URL())
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- m.server.Run(serving) }()
	err := use()
	stop()
	if failed := <-served; failed != nil {
		m.flags.app.log().Error("metrics were not served any more", "error", failed.Error())
	}
	return err
}

// duringConsumer does so for a consumer, of which it measures more.
func (m *metricsFlags) duringConsumer(ctx context.Context, c *workers.Consumer) error {
	use := func() error { return c.Run(ctx) }
	if m.server == nil {
		return use()
	}
	m.pace.rest, m.pace.concurrency = c.Rest, max(1, c.Concurrency)
	if c.Limiter != nil {
		m.pace.most = float64(c.Limiter.Limit())
	}
	c.Middleware = append(c.Middleware, workers.Metrics(c.Queue, m.telemetry), m.pace.measure)
	stop, err := m.telemetry.Watch(c)
	if err != nil {
		return err
	}
	defer func() { _ = stop() }()
	return m.during(ctx, use, c.Queue, c.DeadLetter)
}

// families returns what is served.
func (m *metricsFlags) families(ctx context.Context) []metrics.Family {
	samples := m.samples(ctx)
	fs := metrics.Queues(samples)
	if m.drainIn > 0 && len(samples) > 0 {
		scale := metrics.Scale{Consumers: m.consumers, DrainIn: m.drainIn, PerSecond: m.pace.perSecond()}
		fs = append(fs, scale.Families(samples[:1])...) // the rest are dead-letter queues
	}
	fs = append(fs, metrics.Cost(samples))
	return append(fs, m.instruments.families(ctx)...)
}

// sampleTimeout is how long a queue may take to tell its counts.
const sampleTimeout = 5 * time.Second

// samples takes a sample of each queue.
func (m *metricsFlags) samples(ctx context.Context) []watch.Sample {
	ctx, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	samples := make([]watch.Sample, len(m.queues))
	var asking sync.WaitGroup
	for i, q := range m.queues {
		asking.Go(func() { samples[i] = sample(ctx, q, m.flags.app.log()) })
	}
	asking.Wait()
	return samples
}

func sample(ctx context.Context, q *bus.Queue, log *slog.Logger) watch.Sample {
	s := watch.Sample{Time: time.Now(), Name: q.Name(), FIFO: q.FIFO()}
	a, err := q.Attributes(ctx)
	if err != nil {
		log.Warn("the counts of the queue could not be read", "queue", s.Name, "error", err.Error())
		s.Error = err.Error()
	} else {
		s.Counts = watch.Counts{Visible: a.Counts.Visible, InFlight: a.Counts.InFlight, Delayed: a.Counts.Delayed}
		s.Oldest = a.Counts.OldestAge
	}
	for _, c := range q.Requests() {
		s.Requests = append(s.Requests, watch.Request{Action: c.Action, Count: c.Requests, Billed: c.Chunks})
	}
	s.Dollars = watch.ListPrice().Dollars(s.Requests, s.FIFO)
	return s
}

// A pace is how fast a consumer can handle messages.
type pace struct {
	concurrency int
	rest        time.Duration // of a handler after each message
	most        float64       // messages a second that are received, 0 if not limited

	mu   sync.Mutex // guards n and mean
	n    int        // messages that mean is of, up to paceOver
	mean float64    // seconds that a handler took
}

// paceOver is about how many of the last messages count.
const paceOver = 100

func (p *pace) measure(next workers.Handler) workers.Handler {
	return func(ctx context.Context, m *pubsub.Message) error {
		begin := time.Now()
		err := next(ctx, m)
		took := time.Since(begin).Seconds()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.n = min(p.n+1, paceOver)
		p.mean += (took - p.mean) / float64(p.n)
		return err
	}
}

// perSecond returns how many messages a second the consumer can handle, 0 if it is not
// known yet.
func (p *pace) perSecond() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	each := p.mean + p.rest.Seconds()
	if p.n == 0 || each <= 0 {
		return 0
	}
	can := float64(p.concurrency) / each
	if p.most > 0 {
		can = min(can, p.most)
	}
	return can
}
