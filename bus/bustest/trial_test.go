package bustest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
)

// TestTrialsKeepWhatWentWrong has promises fail in every way that there is.
func TestTrialsKeepWhatWentWrong(t *testing.T) {
	b := wrapped(fault{})
	for _, c := range []struct {
		name string
		keep func(*trial)
		want []string // parts of the failures, in order
	}{
		{"kept", func(*trial) {}, nil},
		{"Errorf goes on", func(t *trial) { t.Errorf("one"); t.Errorf("two") }, []string{"one", "two"}},
		{"Fatalf ends the promise", func(t *trial) { t.Fatalf("one"); t.Errorf("two") }, []string{"one"}},
		{"with the line", func(t *trial) { t.Errorf("one") }, []string{"trial_test.go:"}},
		{"with the promise's line", func(t *trial) { t.refused(nil, 0, "it") }, []string{"trial_test.go:"}},
		{"the clean-up too", func(t *trial) {
			t.Cleanup(func() { t.Errorf("cleaned up second") })
			t.Cleanup(func() { t.Fatalf("cleaned up first") })
		}, []string{"cleaned up first", "cleaned up second"}},
		{"a panic", func(*trial) { panic("oh") }, []string{"panic: oh"}},
		{"a goroutine that remains", func(*trial) { go func() { select {} }() }, []string{"blocked goroutines remain"}},
		{"a goroutine that remains, after a failure", func(t *trial) {
			go func() { time.Sleep(time.Hour) }()
			t.Fatalf("one")
		}, []string{"one", "trial_test.go"}},
		{"a deadlock", func(*trial) { select {} }, []string{"all goroutines in bubble are blocked"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := b.try(t, promise{name: "test", keep: c.keep}, b.Controls).failures
			ok := len(got) == len(c.want)
			for i := range c.want {
				ok = ok && strings.Contains(got[i], c.want[i])
			}
			if !ok {
				t.Errorf("the failures are %q; want %q", got, c.want)
			}
		})
	}
}

// TestKnownFaultsMayHide has a fault show only at its last chance, and at none.
func TestKnownFaultsMayHide(t *testing.T) {
	b := wrapped(fault{})
	b.Virtual = false
	b.Faults = map[string]string{"hides": "for a reason"}
	for _, c := range []struct {
		promise      string
		showsAt, ran int
	}{
		{"hides", 1, 1},
		{"hides", faultTries, faultTries},
		{"hides", 0, faultTries},
		{"kept", 0, 1},
	} {
		t.Run(fmt.Sprintf("%s, shows at %d", c.promise, c.showsAt), func(t *testing.T) {
			ran := 0
			tr := b.try(t, promise{name: c.promise, keep: func(t *trial) {
				if ran++; ran == c.showsAt {
					t.Errorf("it shows")
				}
			}}, b.Controls)
			if ran != c.ran || (len(tr.failures) > 0) != (c.showsAt > 0) {
				t.Errorf("it ran %d times, with the failures %q; want %d", ran, tr.failures, c.ran)
			}
		})
	}
}

func TestTrialEndsItsContextFirst(t *testing.T) {
	var order []string
	b := wrapped(fault{})
	b.try(t, promise{name: "test", keep: func(t *trial) {
		t.Cleanup(func() { order = append(order, "clean-up") })
		t.Go(func() {
			<-t.Context().Done()
			order = append(order, "goroutine")
		})
	}}, b.Controls)
	if want := []string{"goroutine", "clean-up"}; !slices.Equal(order, want) {
		t.Errorf("%q ended; want %q", order, want)
	}
}

// A page is what a reporter was told.
type page struct{ errors, logs []string }

func (p *page) Helper()                      {}
func (p *page) Log(args ...any)              { p.logs = append(p.logs, fmt.Sprint(args...)) }
func (p *page) Logf(f string, args ...any)   { p.logs = append(p.logs, fmt.Sprintf(f, args...)) }
func (p *page) Error(args ...any)            { p.errors = append(p.errors, fmt.Sprint(args...)) }
func (p *page) Errorf(f string, args ...any) { p.errors = append(p.errors, fmt.Sprintf(f, args...)) }

func TestReport(t *testing.T) {
	b := Backend{Faults: map[string]string{"peek": "for a reason"}, Lapses: map[string]string{"nack": "by chance"}}
	for _, c := range []struct {
		promise  string
		failures []string
		errors   []string
		logs     []string
	}{
		{"delay", nil, nil, []string{"a remark"}},
		{"delay", []string{"too late"}, []string{"not kept: it is kept", "too late"}, []string{"a remark"}},
		{"peek", []string{"too late"}, nil, []string{"a remark", "known fault: for a reason", "too late"}},
		{"peek", nil, []string{`mended: take "peek" off the list of faults (for a reason)`}, []string{"a remark"}},
		{"nack", []string{"too late"}, nil, []string{"a remark", "not kept now and then: by chance", "too late"}},
		{"nack", nil, nil, []string{"a remark"}},
	} {
		var p page
		b.report(&p, promise{name: c.promise, says: "it is kept"}, &trial{failures: c.failures, logs: []string{"a remark"}})
		if !slices.Equal(p.errors, c.errors) || !slices.Equal(p.logs, c.logs) {
			t.Errorf("%s with the failures %q is reported as the errors %q and the logs %q; want %q and %q",
				c.promise, c.failures, p.errors, p.logs, c.errors, c.logs)
		}
	}
}

func TestStrayFaults(t *testing.T) {
	b := Backend{Faults: map[string]string{"delay": "yes", "dealy": "no such promise", "purge": "not declared", "retention": "not in real time"}}
	got := b.stray([]bus.Control{delays, create})
	want := []string{
		`take "dealy" off the list of faults: it is no promise of this kit`,
		`take "purge" off the list of faults: it is not run (not declared: purge)`,
		`take "retention" off the list of faults: it is not run (takes minutes, so it is checked in virtual time only)`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("stray are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPromises(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range promises {
		if seen[p.name] || p.name == "" || p.says == "" || p.keep == nil || strings.ContainsAny(p.name, " /:_") {
			t.Errorf("promise %q is not well described", p.name)
		}
		seen[p.name] = true
	}
	var needed []bus.Control
	for _, p := range promises {
		needed = append(needed, p.needs...)
	}
	for _, c := range bus.Controls() {
		if !slices.Contains(needed, c) {
			t.Errorf("no promise needs the control %q, so that one declared is not checked", c)
		}
	}
}

// TestCame checks the window in which a message may come.
func TestCame(t *testing.T) {
	zero := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return zero.Add(time.Duration(ms) * time.Millisecond) }
	for _, c := range []struct {
		from, by int // of the receive, in ms; the send was from 0 to 10, its delay is 1000
		slack    time.Duration
		ok       bool
	}{
		{20, 999, 0, false},
		{20, 1000, 0, true},
		{20, 1010, 0, true},
		{20, 1011, 0, false},
		{20, 1011, time.Millisecond, true},
		{5000, 5000, 0, true},
		{5000, 5001, 0, false},
	} {
		tr := &trial{backend: &Backend{Virtual: true, Slack: c.slack}, ctx: context.Background()}
		m := &message{Message: &pubsub.Message{Body: []byte("m")}, span: span{at(c.from), at(c.by)}}
		tr.came(m, span{at(0), at(10)}, time.Second)
		if ok := len(tr.failures) == 0; ok != c.ok {
			t.Errorf("a receive from %d to %d ms is accepted: %t, with slack %v; want %t", c.from, c.by, ok, c.slack, c.ok)
		}
	}
}
