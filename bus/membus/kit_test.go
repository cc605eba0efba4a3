package membus_test

import (
	"testing"

	"omnibus/bus"
	"omnibus/bus/bustest"
	"omnibus/bus/membus"
)

// Every control, and every message at the very instant.
func TestConformance(t *testing.T) {
	bustest.Run(t, bustest.Backend{
		Virtual:  true,
		Controls: bus.Controls(),
		Topic:    func(name string) string { return membus.TopicScheme + "://" + name },
		Setup: func(t testing.TB) (*bus.Mux, func(name string) string) {
			mux := new(bus.Mux)
			membus.New(nil).Register(mux)
			return mux, func(name string) string { return membus.Scheme + "://" + name }
		},
	})
}
