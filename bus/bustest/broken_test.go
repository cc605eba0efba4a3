package bustest

import (
	"slices"
	"strings"
	"testing"

	"omnibus/bus"
	"omnibus/bus/membus"
)

// tries runs all promises that a backend makes, and returns the names of those
// that it broke, with the first thing that was wrong.
func tries(t *testing.T, b Backend) (broken []string, why map[string]string) {
	why = map[string]string{}
	for _, p := range b.made() {
		if tr := b.try(t, p, b.Controls); len(tr.failures) > 0 {
			broken = append(broken, p.name)
			why[p.name] = tr.failures[0]
		}
	}
	return broken, why
}

// made returns the promises that are run on the backend.
func (b *Backend) made() []promise {
	return slices.DeleteFunc(slices.Clone(promises), func(p promise) bool {
		why, _ := p.unfit(b, b.Controls)
		return why != ""
	})
}

// names returns the promises that a fault is to break, sorted.
func (f fault) names(b *Backend) []string {
	names := strings.Fields(f.breaks)
	if f.breaks == "all" {
		names = nil
		for _, p := range b.made() {
			names = append(names, p.name)
		}
	}
	slices.Sort(names)
	return names
}

// besidesMay returns the broken promises but for those that hang on chance.
func (f fault) besidesMay(broken []string) []string {
	return slices.DeleteFunc(broken, func(name string) bool { return slices.Contains(strings.Fields(f.may), name) })
}

func TestSoundBackendsKeepEveryPromise(t *testing.T) {
	for _, f := range sound {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			broken, why := tries(t, wrapped(f))
			if broken = f.besidesMay(broken); len(broken) > 0 {
				t.Errorf("a sound backend breaks %q: %q", broken, why)
			}
		})
	}
}

// TestBrokenBackendsAreRejected breaks a backend in one way at a time, and
// expects just those promises to fail that it breaks.
func TestBrokenBackendsAreRejected(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			b := wrapped(f)
			broken, why := tries(t, b)
			broken = f.besidesMay(broken)
			slices.Sort(broken)
			want := f.names(&b)
			if slices.Equal(broken, want) {
				return
			}
			t.Errorf("it breaks  %s\nit is to break %s", strings.Join(broken, " "), strings.Join(want, " "))
			for name, first := range why {
				if line, _, _ := strings.Cut(first, "\n"); !slices.Contains(want, name) {
					t.Logf("%s: %s", name, line)
				}
			}
		})
	}
}

func TestEveryPromiseIsBrokenByAFault(t *testing.T) {
	// All promises shut their queues down. So those that do nothing else cannot be
	// broken alone; no other promise counts as broken by what breaks all.
	broken := map[string]bool{"shutdown": true}
	for _, f := range faults {
		for _, name := range strings.Fields(f.breaks) {
			broken[name] = true
		}
	}
	for _, name := range Promises() {
		if !broken[name] {
			t.Errorf("no fault breaks the promise %q", name)
		}
	}
}

// TestRunWithKnownFaults runs the kit as a backend's test does.
func TestRunWithKnownFaults(t *testing.T) {
	i := slices.IndexFunc(faults, func(f fault) bool { return f.name == "counts no late acks" })
	b := wrapped(faults[i])
	b.Faults = map[string]string{"late-acks": "they are not counted"}
	Run(t, b)
}

func TestRunWithoutControls(t *testing.T) {
	b := wrapped(fault{plain: true})
	b.Controls = nil // what Supports says
	Run(t, b)
}

// TestRunInRealTime takes as long as the promise that takes longest.
func TestRunInRealTime(t *testing.T) {
	t.Parallel()
	Run(t, Backend{Topic: topicURL, Setup: func(testing.TB) (*bus.Mux, func(string) string) {
		mux := new(bus.Mux)
		membus.New(nil).Register(mux)
		return mux, func(name string) string { return membus.Scheme + "://" + name }
	}})
}

func TestBrokenBackendsAreRejectedInRealTime(t *testing.T) {
	waits := map[string]func() *trial{}
	for name, promise := range map[string]string{ // the one that the fault is about
		"loses one message in a hundred":      "concurrent-delivery",
		"ignores delays":                      "delay",
		"delivers again a second early":       "visibility",
		"says that a lost lease was extended": "lost-lease",
		"nacks by message, not by delivery":   "stale-nack",
		"counts as of the last receive":       "counts",
		"purges whenever asked":               "purge-interval",
	} {
		b := wrapped(faults[slices.IndexFunc(faults, func(f fault) bool { return f.name == name })])
		b.Virtual = false
		waits[name] = b.begin(t, promises[slices.Index(Promises(), promise)], b.Controls)
	}
	t.Parallel() // from here on it waits for its turn; the promises do not
	for name, wait := range waits {
		if len(wait().failures) == 0 {
			t.Errorf("a backend that %s is not rejected", name)
		}
	}
}
