// Package bustest is the conformance kit of package bus: it holds a backend to
// what it declares. The same promises run on every backend, so that a program
// written against one behaves on another as it was tested.
//
// A backend's own test hands [Run] a place to make queues in:
//
//	func TestConformance(t *testing.T) {
//		bustest.Run(t, bustest.Backend{
//			Virtual: true,
//			Setup: func(t testing.TB) (*bus.Mux, func(name string) string) {
//				mux := new(bus.Mux)
//				membus.New(nil).Register(mux)
//				return mux, func(name string) string { return membus.Scheme + "://" + name }
//			},
//			Topic: func(name string) string { return membus.TopicScheme + "://" + name },
//		})
//	}
//
// Each promise is a subtest with its name, so that -run TestConformance/delay
// runs one family. A control that the backend declares and does not keep is a
// failure. A promise that needs a control which the backend does not declare is
// listed as NAME:not-declared, and the promise "unsupported" checks that using
// the control is refused as it should be. What is known to be broken is named in
// [Backend.Faults] or [Backend.Lapses]; nothing is skipped.
//
// # What is checked
//
// Of every backend, plain portable ones too: that messages arrive, whole, once
// and none missing under concurrent use; that those who open one URL share its
// messages; that a nack brings a message back; that a waiting receive is woken;
// that ending a receive's context ends the receive and loses nothing; that
// Shutdown leaves nothing running; that URLs are checked; that what is
// unsupported says so. Beyond that, what the backend declares: [Promises] lists
// it. Only a backend that declares the control "sqs-limits" is held to the limits of
// SQS.
//
// Promises about leases need queues whose visibility timeout the kit knows: it
// creates them with one, or opens receivers with one, or the Backend says which its
// queues have.
//
// # Time
//
// Durations in the kit are whole seconds, so that backends which count those can
// keep them. A backend that goes by a clock of its own gives it as [Backend.Clock];
// all times and durations are by that then. Virtual runs each promise in a testing/synctest bubble and demands
// the very instant. In real time many promises run at once, whatever -parallel
// says, since they spend their time waiting; what must not happen before its time
// is checked exactly, what must happen by a time has [Backend.Slack] or more. A
// promise takes at most about 15 seconds then, and what takes minutes by nature
// (retention, a second purge that is allowed, the end of deduplication) is checked
// in virtual time only.
//
// # What is not checked
//
// Throughput, memory and the cost of a large queue; what happens across restarts
// and network failures; quotas that only volume reaches (120,000 in flight);
// fairness between consumers or groups; As types and URL parameters of the
// backend's own; and that the portable types themselves work, for which the Go
// CDK has gocloud.dev/pubsub/drivertest.
package bustest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"omnibus/bus"
)

// A Backend is what the kit tests.
type Backend struct {
	// Setup prepares a place with no queues: a mux that knows the backend, and
	// the URL for a queue's name. It is called once for each promise, inside the
	// bubble if Virtual, and registers its clean-up with t.Cleanup. Names are
	// like those of SQS, 1 to 80 of A-Z, a-z, 0-9 and hyphen, with the suffix
	// .fifo if the backend declares groups, and a few that SQS does not allow; they
	// are the names that redrive policies use. They are unique, so that one shared
	// place will do where it must, and in real time queues that can be deleted are.
	Setup func(t testing.TB) (mux *bus.Mux, url func(name string) string)

	// Topic returns the URL for a topic's name, which is like that of a queue, at the
	// place that Setup prepared last, where there has to be a topic of that name once
	// its URL is opened. Where it is nil, promises about topics are not made: a
	// backend of queues can declare them for the sake of places that have topics too.
	Topic func(name string) string

	// Virtual runs each promise in a testing/synctest bubble, in virtual time.
	// Setup must then make everything anew that has goroutines, channels or
	// timers. Otherwise promises run in real time, many at once.
	Virtual bool

	// Slack is how much later than at once a waiting Receive may return a
	// message: what a backend that polls needs. In virtual time it is the exact
	// bound, and 0 demands the very instant. In real time, a message that is sent
	// has Slack but at least 1 s, and one whose delay or visibility timeout ends
	// has 4 s more, for machines that are busy.
	Slack time.Duration

	// Clock is the time that the backend goes by; nil means that of package time.
	// It is for a backend that can run neither in a bubble nor in the time that the
	// kit would take in real time: one with a clock that runs faster, say. Virtual
	// goes without it.
	Clock Clock

	// Visibility is the visibility timeout of the queues that Setup's URLs open, in
	// whole seconds, 4 or more: for a backend whose queues the kit can neither
	// create with a timeout nor open receivers of. Where it is 0 and the backend
	// declares neither control, promises about leases are not made.
	Visibility time.Duration

	// Controls are what the backend declares. Nil means whatever
	// [bus.Queue.Supports] says; otherwise it must say exactly this.
	Controls []bus.Control

	// Faults are promises that the backend is known to break, by name, with the
	// reason. They are run and must fail; one that is kept fails the kit, so that
	// it is taken off the list. In real time it must be kept three times for that.
	Faults map[string]string

	// Lapses are promises that the backend breaks now and then, by name, with the
	// reason. They are run, and may fail.
	Lapses map[string]string
}

// A promise is what backends are held to.
type promise struct {
	name    string
	says    string        // the promise, in a sentence
	needs   []bus.Control // without all of which it is not made
	any     []bus.Control // without one of which it is not made
	leases  bool          // it needs queues whose visibility timeout the kit knows: see [trial.leased]
	virtual bool          // takes minutes: checked in virtual time only
	keep    func(*trial)  // fails the trial if the promise is not kept
}

// Promises returns the names of all promises, in the order in which they run.
func Promises() []string {
	var names []string
	for _, p := range promises {
		names = append(names, p.name)
	}
	return names
}

// Run tests a backend, one subtest for each promise.
func Run(t *testing.T, b Backend) {
	t.Helper()
	if b.Setup == nil {
		t.Fatal("bustest: the Backend has no Setup")
	}
	if b.Virtual && b.Clock != nil {
		t.Fatal("bustest: a Backend that is Virtual goes by the bubble's clock, and has no Clock of its own")
	}
	declared, err := b.declared(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range b.stray(declared) {
		t.Error(p)
	}
	for _, p := range promises {
		if why, suffix := p.unfit(&b, declared); why != "" {
			t.Run(p.name+suffix, func(t *testing.T) { t.Log(why) })
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			tr := b.try(t, p, declared)
			b.report(t, p, tr)
		})
	}
}

// known returns the faults and the lapses.
func (b *Backend) known() map[string]string {
	all := maps.Clone(b.Faults)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, b.Lapses)
	return all
}

// stray says which faults are on the list and are no promises that are run.
func (b *Backend) stray(declared []bus.Control) (stray []string) {
	for _, name := range slices.Sorted(maps.Keys(b.known())) {
		i := slices.Index(Promises(), name)
		if i < 0 {
			stray = append(stray, fmt.Sprintf("take %q off the list of faults: it is no promise of this kit", name))
		} else if why, _ := promises[i].unfit(b, declared); why != "" {
			stray = append(stray, fmt.Sprintf("take %q off the list of faults: it is not run (%s)", name, why))
		}
	}
	return stray
}

// unfit says why a promise is not run, with a suffix for the subtest's name, or
// returns "".
func (p *promise) unfit(b *Backend, declared []bus.Control) (why, suffix string) {
	var missing []string
	for _, c := range p.needs {
		if !slices.Contains(declared, c) {
			missing = append(missing, string(c))
		}
	}
	if len(p.any) > 0 && !slices.ContainsFunc(p.any, func(c bus.Control) bool { return slices.Contains(declared, c) }) {
		missing = append(missing, fmt.Sprintf("one of %v", p.any))
	}
	if p.leases && !slices.Contains(declared, create) && !slices.Contains(declared, receivers) && b.Visibility == 0 {
		missing = append(missing, fmt.Sprintf("one of %v, or the Backend's Visibility", needs(create, receivers)))
	}
	if slices.Contains(p.needs, topics) && slices.Contains(declared, topics) && b.Topic == nil {
		missing = append(missing, "the Backend's Topic")
	}
	switch {
	case missing != nil:
		return "not declared: " + strings.Join(missing, ", "), ":not-declared"
	case p.virtual && !b.Virtual:
		return "takes minutes, so it is checked in virtual time only", ":virtual-only"
	}
	return "", ""
}

// declared returns the controls that the backend declares.
func (b *Backend) declared(t *testing.T) ([]bus.Control, error) {
	if b.Controls != nil {
		return b.Controls, nil
	}
	var declared []bus.Control
	tr := b.try(t, promise{name: "controls", keep: func(t *trial) {
		q := t.probe("controls")
		declared = slices.DeleteFunc(bus.Controls(), func(c bus.Control) bool { return !q.Supports(c) })
	}}, nil)
	if len(tr.failures) > 0 {
		return nil, fmt.Errorf("bustest: cannot open a queue to see what it supports: %s", strings.Join(tr.failures, "\n"))
	}
	return declared, nil
}

// A reporter is what a *testing.T is to report.
type reporter interface {
	Helper()
	Log(args ...any)
	Logf(format string, args ...any)
	Error(args ...any)
	Errorf(format string, args ...any)
}

// report makes a trial the outcome of a subtest.
func (b *Backend) report(t reporter, p promise, tr *trial) {
	t.Helper()
	for _, line := range tr.logs {
		t.Log(line)
	}
	reason, faulty := b.Faults[p.name]
	switch failed := len(tr.failures) > 0; {
	case faulty && failed:
		t.Logf("known fault: %s", reason)
		for _, f := range tr.failures {
			t.Log(f)
		}
	case faulty:
		t.Errorf("mended: take %q off the list of faults (%s)", p.name, reason)
	case failed && b.Lapses[p.name] != "":
		t.Logf("not kept now and then: %s", b.Lapses[p.name])
		for _, f := range tr.failures {
			t.Log(f)
		}
	case failed:
		t.Errorf("not kept: %s", p.says)
		for _, f := range tr.failures {
			t.Error(f)
		}
	}
}
