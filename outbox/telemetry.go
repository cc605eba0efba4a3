package outbox

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"omnibus/workers"
)

// scope is the name of the instrumentation.
const scope = "omnibus/outbox"

// measures are the metrics of a relay.
type measures struct {
	duration metric.Float64Histogram
	aside    metric.Int64Counter
	queue    metric.MeasurementOption
}

func measuresOf(t *workers.Telemetry, queue string) measures {
	meter := otel.Meter(scope)
	if t != nil && t.MeterProvider != nil {
		meter = t.MeterProvider.Meter(scope)
	}
	m := measures{queue: metric.WithAttributes(attribute.String("messaging.destination.name", queue))}
	var errs [2]error
	m.duration, errs[0] = meter.Float64Histogram("omnibus.outbox.duration", metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1800, 3600),
		metric.WithDescription("Time from putting a message into the outbox to the queue's answer."))
	m.aside, errs[1] = meter.Int64Counter("omnibus.outbox.aside", metric.WithUnit("{message}"),
		metric.WithDescription("Messages set aside, since they can never be sent."))
	for _, err := range errs {
		if err != nil {
			otel.Handle(err) // what is measured goes on without the measuring
		}
	}
	return m
}

func (m *measures) sent(ctx context.Context, waited time.Duration) {
	m.duration.Record(ctx, max(0, waited.Seconds()), m.queue)
}

func (m *measures) setAside(ctx context.Context) { m.aside.Add(ctx, 1, m.queue) }
