package queues

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/membus"
	"omnibus/bus/spec"
	"omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
	_ "omnibus/internal/cleanenv"
	"omnibus/view/web"
)

// everywhere runs a test on memory, and on SQS without a socket, with the queue donors
// and its dead-letter queue dead.
func everywhere(t *testing.T, test func(t *testing.T, s *Source, donors *bus.Queue)) {
	for _, scheme := range []string{"mem://", "http://127.0.0.1/000000000000/"} {
		t.Run(strings.TrimSuffix(scheme, "://"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mux := new(bus.Mux)
				membus.New(nil).Register(mux)
				sqsbus.New(&sqsbus.Options{HTTPClient: sqsserver.New(nil).Client()}).Register(mux)
				var open []*bus.Queue
				for _, name := range []string{"dead", "donors"} {
					var settings bus.QueueSettings
					if name == "donors" {
						settings.DeadLetter = &bus.DeadLetter{Queue: "dead", MaxReceives: 2}
					}
					url, err := mux.Create(t.Context(), scheme+name, settings)
					if err != nil {
						t.Fatal(err)
					}
					q, err := mux.Open(t.Context(), url)
					if err != nil {
						t.Fatal(err)
					}
					defer q.Shutdown(t.Context())
					open = append(open, q)
				}
				test(t, New(open...), open[1])
			})
		})
	}
}

func TestQueuesAndTheirAttributesAreShown(t *testing.T) {
	everywhere(t, func(t *testing.T, s *Source, donors *bus.Queue) {
		id, err := s.Send(t.Context(), "donors", web.Outgoing{Body: "a donor", Delay: new(time.Minute), Attributes: []web.NamedAttribute{{Name: "n", Attribute: bus.Number("1")}}})
		if err != nil || id == "" {
			t.Fatal(id, err)
		}
		qs, err := s.Queues(t.Context())
		if err != nil || len(qs) != 2 || qs[1].ID != "donors" || qs[1].DeadLetter != "dead" || qs[1].MaxReceives != 2 || qs[1].Counts.Delayed != 1 {
			t.Errorf("%+v, %v", qs, err)
		}
		fields, err := s.Attributes(t.Context(), "donors")
		if err != nil || !slices.Contains(fields, web.Field{Name: "VisibilityTimeout", Value: "30"}) {
			t.Errorf("%v, %v", fields, err)
		}
		if err := s.Purge(t.Context(), "donors"); err != nil {
			t.Error(err)
		}
		if qs, err := s.Queues(t.Context()); err != nil || qs[1].Counts.Delayed != 0 {
			t.Errorf("after a purge: %+v, %v", qs, err)
		}
		if _, err := s.Send(t.Context(), "none", web.Outgoing{Body: "x"}); !errors.Is(err, spec.QueueDoesNotExist) {
			t.Error(err)
		}
	})
}

// A look leaves messages where they are, at the cost that it tells of.
func TestALookLeavesMessagesVisible(t *testing.T) {
	everywhere(t, func(t *testing.T, s *Source, donors *bus.Queue) {
		for _, body := range []string{"a", "b", "c"} {
			if _, err := s.Send(t.Context(), "donors", web.Outgoing{Body: body, Attributes: []web.NamedAttribute{{Name: "n", Attribute: bus.Number("1")}}}); err != nil {
				t.Fatal(err)
			}
		}
		ms, err := s.Look(t.Context(), "donors", web.Visible, 100)
		if err != nil {
			t.Fatal(err)
		}
		var bodies []string
		for _, m := range ms {
			bodies = append(bodies, m.Body)
			if m.ID == "" || len(m.Attributes) != 1 || m.Attributes[0].StringValue != "1" || m.State != web.Visible {
				t.Errorf("%+v", m)
			}
		}
		slices.Sort(bodies)
		if !slices.Equal(bodies, []string{"a", "b", "c"}) {
			t.Errorf("%q", bodies)
		}
		costs := s.LookCost() != ""
		if costs == donors.Supports(bus.ControlPeek) || (ms[0].Receives > 0) != costs {
			t.Errorf("the cost is %q; received %d times", s.LookCost(), ms[0].Receives)
		}
		for _, m := range ms {
			if m.Receives > 1 {
				t.Errorf("one look received %s %d times", m.Body, m.Receives)
			}
		}
		qs, err := s.Queues(t.Context()) // none is hidden any more, and none was given up
		if err != nil || qs[1].Counts.Visible != 3 || qs[1].Counts.InFlight != 0 || qs[0].Counts.Visible != 0 {
			t.Errorf("%+v, %v", qs, err)
		}
		if _, err := s.Look(t.Context(), "donors", web.InFlight, 1); !errors.Is(err, errors.ErrUnsupported) {
			t.Error(err)
		}
	})
}

func TestALookAtNothingEnds(t *testing.T) {
	everywhere(t, func(t *testing.T, s *Source, donors *bus.Queue) {
		if ms, err := s.Look(t.Context(), "donors", web.Visible, 10); err != nil || len(ms) != 0 {
			t.Errorf("%v, %v", ms, err)
		}
	})
}

func TestDeadLettersGoBack(t *testing.T) {
	everywhere(t, func(t *testing.T, s *Source, donors *bus.Queue) {
		for range 3 {
			if err := donors.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("x")}); err != nil {
				t.Fatal(err)
			}
			m, err := donors.Subscription.Receive(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := donors.Bury(t.Context(), m, "to be seen"); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := s.Redrive(t.Context(), "dead", "", 2); n != 2 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if n, err := s.Redrive(t.Context(), "dead", "donors", 2); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if a, err := donors.Attributes(t.Context()); err != nil || a.Visible != 3 {
			t.Errorf("%+v, %v", a.Counts, err)
		}
	})
}
