package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/spec"
)

// hand is a computer's two clocks, moved by hand.
type hand struct {
	mono int64
	wall time.Time
}

func newHand() *hand { return &hand{wall: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (h *hand) read() (int64, time.Time) { return h.mono, h.wall }

func (h *hand) pass(d time.Duration) { h.mono, h.wall = h.mono+int64(d), h.wall.Add(d) }

// set sets the wall clock, as a person does, and as waking up from a suspend does.
func (h *hand) set(d time.Duration) { h.wall = h.wall.Add(d) }

// A wall clock that is set, and a suspend, in which the monotonic clock stands
// still, bring nothing about by themselves, in queues made before and after: not an
// end of a delay, of a visibility timeout or of a retention period.
func TestStepsOfTheWallClockBringNothingAbout(t *testing.T) {
	for _, by := range []time.Duration{2 * time.Hour, -2 * time.Hour, 30 * 24 * time.Hour} {
		h := newHand()
		e := New(&Options{Lenient: true})
		e.clock.read = h.read
		q := create(t, e, "q", spec.QueueSettings{Retention: new(time.Minute)})
		send(t, q, Message{Body: "held"})
		receive(t, q, 1, "held")
		send(t, q, Message{Body: "delayed", Delay: new(20 * time.Second)})
		h.set(by)
		dead := create(t, e, "dead", spec.QueueSettings{Retention: new(time.Minute)}) // with the clock as it is now
		wantCounts(t, q, 0, 1, 1)

		ok(t, q.SetAttributes(spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 1}}))
		h.pass(30 * time.Second)
		receive(t, q, 2, "delayed") // and "held" goes to the other queue
		wantCounts(t, dead, 1, 0, 0)
		h.set(-by)
		wantCounts(t, dead, 1, 0, 0)
		h.pass(30 * time.Second)
		wantCounts(t, dead, 0, 0, 0) // a minute after it was sent
		ok(t, e.Delete("dead"))
	}
}

// The times that are told are the wall clock's as it was when they came, however
// it was set since, and the end of a delivery is as it is now.
func TestToldTimesAreOfTheWallClock(t *testing.T) {
	h := newHand()
	e := New(nil)
	e.clock.read = h.read
	q := create(t, e, "q", spec.QueueSettings{})
	at := func(what string, got, want time.Time) {
		t.Helper()
		if !got.Equal(want) {
			t.Errorf("%s at %v, want %v", what, got.UTC(), want)
		}
	}
	h.pass(time.Second)
	sent := h.wall
	send(t, q, Message{Body: "m"})
	for _, by := range []time.Duration{0, time.Hour, -3 * time.Hour, 2*time.Hour + time.Millisecond} {
		h.set(by)
		h.pass(time.Second)
		d := receive(t, q, 1, "m")[0]
		at("sent", d.Sent, sent)
		at("visible", d.VisibleAt, h.wall.Add(30*time.Second))
		at("now", e.Now(), h.wall)
		if by == 0 {
			first := h.wall
			defer func() { at("first received", d.FirstReceived, first) }()
		}
		h.pass(30 * time.Second)
	}
	h.set(900 * time.Millisecond) // no step, but a clock that goes a little wrong
	at("now", e.Now(), h.wall.Add(-900*time.Millisecond))
	for range 2 * maxSteps {
		h.set(time.Hour)
		e.Now()
	}
	if len(e.clock.steps) > maxSteps {
		t.Errorf("the engine remembers %d steps", len(e.clock.steps))
	}
}

// An engine of a whole process serves one synctest bubble after the other, in each
// of which the monotonic clock begins anew.
func TestTheClockGoesOnFromBubbleToBubble(t *testing.T) {
	e := New(nil)
	for range 3 {
		synctest.Test(t, func(t *testing.T) {
			name := "q" + time.Now().Format("150405") + string(rune('a'+len(e.queues)))
			q := create(t, e, name, spec.QueueSettings{Visibility: new(10 * time.Second)})
			send(t, q, Message{Body: "m"})
			d := receive(t, q, 1, "m")[0]
			if !d.Sent.Equal(time.Now()) || time.Until(d.VisibleAt) != 10*time.Second {
				t.Errorf("sent at %v, visible at %v; it is %v", d.Sent, d.VisibleAt, time.Now())
			}
			time.Sleep(10 * time.Second)
			receive(t, q, 1, "m")
		})
	}
}
