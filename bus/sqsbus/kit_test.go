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

// What the stock driver does not keep are its traps, numbered in docs/traps.md; that
// it still falls into each is checked.
func TestStockConformance(t *testing.T) {
	const (
		nacks  = "13: a message given back comes after a second"
		shared = "10: the senders of one request share its failure, whose code is lost"
		ahead  = "6: of what was fetched ahead, later messages come before one that was given back"
	)
	bustest.Run(t, bustest.Backend{
		Virtual: true,
		Slack:   stockNap, // trap 8
		Setup: func(t testing.TB) (*bus.Mux, func(name string) string) {
			mux := new(bus.Mux)
			newEndpoint().backend().Register(mux)
			return mux, func(name string) string { return testOrigin + "/000000000000/" + name + "?driver=stock" }
		},
		Controls: []bus.Control{
			bus.ControlDelay, bus.ControlTypes, bus.ControlDetails, bus.ControlGroups, bus.ControlDeadLetter, bus.ControlLimits,
			bus.ControlAttributes, bus.ControlSetAttributes, bus.ControlPurge, bus.ControlCreate, bus.ControlDelete, bus.ControlList,
		},
		Faults: map[string]string{
			"nack":               nacks,
			"nack-others":        nacks,
			"counts":             nacks,
			"stale-nack":         "1: a nack that is refused ends the Subscription",
			"dead-letters":       nacks,
			"attribute-limits":   shared,
			"attribute-types":    shared,
			"message-size":       shared,
			"message-characters": shared,
			"bad-message":        shared,
			"fifo-rules":         shared,
		},
		Lapses: map[string]string{
			"group-order":         ahead, // on a busy machine it may have fetched nothing ahead
			"competing-consumers": "6: what one Queue fetched ahead comes to the other when its lease is over, and is handed out here all the same",
		},
	})
}
