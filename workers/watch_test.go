package workers_test

import (
	"context"
	"errors"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

func TestWatchShowsWhatBecameOfEachMessage(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q, dead := p.queue("work", bus.QueueSettings{}), p.queue("dead", bus.QueueSettings{})
		telemetry, _, reader := recorded()
		c := &workers.Consumer{Queue: q, DeadLetter: dead, Concurrency: 5, Logger: quiet, OnDone: func(workers.Done) {},
			Handler: func(ctx context.Context, m *pubsub.Message) error {
				switch again := bus.Details(m).ReceiveCount > 1; {
				case string(m.Body) == "dead":
					return workers.Permanent(errors.New("no such donor"))
				case string(m.Body) == "slow":
					return idle(ctx, 45*time.Second)
				case again:
				case string(m.Body) == "retried":
					return workers.RetryAfter(errors.New("not now"), time.Minute)
				case string(m.Body) == "lost":
					if err := q.ChangeVisibility(ctx, m, 0); err != nil {
						t.Error(err)
					}
					return idle(ctx, time.Minute)
				}
				return nil
			}}
		stop, err := telemetry.Watch(c)
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		send(t, q, "good", "dead", "slow", "retried", "lost")
		end := start(t, c)
		time.Sleep(40 * time.Second)
		if n := metrics(t, reader)["omnibus.consumer.in_hand"]; n != 1 {
			t.Errorf("%v messages are in hand while a slow one is handled, want 1", n)
		}
		time.Sleep(5 * time.Minute)
		if err := end(); err != nil {
			t.Error(err)
		}
		got := metrics(t, reader)
		for name, want := range map[string]float64{
			"received": 7, "redelivered": 2, "handled": 4, "failed": 2, "retried": 1, "dead": 1,
			"leases.renewed": 2, "leases.lost": 1, "in_hand": 0,
		} {
			if v, ok := got["omnibus.consumer."+name]; !ok || v != want {
				t.Errorf("omnibus.consumer.%s is %v (there: %t), want %v", name, v, ok, want)
			}
		}
	})
}

func TestWatchRequestsCountsRequestsByAction(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		telemetry, _, reader := recorded()
		stop, err := telemetry.WatchRequests(q)
		if err != nil {
			t.Fatal(err)
		}
		send(t, q, "a")
		handler, _ := record()
		if err := (&workers.Consumer{Queue: q, Visibility: new(time.Minute), Max: 1, Handler: handler}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := byAction(t, reader)
		for _, action := range []string{"SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch"} {
			want := int64(0) // in memory
			if p.wire != nil {
				want = int64(p.wire.count(action))
			}
			if got[action] != want || p.wire != nil && want == 0 {
				t.Errorf("%d requests %s are counted, want %d", got[action], action, want)
			}
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := byAction(t, reader); len(got) > 0 {
			t.Errorf("a queue that is not watched any more is still measured: %v", got)
		}
	})
}

// byAction returns the metric of requests.
func byAction(t *testing.T, reader sdkmetric.Reader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != "omnibus.requests" {
				continue
			}
			for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
				action, _ := p.Attributes.Value("rpc.method")
				counts[action.AsString()] += p.Value
			}
		}
	}
	return counts
}

func TestABatchHasASpanThatLinksToEachProducers(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		telemetry, spans, reader := recorded()
		p := &workers.Producer{Queue: q, Telemetry: telemetry, Source: bodies("a", "b", "c")}
		if err := p.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		failing := errors.New("no room")
		c := &workers.Consumer{Queue: q, Max: 3, BatchSize: 3, OnDone: func(workers.Done) {}}
		c.BatchHandler = workers.TraceBatch(q, telemetry)(workers.MetricsBatch(q, telemetry)(func(_ context.Context, ms []*pubsub.Message) []error {
			time.Sleep(2 * time.Second)
			return []error{nil, failing, nil}
		}))
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		processed, sent := named(spans, "process"), map[trace.SpanID]bool{}
		for _, s := range named(spans, "send") {
			sent[s.SpanContext().SpanID()] = true
		}
		if len(processed) != 1 || len(processed[0].Links()) != 3 || len(sent) != 3 {
			t.Fatalf("the spans are %v; want one of the batch with three links", spans.Ended())
		}
		s := processed[0]
		for _, l := range s.Links() {
			if !sent[l.SpanContext.SpanID()] {
				t.Errorf("a link goes to %v, which is no producer's span", l.SpanContext.SpanID())
			}
		}
		if s.SpanKind() != trace.SpanKindConsumer || value(s, semconv.MessagingBatchMessageCountKey) != "3" || s.Status().Description != failing.Error() {
			t.Errorf("the span of the batch is of kind %v with status %+v and attributes %v", s.SpanKind(), s.Status(), s.Attributes())
		}
		got := metrics(t, reader)
		if got["messaging.client.consumed.messages"] != 3 || got["messaging.process.duration"] != 2 {
			t.Errorf("%v messages and %v s are measured, want 3 and 2", got["messaging.client.consumed.messages"], got["messaging.process.duration"])
		}
	})
}

func TestAProgramShowsWhatItsPartsCountWhileItRuns(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		telemetry, _, reader := recorded()
		stop := start(t, &workers.Program{Telemetry: telemetry, Parts: []workers.Worker{
			&workers.Producer{Queue: q, Source: bodies("a", "b", "c"), Telemetry: telemetry},
			workers.Part{Worker: &workers.Consumer{Queue: q, Handler: func(context.Context, *pubsub.Message) error { return nil }}, Name: "named"},
		}})
		time.Sleep(5 * time.Second)
		got := metrics(t, reader)
		sends := map[bool]float64{true: 3}[p.wire != nil] // in memory there are no requests
		if got["omnibus.consumer.handled"] != 3 || got["omnibus.consumer.in_hand"] != 0 || float64(byAction(t, reader)["SendMessage"]+byAction(t, reader)["SendMessageBatch"]) > sends || (got["omnibus.requests"] > 0) != (sends > 0) {
			t.Errorf("the metrics are %v and requests %v; want 3 messages handled, and requests on SQS, each counted once", got, byAction(t, reader))
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := metrics(t, reader); got["omnibus.consumer.handled"] != 0 || got["omnibus.requests"] != 0 {
			t.Errorf("after Run the metrics are %v; want none of consumers and requests", got)
		}
	})
}
