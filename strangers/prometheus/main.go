// Command prometheus shows the metrics of workers to Prometheus. It is a module of its
// own, so that programs that use omnibus do not depend on the exporter.
//
//	cd strangers/prometheus && go run . & curl http://127.0.0.1:9464/metrics
package main

import (
	"context"
	"log"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	_ "omnibus/bus/membus"
	"omnibus/workers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	exporter, err := prometheus.New()
	if err != nil {
		log.Fatal(err)
	}
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(exporter)))
	go func() { log.Fatal(http.ListenAndServe("127.0.0.1:9464", promhttp.Handler())) }()
	if err := work(ctx, "mem://donors"); err != nil {
		log.Fatal(err)
	}
}

// work sends a message a second and consumes it, until ctx ends.
func work(ctx context.Context, url string) error {
	q, err := bus.Open(ctx, url)
	if err != nil {
		return err
	}
	defer q.Shutdown(context.WithoutCancel(ctx))
	c := &workers.Consumer{
		Queue:      q,
		Middleware: []workers.Middleware{workers.Metrics(q, nil)},
		Handler:    func(context.Context, *pubsub.Message) error { return nil },
	}
	unwatch, err := new(workers.Telemetry).Watch(c)
	if err != nil {
		return err
	}
	defer unwatch()
	unwatchRequests, err := new(workers.Telemetry).WatchRequests(q)
	if err != nil {
		return err
	}
	defer unwatchRequests()
	p := &workers.Producer{Queue: q, Source: workers.Repeat([]byte(`{"name": "Harper Pierce"}`)), Every: time.Second}
	sent := make(chan error, 1)
	go func() { sent <- p.Run(ctx) }()
	if err := c.Run(ctx); err != nil {
		return err
	}
	return <-sent
}
