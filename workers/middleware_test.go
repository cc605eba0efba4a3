package workers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/pubsub"
	"golang.org/x/time/rate"

	"omnibus/bus"
	"omnibus/workers"
)

func TestRecoverLetsOuterMiddlewareSeeThePanic(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		send(t, q, "a")
		var seen error
		outer := func(next workers.Handler) workers.Handler {
			return func(ctx context.Context, m *pubsub.Message) error {
				seen = next(ctx, m)
				return nil
			}
		}
		c := &workers.Consumer{Queue: q, Max: 1, Middleware: []workers.Middleware{outer, workers.Recover()},
			Handler: func(context.Context, *pubsub.Message) error { panic("no good") }}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		p, ok := errors.AsType[*workers.PanicError](seen)
		if !ok || p.Value != "no good" || !strings.Contains(string(p.Stack), "middleware_test.go") {
			t.Errorf("the outer middleware saw %v; want the panic with its stack", seen)
		}
	})
}

func TestTimeoutEndsTheHandlersContextAndWaitsForTheHandler(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		send(t, q, "a")
		var done []workers.Done
		c := &workers.Consumer{Queue: q, Max: 1, Middleware: []workers.Middleware{workers.Timeout(5 * time.Second)},
			Handler: func(ctx context.Context, _ *pubsub.Message) error {
				<-ctx.Done()
				time.Sleep(time.Second) // to clean up
				return ctx.Err()
			},
			OnDone: func(d workers.Done) { done = append(done, d) },
		}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(done) != 1 || done[0].Took != 6*time.Second || !errors.Is(done[0].Err, context.DeadlineExceeded) ||
			!strings.Contains(done[0].Err.Error(), "longer than 5s") {
			t.Errorf("OnDone saw %+v; want the handler to have ended after 6 s with an error that says why", done)
		}
	})
}

func TestTimeoutLeavesAHandlerThatIsInTimeAlone(t *testing.T) {
	failure := errors.New("no")
	for _, want := range []error{nil, failure} {
		handler := workers.Timeout(time.Minute)(func(context.Context, *pubsub.Message) error { return want })
		if err := handler(t.Context(), &pubsub.Message{}); err != want {
			t.Errorf("the error is %v, want %v", err, want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("Timeout(0) did not panic")
		}
	}()
	workers.Timeout(0)
}

func TestLogWritesOneLineForEachDelivery(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		q := open("")
		send(t, q, "good", "bad", "gone")
		var b bytes.Buffer
		c := &workers.Consumer{Queue: q, Max: 3,
			Middleware: []workers.Middleware{workers.Log(slog.New(slog.NewJSONHandler(&b, nil)))},
			Handler: func(_ context.Context, m *pubsub.Message) error {
				time.Sleep(2 * time.Second)
				switch string(m.Body) {
				case "bad":
					return errors.New("no room")
				case "gone":
					runtime.Goexit()
				}
				return nil
			},
			OnDone: func(workers.Done) {},
		}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []string{"INFO ", "ERROR no room", "ERROR workers: the handler did not return"}
		for i, text := range strings.Split(strings.TrimSpace(b.String()), "\n") {
			var line struct {
				Level, ID, Error string
				ReceiveCount     int `json:"receive_count"`
				Took             time.Duration
			}
			if err := json.Unmarshal([]byte(text), &line); err != nil || line.ID == "" || line.ReceiveCount != 1 || line.Took != 2*time.Second ||
				len(want) <= i || line.Level+" "+line.Error != want[i] {
				t.Errorf("line %d is %s (%v); want %q after 2 s", i, text, err, want)
			}
		}
	})
}

func TestRateLimitHoldsDeliveriesUntilItIsTheirTurn(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		send(t, q, strings.Split("abcdefghij", "")...)
		var at []time.Duration
		begin := time.Now()
		c := &workers.Consumer{Queue: q, Max: 10, Middleware: []workers.Middleware{workers.RateLimit(rate.NewLimiter(2, 1))},
			Handler: func(context.Context, *pubsub.Message) error {
				at = append(at, time.Since(begin))
				return nil
			}}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, d := range at {
			if want := at[0] + time.Duration(i)*500*time.Millisecond; d < want {
				t.Errorf("delivery %d was handled at %v, before its turn at %v", i, d, want)
			}
		}
		if last := at[len(at)-1] - at[0]; last > 5*time.Second {
			t.Errorf("ten deliveries took %v at two a second", last)
		}
	})
}

func TestRateLimitGivesUpWhenTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := rate.NewLimiter(rate.Every(time.Hour), 1)
		l.Allow()
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errors.New("stopped")) })
		err := workers.RateLimit(l)(func(context.Context, *pubsub.Message) error {
			t.Error("the handler was called before its turn")
			return nil
		})(ctx, &pubsub.Message{})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v, want context.Canceled", err)
		}
	})
}
