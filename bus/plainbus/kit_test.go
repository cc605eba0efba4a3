package plainbus_test

import (
	"testing"
	"time"

	"omnibus/bus"
	"omnibus/bus/bustest"
	"omnibus/bus/plainbus"
)

func TestConformance(t *testing.T) {
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
			mux.Register(plainbus.Scheme, plainbus.New())
			return mux, func(name string) string { return plainbus.Scheme + "://" + name + "?ackdeadline=5s" }
		},
	})
}
