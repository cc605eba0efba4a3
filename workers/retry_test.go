package workers_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

func TestAMarkedErrorIsStillTheErrorThatWasMarked(t *testing.T) {
	for name, mark := range map[string]func(error) error{
		"Permanent":  workers.Permanent,
		"Drop":       workers.Drop,
		"RetryAfter": func(err error) error { return workers.RetryAfter(err, time.Second) },
	} {
		err := mark(&fs.PathError{Op: "open", Path: "a", Err: fs.ErrNotExist})
		if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, new(*fs.PathError)) || err.Error() != "open a: file does not exist" {
			t.Errorf("%s of an error is %v, and the error is not found in it", name, err)
		}
		if err := mark(nil); err != nil {
			t.Errorf("%s of nil is %v", name, err)
		}
	}
}

func TestADroppedMessageIsAcknowledgedAndItsErrorLogged(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		logged := captureLog(t)
		q := open()
		send(t, q, "a")
		calls := 0
		c := &workers.Consumer{Queue: q, Handler: func(context.Context, *pubsub.Message) error {
			calls++
			return fmt.Errorf("donor: %w", workers.Drop(errors.New("of no use")))
		}}
		stop := start(t, c)
		time.Sleep(10 * time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if s := c.Stats(); calls != 1 || s.Deleted != 1 || s.Failed != 0 {
			t.Errorf("%d calls, stats %+v; want one call, and the message deleted", calls, s)
		}
		if n := strings.Count(logged.String(), "donor: of no use"); n != 1 {
			t.Errorf("the log is %q; want the error once", logged)
		}
	})
}

func TestMiddlewareIsAroundTheHandlerTheFirstOutermost(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		send(t, q, "a")
		var seen []string
		note := func(name string) workers.Middleware {
			return func(next workers.Handler) workers.Handler {
				return func(ctx context.Context, m *pubsub.Message) error {
					seen = append(seen, name+" before")
					err := next(ctx, m)
					seen = append(seen, fmt.Sprint(name, " after ", err))
					return nil
				}
			}
		}
		c := &workers.Consumer{
			Queue: q, Max: 1,
			Middleware: []workers.Middleware{note("first"), note("second")},
			Handler: func(context.Context, *pubsub.Message) error {
				seen = append(seen, "handler")
				return errors.New("no")
			},
		}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := []string{"first before", "second before", "handler", "second after no", "first after <nil>"}; !slices.Equal(seen, want) {
			t.Errorf("called were %q; want %q", seen, want)
		}
		if s := c.Stats(); s.Deleted != 1 {
			t.Errorf("stats are %+v; the outermost returned nil, so want 1 deleted", s)
		}
	})
}
