package main

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"omnibus/watch/metrics"
	"omnibus/workers"
)

// instruments collect what package workers measures. OpenTelemetry's SDK is what they
// are made of, and not its exporter for Prometheus, which would bring a client library
// with it; names and labels are what that exporter makes of the same.
type instruments struct {
	reader   *metric.ManualReader
	provider *metric.MeterProvider
}

func newInstruments() *instruments {
	r := metric.NewManualReader()
	return &instruments{r, metric.NewMeterProvider(metric.WithReader(r))}
}

func (i *instruments) telemetry() *workers.Telemetry {
	return &workers.Telemetry{MeterProvider: i.provider}
}

// families returns what has been measured so far.
func (i *instruments) families(ctx context.Context) []metrics.Family {
	var all metricdata.ResourceMetrics
	if err := i.reader.Collect(ctx, &all); err != nil {
		return nil // only after a shutdown, of which there is none, or with ctx
	}
	var fs []metrics.Family
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			f := metrics.Family{Name: underscores(m.Name), Help: m.Description, Kind: metrics.Gauge}
			if m.Unit == "s" {
				f.Name += "_seconds"
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				if data.IsMonotonic {
					f.Name, f.Kind = f.Name+"_total", metrics.Counter
				}
				for _, p := range data.DataPoints {
					f.Add(float64(p.Value), labels(p.Attributes)...)
				}
			case metricdata.Histogram[float64]:
				f.Kind = metrics.Histogram
				for _, p := range data.DataPoints {
					f.Series = append(f.Series, metrics.Series{Labels: labels(p.Attributes), Bounds: p.Bounds, Counts: p.BucketCounts, Sum: p.Sum})
				}
			}
			fs = append(fs, f)
		}
	}
	return fs
}

func labels(attrs attribute.Set) metrics.Labels {
	var out metrics.Labels
	for _, a := range attrs.ToSlice() {
		out = append(out, underscores(string(a.Key)), a.Value.String())
	}
	return out
}

// underscores returns a name of OpenTelemetry's as Prometheus has it.
func underscores(name string) string { return strings.ReplaceAll(name, ".", "_") }
