package main

import (
	"context"
	"errors"

	"omnibus/bus"
)

func runDelete(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "delete",
		"Delete the queue with all its messages, those in flight and delayed ones too. On\na terminal it asks first. For a minute after that SQS may refuse to create a queue\nof the same name.",
		"omnibus delete -yes -queue http://127.0.0.1:9324/000000000000/mynewq")
	yes := f.Bool("yes", false, "do not ask")
	f.addDrainTimeout()
	asJSON := f.Bool("json", false, "print one JSON object")
	if err := f.parse(args); err != nil {
		return err
	}
	if err := f.needQueue(); err != nil {
		return err
	}
	return f.open(ctx, func(q *bus.Queue) error {
		if a.terminal && !*yes {
			attributes, err := q.Attributes(ctx)
			if err != nil {
				return err
			}
			c := attributes.Counts
			if !a.agrees(ctx, "Delete the queue %s and its messages, %d visible, %d in flight and %d delayed?", bus.Redact(f.queue), c.Visible, c.InFlight, c.Delayed) {
				return errors.New("nothing was deleted")
			}
		}
		if err := q.Delete(ctx); err != nil {
			return err
		}
		return printer{a.out, *asJSON}.print(struct {
			Event string `json:"event"`
			URL   string `json:"url"`
		}{"deleted", bus.Redact(f.queue)}, "deleted %s", bus.Redact(f.queue))
	}, nil)
}
