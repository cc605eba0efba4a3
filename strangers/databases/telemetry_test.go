package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"omnibus/bus"
	"omnibus/outbox"
	"omnibus/workers"
)

// traced returns a context of a trace, and the trace's id.
func traced(ctx context.Context) (context.Context, string) {
	state, _ := trace.ParseTraceState("a=1,b=2")
	sc := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled, TraceState: state,
	})
	return trace.ContextWithSpanContext(ctx, sc), sc.TraceID().String()
}

func TestARelaysSpansLinkToTheTraceInWhichAMessageWasPutAndItsMetricsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, outbox.SQLite, "membus")
		q := p.queue("measured.fifo", bus.QueueSettings{FIFO: new(true)})
		spans, reader := tracetest.NewSpanRecorder(), sdkmetric.NewManualReader()
		r := p.relay(q)
		r.Telemetry = &workers.Telemetry{
			TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)),
			MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
		}
		ctx, id := traced(t.Context())
		if err := p.box.Put(ctx, p.db, "measured.fifo", in("a", "one"), in("b", "two"), text("without a group")); err != nil {
			t.Fatal(err)
		}
		stop := p.running(r)
		for _, m := range p.receive(q, 2) {
			if !strings.Contains(m.Metadata["traceparent"], id) {
				t.Errorf("%s carries %q", m.Body, m.Metadata["traceparent"])
			}
		}
		p.until("is one set aside", func() bool { return r.Stats().Aside == 1 })
		stop()
		links := 0
		for _, s := range spans.Ended() {
			for _, l := range s.Links() {
				if l.SpanContext.TraceID().String() == id {
					links++
				}
			}
		}
		if links != 3 {
			t.Errorf("%d spans link to the trace, want one for each message", links)
		}
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		counts := map[string]int64{}
		for _, scope := range all.ScopeMetrics {
			for _, m := range scope.Metrics {
				switch data := m.Data.(type) {
				case metricdata.Sum[int64]:
					for _, point := range data.DataPoints {
						counts[m.Name] += point.Value
					}
				case metricdata.Histogram[float64]:
					for _, point := range data.DataPoints {
						if name, _ := point.Attributes.Value(attribute.Key("messaging.destination.name")); name.AsString() == "measured.fifo" {
							counts[m.Name] += int64(point.Count)
						}
					}
				}
			}
		}
		if counts["omnibus.outbox.duration"] != 2 || counts["omnibus.outbox.aside"] != 1 || counts["messaging.client.sent.messages"] != 3 {
			t.Errorf("the metrics are %v", counts)
		}
	})
}
