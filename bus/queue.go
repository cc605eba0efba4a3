package bus

import (
	"context"

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

	borrowed bool // the Topic is another Queue's, who shuts it down
}

// The kinds of redrive allow policies.
const (
	RedriveAllowAll = spec.RedriveAllowAll // any queue
	RedriveDenyAll  = spec.RedriveDenyAll  // no queue
	RedriveByQueue  = spec.RedriveByQueue  // the queues named
)

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
	t, ok := driver.Find[T](q.impl)
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

// SubscribeTo subscribes the queue to the topic that the URL names, which is of the
// same backend and is opened with [Open] to send to. From then on the queue gets what
// is sent to the topic and what the settings want, as it was sent. If it is subscribed
// already, its settings are replaced. The queue stays subscribed when it is shut down.
func (q *Queue) SubscribeTo(ctx context.Context, topicURL string, s SubscriptionSettings) error {
	return control(q, "subscribe", ControlTopics, func(t driver.TopicSubscriber) error {
		u, err := driver.ParseURL(topicURL)
		if err != nil {
			return spec.Errorf(spec.InvalidParameterValue, "the topic: %v", err)
		}
		return t.SubscribeTo(ctx, u, s)
	})
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
