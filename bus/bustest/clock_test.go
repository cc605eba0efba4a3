package bustest

import (
	"context"
	"slices"
	"testing"
	"time"

	"omnibus/bus/driver"
	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// fast is a clock that runs speed times as fast as real time.
type fast struct{ start time.Time }

const speed = 10

func (c fast) Now() time.Time                             { return c.at(time.Now()) }
func (c fast) at(real time.Time) time.Time                { return c.start.Add(real.Sub(c.start) * speed) }
func (c fast) Sleep(ctx context.Context, d time.Duration) { wall{}.Sleep(ctx, d/speed) }

// of returns a duration in real time, if it is one that the backend allows.
func (c fast) of(d, most time.Duration) time.Duration {
	if d < 0 || d > most {
		return d
	}
	return d / speed
}

// goesBy is a backend that goes by the clock c.
func goesBy(c fast) fault {
	f := fault{
		slack: 3 * time.Second, // 300 ms, for a busy machine
		send: func(_ *end, m *engine.Message) bool {
			if m.Delay != nil {
				m.Delay = new(c.of(*m.Delay, spec.MaxDelay))
			}
			return true
		},
		details: func(_ *engine.Delivery, d *driver.Details) {
			for _, at := range []*time.Time{&d.Sent, &d.FirstReceived, &d.VisibleAt} {
				if !at.IsZero() {
					*at = c.at(*at)
				}
			}
		},
		opener: creates(func(s *spec.QueueSettings) {
			if s.Visibility != nil {
				s.Visibility = new(c.of(*s.Visibility, spec.MaxVisibility))
			}
		}),
	}
	f.queue = replaces(func(e *end, controls *controls) {
		change, give := controls.VisibilityChanger, controls.GiverBack
		controls.VisibilityChanger = changer(func(ctx context.Context, cs []driver.VisibilityChange) []error {
			cs = slices.Clone(cs)
			for i := range cs {
				cs[i].Timeout = c.of(cs[i].Timeout, spec.MaxVisibility)
			}
			return change.ChangeVisibility(ctx, cs)
		})
		controls.GiverBack = giver(func(ctx context.Context, hs []string, after time.Duration) []error {
			return give.GiveBack(ctx, hs, c.of(after, spec.MaxVisibility))
		})
		controls.ReceiverOpener = receiver(func(o driver.ReceiverOptions) (driver.Queue, error) {
			if o.Visibility != nil {
				o.Visibility = new(c.of(*o.Visibility, spec.MaxVisibility))
			}
			return own{e}.OpenReceiver(o)
		})
	})
	return f
}

// A backend with a clock of its own keeps its promises by that clock, and not by
// another.
func TestABackendMayHaveAClockOfItsOwn(t *testing.T) {
	t.Parallel()
	c := fast{time.Now()}
	b := wrapped(goesBy(c))
	b.Virtual = false
	byWall := b.begin(t, promises[slices.Index(Promises(), "visibility")], b.Controls)
	b.Clock = c
	trials := map[string]func() *trial{}
	for _, name := range []string{"delay", "visibility", "change-visibility", "visible-at", "stale-ack", "renew", "give-back", "details", "wake-up", "cancel"} {
		trials[name] = b.begin(t, promises[slices.Index(Promises(), name)], b.Controls)
	}
	for name, wait := range trials {
		if failures := wait().failures; len(failures) > 0 {
			t.Errorf("%s by the backend's clock: %q", name, failures)
		}
	}
	if len(byWall().failures) == 0 {
		t.Error("a backend whose clock is fast keeps a visibility timeout by the wall clock")
	}
}
