package workers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
)

// Permanent marks err as one that no retry can help: the message is buried at once
// (see Consumer.DeadLetter), or delivered again as after any other error if there is
// nowhere to bury it. It returns nil if err is nil.
func Permanent(err error) error { return mark(err, verdict{permanent: true}) }

// IsPermanent reports whether err, or an error that it wraps, was marked with
// [Permanent].
func IsPermanent(err error) bool { return verdictOf(err).permanent }

// Drop marks err as one for which the message is not worth keeping: it is
// acknowledged, and the error is logged. It returns nil if err is nil.
func Drop(err error) error { return mark(err, verdict{drop: true}) }

// IsDrop reports whether err, or an error that it wraps, was marked with [Drop].
func IsDrop(err error) bool { return verdictOf(err).drop }

// RetryAfter marks err with the delay after which the message is to be delivered
// again, in place of that of Consumer.Retry. It returns nil if err is nil.
func RetryAfter(err error, d time.Duration) error {
	return mark(err, verdict{after: &d})
}

// A verdict is what a handler's error says of its message. The zero value leaves
// that to the retry policy.
type verdict struct {
	permanent bool
	drop      bool
	after     *time.Duration
}

// A marked error carries a verdict. Its text, and all that errors.Is and errors.As
// find in it, are those of the error that was marked.
type marked struct {
	error
	verdict verdict
}

func mark(err error, v verdict) error {
	if err == nil {
		return nil
	}
	return &marked{err, v}
}

func (m *marked) Unwrap() error { return m.error }

// verdictOf returns the verdict of err: the outermost in its chain.
func verdictOf(err error) verdict {
	if m, ok := errors.AsType[*marked](err); ok {
		return m.verdict
	}
	return verdict{}
}

// Backoff returns a retry policy, for Consumer.Retry, with delays that grow: each is a
// random time between least and a most that doubles with every receive, from twice
// the least on, up to most. It panics unless 0 < least <= most.
func Backoff(least, most time.Duration) func(err error, receives int) time.Duration {
	if least <= 0 || most < least {
		panic(fmt.Sprintf("workers: Backoff from %v to %v; the first must be over 0, and the second not less than that", least, most))
	}
	return func(_ error, receives int) time.Duration {
		top := least
		for range receives {
			if top > most/2 {
				top = most
				break
			}
			top *= 2
		}
		return least + rand.N(top-least+1)
	}
}

var defaultRetry = Backoff(time.Second, 15*time.Minute)

// delay returns after how long a message that was not handled comes again.
func (r *run) delay(d *delivery, v verdict, cut bool) time.Duration {
	var after time.Duration
	switch {
	case v.after != nil:
		after = *v.after
	case cut: // which is not the message's fault
	case r.Retry != nil:
		after = r.Retry(d.err, max(1, d.receives))
	default:
		after = defaultRetry(d.err, max(1, d.receives))
	}
	return r.within(d, after)
}

// within returns a delay in whole seconds that SQS takes for a delivery: one that hides
// the message for no more than 12 hours in all.
func (r *run) within(d *delivery, after time.Duration) time.Duration {
	after = max(0, after)
	most := (mostLease - time.Since(d.received)).Truncate(time.Second)
	if after > most {
		r.log.Warn("workers: a message comes again sooner than it is to, since SQS hides one for 12 hours at most", d.with("delay", after, "cut_to", most)...)
		return max(0, most)
	}
	return wholeSeconds(after)
}

// wholeSeconds rounds up, as the protocols of SQS need it. It is for what was compared with
// the most that SQS takes: the longest times overflow.
func wholeSeconds(d time.Duration) time.Duration {
	if rest := d % time.Second; rest > 0 {
		return d - rest + time.Second
	}
	return d
}

// hopeless reports whether a message is to be buried.
func (r *run) hopeless(d *delivery, v verdict) bool {
	return v.permanent || r.MaxReceives > 0 && d.receives >= r.MaxReceives
}

// bury buries a message that could not be handled, and reports false if that failed.
func (r *run) bury(d *delivery, v verdict) bool {
	ctx, cancel := context.WithTimeout(r.settling, settleTime)
	defer cancel()
	var err error
	switch {
	case r.DeadLetter != nil:
		err = r.DeadLetter.Topic.Send(ctx, r.DeadLetter.Burial(d.message, d.intake.queue, d.err.Error()))
	case d.intake.can.bury:
		err = d.intake.queue.Bury(ctx, d.message, d.err.Error())
	default:
		err = errNowhere
	}
	if gcerrors.Code(err) == gcerrors.FailedPrecondition && !errors.Is(err, bus.ErrLeaseLost) {
		err = fmt.Errorf("%w: %w", errNowhere, err)
	}
	if err != nil {
		r.log.Error("workers: a message could not be buried, and will be delivered again", d.with("error", err, "cause", d.err)...)
		return false
	}
	r.stats.failed.Add(1)
	r.stats.dead.Add(1)
	d.dead = true
	r.log.Warn("workers: a message was buried", d.with("reason", d.err)...)
	if r.DeadLetter != nil {
		d.moved = true
		if err := r.ack(d); err != nil {
			r.log.Warn("workers: a message was buried that its handler had settled", d.with("error", err)...)
		}
	} else {
		r.nack(d)
	}
	if r.OnDead != nil {
		r.OnDead(Dead{Message: d.message, Err: d.err, Receives: d.receives})
	}
	return true
}

var errNowhere = errors.New("there is no queue to bury it in: the Consumer has no DeadLetter, and its queue no redrive policy")
