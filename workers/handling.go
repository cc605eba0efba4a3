package workers

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"gocloud.dev/pubsub"

	"omnibus/bus"
)

// Trace makes a span of each delivery of a consumer of q, as [Telemetry] says; nil
// means the global providers. The handler's context carries it.
func Trace(q *bus.Queue, t *Telemetry) Middleware {
	process := t.operation(q, "process")
	return func(next Handler) Handler {
		return func(ctx context.Context, m *pubsub.Message) (err error) {
			var links []trace.Link
			if sc := extract(m); sc.IsValid() {
				links = append(links, trace.Link{SpanContext: sc})
			}
			ctx, span := process.start(ctx, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(links...))
			if span.IsRecording() {
				span.SetAttributes(bodySizeKey.Int(len(m.Body)))
				if id := bus.Details(m).ID; id != "" {
					span.SetAttributes(messageIDKey.String(id))
				}
			}
			err = errNotReturned
			defer func() { finish(span, err) }()
			err = next(ctx, m)
			return err
		}
	}
}

// Metrics measures the deliveries of a consumer of q, as [Telemetry] says; nil means
// the global providers. What a consumer counts besides, [Telemetry.Watch] shows.
func Metrics(q *bus.Queue, t *Telemetry) Middleware {
	process := t.operation(q, "process")
	meter := t.meter()
	consumed, err1 := meter.Int64Counter("messaging.client.consumed.messages", metric.WithUnit("{message}"),
		metric.WithDescription("Messages received."))
	duration, err2 := meter.Float64Histogram("messaging.process.duration", metric.WithUnit("s"), seconds,
		metric.WithDescription("Time that a handler took."))
	queued, err3 := meter.Float64Histogram("omnibus.queue.duration", metric.WithUnit("s"), waiting,
		metric.WithDescription("Time from sending a message to handling it."))
	handle(err1, err2, err3)
	return func(next Handler) Handler {
		return func(ctx context.Context, m *pubsub.Message) (err error) {
			begin := time.Now()
			consumed.Add(ctx, 1, process.succeeded)
			if sent := bus.Details(m).Sent; !sent.IsZero() {
				queued.Record(ctx, max(0, begin.Sub(sent).Seconds()), process.succeeded)
			}
			err = errNotReturned
			defer func() { duration.Record(ctx, time.Since(begin).Seconds(), process.outcome(err)) }()
			err = next(ctx, m)
			return err
		}
	}
}

// waiting are buckets for how long messages wait, up to SQS's longest retention.
var waiting = metric.WithExplicitBucketBoundaries(0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 6*3600, 24*3600, 14*24*3600)

// Watch shows what a consumer counts as metrics, until stop is called.
func (t *Telemetry) Watch(c *Consumer) (stop func() error, err error) {
	meter := t.meter()
	var instruments []metric.Observable
	var read []func(ConsumerStats) int
	for _, row := range consumerMetrics {
		counter, err := meter.Int64ObservableCounter(row.name, metric.WithUnit(row.unit), metric.WithDescription(row.says))
		if err != nil {
			return nil, err
		}
		instruments, read = append(instruments, counter), append(read, row.read)
	}
	var attrs []attribute.KeyValue
	if c.Queue != nil {
		attrs = describe(c.Queue)
	}
	set := metric.WithAttributeSet(attribute.NewSet(attrs...))
	r, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := c.Stats()
		for i, counter := range instruments {
			o.ObserveInt64(counter.(metric.Int64Observable), int64(read[i](s)), set)
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
	read             func(ConsumerStats) int
}{
	{"omnibus.consumer.received", "{message}", "Messages received.", func(s ConsumerStats) int { return s.Received }},
	{"omnibus.consumer.redelivered", "{message}", "Messages received that had been received before.", func(s ConsumerStats) int { return s.Redelivered }},
	{"omnibus.consumer.handled", "{message}", "Messages handled and acknowledged.", func(s ConsumerStats) int { return s.Deleted }},
	{"omnibus.consumer.failed", "{message}", "Messages whose handler failed.", func(s ConsumerStats) int { return s.Failed }},
	{"omnibus.consumer.leases.lost", "{lease}", "Leases lost before the message was handled or acknowledged.", func(s ConsumerStats) int { return s.Lost }},
}
