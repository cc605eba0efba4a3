package workers

import (
	"context"
	"time"

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
			ctx, span := process.start(ctx, trace.WithSpanKind(trace.SpanKindConsumer), links(m))
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

// TraceBatch makes a span of each batch of a consumer of q, with a link to the span of
// each message that names one. It fails with the first of the errors.
func TraceBatch(q *bus.Queue, t *Telemetry) BatchMiddleware {
	process := t.operation(q, "process")
	return func(next BatchHandler) BatchHandler {
		return func(ctx context.Context, ms []*pubsub.Message) (errs []error) {
			ctx, span := process.start(ctx, trace.WithSpanKind(trace.SpanKindConsumer), links(ms...))
			if span.IsRecording() {
				span.SetAttributes(batchCountKey.Int(len(ms)))
			}
			err := errNotReturned
			defer func() { finish(span, err) }()
			errs = next(ctx, ms)
			err = first(errs)
			return errs
		}
	}
}

// links are to the spans that received messages name.
func links(ms ...*pubsub.Message) trace.SpanStartOption {
	var links []trace.Link
	for _, m := range ms {
		if sc := extract(m); sc.IsValid() {
			links = append(links, trace.Link{SpanContext: sc})
		}
	}
	return trace.WithLinks(links...)
}

// first returns the first error, or nil.
func first(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Metrics measures the deliveries of a consumer of q, as [Telemetry] says; nil means
// the global providers. What a consumer counts besides, [Telemetry.Watch] shows.
func Metrics(q *bus.Queue, t *Telemetry) Middleware {
	measured := t.handling(q)
	return func(next Handler) Handler {
		return func(ctx context.Context, m *pubsub.Message) (err error) {
			err = errNotReturned
			end := measured.begin(ctx, m)
			defer func() { end(err) }()
			err = next(ctx, m)
			return err
		}
	}
}

// MetricsBatch does for a batch handler what [Metrics] does for a handler. The time
// that it took is measured once for each batch, and failed with the first of the errors.
func MetricsBatch(q *bus.Queue, t *Telemetry) BatchMiddleware {
	measured := t.handling(q)
	return func(next BatchHandler) BatchHandler {
		return func(ctx context.Context, ms []*pubsub.Message) (errs []error) {
			err := errNotReturned
			end := measured.begin(ctx, ms...)
			defer func() { end(err) }()
			errs = next(ctx, ms)
			err = first(errs)
			return errs
		}
	}
}

// A handling makes the metrics of calls of handlers.
type handling struct {
	process          operation
	consumed         metric.Int64Counter
	duration, queued metric.Float64Histogram
}

func (t *Telemetry) handling(q *bus.Queue) *handling {
	h := &handling{process: t.operation(q, "process")}
	meter := t.meter()
	var errs [3]error
	h.consumed, errs[0] = meter.Int64Counter("messaging.client.consumed.messages", metric.WithUnit("{message}"),
		metric.WithDescription("Messages received."))
	h.duration, errs[1] = meter.Float64Histogram("messaging.process.duration", metric.WithUnit("s"), seconds,
		metric.WithDescription("Time that a handler took."))
	h.queued, errs[2] = meter.Float64Histogram("omnibus.queue.duration", metric.WithUnit("s"), waiting,
		metric.WithDescription("Time from sending a message to handling it."))
	handle(errs[:]...)
	return h
}

// begin measures the beginning of a call. Call end with what came of it.
func (h *handling) begin(ctx context.Context, ms ...*pubsub.Message) (end func(error)) {
	begin := time.Now()
	h.consumed.Add(ctx, int64(len(ms)), h.process.succeeded)
	for _, m := range ms {
		if sent := bus.Details(m).Sent; !sent.IsZero() {
			h.queued.Record(ctx, max(0, begin.Sub(sent).Seconds()), h.process.succeeded)
		}
	}
	return func(err error) { h.duration.Record(ctx, time.Since(begin).Seconds(), h.process.outcome(err)) }
}

// waiting are buckets for how long messages wait, up to SQS's longest retention.
var waiting = metric.WithExplicitBucketBoundaries(0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 6*3600, 24*3600, 14*24*3600)
