package sqsbus

import (
	"testing"

	"omnibus/bus"
	"omnibus/bus/bustest"
)

func TestConformance(t *testing.T) {
	bustest.Run(t, bustest.Backend{
		Virtual: true,
		Setup: func(t testing.TB) (*bus.Mux, func(name string) string) {
			mux := new(bus.Mux)
			newEndpoint().backend().Register(mux)
			return mux, func(name string) string { return testOrigin + "/000000000000/" + name }
		},
	})
}
