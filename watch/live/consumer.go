package live

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/watch"
	"omnibus/workers"
)

// A Told is one of a worker's events together with the message it is of.
type Told struct {
	watch.Event
	Message *pubsub.Message
}

// Watch has a consumer tell what becomes of its messages, under a name: tell is called
// with every message when its handler begins and when it has been settled, from several
// goroutines if the consumer has a Concurrency over 1. Call Watch before Run, when the
// consumer's other fields are set; its OnDone is still called, and else its failures are
// not logged any more. A consumer with a BatchHandler tells nothing of when a handler
// begins.
//
// MaxReceives is how often the queue's redrive policy has a message received, 0 if it
// has none: what is not handled the last time is told as dead.
func Watch(c *workers.Consumer, name string, maxReceives int, tell func(Told)) {
	var handled atomic.Int64
	event := func(m *pubsub.Message, kind watch.Kind) Told {
		d := bus.Details(m)
		e := watch.Event{
			Kind: kind, Time: time.Now(), Queue: queueName(c), Worker: name,
			ID: d.ID, Words: watch.Words(m.Body), Group: d.Group, Receives: d.ReceiveCount,
		}
		return Told{Event: e, Message: m}
	}
	if c.Handler != nil {
		c.Middleware = append([]workers.Middleware{begins(func(m *pubsub.Message) {
			e := event(m, watch.Received)
			if e.Receives > 1 {
				e.Kind = watch.Redelivered
			}
			e.LeaseBegan, e.LeaseEnds = e.Time, bus.Details(m).VisibleAt
			tell(e)
		})}, c.Middleware...)
	}
	done := c.OnDone
	c.OnDone = func(d workers.Done) {
		e := event(d.Message, watch.Handled)
		switch {
		case d.Err == nil:
			e.Number = int(handled.Add(1))
		case maxReceives > 0 && e.Receives >= maxReceives:
			e.Kind, e.Error = watch.Dead, d.Err.Error()
		case errors.Is(d.Err, bus.ErrLeaseLost):
			e.Kind, e.Error = watch.Lost, d.Err.Error()
		default:
			e.Kind, e.Error = watch.Failed, d.Err.Error()
		}
		tell(e)
		if done != nil {
			done(d)
		}
	}
}

// begins calls f with every message before it is handled. The error of a handler that
// was cut short since its lease was lost says so.
func begins(f func(*pubsub.Message)) workers.Middleware {
	return func(next workers.Handler) workers.Handler {
		return func(ctx context.Context, m *pubsub.Message) error {
			f(m)
			err := next(ctx, m)
			if cause := context.Cause(ctx); err != nil && errors.Is(cause, bus.ErrLeaseLost) && !errors.Is(err, bus.ErrLeaseLost) {
				err = fmt.Errorf("%w (%w)", cause, err)
			}
			return err
		}
	}
}

func queueName(c *workers.Consumer) string {
	if c.Queue == nil {
		return ""
	}
	return c.Queue.Name()
}
