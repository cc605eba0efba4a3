package sqsserver_test

import (
	"testing"

	"omnibus/bus"
	"omnibus/bus/bustest"
	"omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
	_ "omnibus/internal/cleanenv"
)

// The whole path of SQS, from package bus through the SDK and the protocol to the
// engine and back, keeps what the kit asks of a backend: in virtual time, without
// a socket.
func TestConformance(t *testing.T) {
	bustest.Run(t, bustest.Backend{
		Virtual: true,
		Setup: func(t testing.TB) (*bus.Mux, func(name string) string) {
			mux := new(bus.Mux)
			sqsbus.New(&sqsbus.Options{HTTPClient: sqsserver.New(nil).Client()}).Register(mux)
			return mux, func(name string) string { return "http://127.0.0.1:9324/000000000000/" + name }
		},
	})
}
