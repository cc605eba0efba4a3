package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// ErrLeaseLost is what errors match that say that a delivery does not hold its
// message any more: its visibility timeout is over, or it was settled before. The
// message is, or will be, delivered again, if it was not deleted.
var ErrLeaseLost = driver.ErrLeaseLost

// OpenReceiver opens another receiver of the queue: a Queue with a Subscription
// of its own, which has its own visibility timeout and counts its own late
// acknowledgements. All else is this Queue's: the Topic, which the receiver's
// Shutdown leaves open, and the controls. Either Queue can settle what the other
// received. Shut the receiver down before this Queue.
func (q *Queue) OpenReceiver(o ReceiverOptions) (*Queue, error) {
	var receiver *Queue
	err := control(q, "open a receiver of", ControlReceivers, func(r driver.ReceiverOpener) error {
		impl, err := r.OpenReceiver(o)
		if err == nil {
			receiver = &Queue{Topic: q.Topic, Subscription: impl.Subscription(), url: q.url, opener: q.opener, impl: impl, borrowed: true}
		}
		return err
	})
	return receiver, err
}

// Renew begins the leases of received messages anew: each message stays hidden
// from other receivers for the visibility timeout with which it was received,
// from now on. It makes as few requests as the backend can. It returns nil, or one
// error for each message, nil for those renewed; the error of a message whose
// lease has been lost matches [ErrLeaseLost].
func (q *Queue) Renew(ctx context.Context, ms ...*pubsub.Message) []error {
	return settle(q, "renew leases in", ControlRenew, ms, func(r driver.Renewer, handles []string) []error {
		return r.Renew(ctx, handles)
	})
}

// GiveBack makes a received message visible to all receivers again after a delay
// of 0 to 12 hours; on SQS in whole seconds, and 12 hours is the most for which
// one delivery hides a message in all. It fails with [ErrLeaseLost] if the lease
// has been lost.
//
// The delivery is settled by that. An Ack or a Nack that follows changes nothing
// any more; call Nack all the same, since the Go CDK logs a complaint about
// messages on which neither was called.
func (q *Queue) GiveBack(ctx context.Context, m *pubsub.Message, after time.Duration) error {
	return only(q.GiveBackBatch(ctx, []*pubsub.Message{m}, after))
}

// GiveBackBatch gives many messages back, in as few requests as the backend can.
// It returns nil, or one error for each message, nil for those given back.
func (q *Queue) GiveBackBatch(ctx context.Context, ms []*pubsub.Message, after time.Duration) []error {
	return settle(q, "give back in", ControlGiveBack, ms, func(g driver.GiverBack, handles []string) []error {
		return g.GiveBack(ctx, handles, after)
	})
}

// The attributes that a buried message gets: see [Queue.Bury].
const (
	DeadLetterReason       = driver.DeadLetterReason       // String: the reason given
	DeadLetterSource       = driver.DeadLetterSource       // String: name of the queue that it was buried in
	DeadLetterReceiveCount = driver.DeadLetterReceiveCount // Number: how often it had been received
	DeadLetterSent         = driver.DeadLetterSent         // String: when it was sent, as RFC 3339 writes it, in UTC
)

// Bury moves a received message to the queue's dead-letter queue now, however
// often it has been received. It arrives there as it was sent, body, attributes
// and group, with the attributes [DeadLetterReason] and so on besides, as many of
// them as SQS's limits leave room for; of the reason at most 1,024 bytes. Only
// then is it deleted here: if the two are not one step on a backend and the second
// fails, it is in both queues.
//
// The delivery is settled by that, as by [Queue.GiveBack]: call Nack all the same.
// It fails with FailedPrecondition on a queue that has no dead-letter queue, and
// with [ErrLeaseLost] if the lease has been lost.
func (q *Queue) Bury(ctx context.Context, m *pubsub.Message, reason string) error {
	return only(settle(q, "bury in", ControlBury, []*pubsub.Message{m}, func(b driver.Burier, handles []string) []error {
		return []error{b.Bury(ctx, handles[0], reason)}
	}))
}

// AfterAck registers f, which is called once the backend has answered to an
// acknowledgement of m: with nil if the message is deleted, with an error that matches
// [ErrLeaseLost] if the acknowledgement came too late or the delivery was settled before,
// or with what kept it from being confirmed. SQS does not tell whether it came too late;
// there the lease decides, and a message that nobody received meanwhile may be deleted
// all the same. Call AfterAck before Ack. If m is not acknowledged, f is not
// called. It is called from any goroutine, and must not block.
//
// AfterAck returns false if the backend does not tell (see [ControlAckResults]);
// then f is never called.
func AfterAck(m *pubsub.Message, f func(error)) bool {
	var s *driver.Settling
	if !m.As(&s) {
		return false
	}
	before := s.Acked
	s.Acked = func(err error) {
		if before != nil {
			before(err)
		}
		if err != nil {
			err = newError("acknowledge", "", driver.ErrorCode(err), err)
		}
		f(err)
	}
	return true
}

// ChangeVisibility makes a received message visible to other receivers in d from
// now, 0 to 12 hours: it extends or shortens the message's lease. It is SQS's own
// control; [Queue.Renew] and [Queue.GiveBack] say more plainly what is meant, and
// unlike after GiveBack, a Nack that follows makes the message visible at once.
// It fails with [ErrLeaseLost] if the lease has been lost.
func (q *Queue) ChangeVisibility(ctx context.Context, m *pubsub.Message, d time.Duration) error {
	return only(q.ChangeVisibilityBatch(ctx, []VisibilityChange{{m, d}}))
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
	ms := make([]*pubsub.Message, len(changes))
	for i, c := range changes {
		ms[i] = c.Message
	}
	return settle(q, "change visibility in", ControlVisibility, ms, func(v driver.VisibilityChanger, handles []string) []error {
		asked := make([]driver.VisibilityChange, len(handles))
		for i, h := range handles {
			asked[i] = driver.VisibilityChange{ReceiptHandle: h, Timeout: changes[i].Timeout}
		}
		return v.ChangeVisibility(ctx, asked)
	})
}

// settle runs f, if the backend's queue is a T, on the receipt handles of received
// messages, and returns nil or one error for each message.
func settle[T any](q *Queue, op string, c Control, ms []*pubsub.Message, f func(t T, handles []string) []error) []error {
	t, ok := driver.Find[T](q.impl)
	if !ok {
		return slices.Repeat([]error{unsupported(op, q.url, c)}, len(ms))
	}
	if len(ms) == 0 {
		return nil
	}
	handles := make([]string, len(ms))
	for i, m := range ms {
		handles[i] = Details(m).ReceiptHandle
	}
	errs := f(t, handles)
	failed := false
	for i, err := range errs {
		if err == nil {
			continue
		}
		failed = true
		if errors.Is(err, spec.MessageNotInflight) && !errors.Is(err, ErrLeaseLost) { // as SQS says it
			err = driver.LeaseLost(err)
		}
		errs[i] = q.wrap(op, fmt.Errorf("message %s: %w", ms[i].LoggableID, err))
	}
	if !failed {
		return nil
	}
	return errs
}

// only returns the error of a call with one message.
func only(errs []error) error {
	if errs == nil {
		return nil
	}
	return errs[0]
}
