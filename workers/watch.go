package workers

import (
	"cmp"
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"omnibus/bus"
)

// Watch shows what a consumer counts as metrics, until stop is called.
func (t *Telemetry) Watch(c *Consumer) (stop func() error, err error) {
	meter := t.meter()
	var instruments []metric.Observable
	for _, row := range consumerMetrics {
		unit, says := metric.WithUnit(row.unit), metric.WithDescription(row.says)
		var i metric.Observable
		if row.falls {
			i, err = meter.Int64ObservableUpDownCounter(row.name, unit, says)
		} else {
			i, err = meter.Int64ObservableCounter(row.name, unit, says)
		}
		if err != nil {
			return nil, err
		}
		instruments = append(instruments, i)
	}
	var attrs []attribute.KeyValue
	if c.Queue != nil {
		attrs = describe(c.Queue)
	}
	set := metric.WithAttributeSet(attribute.NewSet(attrs...))
	r, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := c.Stats()
		for i, row := range consumerMetrics {
			o.ObserveInt64(instruments[i].(metric.Int64Observable), int64(row.read(s)), set)
		}
		return nil
	}, instruments...)
	if err != nil {
		return nil, err
	}
	return r.Unregister, nil
}

// consumerMetrics are the metrics of [Telemetry.Watch].
var consumerMetrics = []struct {
	name, unit, says string
	falls            bool // and does not only rise
	read             func(ConsumerStats) int
}{
	{"omnibus.consumer.received", "{message}", "Messages received.", false, func(s ConsumerStats) int { return s.Received }},
	{"omnibus.consumer.redelivered", "{message}", "Messages received that had been received before.", false, func(s ConsumerStats) int { return s.Redelivered }},
	{"omnibus.consumer.handled", "{message}", "Messages handled and acknowledged.", false, func(s ConsumerStats) int { return s.Deleted }},
	{"omnibus.consumer.failed", "{message}", "Messages whose handler failed.", false, func(s ConsumerStats) int { return s.Failed }},
	{"omnibus.consumer.retried", "{message}", "Messages whose handler failed, and that were given back to be tried again.", false, func(s ConsumerStats) int { return s.Failed - s.Dead }},
	{"omnibus.consumer.dead", "{message}", "Messages that were buried.", false, func(s ConsumerStats) int { return s.Dead }},
	{"omnibus.consumer.leases.renewed", "{lease}", "Leases renewed.", false, func(s ConsumerStats) int { return s.Renewed }},
	{"omnibus.consumer.leases.lost", "{lease}", "Leases lost before the message was handled or acknowledged.", false, func(s ConsumerStats) int { return s.Lost }},
	{"omnibus.consumer.in_hand", "{message}", "Messages received and not settled yet.", true, func(s ConsumerStats) int { return s.InHand }},
}

// WatchRequests shows how many requests an open queue makes as metrics, until stop is
// called. What [bus.Queue.OpenReceiver] opened is counted with it.
func (t *Telemetry) WatchRequests(q *bus.Queue) (stop func() error, err error) {
	meter := t.meter()
	unit := metric.WithUnit("{request}")
	made, err := meter.Int64ObservableCounter("omnibus.requests", unit, metric.WithDescription("Requests made, each try counted."))
	if err != nil {
		return nil, err
	}
	failed, err := meter.Int64ObservableCounter("omnibus.requests.failed", unit, metric.WithDescription("Requests answered with an error, or not at all."))
	if err != nil {
		return nil, err
	}
	attrs := describe(q)
	r, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, c := range q.Requests() {
			set := metric.WithAttributes(append(attrs[:len(attrs):len(attrs)], actionKey.String(c.Action))...)
			o.ObserveInt64(made, c.Requests, set)
			o.ObserveInt64(failed, c.Failed, set)
		}
		return nil
	}, made, failed)
	if err != nil {
		return nil, err
	}
	return r.Unregister, nil
}

// watch shows what the parts of a program count, until stop is called.
func (p *Program) watch() (stop func(), err error) {
	var stops []func() error
	stop = func() {
		for _, s := range stops {
			s() // it fails if the provider was shut down, and then there is nothing to end
		}
	}
	add := func(s func() error, failed error) {
		if err = cmp.Or(err, failed); failed == nil {
			stops = append(stops, s)
		}
	}
	queues := map[*bus.Queue]bool{nil: true}
	for _, w := range p.Parts {
		if part, ok := w.(Part); ok {
			w = part.Worker
		}
		var its []*bus.Queue
		switch w := w.(type) {
		case *Consumer:
			add(p.Telemetry.Watch(w))
			for _, s := range w.shares() {
				its = append(its, s.Queue)
			}
		case *Producer:
			its = append(its, w.Queue)
		case *Schedule:
			if w.Producer != nil {
				its = append(its, w.Producer.Queue)
			}
		}
		for _, q := range its {
			if !queues[q] {
				queues[q] = true
				add(p.Telemetry.WatchRequests(q))
			}
		}
	}
	if err != nil {
		stop()
	}
	return stop, err
}
