package workers

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
)

// A delivery is a message from its receipt until it is settled.
type delivery struct {
	message  *pubsub.Message
	intake   *intake
	receiver *receiver
	id       string
	receives int    // 0 if the backend does not tell
	group    string // of a FIFO queue, else ""
	received time.Time
	err      error // the handler's

	told    bool        // the queue answers to an acknowledgement
	waiting atomic.Bool // for that answer
	moved   bool        // acknowledged since it was sent elsewhere
	dead    bool        // buried
	open    bool        // guarded by the quota, which may count it off again

	lease lease // guarded by the keeper
}

// accept makes a delivery of a message that was just received.
func (r *run) accept(m *pubsub.Message, in *intake) *delivery {
	d := &delivery{message: m, intake: in, receiver: in.receiver, id: m.LoggableID, received: time.Now()}
	r.stats.received.Add(1)
	r.stats.inHand.Add(1)
	d.receiver.inHand.Add(1)
	d.told = bus.AfterAck(m, func(err error) { r.answered(d, err) })
	if in.can.details {
		details := bus.Details(m)
		d.id, d.receives = details.ID, details.ReceiveCount
		if details.SequenceNumber != "" {
			d.group = details.Group
		}
		if d.receives > 1 {
			r.stats.redelivered.Add(1)
		}
		r.keeper.keep(d, details.VisibleAt)
	}
	return d
}

// screen settles the deliveries that are not to be handled: those whose lease is
// lost, those that are not due yet, and those that were received too often. It
// returns the others, and adds to next what may be handled in place of those.
func (r *run) screen(ds []*delivery, next *[]*delivery) []*delivery {
	kept := ds[:0]
	for _, d := range ds {
		due := dueTime(d.message)
		switch {
		case r.keeper.lost(d):
			r.keeper.end(d)
			r.quota.decide(d, true) // or one whose lease is always lost would have no end
			r.lose(d)
			if time.Since(d.received) < time.Second {
				r.noVisibility.Do(func() {
					r.log.Warn("workers: messages come whose visibility timeout is over at once, and are not handled; see Consumer.Visibility", d.with()...)
				})
				sleep(r.receiving, time.Second) // or they would come as fast as they can
			}
		case !due.IsZero() && time.Now().Before(due):
			r.quota.decide(d, false)
			r.putOff(d, due, next)
		case r.MaxReceives > 0 && d.receives > r.MaxReceives:
			r.quota.decide(d, true)
			d.err = fmt.Errorf("received %d times, and not settled the last time", d.receives)
			r.settle(d, next, 0)
		default:
			r.quota.decide(d, true)
			kept = append(kept, d)
		}
	}
	return kept
}

// do has one message handled, and settles it.
func (r *run) do(d *delivery, next *[]*delivery) {
	ctx, cancel := context.WithCancelCause(r.handling)
	r.keeper.cancels(cancel, d)
	start := time.Now()
	returned := false
	defer func() { // also after runtime.Goexit
		if !returned {
			d.err = panicked("the handler", recover())
		}
		took := time.Since(start)
		cancel(nil)
		r.slots.took(took)
		r.settle(d, next, took)
	}()
	d.err = r.handle(ctx, d.message)
	returned = true
}

// settle does with a message what its handler's error says. It adds to next the
// delivery that may be handled when this one is done with.
func (r *run) settle(d *delivery, next *[]*delivery, took time.Duration) {
	v := verdictOf(d.err)
	cut := d.err != nil && r.handling.Err() != nil
	lost := r.keeper.end(d)
	switch {
	case lost != nil:
		if d.err == nil {
			d.err = lost
		}
		r.lose(d)
	case d.err == nil:
		r.acknowledge(d, next)
	case v.drop:
		r.log.Warn("workers: a message was dropped", d.with("error", d.err)...)
		r.stats.dropped.Add(1)
		d.err = nil
		r.acknowledge(d, next)
	case !cut && r.hopeless(d, v) && r.bury(d, v):
		r.proceed(d, next)
	default:
		if cut {
			r.stats.cut.Add(1)
		}
		r.stats.failed.Add(1)
		r.fail(d, r.delay(d, v, cut))
	}
	r.tell(d, took)
}

// tell says what came of a delivery that was handled.
func (r *run) tell(d *delivery, took time.Duration) {
	p, panicked := errors.AsType[*PanicError](d.err)
	if panicked {
		r.log.Error("workers: "+p.Error(), d.with("stack", string(p.Stack))...)
	}
	if r.OnDone != nil {
		r.OnDone(Done{Message: d.message, Err: d.err, Took: took})
	} else if d.err != nil && !panicked && !d.dead {
		r.log.Error("workers: a message was not handled", d.with("error", d.err)...)
	}
}

// with returns what a log line says of a delivery. Of errors it says their text alone:
// a slog.TextHandler writes all the frames that those of the Go CDK have.
func (d *delivery) with(args ...any) []any {
	for i, a := range args {
		if err, ok := a.(error); ok {
			args[i] = err.Error()
		}
	}
	return append([]any{"id", d.id, "receive_count", d.receives}, args...)
}

// acknowledge acknowledges a message that was handled.
func (r *run) acknowledge(d *delivery, next *[]*delivery) {
	if err := r.ack(d); err != nil {
		r.stats.failed.Add(1)
		d.err = err
	}
	r.proceed(d, next)
}

// proceed goes on to the delivery that waits behind d in its group, if any. At a stop
// that is not begun.
func (r *run) proceed(d *delivery, next *[]*delivery) {
	if r.stopping.Err() != nil {
		r.giveBackAll(r.groups.close(d))
		return
	}
	behind := r.groups.leave(d)
	if behind == nil {
		return
	}
	if behind = r.admit(behind); behind != nil {
		*next = append(*next, behind)
	}
	if r.quota.spent() {
		r.gate.interrupt() // the dispatcher, which need not wait for a message any more
	}
}

// fail gives a message back that could not be handled, and before it those that wait
// behind it in its group: they are not to be handled before it.
func (r *run) fail(d *delivery, after time.Duration) {
	r.giveBackAll(r.groups.close(d))
	r.giveBack(d, after)
}

// lose drops a delivery whose lease is lost.
func (r *run) lose(d *delivery) {
	r.stats.lost.Add(1)
	r.giveBackAll(r.groups.close(d))
	r.nack(d) // a formality, without which the Go CDK logs a complaint
}

// giveBack makes a message visible to all after a delay. The keeper has let it go.
func (r *run) giveBack(d *delivery, after time.Duration) {
	if d.intake.can.giveBack {
		ctx, cancel := context.WithTimeout(r.settling, settleTime)
		defer cancel()
		err := d.intake.queue.GiveBack(ctx, d.message, after)
		if err != nil && !errors.Is(err, bus.ErrLeaseLost) {
			r.log.Warn("workers: a message could not be given back, and comes again when its lease ends", d.with("error", err)...)
		}
	}
	r.nack(d)
}

// settleTime bounds a request that settles a delivery.
const settleTime = 30 * time.Second

// giveBackAll gives back at once, and from the last to the first, messages that were
// not begun. So none is visible before those that come before it in its group.
func (r *run) giveBackAll(ds []*delivery) {
	for _, d := range ds {
		if r.keeper.end(d) != nil {
			r.stats.lost.Add(1)
		} else {
			r.stats.givenBack.Add(1)
		}
	}
	for len(ds) > 0 {
		var ms []*pubsub.Message
		q := ds[len(ds)-1].intake.queue
		ctx, cancel := context.WithTimeout(r.settling, settleTime)
		for len(ds) > 0 && ds[len(ds)-1].intake.queue == q {
			d := ds[len(ds)-1]
			ds = ds[:len(ds)-1]
			ms = append(ms, d.message)
			defer r.nack(d)
		}
		if supported := q.Supports(bus.ControlGiveBack); supported {
			q.GiveBackBatch(ctx, ms, 0) // what fails comes again when its lease ends
		}
		cancel()
	}
}

// nack has the portable message settled, unless its handler has done that, against
// the rules. After GiveBack and Bury it changes nothing, and without them it makes
// the message visible at once.
func (r *run) nack(d *delivery) {
	_ = guard(func() {
		if d.message.Nackable() {
			d.message.Nack()
		}
	})
	r.done(d)
}

// done forgets a delivery that is settled.
func (r *run) done(d *delivery) {
	r.stats.inHand.Add(-1)
	d.receiver.inHand.Add(-1)
}

// A PanicError is the error of a handler, or of a part of a [Program], that did not
// return. The stack of a handler is logged.
type PanicError struct {
	Value any // nil if runtime.Goexit was called
	Stack []byte

	who string
}

// panicked returns the error of a function that panicked with v, or that called
// runtime.Goexit if v is nil. It is called while the function's stack is there.
func panicked(who string, v any) error { return &PanicError{v, debug.Stack(), who} }

func (e *PanicError) Error() string {
	if e.Value == nil {
		return e.who + " called runtime.Goexit"
	}
	return fmt.Sprintf("%s panicked: %v", e.who, e.Value)
}

// Unwrap returns the error that was panicked with, if it was one.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// guard turns a panic of the Go CDK into an error: a message was settled twice.
func guard(f func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("workers: the handler must not call Ack or Nack: %v", v)
		}
	}()
	f()
	return nil
}
