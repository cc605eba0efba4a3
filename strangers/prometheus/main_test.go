package main

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
)

func TestPrometheusSeesWhatWorkersDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		e, err := exporter.New(exporter.WithRegisterer(registry))
		if err != nil {
			t.Fatal(err)
		}
		otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(e)))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- work(ctx, "mem://metrics") }()
		time.Sleep(2500 * time.Millisecond) // three messages, in virtual time
		answer := httptest.NewRecorder()
		promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for _, name := range []string{
			"messaging_client_sent_messages_total", "messaging_client_consumed_messages_total",
			"messaging_process_duration_seconds_count", "omnibus_queue_duration_seconds_count", "omnibus_consumer_handled_total",
		} {
			if !found(answer.Body.String(), name, "3") {
				t.Errorf("%s is not 3 in\n%s", name, answer.Body)
			}
		}
	})
}

// found reports whether a metric of the queue has a value.
func found(text, name, value string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, name+"{") && strings.Contains(line, `messaging_destination_name="metrics"`) && strings.HasSuffix(line, " "+value+"\n") {
			return true
		}
	}
	return false
}
