package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/membus"
	"omnibus/watch/metrics"
	"omnibus/workers"
)

// A consumer to which all happens that can: what it counts is more than 0 of each.
func TestEveryInstrumentOfAConsumerMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mux := new(bus.Mux)
		mux.Register(membus.Scheme, membus.New(nil))
		open := func(url string) *bus.Queue {
			q, err := mux.Open(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = q.Shutdown(context.Background()) })
			return q
		}
		q, dead := open("mem://q?visibility=10s"), open("mem://dead")
		i := newInstruments()
		first := map[string]bool{}
		c := &workers.Consumer{
			Queue: q, DeadLetter: dead, MaxReceives: 2, MaxLease: 25 * time.Second, OnDone: func(workers.Done) {},
			Retry:      func(error, int) time.Duration { return 0 },
			Middleware: []workers.Middleware{workers.Metrics(q, i.telemetry())},
			Handler: func(ctx context.Context, m *pubsub.Message) error {
				switch body := string(m.Body); {
				case body == "bad":
					return errors.New("no")
				case body == "long" && !first[body]: // longer than MaxLease
					first[body] = true
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			},
		}
		if _, err := i.telemetry().Watch(c); err != nil {
			t.Fatal(err)
		}
		p := &workers.Producer{Queue: q, Telemetry: i.telemetry()}
		for _, body := range []string{"good", "bad", "long"} {
			if err := p.Send(t.Context(), &pubsub.Message{Body: []byte(body)}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		time.Sleep(5 * time.Second)
		during := metricsText(t, i)
		time.Sleep(5 * time.Minute)
		text := metricsText(t, i)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if !strings.Contains(during, `omnibus_consumer_in_hand{messaging_destination_name="q",messaging_system="mem"} 1`) {
			t.Errorf("nothing is in hand while a handler runs:\n%s", during)
		}
		for _, name := range []string{
			"messaging_client_sent_messages_total", "messaging_client_operation_duration_seconds_count", "messaging_client_consumed_messages_total",
			"messaging_process_duration_seconds_count", "omnibus_queue_duration_seconds_count", "omnibus_consumer_received_total",
			"omnibus_consumer_redelivered_total", "omnibus_consumer_handled_total", "omnibus_consumer_failed_total", "omnibus_consumer_retried_total",
			"omnibus_consumer_dead_total", "omnibus_consumer_leases_renewed_total", "omnibus_consumer_leases_lost_total",
		} {
			moved := false
			for line := range strings.Lines(text) {
				moved = moved || strings.HasPrefix(line, name+"{") && !strings.HasSuffix(line, " 0\n")
			}
			if !moved {
				t.Errorf("%s is 0 or not there", name)
			}
		}
		if t.Failed() {
			t.Log(text)
		}
	})
}

func metricsText(t *testing.T, i *instruments) string {
	t.Helper()
	var b strings.Builder
	if err := metrics.Write(&b, i.families(t.Context())); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
