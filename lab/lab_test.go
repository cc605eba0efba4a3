package lab

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus"
	"omnibus/bus/membus"
	"omnibus/bus/plainbus"
	"omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
)

// The whole lab, with its real delays and pauses, in virtual time, from the same
// worker code on both in-memory backends and on SQS.
func TestLab(t *testing.T) {
	for _, test := range []struct {
		url    string
		counts bool // whether the backend tells them
	}{
		{"mem://mynewq", true},
		{"mempubsub://mynewq", false},
		{"http://127.0.0.1:9324/000000000000/mynewq", true}, // the SQS protocol, without a socket
	} {
		t.Run(test.url, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mux := &bus.Mux{}
				mux.Register(membus.Scheme, membus.New(nil))
				mux.Register(plainbus.Scheme, plainbus.New())
				sqsbus.New(&sqsbus.Options{HTTPClient: sqsserver.New(nil).Client()}).Register(mux)
				events := map[string]int{}
				took := map[string]int{}
				l := &Lab{Mux: mux, URL: test.url, OnEvent: func(e Event) {
					events[e.Event]++
					if e.Event == EventHandled {
						if took[e.Worker]++; e.Number != took[e.Worker] {
							t.Errorf("message %d of the %s has the number %d", took[e.Worker], e.Worker, e.Number)
						}
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
				if took["fast consumer"] < 50 || took["slow consumer"] < 10 {
					t.Errorf("the consumers took %v; want them to share the work", took)
				}
				// 50 s of sending and 10 s of delay, then what two consumers at 2 s and 8 s a message need for the rest.
				if d := time.Since(start); d < 2*time.Minute || d > 3*time.Minute {
					t.Errorf("the lab took %v, want its real pace of two to three minutes", d)
				}
				if test.counts != (events[EventStatus] > 100) {
					t.Errorf("events were %v; want a status a second if the backend tells counts: %t", events, test.counts)
				}
				t.Logf("%v of virtual time; the consumers took %v", time.Since(start), took)
			})
		})
	}
}

func TestLabStopsCleanly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mux := &bus.Mux{}
		mux.Register(membus.Scheme, membus.New(nil))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		s, err := (&Lab{Mux: mux, URL: "mem://mynewq"}).Run(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if s.Sent < 55 || s.Deleted == 0 || s.Received != s.Deleted || s.Sent-s.Deleted != s.Visible+s.InFlight+s.Delayed {
			t.Errorf("after 30 s the summary is %+v; want all that was sent either deleted or still in the queue", s)
		}
	})
}

func TestLabRefusesBadSettings(t *testing.T) {
	for _, l := range []*Lab{
		{URL: "mem://mynewq", Speed: -1},
		{URL: "mem://mynewq", Speed: MaxSpeed + 1},
		{URL: "nope://mynewq"},
		{},
	} {
		if _, err := l.Run(t.Context()); err == nil {
			t.Errorf("a lab with URL %q and speed %d ran", l.URL, l.Speed)
		}
	}
}
