package lab

import (
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus"
	"omnibus/bus/membus"
	"omnibus/bus/plainbus"
)

// The whole lab, with its real delays and pauses, in virtual time, from the same
// worker code on both in-memory backends.
func TestLab(t *testing.T) {
	var mux bus.Mux
	for _, test := range []struct {
		url    string
		counts bool // whether the backend tells them
	}{
		{"mem://mynewq", true},
		{"mempubsub://mynewq", false},
	} {
		_ = mux
		t.Run(test.url, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mux := &bus.Mux{}
				mux.Register(membus.Scheme, membus.New(nil))
				mux.Register(plainbus.Scheme, plainbus.New())
				events := map[string]int{}
				took := map[string]int{}
				l := &Lab{Mux: mux, URL: test.url, OnEvent: func(e Event) {
					events[e.Event]++
					if e.Event == EventHandled {
						took[e.Worker]++
					}
				}}
				start := time.Now()
				s, err := l.Run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				want := Summary{Event: "summary", Sent: 100, Received: 100, Deleted: 100}
				if s != want {
					t.Errorf("summary is %+v, want %+v", s, want)
				}
				t.Logf("%v of virtual time; fast %d slow %d; events %v", time.Since(start), took["fast consumer"], took["slow consumer"], events)
			})
		})
	}
}
