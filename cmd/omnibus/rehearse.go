package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

// A rehearsal has a consumer do what goes wrong with consumers, so that it can be seen
// what becomes of the messages.
type rehearsal struct {
	app   *app
	out   printer
	work  time.Duration
	fails fraction
	crash bool
	keep  bool

	handled atomic.Int64
}

// A fraction is so many of every so many. The zero value is none.
type fraction struct{ part, of int64 }

// parseFraction reads a fraction: 1/3.
func parseFraction(text string) (f fraction, err error) {
	n, err := fmt.Sscanf(text, "%d/%d", &f.part, &f.of)
	if err != nil || n != 2 || fmt.Sprintf("%d/%d", f.part, f.of) != text || f.part < 1 || f.part > f.of {
		return fraction{}, errors.New("want N/M for N of every M messages, such as 1/3; N is 1 to M")
	}
	return f, nil
}

// has reports whether the nth, from 1, is of the fraction.
func (f fraction) has(n int64) bool { return f.of > 0 && n*f.part/f.of > (n-1)*f.part/f.of }

// addRehearsal adds the flags.
func (f *flagSet) addRehearsal() *rehearsal {
	r := &rehearsal{app: f.app}
	f.DurationVar(&r.work, "work", 0, "how long to work on each message after it is printed, 0s or more; its lease is\nkept as -max-lease says (default 0s)")
	f.Func("fail", "`N/M`: fail with N of every M messages, which come again as one does that cannot\nbe printed; such as 1/3", func(text string) (err error) {
		r.fails, err = parseFraction(text)
		return err
	})
	f.BoolVar(&r.crash, "crash", false, "end the process at the first message, or the first that -fail has fail, as if it were\nkilled: what it holds comes again when the visibility timeout is over")
	f.BoolVar(&r.keep, "no-delete", false, "forget to delete messages: they come again when the visibility timeout is over")
	return r
}

// check reports flags that make no sense.
func (r *rehearsal) check() error { return atLeast("work", r.work, 0) }

// errKept is what -no-delete says of each message.
var errKept = errors.New("not deleted, as -no-delete says")

// around returns a handler that does what the flags say after the message has been
// printed. Of an error it adds, retry says when the message comes again.
func (r *rehearsal) around(print workers.Handler, retry func(error) error) workers.Handler {
	return func(ctx context.Context, m *pubsub.Message) error {
		if err := print(ctx, m); err != nil {
			return err
		}
		if err := r.rest(ctx); err != nil {
			return retry(err)
		}
		fails := r.fails.has(r.handled.Add(1))
		switch {
		case r.crash && (fails || r.fails == fraction{}):
			r.app.exit(exitFailed)
			return nil
		case fails:
			id := bus.Details(m).ID
			_ = r.out.print(struct { // output that fails stops the command
				Event string `json:"event"`
				ID    string `json:"id"`
			}{"failed", id}, "failed, as -fail says: %s", id)
			return retry(errors.New("failed, as -fail says"))
		case r.keep:
			return workers.RetryAfter(errKept, max(0, time.Until(bus.Details(m).VisibleAt)))
		}
		return nil
	}
}

// rest waits for as long as a message takes, or until ctx ends.
func (r *rehearsal) rest(ctx context.Context) error {
	if r.work == 0 {
		return nil
	}
	select {
	case <-time.After(r.work):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
