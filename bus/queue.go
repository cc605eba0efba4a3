package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// A Queue is an open queue: the two portable ends, and the controls beside
// them. Its methods are safe for concurrent use; its fields are not to be
// changed.
//
// Every control that the backend lacks returns an error that matches
// errors.ErrUnsupported and has the code Unimplemented; [Queue.Supports] tells
// beforehand. All errors name the operation and the queue and have a code of
// the Go CDK (see [gcerrors.Code]).
type Queue struct {
	Topic        *pubsub.Topic        // to send with; nil if the URL names nothing to send to
	Subscription *pubsub.Subscription // to receive with; nil if the URL names nothing to receive from

	url    string
	opener driver.Opener
	impl   driver.Queue // nil for plain portable ends
}

// Types and constants that a program needs from the packages beneath.
type (
	// QueueSettings are the attributes of a queue that its owner can set.
	QueueSettings = spec.QueueSettings
	// QueueAttributes are all attributes of a queue, counts among them.
	QueueAttributes = spec.QueueAttributes
	// Counts are the numbers of messages in a queue, by state.
	Counts = spec.Counts
	// DeadLetter is a redrive policy.
	DeadLetter = spec.DeadLetter
	// Control is something SQS can do and the portable types cannot say.
	Control = driver.Control
	// Peeked is a message that was looked at and not received.
	Peeked = driver.Peeked
)

// The controls, for [Queue.Supports], with what a program uses each by.
const (
	ControlDelay             = driver.ControlDelay             // hold a message back after it is sent: [Delay]
	ControlTypes             = driver.ControlTypes             // send attributes with types, and receive them as they were sent: [SetAttribute]
	ControlDetails           = driver.ControlDetails           // see what a delivery tells: id, receive count, times, group: [Details]
	ControlGroups            = driver.ControlGroups            // keep messages of a group in order and deduplicate them, in FIFO queues: [Group]
	ControlDeadLetter        = driver.ControlDeadLetter        // move a message that was received too often to another queue: [QueueSettings.DeadLetter]
	ControlVisibility        = driver.ControlVisibility        // set when a received message becomes visible again: [Queue.ChangeVisibility]
	ControlReceiveVisibility = driver.ControlReceiveVisibility // receive with a visibility timeout of one's own: [Queue.SetReceiveVisibility]
	ControlRelease           = driver.ControlRelease           // give back all that was fetched and not handed out: [Queue.Release]
	ControlLateAcks          = driver.ControlLateAcks          // count the acknowledgements that came too late: [Queue.LateAcks]
	ControlAttributes        = driver.ControlAttributes        // read a queue's settings and counts: [Queue.Attributes]
	ControlSetAttributes     = driver.ControlSetAttributes     // change a queue's settings: [Queue.SetAttributes]
	ControlPurge             = driver.ControlPurge             // delete all messages: [Queue.Purge]
	ControlPeek              = driver.ControlPeek              // look at messages without receiving them: [Queue.Peek]
	ControlRedrive           = driver.ControlRedrive           // move dead letters back to their queues, or elsewhere: [Queue.Redrive]
	ControlCreate            = driver.ControlCreate            // create a queue with settings: [Create]
	ControlDelete            = driver.ControlDelete            // delete a queue: [Queue.Delete]
	ControlList              = driver.ControlList              // list queues: [List]
)

// Controls returns all controls, in the order in which tables show them.
func Controls() []Control { return driver.Controls() }

// Wrap makes a queue of portable ends that were opened elsewhere. It has no
// controls. Either end may be nil. Shutdown shuts them down.
//
// A subscription fetches ahead; for a worker to get one message at a time, open
// it with receive options MaxHandlers 1 and MaxBatchSize 1.
func Wrap(t *pubsub.Topic, s *pubsub.Subscription) *Queue {
	return &Queue{Topic: t, Subscription: s}
}

// URL returns the URL that the queue was opened with, "" for one of [Wrap].
func (q *Queue) URL() string { return q.url }

// Supports reports whether the queue has a control.
func (q *Queue) Supports(c Control) bool { return driver.Supports(q.opener, q.impl, c) }

// control runs a method control: f, if the backend's queue is a T.
func control[T any](q *Queue, op string, c Control, f func(T) error) error {
	t, ok := q.impl.(T)
	if !ok {
		return unsupported(op, q.url, c)
	}
	if err := f(t); err != nil {
		return q.wrap(op, err)
	}
	return nil
}

func (q *Queue) wrap(op string, err error) error {
	return newError(op, q.url, q.impl.ErrorCode(err), err)
}

// Attributes returns the queue's attributes and counts.
func (q *Queue) Attributes(ctx context.Context) (a QueueAttributes, err error) {
	err = control(q, "get attributes of", ControlAttributes, func(g driver.AttributesGetter) error {
		a, err = g.Attributes(ctx)
		return err
	})
	return a, err
}

// SetAttributes changes the settings given.
func (q *Queue) SetAttributes(ctx context.Context, s QueueSettings) error {
	return control(q, "set attributes of", ControlSetAttributes, func(g driver.AttributesSetter) error {
		return g.SetAttributes(ctx, s)
	})
}

// SetReceiveVisibility sets the visibility timeout with which this Queue
// receives from now on, 0 to 12 hours, whatever the queue's own. It is what the
// parameter visibility of a URL sets at the start.
func (q *Queue) SetReceiveVisibility(d time.Duration) error {
	return control(q, "set receive visibility of", ControlReceiveVisibility, func(g driver.ReceiveVisibilitySetter) error {
		return g.SetReceiveVisibility(d)
	})
}

// ChangeVisibility makes a received message visible to other receivers in d from
// now, 0 to 12 hours: it extends or shortens the message's lease. It fails with
// FailedPrecondition when the lease has been lost.
func (q *Queue) ChangeVisibility(ctx context.Context, m *pubsub.Message, d time.Duration) error {
	errs := q.ChangeVisibilityBatch(ctx, []VisibilityChange{{m, d}})
	if errs == nil {
		return nil
	}
	return errs[0]
}

// A VisibilityChange asks for a received message to become visible to other
// receivers in Timeout from now, 0 to 12 hours.
type VisibilityChange struct {
	Message *pubsub.Message
	Timeout time.Duration
}

// ChangeVisibilityBatch makes many changes, in as few requests as the backend
// can. It returns nil, or one error for each change, nil for those made.
func (q *Queue) ChangeVisibilityBatch(ctx context.Context, changes []VisibilityChange) []error {
	const op = "change visibility in"
	v, ok := q.impl.(driver.VisibilityChanger)
	if !ok {
		errs := make([]error, len(changes))
		for i := range errs {
			errs[i] = unsupported(op, q.url, ControlVisibility)
		}
		return errs
	}
	handles := make([]driver.VisibilityChange, len(changes))
	for i, c := range changes {
		handles[i] = driver.VisibilityChange{ReceiptHandle: Details(c.Message).ReceiptHandle, Timeout: c.Timeout}
	}
	errs := v.ChangeVisibility(ctx, handles)
	for i, err := range errs {
		if err != nil {
			errs[i] = q.wrap(op, fmt.Errorf("message %s: %w", changes[i].Message.LoggableID, err))
		}
	}
	return errs
}

// Purge deletes all messages. SQS, and so every backend, allows it once in a
// minute (FailedPrecondition).
func (q *Queue) Purge(ctx context.Context) error {
	return control(q, "purge", ControlPurge, func(p driver.Purger) error { return p.Purge(ctx) })
}

// Delete deletes the queue with all its messages. The Queue is still to be shut
// down.
func (q *Queue) Delete(ctx context.Context) error {
	return control(q, "delete", ControlDelete, func(d driver.Deleter) error { return d.Delete(ctx) })
}

// Redrive moves up to max visible messages of this dead-letter queue to the
// queue named to or, if that is "", back to the queues they came from; max 0
// means all that are there. It returns how many it moved. They arrive as new
// messages: id, time of sending and receive count begin anew. It fails with
// FailedPrecondition on a queue that is no dead-letter queue.
func (q *Queue) Redrive(ctx context.Context, to string, max int) (moved int, err error) {
	err = control(q, "redrive", ControlRedrive, func(r driver.Redriver) error {
		moved, err = r.Redrive(ctx, to, max)
		return err
	})
	return moved, err
}

// Peek returns up to n visible messages, next to be received first, without
// receiving them: no lease begins and no receive count rises.
func (q *Queue) Peek(ctx context.Context, n int) (ms []Peeked, err error) {
	err = control(q, "peek into", ControlPeek, func(p driver.Peeker) error {
		ms, err = p.Peek(ctx, n)
		return err
	})
	return ms, err
}

// LateAcks returns how many acknowledgements through this Queue came too late:
// the message's lease had been lost, so that it is, or was, delivered again.
// [pubsub.Message.Ack] itself tells nobody.
func (q *Queue) LateAcks() (n int64, err error) {
	err = control(q, "count late acknowledgements of", ControlLateAcks, func(c driver.AckCounter) error {
		n = c.LateAcks()
		return nil
	})
	return n, err
}

// plainDrain is how long Release looks for messages in a subscription that it
// cannot pause.
const plainDrain = 10 * time.Millisecond

// Release gives back messages that the Subscription has fetched and not handed
// out, so that other receivers get them at once. A portable Subscription goes on
// fetching when the context of a Receive has ended; what it fetches then waits,
// hidden, for the next Receive. Call Release when you stop receiving and after
// the last Receive has returned; [Queue.Shutdown] does it too. It returns how
// many messages it gave back.
//
// A backend without the control "release" cannot stop a fetch in progress: there
// Release only gives back what has arrived or arrives within 10 ms. It fails on a
// subscription that has failed for good, which holds nothing any more.
func (q *Queue) Release(ctx context.Context) (int, error) {
	if q.Subscription == nil {
		return 0, nil
	}
	var cancel context.CancelFunc
	if p, ok := q.impl.(driver.Pauser); ok {
		ctx, cancel = context.WithCancel(ctx)
		defer p.Pause(cancel)() // a fetch that begins while paused says that all earlier ones have been handed out
	} else {
		ctx, cancel = context.WithTimeout(ctx, plainDrain)
	}
	defer cancel()
	var held []*pubsub.Message
	var err error
	for err == nil {
		var m *pubsub.Message
		if m, err = q.Subscription.Receive(ctx); err == nil {
			held = append(held, m)
		}
	}
	for _, m := range held {
		if m.Nackable() {
			m.Nack()
		}
	}
	if ctx.Err() != nil || gcerrors.Code(err) == gcerrors.FailedPrecondition { // the latter when shut down
		return len(held), nil
	}
	return len(held), newError("release", q.url, gcerrors.Code(err), err)
}

// Shutdown sends what is waiting to be sent and acknowledged, gives back what
// was fetched and not handed out, and closes both ends. Call it once, when no
// Send and no Receive is running; the Queue cannot be used any more.
func (q *Queue) Shutdown(ctx context.Context) error {
	var errs []error
	fail := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	if q.Topic != nil {
		fail(q.Topic.Shutdown(ctx))
	}
	if q.Subscription != nil {
		_, _ = q.Release(ctx) // its error is of a subscription that has failed, as a Receive has told already
		fail(q.Subscription.Shutdown(ctx))
	}
	if q.impl != nil {
		fail(q.impl.Close(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		return newError("shut down", q.url, gcerrors.Code(err), err)
	}
	return nil
}
