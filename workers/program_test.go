package workers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

// A part is a worker that does what a test says.
type part func(ctx context.Context) error

func (p part) Run(ctx context.Context) error { return p(ctx) }

// A diary notes what happens, and in which second.
type diary struct {
	mu    sync.Mutex // guards lines
	start time.Time
	lines []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf("%v ", time.Since(d.start).Truncate(time.Second))+fmt.Sprintf(format, args...))
}

// expect checks what was noted so far, in any order.
func (d *diary) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if got := slices.Sorted(slices.Values(d.lines)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("noted were\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// stopsIn is a part that notes when it is to stop, and stops some time later.
func (d *diary) stopsIn(name string, after time.Duration) workers.Worker {
	return part(func(ctx context.Context) error {
		<-ctx.Done()
		d.note("%s is to stop", name)
		time.Sleep(after)
		return ctx.Err()
	})
}

// A program has work in hand in every stage when it is told to stop. Each stage stops
// when what the stages before it had in hand is done.
func TestAProgramStopsHTTPThenProducersThenConsumersThenTheRest(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		p.create("orders", bus.QueueSettings{})
		d := &diary{start: time.Now()}
		q := p.open("orders")
		mux := http.NewServeMux()
		mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(3 * time.Second)
			if err := q.Topic.Send(r.Context(), &pubsub.Message{Body: []byte("by HTTP")}); err != nil {
				t.Error(err)
			}
		})
		l := newListener()
		producer := &workers.Producer{Queue: p.open("orders"), Source: bodies("by a producer"), Prepare: func(context.Context, int, *pubsub.Message) error {
			time.Sleep(7 * time.Second)
			return nil
		}, OnSent: func(workers.Sent) { d.note("the producer has sent") }}
		consumer := &workers.Consumer{Queue: p.open("orders"), Handler: func(ctx context.Context, m *pubsub.Message) error {
			d.note("the consumer has %s", m.Body)
			return idle(ctx, 6*time.Second)
		}}
		stop := start(t, &workers.Program{Parts: []workers.Worker{
			workers.Part{Worker: d.stopsIn("the relay", time.Second), Name: "relay"},
			consumer,
			producer,
			&workers.HTTPServer{Server: &http.Server{Handler: mux}, Listener: l},
			workers.Part{Worker: d.stopsIn("the gRPC server", time.Second), Stage: workers.Intake},
			workers.Part{Worker: d.stopsIn("the schedule", time.Second), Stage: workers.Sending},
		}})
		answered := make(chan error, 1)
		go func() { answered <- l.post("/orders") }()
		time.Sleep(time.Second)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if err := <-answered; err != nil {
			t.Errorf("the request in hand was answered with %v", err)
		}
		if err := l.post("/orders"); !errors.Is(err, errClosed) {
			t.Errorf("a request after the stop was answered with %v", err)
		}
		d.expect(t,
			"1s the gRPC server is to stop",
			"3s the consumer has by HTTP",
			"3s the schedule is to stop",
			"7s the producer has sent",
			"9s the relay is to stop",
		)
		expect(t, q, bus.Counts{Visible: 1}) // the producer's
	})
}

func TestAPartThatFailsStopsTheOthersAndIsNamed(t *testing.T) {
	boom := errors.New("boom")
	for what, test := range map[string]struct {
		fails part
		want  string
	}{
		"an error":        {func(context.Context) error { return boom }, "workers: the relay failed: boom"},
		"a panic":         {func(context.Context) error { panic(boom) }, "workers: the relay failed: Run panicked: boom"},
		"runtime.Goexit":  {func(context.Context) error { runtime.Goexit(); return nil }, "workers: the relay failed: Run called runtime.Goexit"},
		"a cancellation":  {func(context.Context) error { return context.Canceled }, "workers: the relay failed: context canceled"},
		"a later failure": {func(ctx context.Context) error { <-ctx.Done(); return boom }, "workers: the workers_test.part failed: first\nworkers: the relay failed: boom"},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &diary{start: time.Now()}
				parts := []workers.Worker{
					workers.Part{Worker: d.stopsIn("the server", 2*time.Second), Stage: workers.Intake},
					workers.Part{Worker: d.stopsIn("the consumer", 2*time.Second), Stage: workers.Handling},
					workers.Part{Worker: test.fails, Name: "relay"},
				}
				if what == "a later failure" {
					parts = append(parts, part(func(context.Context) error { return errors.New("first") }))
				}
				err := workers.Run(t.Context(), parts...)
				if err == nil || err.Error() != test.want {
					t.Errorf("the error is %v, want %s", err, test.want)
				}
				if p, ok := errors.AsType[*workers.PanicError](err); ok && !strings.Contains(string(p.Stack), "program_test.go") {
					t.Errorf("the stack does not show where it panicked:\n%s", p.Stack)
				}
				d.expect(t, "0s the server is to stop", "2s the consumer is to stop")
			})
		})
	}
}

func TestAProgramEndsWhenAllItsPartsAreDone(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		err := workers.Run(t.Context(),
			&workers.Producer{Queue: open(""), Source: bodies("a", "b", "c")},
			&workers.Consumer{Queue: open(""), Max: 3, Handler: func(context.Context, *pubsub.Message) error { return nil }},
		)
		if err != nil {
			t.Error(err)
		}
		expect(t, open(""), bus.Counts{})
	})
}

// Parts that do not stop hold up those after them, and Run, for a time and no longer.
func TestAStopIsOverInTimeAndSaysWhatHasNotStopped(t *testing.T) {
	for _, timeout := range []time.Duration{0, 12 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			d := &diary{start: time.Now()}
			stop := start(t, &workers.Program{StopTimeout: timeout, Parts: []workers.Worker{
				workers.Part{Worker: d.stopsIn("the server", time.Hour), Name: "server", Stage: workers.Intake},
				workers.Part{Worker: d.stopsIn("the schedule", time.Hour), Name: "schedule", Stage: workers.Sending},
				workers.Part{Worker: d.stopsIn("the consumer", time.Hour), Name: "consumer", Stage: workers.Handling},
				workers.Part{Worker: d.stopsIn("the relay", time.Second), Name: "relay"},
			}})
			synctest.Wait()
			all := timeout
			if timeout == 0 {
				all = 30 * time.Second
			}
			want := fmt.Sprintf("workers: not stopped within %v: the consumer, the schedule, the server", all)
			if err := stop(); err == nil || err.Error() != want || time.Since(d.start) != all {
				t.Errorf("after %v the error is %v, want %s", time.Since(d.start), err, want)
			}
			d.expect(t, "0s the server is to stop",
				fmt.Sprintf("%v the schedule is to stop", all/6),
				fmt.Sprintf("%v the consumer is to stop", all/3),
				fmt.Sprintf("%v the relay is to stop", all*5/6))
			time.Sleep(time.Hour)
		})
	}
}

func TestErrorsNameTheQueuesOfParts(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		for want, w := range map[string]workers.Worker{
			"producer to work":          &workers.Producer{Queue: open("")},
			"consumer of work and work": &workers.Consumer{Queues: []workers.Share{{Queue: open("")}, {Queue: open("")}}},
			"monitor of work":           &workers.Monitor{Queue: open("")},
			"producer":                  &workers.Producer{},
			"consumer":                  &workers.Consumer{},
			"monitor":                   &workers.Monitor{},
			"HTTP server":               &workers.HTTPServer{},
			"workers.Program":           &workers.Program{},
			"desk":                      &workers.Part{Worker: &workers.Program{}, Name: "desk"},
		} {
			if err := workers.Run(t.Context(), w); err == nil || !strings.HasPrefix(err.Error(), "workers: the "+want+" failed: ") {
				t.Errorf("the error is %v, want one that names the %s", err, want)
			}
		}
	})
}

func TestAProgramRefusesBadSettings(t *testing.T) {
	fine, once := part(func(context.Context) error { t.Error("a part runs"); return nil }), new(workers.Consumer)
	for want, p := range map[string]*workers.Program{
		"there are no parts to run":                      {},
		"part 2 of 2 is nil":                             {Parts: []workers.Worker{fine, nil}},
		"part 1 of 1 is nil":                             {Parts: []workers.Worker{workers.Part{Name: "x"}}},
		"part 3 of 3 is nil":                             {Parts: []workers.Worker{fine, fine, (*workers.Consumer)(nil)}},
		"part 2 of 2 is there twice; a worker runs once": {Parts: []workers.Worker{once, workers.Part{Worker: once}}},
		"part 1 of 1 has the stage 5; use Intake, Sending, Handling or Serving": {Parts: []workers.Worker{workers.Part{Worker: fine, Stage: 5}}},
		"Program.StopTimeout is -1s; it must not be negative":                   {Parts: []workers.Worker{fine}, StopTimeout: -time.Second},
	} {
		if err := p.Run(t.Context()); err == nil || err.Error() != "workers: "+want {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}
