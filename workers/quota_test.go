package workers_test

import (
	"testing"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

func TestMaxCountsWhatIsHandledAndNotWhatIsPutOff(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		for i, delay := range []time.Duration{40 * time.Minute, 50 * time.Minute, 3 * time.Hour} {
			m := &pubsub.Message{Body: []byte{byte('a' + i)}}
			workers.Delay(q, m, delay)
			if err := q.Topic.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now()
		handler, handled := record()
		c := &workers.Consumer{Queue: q, Handler: handler, Max: 2, Concurrency: 4}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, took := handled(), time.Since(begin); len(got) != 2 || got[0] != "a" || got[1] != "b" || took > 51*time.Minute {
			t.Errorf("handled %v in %v; want a and b within 51 minutes", got, took)
		}
		if s := c.Stats(); s.Deleted != 2 || s.Delayed < 4 || s.InHand != 0 {
			t.Errorf("stats are %+v; want 2 deleted, and those that were put off", s)
		}
		waits(t, q, 1)
	})
}

// A message that a FIFO queue's consumer holds until it is due holds back its group
// and not the others.
func TestMaxDoesNotCountWhatIsHeld(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work.fifo", bus.QueueSettings{ContentBasedDeduplication: new(true)})
		sendTo := func(group, body string, delay time.Duration) {
			m := &pubsub.Message{Body: []byte(body)}
			bus.Group(m, group)
			if delay > 0 {
				workers.Delay(q, m, delay)
			}
			if err := q.Topic.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		sendTo("a", "a 0", 3*time.Hour)
		sendTo("a", "a 1", 0)
		sendTo("b", "b 0", 0)
		begin := time.Now()
		handler, handled := record()
		if err := (&workers.Consumer{Queue: q, Handler: handler, Max: 1}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, took := handled(), time.Since(begin); len(got) != 1 || got[0] != "b 0" || took > time.Minute {
			t.Errorf("handled %v in %v; want b 0 at once", got, took)
		}
		if err := (&workers.Consumer{Queue: q, Handler: handler, Max: 1}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, took := handled(), time.Since(begin); len(got) != 2 || got[1] != "a 0" || took < 3*time.Hour || took > 4*time.Hour {
			t.Errorf("handled %v in %v; want a 0 after 3 hours", got, took)
		}
		waits(t, q, 1)
	})
}

// A message behind another in its group is not handled beyond Max.
func TestNoMoreThanMaxAreHandled(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work.fifo", bus.QueueSettings{ContentBasedDeduplication: new(true)})
		for _, body := range []string{"a 0", "a 1", "a 2", "b 0", "b 1", "c 0"} {
			m := &pubsub.Message{Body: []byte(body)}
			bus.Group(m, body[:1])
			if err := q.Topic.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		handler, handled := record()
		for max := 1; max <= 3; max++ {
			if err := (&workers.Consumer{Queue: q, Handler: handler, Max: max, Concurrency: 3}).Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n, want := len(handled()), max*(max+1)/2; n != want {
				t.Errorf("%d messages are handled after Max %d, want %d: %v", n, max, want, handled())
			}
		}
		expect(t, q, bus.Counts{})
	})
}

// waits checks how many messages are in a queue.
func waits(t *testing.T, q *bus.Queue, want int) {
	t.Helper()
	a, err := q.Attributes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := a.Counts.Visible + a.Counts.InFlight + a.Counts.Delayed; n != want {
		t.Errorf("%s has %d messages, want %d: %+v", q.Name(), n, want, a.Counts)
	}
}
