// Package faulty is a backend around another one in which things go wrong on
// request: for tests of programs that must stand what networks and services do,
// whatever backend they run on.
//
//	mux := new(bus.Mux)
//	mux.Register(membus.Scheme, faulty.New(membus.New(nil), &faulty.Options{
//		Fault: func(c *faulty.Call) (f faulty.Fault) {
//			if c.Operation == faulty.Send && first.CompareAndSwap(true, false) {
//				f.Lose = faulty.ErrLost // sent, and the sender is not told
//			}
//			return f
//		},
//	}))
//	q, err := mux.Open(ctx, "mem://donors")
//
// [Random] makes faults at random, the same ones for the same seed. Faults of the
// protocol of SQS, such as a batch of which one entry fails or an answer that breaks off,
// are those of package sqsserver.
//
// # URLs
//
// The URLs are those of the inner backend, for whose schemes it is registered.
//
// # Delivery
//
// As the inner backend delivers, with its controls and no others, as long as nothing
// goes wrong. Messages are fetched one by one.
//
// # As
//
//   - Message, Message.BeforeSend, Message.AfterSend, Topic, Subscription, Error: as
//     those of the inner backend
package faulty

import (
	"context"
	"errors"
	"net/url"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// Options configure a [Backend].
type Options struct {
	// Fault says what goes wrong with a call. It is asked before the call has any
	// effect, but for a receive, which it is asked about once there is a message. It
	// is called by many goroutines at a time. nil means that nothing goes wrong.
	Fault func(*Call) Fault
}

// A Call is something that a program is about to do with a queue.
type Call struct {
	Operation Operation
	URL       string // of the queue, as it was opened
	Body      []byte // of the message that is sent, received, acknowledged or given up by Nack
	ID        string // of that message, "" before it is sent or where the backend tells none
	Receipt   string // the receipt handle of the delivery, of operations on one; "" where the backend tells none
}

// An Operation is what a [Call] does: one of those below, or a control of package bus,
// such as Operation(bus.ControlRenew). A control that settles several deliveries is
// a call for each.
type Operation string

// The operations that are no controls.
const (
	Open    Operation = "open"    // of a queue
	Send    Operation = "send"    // of a message, by itself or in a batch
	Receive Operation = "receive" // of a message
	Ack     Operation = "ack"     // of a delivery
	Nack    Operation = "nack"    // of a delivery
)

// A Fault is what goes wrong with a call. The zero value is nothing. Several may go
// wrong with one: they do in the order of the fields.
type Fault struct {
	// Before is how long the call waits before it has its effect, or until its
	// context ends; then it has none.
	Before time.Duration

	// Refuse, if not nil, is the call's error in the place of an effect. A receive
	// has no error, since that would end a Subscription for good: the message is lost
	// on its way and stays hidden until its lease ends, on a backend without the
	// control "give-back" not so long. After an Ack or a Nack that is refused it comes
	// again then too; [omnibus/bus.AfterAck] tells the error.
	Refuse error

	// Twice has a message sent twice, or handed out twice by one receive: the first
	// time as a delivery whose acknowledgement succeeds and is without effect. It
	// changes nothing in other calls.
	Twice bool

	// After is how long the call waits once it has had its effect, or until its
	// context ends; then that is its error. What was received waits so long, and its
	// lease runs.
	After time.Duration

	// Lose, if not nil, is the call's error though it had its effect, as when an
	// answer does not arrive. A receive that loses its message is as one refused.
	Lose error
}

// Errors of faults, in the form in which backends have such errors. Any others will
// do as well.
var (
	// ErrRefused is an error of the service's own, with the code Internal: nothing was
	// done.
	ErrRefused error = &fault{"faulty: refused on request", gcerrors.Internal}

	// ErrLost is the error of an answer that did not come, with the code
	// DeadlineExceeded: what was asked for may have been done. Package workers
	// takes it as unconfirmed.
	ErrLost error = &fault{"faulty: the answer was lost on request", gcerrors.DeadlineExceeded}
)

type fault struct {
	text string
	code gcerrors.ErrorCode
}

func (f *fault) Error() string            { return f.text }
func (f *fault) Code() gcerrors.ErrorCode { return f.code }

// A Backend is another one, with faults. It is safe for concurrent use.
type Backend struct {
	inner driver.Opener
	fault func(*Call) Fault
}

// New returns a backend around another. opts may be nil.
func New(inner driver.Opener, opts *Options) *Backend {
	b := &Backend{inner: inner, fault: func(*Call) Fault { return Fault{} }}
	if opts != nil && opts.Fault != nil {
		b.fault = opts.Fault
	}
	return b
}

// Unwrap returns the inner backend. Package bus asks it what this one can do.
func (b *Backend) Unwrap() any { return b.inner }

// do makes a call, with what goes wrong with it.
func (b *Backend) do(ctx context.Context, c *Call, effect func() error) error {
	f := b.fault(c)
	if err := f.before(ctx); err != nil {
		return err
	}
	return f.after(ctx, effect())
}

// before returns what keeps a call from having its effect, or nil.
func (f *Fault) before(ctx context.Context) error {
	if err := wait(ctx, f.Before); err != nil {
		return err
	}
	return f.Refuse
}

// after returns what the caller is told of an effect that came out as err says.
func (f *Fault) after(ctx context.Context, err error) error {
	if late := wait(ctx, f.After); err == nil {
		err = late
	}
	if err == nil {
		err = f.Lose
	}
	return err
}

// wait waits for d, and returns ctx's error if that ends before.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// OpenQueue opens a queue of the inner backend.
func (b *Backend) OpenQueue(ctx context.Context, u *url.URL) (opened driver.Queue, err error) {
	var inner driver.Queue
	err = b.do(ctx, &Call{Operation: Open, URL: u.String()}, func() error {
		inner, err = b.inner.OpenQueue(ctx, u)
		return err
	})
	switch {
	case err == nil:
		return b.wrap(u.String(), inner), nil
	case inner != nil: // nobody is told of it
		return nil, errors.Join(err, closeAll(context.WithoutCancel(ctx), inner))
	}
	return nil, err
}

// CreateQueue creates a queue of the inner backend.
func (b *Backend) CreateQueue(ctx context.Context, u *url.URL, s spec.QueueSettings) (created string, err error) {
	err = b.do(ctx, &Call{Operation: Operation(driver.ControlCreate), URL: u.String()}, func() error {
		created, err = b.inner.(driver.Creator).CreateQueue(ctx, u, s)
		return err
	})
	return created, err
}

// ListQueues lists queues of the inner backend.
func (b *Backend) ListQueues(ctx context.Context, u *url.URL, prefix string) (urls []string, err error) {
	err = b.do(ctx, &Call{Operation: Operation(driver.ControlList), URL: u.String()}, func() error {
		urls, err = b.inner.(driver.Lister).ListQueues(ctx, u, prefix)
		return err
	})
	return urls, err
}

// Local reports what the inner backend does.
func (b *Backend) Local() bool { return b.inner.(driver.Local).Local() }
