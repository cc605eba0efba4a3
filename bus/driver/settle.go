package driver

import (
	"context"
	"errors"
	"time"

	"gocloud.dev/gcerrors"
)

// ErrLeaseLost is in the chain of every error that says that a delivery does not
// hold its message any more: its visibility timeout is over, or the message was
// settled. Its code is FailedPrecondition. See [LeaseLost].
var ErrLeaseLost = errors.New("the lease of this delivery is lost")

// LeaseLost returns err as an error that matches [ErrLeaseLost], with its code
// and with the text of err.
func LeaseLost(err error) error { return leaseLost{err} }

type leaseLost struct{ error }

func (e leaseLost) Unwrap() []error          { return []error{e.error, ErrLeaseLost} }
func (e leaseLost) Code() gcerrors.ErrorCode { return gcerrors.FailedPrecondition }

// The verbs that settle a delivery, and the one that keeps it. A delivery is named
// by its [Details.ReceiptHandle]. Methods that take several return nil, or one
// error for each, nil for those that succeeded; a delivery whose lease is lost has
// an error that matches [ErrLeaseLost].
type (
	// A Renewer begins leases anew, each for the visibility timeout with which its
	// message was received.
	Renewer interface {
		Renew(ctx context.Context, handles []string) []error
	}

	// A GiverBack makes messages visible to all receivers after a delay, 0 to 12
	// hours. That settles the deliveries: an acknowledgement or a nack that follows
	// changes nothing.
	GiverBack interface {
		GiveBack(ctx context.Context, handles []string, after time.Duration) []error
	}

	// A Burier moves a message to the queue's dead-letter queue, as it is and with
	// attributes that say why, and deletes it here. That settles the delivery. It
	// fails with FailedPrecondition on a queue without a dead-letter queue.
	Burier interface {
		Bury(ctx context.Context, handle, reason string) error
	}

	// A ReceiverOpener opens further receiving ends of a queue.
	ReceiverOpener interface {
		// OpenReceiver returns a Queue with a Subscription and a count of late
		// acknowledgements of its own, and without a Topic. It shares all else with
		// the Queue that it comes from, and has the same controls. It is closed
		// before that; deliveries of both can be settled through either.
		OpenReceiver(o ReceiverOptions) (Queue, error)
	}
)

// ReceiverOptions are what receivers of one queue may differ in.
type ReceiverOptions struct {
	// Visibility is the visibility timeout of what is received, 0 to 12 hours; nil
	// means that of the Queue that the receiver comes from.
	Visibility *time.Duration
}

// A Settling tells what became of an acknowledgement. A received message's As sets
// a **Settling to the one of its delivery, on a backend that declares the control
// "ack-results".
type Settling struct {
	// Acked, if not nil when the message is acknowledged, is called once, from any
	// goroutine: with nil when the backend has said that the message is deleted,
	// with an error that matches ErrLeaseLost when it is not, since the
	// acknowledgement came too late or the delivery was settled before, or with the
	// error that kept it from being confirmed. It must not block.
	Acked func(error)
}

// Tell calls Acked, if there is one. It is for the backend.
func (s *Settling) Tell(err error) {
	if s.Acked != nil {
		s.Acked(err)
	}
}
