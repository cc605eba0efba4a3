package workers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

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
