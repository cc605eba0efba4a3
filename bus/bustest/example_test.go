package bustest_test

import (
	"testing"
	"time"

	"omnibus/bus"
	"omnibus/bus/bustest"
	"omnibus/bus/membus"
)

// The test function of a backend is a call of Run. This one is membus's.
func ExampleRun() {
	var t *testing.T // of func TestConformance(t *testing.T)

	bustest.Run(t, bustest.Backend{
		Virtual:  true,
		Controls: bus.Controls(),
		Setup: func(t testing.TB) (*bus.Mux, func(name string) string) {
			mux := new(bus.Mux)
			membus.New(nil).Register(mux)
			return mux, func(name string) string { return membus.Scheme + "://" + name }
		},
		Topic: func(name string) string { return membus.TopicScheme + "://" + name },
	})
}

// A backend says that it polls four times a second, and which promise it is known
// to break.
func ExampleBackend() {
	var t *testing.T // of func TestConformance(t *testing.T)

	bustest.Run(t, bustest.Backend{
		Virtual: true,
		Slack:   250 * time.Millisecond,
		Setup:   setup,
		Faults: map[string]string{
			"stale-ack": "the server deletes by message id, whichever delivery is acknowledged",
		},
	})
}

func setup(t testing.TB) (*bus.Mux, func(name string) string) {
	return bus.DefaultMux(), func(name string) string { return membus.Scheme + "://" + name }
}
