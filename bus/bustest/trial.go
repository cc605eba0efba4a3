package bustest

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus"
)

// A trial is one run of one promise. It is to the promise what a *testing.T is
// to a test, except that it keeps what went wrong instead of reporting it, so
// that a failure can also be what is expected.
type trial struct {
	backend  *Backend
	declared []bus.Control
	prefix   string // of the names of this trial's queues
	bubble   string // its name in stack traces
	mux      *bus.Mux
	url      func(name string) string

	clock  Clock
	ctx    context.Context // ends with the promise, before the clean-up
	cancel context.CancelFunc
	group  sync.WaitGroup // the goroutines of Go

	mu       sync.Mutex // guards all below
	failures []string
	logs     []string
	cleanups []func()
}

// turns bounds how many promises run at a time in real time. They mostly wait,
// but what they start with should not take longer than what they wait for.
var turns = make(chan struct{}, 24)

func newTrial(b *Backend, declared []bus.Control) *trial {
	return &trial{
		backend:  b,
		declared: declared,
		clock:    b.clock(),
		prefix:   "bustest-" + strings.ToLower(rand.Text()[:10]) + "-",
	}
}

// begin runs a promise in real time, and returns what waits for its end.
func (b *Backend) begin(t *testing.T, p promise, declared []bus.Control) (wait func() *trial) {
	tr := newTrial(b, declared)
	tr.mux, tr.url = b.Setup(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		turns <- struct{}{}
		defer func() { <-turns }()
		tr.run(p.keep)
	}()
	return func() *trial {
		<-done
		return tr
	}
}

// faultTries is how often a promise with a known fault is run in real time before it
// counts as kept: on a busy machine, what must not come may be too late to be seen.
const faultTries = 3

// try runs a promise on the backend, in a bubble or at the same time as others.
func (b *Backend) try(t *testing.T, p promise, declared []bus.Control) (tr *trial) {
	if !b.Virtual {
		wait := b.begin(t, p, declared)
		if declared != nil {
			t.Parallel() // from here on it waits for its turn; the promise does not
		}
		tr = wait()
		_, faulty := b.Faults[p.name]
		for tries := 1; faulty && len(tr.failures) == 0 && tries < faultTries; tries++ {
			tr = b.begin(t, p, declared)()
		}
		return tr
	}
	tr = newTrial(b, declared)
	defer func() {
		if r := recover(); r != nil { // synctest's own: what a promise panics with does not get here
			tr.Errorf("%v\n%s", r, tr.remaining())
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		tr.bubble = bubble.FindString(stacks(false, 1<<8))
		tr.mux, tr.url = b.Setup(t)
		tr.run(p.keep)
	})
	return tr
}

// run runs a promise to its end, and the clean-up after it.
func (t *trial) run(keep func(*trial)) {
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.guard(func() { keep(t) })
	t.cancel()
	t.group.Wait()
	for _, f := range slices.Backward(t.cleanups) {
		t.guard(f)
	}
}

// guard runs f in a goroutine of its own, which Fatalf may end.
func (t *trial) guard(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if r := recover(); r != nil {
				t.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		f()
	}()
	<-done
}

// Errorf records a failure, with the line of the promise that found it.
func (t *trial) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures = append(t.failures, where()+fmt.Sprintf(format, args...))
}

// Fatalf records a failure and ends the promise. It is for the promise's own
// goroutine.
func (t *trial) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}

// Logf records what a reader of the output may want to know.
func (t *trial) Logf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.logs = append(t.logs, where()+fmt.Sprintf(format, args...))
}

// Context returns a context that ends with the promise.
func (t *trial) Context() context.Context { return t.ctx }

// Cleanup has f run after the promise, the last registered first.
func (t *trial) Cleanup(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cleanups = append(t.cleanups, f)
}

// Go runs f in a goroutine that must end when the promise's context does.
func (t *trial) Go(f func()) { t.group.Go(f) }

// has reports whether the backend declares a control.
func (t *trial) has(c bus.Control) bool { return slices.Contains(t.declared, c) }

// either returns one of two durations, by the time that the trial runs in.
func (t *trial) either(virtual, wall time.Duration) time.Duration {
	if t.backend.Virtual {
		return virtual
	}
	return wall
}

// patience is how long a message that must come is waited for.
func (t *trial) patience() time.Duration { return t.either(20*time.Minute, 10*time.Second) }

// quiet is how long nothing more must come for it to count as nothing.
func (t *trial) quiet() time.Duration { return t.either(2*time.Minute, 2*time.Second) }

// prompt is how much later than the send a waiting receive may return.
func (t *trial) prompt() time.Duration {
	return t.either(t.backend.Slack, max(t.backend.Slack, time.Second))
}

// slack is how much later than its time a message may come that time brings.
func (t *trial) slack() time.Duration { return t.prompt() + t.either(0, 4*time.Second) }

// settle lets everything that has begun get to where it waits. In real time
// that cannot be known: nothing depends on it there, but a promise that is
// tested while a receive waits is tested harder.
func (t *trial) settle() {
	if t.backend.Virtual {
		synctest.Wait()
	} else {
		t.sleep(1 * time.Second)
	}
}

// sleepUntil waits until d after the end of s.
func (t *trial) sleepUntil(s span, d time.Duration) { t.sleep(t.until(s.by.Add(d))) }

// eventually waits until is returns "", which says what is not yet as it should
// be.
func (t *trial) eventually(is func() string) {
	end := t.now().Add(max(t.slack(), 100*time.Millisecond))
	for {
		if t.backend.Virtual {
			synctest.Wait()
		}
		not := is()
		if not == "" {
			return
		}
		if !t.now().Before(end) {
			t.Fatalf("%s", not)
		}
		t.sleep(t.either(10*time.Millisecond, 100*time.Millisecond))
	}
}

// where returns the line of the promise that the caller's caller is in: the
// innermost that is not in a method of the kit's own.
func where() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	var line string
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if !strings.Contains(f.Function, "/bustest.") {
			continue
		}
		line = fmt.Sprintf("%s:%d: ", filepath.Base(f.File), f.Line)
		if !strings.Contains(f.Function, "/bustest.(*") {
			break
		}
	}
	return line
}

// bubble is what tells in a stack trace which bubble a goroutine is in.
var bubble = regexp.MustCompile(`synctest bubble \d+`)

// remaining returns the stacks of the goroutines that are still in the bubble,
// but for the one that runs it.
func (t *trial) remaining() string {
	var remain []string
	for s := range strings.SplitSeq(stacks(true, 1<<20), "\n\n") {
		header, _, _ := strings.Cut(s, "\n")
		if bubble.FindString(header) == t.bubble && !strings.Contains(header, "synctest.Run") {
			remain = append(remain, s)
		}
	}
	return strings.Join(remain, "\n\n")
}

// stacks returns the first so many bytes of this goroutine's stack, or of all.
func stacks(all bool, most int) string {
	buf := make([]byte, most)
	return string(buf[:runtime.Stack(buf, all)])
}
