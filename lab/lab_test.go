package lab

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus"
	"omnibus/bus/membus"
	"omnibus/bus/plainbus"
	"omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
	_ "omnibus/internal/cleanenv"
	"omnibus/watch"
)

func newMux() *bus.Mux {
	mux := new(bus.Mux)
	membus.New(nil).Register(mux)
	mux.Register(plainbus.Scheme, plainbus.New())
	sqsbus.New(&sqsbus.Options{HTTPClient: sqsserver.New(nil).Client()}).Register(mux)
	return mux
}

const onSQS = "http://127.0.0.1:9324/000000000000/mynewq" // the SQS protocol, without a socket

// The whole lab, with its real delays and pauses, in virtual time, from the same
// worker code on both in-memory backends and on SQS; and as the notes have it.
func TestLab(t *testing.T) {
	for _, test := range []struct {
		name, url string
		counts    bool // whether the backend tells them
		notes     bool
	}{
		{"memory", "mem://mynewq", true, false},
		{"as in the notes", "mem://mynewq", true, true},
		{"portable", "mempubsub://mynewq", false, false},
		{"SQS", onSQS, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				samples, inFlight := 0, 0
				took := map[string]int{}
				l := &Lab{Mux: newMux(), URL: test.url, AsInTheNotes: test.notes, OnEvent: func(e Event) {
					switch e.Kind {
					case EventStatus:
						samples++
						inFlight += min(1, e.Counts.InFlight)
						if e.Counts.InFlight > 4 { // two consumers, with an acknowledgement each that is on its way
							t.Errorf("%d messages are in flight; want no more than the consumers have", e.Counts.InFlight)
						}
					case watch.Handled:
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
				want := Summary{Event: "summary", Story: "lab", Sent: 100, Received: 100, Deleted: 100, Requests: s.Requests, Dollars: s.Dollars}
				if s != want {
					t.Errorf("summary is %+v, want %+v", s, want)
				}
				if s.Requests < 300 || s.Dollars != float64(s.Requests)*0.4/1e6 {
					t.Errorf("there were %d requests for $%v; want a send, a receive and a delete a message at least, at Amazon's price", s.Requests, s.Dollars)
				}
				if took["fast consumer"] < 50 || took["slow consumer"] < 10 {
					t.Errorf("the consumers took %v; want them to share the work", took)
				}
				// 50 s of sending and 10 s of delay, then what two consumers at 2 s and 8 s a message need for the rest.
				if d := time.Since(start); d < 2*time.Minute || d > 3*time.Minute {
					t.Errorf("the lab took %v, want its real pace of two to three minutes", d)
				}
				if test.counts != (samples > 100) {
					t.Errorf("there were %d samples; want one a second if the backend tells counts: %t", samples, test.counts)
				}
				if test.counts && !test.notes && inFlight < samples/10 {
					t.Errorf("%d of %d samples have a message in flight; want a tenth at least", inFlight, samples)
				}
				if test.notes && inFlight > samples/10 {
					t.Errorf("%d samples have a message in flight; the notes' programs delete at once, so hardly any should", inFlight)
				}
				t.Logf("%v of virtual time; the consumers took %v; %d of %d samples have messages in flight; %d requests", time.Since(start), took, inFlight, samples, s.Requests)
			})
		})
	}
}

// What each story is about happens in it, in memory and on SQS.
func TestEveryStoryReachesItsEnd(t *testing.T) {
	for _, story := range Stories() {
		for _, url := range []string{"mem://mynewq", onSQS} {
			if story.Name == "fanout" && url == onSQS {
				continue // no URL beside the queue's names a topic there
			}
			t.Run(story.Name+" on "+url[:4], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var events []watch.Event
					l := &Lab{Mux: newMux(), URL: url, Story: story.Name, OnEvent: func(e Event) { events = append(events, e.Event) }}
					start := time.Now()
					s, err := l.Run(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					took := time.Since(start)
					if took > 10*time.Minute {
						t.Errorf("it took %v, which is more than a minute at speed 10", took)
					}
					if s.Counts != (watch.Counts{}) || s.Sent != story.Messages() || s.Deleted != story.Deliveries() {
						t.Errorf("summary is %+v; want %d sent, %d handled, and nothing left", s, story.Messages(), story.Deliveries())
					}
					t.Logf("%v: %+v", took, s)
					expect(t, story.Name, s, events)
				})
			})
		}
	}
}

// expect checks what is special about a story.
func expect(t *testing.T, story string, s Summary, events []watch.Event) {
	of := func(kind watch.Kind) (found []watch.Event) {
		for _, e := range events {
			if e.Kind == kind {
				found = append(found, e)
			}
		}
		return found
	}
	switch story {
	case "visibility":
		if s.Deleted != 18 || s.Redelivered != 3 || s.Lost != 3 || len(of(watch.Crashed)) != 2 {
			t.Errorf("summary is %+v; want all 18 handled, and redelivered what outlived its lease and what two crashes left", s)
		}
	case "deadletters":
		if s.Deleted != 10 || s.Dead != 2 || len(of(watch.Failed)) != 4 {
			t.Errorf("summary is %+v; want two dead letters that failed three times each, and all handled in the end", s)
		}
		if r := of(watch.Redriven); len(r) != 1 || r[0].Number != 2 {
			t.Errorf("redriven are %+v, want 2", r)
		}
	case "delay":
		sent := map[string]watch.Event{}
		by := map[string]time.Duration{} // the first message of each producer, from sent to received
		for _, e := range events {
			switch e.Kind {
			case watch.Sent:
				sent[e.ID] = e
			case watch.Received:
				if from := sent[e.ID]; from.Number == 1 {
					by[from.Worker] = e.Time.Sub(from.Time)
				}
			}
		}
		if by["no delay"] > time.Second || by["says nothing"] < 5*time.Second || by["15 s delay"] < 15*time.Second {
			t.Errorf("the first messages came after %v", by)
		}
	case "polling":
		notes := of(watch.Note)
		if len(notes) != 2 {
			t.Fatalf("notes are %+v, want one for each way of polling", notes)
		}
		t.Log(notes[0].Words, "; ", notes[1].Words)
	case "fifo":
		if s.Deleted != 15 || s.Redelivered != 1 {
			t.Errorf("summary is %+v; want 15 handled of 16 sent, of which one is a duplicate, and one delivered again", s)
		}
		inHand := map[string]int{}
		var red []string
		for _, e := range events {
			switch e.Kind {
			case watch.Received, watch.Redelivered:
				if inHand[e.Group]++; inHand[e.Group] > 1 {
					t.Errorf("two messages of the group %s are in hand", e.Group)
				}
			case watch.Handled, watch.Failed:
				inHand[e.Group]--
			}
			if e.Kind == watch.Handled && e.Group == "red" {
				red = append(red, e.Words[:4])
			}
		}
		if !slices.Equal(red, []string{"Ceci", "Mara", "Anne", "Kenj"}) {
			t.Errorf("the group red was handled as %q", red)
		}
	case "fanout":
		if s.Sent != 16 || s.Deleted <= 16 || s.Deleted >= 32 {
			t.Errorf("summary is %+v; want each message in one queue, and the large ones in both", s)
		}
	}
}

func TestAStoryNamesTheControlThatIsLacking(t *testing.T) {
	for _, story := range Stories()[1:] {
		_, err := (&Lab{Mux: newMux(), URL: "mempubsub://q", Story: story.Name}).Run(t.Context())
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s on a backend without controls: %v", story.Name, err)
		}
	}
}

func TestAStoryWithATopicSaysWhereItRuns(t *testing.T) {
	_, err := (&Lab{Mux: newMux(), URL: onSQS, Story: "fanout"}).Run(t.Context())
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("fanout on SQS: %v", err)
	}
}

func TestLabStopsCleanly(t *testing.T) {
	for _, story := range Stories() {
		t.Run(story.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 13*time.Second)
				defer cancel()
				s, err := (&Lab{Mux: newMux(), URL: "mem://mynewq", Story: story.Name}).Run(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if s.Sent == 0 || s.Deleted == 0 || s.InFlight != 0 {
					t.Errorf("after 13 s the summary is %+v; want all that was received either deleted or given back", s)
				}
			})
		})
	}
}

func TestLabRefusesBadSettings(t *testing.T) {
	for _, l := range []*Lab{
		{URL: "mem://mynewq", Speed: -1},
		{URL: "mem://mynewq", Speed: MaxSpeed + 1},
		{URL: "mem://mynewq", DrainTimeout: -1},
		{URL: "mem://mynewq", Story: "nope"},
		{URL: "mem://mynewq", Story: "fifo", AsInTheNotes: true},
		{URL: "nope://mynewq"},
		{},
	} {
		if _, err := l.Run(t.Context()); err == nil {
			t.Errorf("a lab with %+v ran", l)
		}
	}
}
