package workers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
	"go.opentelemetry.io/otel/trace"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/membus"
	"omnibus/workers"
)

// recorded returns telemetry with what records its spans and reads its metrics.
func recorded() (*workers.Telemetry, *tracetest.SpanRecorder, *sdkmetric.ManualReader) {
	spans := tracetest.NewSpanRecorder()
	reader := sdkmetric.NewManualReader()
	return &workers.Telemetry{
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)),
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
	}, spans, reader
}

// named returns the spans whose names begin so.
func named(spans *tracetest.SpanRecorder, prefix string) (found []sdktrace.ReadOnlySpan) {
	for _, s := range spans.Ended() {
		if strings.HasPrefix(s.Name(), prefix) {
			found = append(found, s)
		}
	}
	return found
}

// value returns an attribute of a span as text.
func value(s sdktrace.ReadOnlySpan, key attribute.Key) string {
	for _, kv := range s.Attributes() {
		if kv.Key == key {
			return kv.Value.String()
		}
	}
	return ""
}

// consume has one message handled with the middleware given.
func consume(t *testing.T, q *bus.Queue, h workers.Handler, m ...workers.Middleware) {
	t.Helper()
	c := &workers.Consumer{Queue: q, Max: 1, Middleware: m, Handler: h, OnDone: func(workers.Done) {}}
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAConsumersSpanLinksToTheProducers(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		telemetry, spans, _ := recorded()
		p := &workers.Producer{Queue: q, Telemetry: telemetry}
		state, _ := trace.ParseTraceState("a=1%25,b=2")
		caller := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state})
		if err := p.Send(trace.ContextWithSpanContext(t.Context(), caller), &pubsub.Message{Body: []byte("a")}); err != nil {
			t.Fatal(err)
		}
		var inHandler trace.SpanContext
		consume(t, q, func(ctx context.Context, _ *pubsub.Message) error {
			inHandler = trace.SpanContextFromContext(ctx)
			return nil
		}, workers.Trace(q, telemetry))
		sent, processed := named(spans, "send"), named(spans, "process")
		if len(sent) != 1 || len(processed) != 1 {
			t.Fatalf("the spans are %v", spans.Ended())
		}
		if s := sent[0]; s.SpanKind() != trace.SpanKindProducer || s.Parent().SpanID() != caller.SpanID() {
			t.Errorf("the producer's span is of kind %v with parent %v; want producer, and the caller's", s.SpanKind(), s.Parent().SpanID())
		}
		s := processed[0]
		if s.SpanKind() != trace.SpanKindConsumer || s.SpanContext().SpanID() != inHandler.SpanID() {
			t.Errorf("the consumer's span is of kind %v and the handler's context has another; want consumer, and the same", s.SpanKind())
		}
		if links := s.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != sent[0].SpanContext().SpanID() ||
			links[0].SpanContext.TraceState().String() != state.String() {
			t.Errorf("the consumer's span has links %+v; want one to the producer's, with its state %s", links, state)
		}
	})
}

func TestTraceContextIsLeftOutWhereThereIsNoRoom(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		telemetry, spans, _ := recorded()
		metadata := map[string]string{}
		for i := range 10 {
			metadata[fmt.Sprint("n", i)] = "v"
		}
		p := &workers.Producer{Queue: q, Telemetry: telemetry, Source: bodies("a"), Metadata: metadata}
		if err := p.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		consume(t, q, func(_ context.Context, m *pubsub.Message) error {
			if len(m.Metadata) != 10 || m.Metadata["traceparent"] != "" {
				t.Errorf("the message came with %v; want its ten attributes", m.Metadata)
			}
			return nil
		}, workers.Trace(q, telemetry))
		// SQS's own attribute for it is none of the ten.
		links := named(spans, "process")[0].Links()
		if has := q.Supports(bus.ControlDetails); has != (len(links) == 1) || has && links[0].SpanContext.TraceID() != named(spans, "send")[0].SpanContext().TraceID() {
			t.Errorf("the consumer's span has links %+v; want one to the producer's where the queue has a trace header: %t", links, has)
		}
	})
}

func TestAMessageKeepsTheTraceContextThatItHas(t *testing.T) {
	const given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		telemetry, spans, _ := recorded()
		p := &workers.Producer{Queue: q, Telemetry: telemetry}
		if err := p.Send(t.Context(), &pubsub.Message{Body: []byte("a"), Metadata: map[string]string{"traceparent": given}}); err != nil {
			t.Fatal(err)
		}
		consume(t, q, func(_ context.Context, m *pubsub.Message) error {
			if m.Metadata["traceparent"] != given {
				t.Errorf("the message came with %v", m.Metadata)
			}
			return nil
		}, workers.Trace(q, telemetry))
		for _, s := range []sdktrace.ReadOnlySpan{named(spans, "send")[0], named(spans, "process")[0]} {
			if links := s.Links(); len(links) != 1 || links[0].SpanContext.SpanID().String() != "b7ad6b7169203331" {
				t.Errorf("span %q has links %+v; want one to the span that the message named", s.Name(), links)
			}
		}
	})
}

func TestEachMessageOfABatchHasASpanOfItsOwn(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		telemetry, spans, _ := recorded()
		p := &workers.Producer{Queue: q, Telemetry: telemetry, Source: bodies("a", "b", "c"), Batch: 10}
		if err := p.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		linked := map[trace.SpanID]bool{}
		for range 3 {
			consume(t, q, func(context.Context, *pubsub.Message) error { return nil }, workers.Trace(q, telemetry))
		}
		for _, s := range named(spans, "process") {
			linked[s.Links()[0].SpanContext.SpanID()] = true
		}
		created, sent := named(spans, "create"), named(spans, "send")
		if len(created) != 3 || len(sent) != 1 || len(sent[0].Links()) != 3 || value(sent[0], semconv.MessagingBatchMessageCountKey) != "3" {
			t.Fatalf("there are %d spans of messages and %d of sends; want 3, and 1 with links to them", len(created), len(sent))
		}
		for _, s := range created {
			if !linked[s.SpanContext().SpanID()] {
				t.Errorf("no consumer's span links to %v", s.SpanContext().SpanID())
			}
		}
	})
}

func TestTheGoCDKsSpansAreBeneathOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		telemetry, spans, _ := recorded()
		before := otel.GetTracerProvider()
		otel.SetTracerProvider(telemetry.TracerProvider)
		defer otel.SetTracerProvider(before)
		var mux bus.Mux
		mux.Register(membus.Scheme, membus.New(nil))
		q := openQueue(t, &mux, "mem://work")
		if err := (&workers.Producer{Queue: q}).Send(t.Context(), &pubsub.Message{Body: []byte("a")}); err != nil {
			t.Fatal(err)
		}
		ours := named(spans, "send work")
		if len(ours) != 1 {
			t.Fatalf("the spans are %v", spans.Ended())
		}
		for _, s := range spans.Ended() {
			if strings.Contains(s.Name(), "Topic.Send") && s.Parent().SpanID() == ours[0].SpanContext().SpanID() {
				return
			}
		}
		t.Errorf("no span of Topic.Send is beneath ours: %v", spans.Ended())
	})
}

func TestNamesFollowTheConventionsForMessaging(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		telemetry, spans, reader := recorded()
		p := &workers.Producer{Queue: q, Telemetry: telemetry}
		if err := p.Send(t.Context(), &pubsub.Message{Body: []byte("abc")}); err != nil {
			t.Fatal(err)
		}
		c := &workers.Consumer{Queue: q, Max: 1, OnDone: func(workers.Done) {},
			Middleware: []workers.Middleware{workers.Trace(q, telemetry), workers.Metrics(q, telemetry)},
			Handler: func(context.Context, *pubsub.Message) error {
				time.Sleep(2 * time.Second)
				return fmt.Errorf("charge: %w", context.DeadlineExceeded)
			}}
		stop, err := telemetry.Watch(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		for name, kind := range map[string]string{"send": "send", "process": "process"} {
			s := named(spans, name)[0]
			if value(s, semconv.MessagingOperationNameKey) != kind || value(s, semconv.MessagingOperationTypeKey) != kind ||
				value(s, semconv.MessagingSystemKey) == "" || value(s, semconv.MessagingMessageBodySizeKey) != "3" {
				t.Errorf("span %q has attributes %v", s.Name(), s.Attributes())
			}
			if q.URL() != "" && (s.Name() != name+" work" || value(s, semconv.MessagingDestinationNameKey) != "work" || value(s, semconv.MessagingMessageIDKey) == "") {
				t.Errorf("span %q does not name the queue and the message: %v", s.Name(), s.Attributes())
			}
			if strings.HasPrefix(q.URL(), "http") && (value(s, semconv.MessagingSystemKey) != "aws_sqs" ||
				value(s, semconv.ServerAddressKey) != "127.0.0.1" || value(s, semconv.ServerPortKey) != "9324") {
				t.Errorf("span %q does not name the server: %v", s.Name(), s.Attributes())
			}
		}
		if s := named(spans, "process")[0]; value(s, semconv.ErrorTypeKey) != "DeadlineExceeded" || s.Status().Description != "charge: context deadline exceeded" {
			t.Errorf("the span of a failed handler has status %+v and attributes %v", s.Status(), s.Attributes())
		}
		got := metrics(t, reader)
		want := map[string]float64{
			messagingconv.ClientSentMessages{}.Name():      1,
			messagingconv.ClientOperationDuration{}.Name(): 0,
			messagingconv.ClientConsumedMessages{}.Name():  1,
			messagingconv.ProcessDuration{}.Name():         2,
			"omnibus.consumer.received":                    1,
			"omnibus.consumer.failed":                      1,
			"omnibus.consumer.handled":                     0,
		}
		if q.Supports(bus.ControlDetails) {
			want["omnibus.queue.duration"] = 0
		}
		for name, sum := range want {
			if v, ok := got[name]; !ok || v < sum || v > sum+0.1 {
				t.Errorf("metric %s is %v (there: %t); want %v", name, v, ok, sum)
			}
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if _, ok := metrics(t, reader)["omnibus.consumer.received"]; ok {
			t.Error("a consumer that is not watched any more is still measured")
		}
	})
}

// metrics returns the sum of each metric.
func metrics(t *testing.T, reader sdkmetric.Reader) map[string]float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	sums := map[string]float64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					sums[m.Name] += float64(p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					sums[m.Name] += p.Sum
				}
			}
		}
	}
	return sums
}

func TestAFailedSendIsMeasuredWithItsError(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		telemetry, spans, reader := recorded()
		p := &workers.Producer{Queue: open(""), Telemetry: telemetry}
		errs := p.SendBatch(t.Context(), []*pubsub.Message{{Body: []byte("a")}, {}, {Body: []byte("c")}})
		if len(errs) != 3 || errs[0] != nil || errs[1] == nil || errs[2] != nil || errors.Is(errs[1], workers.ErrUnconfirmed) {
			t.Fatalf("a batch with an empty message gave %v; want an error for that one", errs)
		}
		if got := metrics(t, reader)["messaging.client.sent.messages"]; got != 3 {
			t.Errorf("%v messages were counted, want 3", got)
		}
		failed := 0
		for _, s := range named(spans, "create") {
			if value(s, semconv.ErrorTypeKey) == "InvalidArgument" {
				failed++
			}
		}
		if failed != 1 || p.Sent() != 2 {
			t.Errorf("%d spans of messages failed and %d were sent; want 1 and 2", failed, p.Sent())
		}
	})
}
