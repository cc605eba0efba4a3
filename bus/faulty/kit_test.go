package faulty_test

import (
	"log/slog"
	"testing"
	"time"

	"omnibus/bus"
	"omnibus/bus/bustest"
	"omnibus/bus/faulty"
	"omnibus/bus/membus"
	"omnibus/bus/plainbus"
	"omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
	_ "omnibus/internal/cleanenv"
)

// With nothing that goes wrong it is the backend inside, with the controls of that.
func TestConformance(t *testing.T) {
	t.Run("mem", func(t *testing.T) {
		bustest.Run(t, bustest.Backend{
			Virtual:  true,
			Controls: bus.Controls(),
			Topic:    func(name string) string { return membus.TopicScheme + "://" + name },
			Setup: func(t testing.TB) (*bus.Mux, func(name string) string) {
				mux := new(bus.Mux)
				b := faulty.New(membus.New(nil), nil)
				mux.Register(membus.Scheme, b)
				mux.Register(membus.TopicScheme, b)
				return mux, func(name string) string { return membus.Scheme + "://" + name }
			},
		})
	})
	t.Run("SQS", func(t *testing.T) {
		bustest.Run(t, bustest.Backend{
			Virtual: true,
			Setup: func(t testing.TB) (*bus.Mux, func(name string) string) {
				mux := new(bus.Mux)
				mux.Register("http", faulty.New(sqsbus.New(&sqsbus.Options{HTTPClient: sqsserver.New(nil).Client(), Logger: slog.New(slog.DiscardHandler)}), nil))
				return mux, func(name string) string { return "http://127.0.0.1:9324/000000000000/" + name }
			},
		})
	})
	t.Run("mempubsub", func(t *testing.T) {
		bustest.Run(t, bustest.Backend{
			Virtual:    true,
			Slack:      250 * time.Millisecond, // mempubsub's nap
			Controls:   []bus.Control{bus.ControlDelay, bus.ControlTypes, bus.ControlRelease},
			Visibility: 5 * time.Second,
			Faults: map[string]string{
				"stale-ack":  "mempubsub acknowledges by message, not by delivery",
				"stale-nack": "mempubsub gives back by message, not by delivery",
			},
			Setup: func(t testing.TB) (*bus.Mux, func(name string) string) {
				mux := new(bus.Mux)
				mux.Register(plainbus.Scheme, faulty.New(plainbus.New(), nil))
				return mux, func(name string) string { return plainbus.Scheme + "://" + name + "?ackdeadline=5s" }
			},
		})
	})
}
