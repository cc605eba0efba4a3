package workers

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"gocloud.dev/pubsub"

	"omnibus/bus"
)

// A sending makes the spans and metrics of sends to one queue.
type sending struct {
	typed    bool // whether the queue has typed attributes
	send     operation
	create   operation // of one message in a batch
	messages metric.Int64Counter
	duration metric.Float64Histogram
}

// seconds are the buckets that the conventions give for durations.
var seconds = metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

func (t *Telemetry) sending(q *bus.Queue) *sending {
	s := &sending{typed: q.Supports(bus.ControlTypes), send: t.operation(q, "send"), create: t.operation(q, "create")}
	m := t.meter()
	var errs [2]error
	s.messages, errs[0] = m.Int64Counter("messaging.client.sent.messages", metric.WithUnit("{message}"),
		metric.WithDescription("Messages sent, or tried to."))
	s.duration, errs[1] = m.Float64Histogram("messaging.client.operation.duration", metric.WithUnit("s"), seconds,
		metric.WithDescription("Time that a send took."))
	handle(errs[:]...)
	return s
}

// handle reports errors of OpenTelemetry to its handler: what is measured goes on
// without the measuring.
func handle(errs ...error) {
	for _, err := range errs {
		if err != nil {
			otel.Handle(err)
		}
	}
}

// one begins the span of a message that is sent by itself, and has the message carry
// it. Call end with what came of the send.
func (s *sending) one(ctx context.Context, m *pubsub.Message) (_ context.Context, end func(error)) {
	ctx, span := s.send.start(ctx, trace.WithSpanKind(trace.SpanKindProducer), linkTo(m))
	inject(ctx, s.typed, m)
	var sent bus.SentMessage
	if span.IsRecording() {
		span.SetAttributes(bodySizeKey.Int(len(m.Body)))
		bus.StoreSent(m, &sent)
	}
	begin := time.Now()
	return ctx, func(err error) {
		o := s.send.outcome(err)
		s.messages.Add(ctx, 1, o)
		s.duration.Record(ctx, time.Since(begin).Seconds(), o)
		if err == nil && sent.ID != "" {
			span.SetAttributes(messageIDKey.String(sent.ID))
		}
		finish(span, err)
	}
}

// batch begins the span of messages that are sent together. Each has a span of its
// own, which it carries. Call end with what came of each, nil if all were sent.
func (s *sending) batch(ctx context.Context, ms []*pubsub.Message) (_ context.Context, end func(errs []error)) {
	created := make([]trace.Span, len(ms))
	links := make([]trace.Link, len(ms))
	for i, m := range ms {
		var own context.Context
		own, created[i] = s.create.start(ctx, trace.WithSpanKind(trace.SpanKindProducer), linkTo(m))
		inject(own, s.typed, m)
		links[i] = trace.Link{SpanContext: created[i].SpanContext()}
	}
	ctx, span := s.send.start(ctx, trace.WithSpanKind(trace.SpanKindClient), trace.WithLinks(links...))
	if span.IsRecording() {
		span.SetAttributes(batchCountKey.Int(len(ms)))
	}
	begin := time.Now()
	return ctx, func(errs []error) {
		var failed error
		for i := range ms {
			var err error
			if errs != nil {
				err = errs[i]
			}
			if err != nil {
				failed = err
			}
			s.messages.Add(ctx, 1, s.send.outcome(err))
			finish(created[i], err)
		}
		s.duration.Record(ctx, time.Since(begin).Seconds(), s.send.outcome(failed))
		finish(span, failed)
	}
}

// start starts a span of an operation.
func (o *operation) start(ctx context.Context, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	return o.tracer.Start(ctx, o.span, append(options, trace.WithAttributes(o.attributes...))...)
}

// linkTo links a span to the one that a message carries already.
func linkTo(m *pubsub.Message) trace.SpanStartOption {
	var links []trace.Link
	if sc := carried(m.Metadata[traceParent], m.Metadata[traceState]); sc.IsValid() {
		links = append(links, trace.Link{SpanContext: sc})
	}
	return trace.WithLinks(links...)
}
