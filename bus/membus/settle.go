package membus

import (
	"context"
	"errors"
	"time"

	"omnibus/bus/driver"
	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// This file settles deliveries: each verb is a call of the engine's.

// OpenReceiver opens another subscription to the queue.
func (q *queue) OpenReceiver(o driver.ReceiverOptions) (driver.Queue, error) {
	visibility := q.sub.visibility
	if o.Visibility != nil {
		if err := spec.CheckVisibility(*o.Visibility); err != nil {
			return nil, err
		}
		visibility = new(*o.Visibility)
	}
	receiver := &queue{backend: q.backend, q: q.q}
	receiver.subscribe(newSubscription(q.q, visibility, q.sub.wait))
	return receiver, nil
}

func (q *queue) ChangeVisibility(_ context.Context, changes []driver.VisibilityChange) []error {
	return each(changes, func(c driver.VisibilityChange) error {
		return q.held(c.ReceiptHandle, q.q.get().ChangeHeld(c.ReceiptHandle, c.Timeout))
	})
}

func (q *queue) Renew(_ context.Context, handles []string) []error {
	return each(handles, func(h string) error { return q.held(h, q.q.get().Renew(h)) })
}

func (q *queue) GiveBack(_ context.Context, handles []string, after time.Duration) []error {
	return each(handles, func(h string) error { return q.held(h, q.q.get().GiveBack(h, after)) })
}

func (q *queue) Bury(_ context.Context, handle, reason string) error {
	return q.held(handle, q.q.get().Bury(handle, func(d engine.Delivery, maxBytes int) []spec.NamedAttribute {
		b := driver.Burial{Reason: reason, Source: q.q.get().Name(), ReceiveCount: d.ReceiveCount, Sent: d.Sent}
		return driver.BurialAttributes(d.Body, d.Attributes, b, maxBytes)
	}))
}

// held returns err, as that of a lost lease if it is of a delivery that does not
// hold its message any more.
func (q *queue) held(handle string, err error) error {
	switch {
	case err == nil, errors.Is(err, spec.QueueDoesNotExist), errors.Is(err, spec.ReceiptHandleIsInvalid):
		return err
	}
	if _, held := q.q.get().VisibleAt(handle); held {
		return err
	}
	return driver.LeaseLost(err)
}

// each calls f for each, and returns nil if all calls did, or else what each
// returned.
func each[T any](all []T, f func(T) error) []error {
	errs := make([]error, len(all))
	for i, v := range all {
		errs[i] = f(v)
	}
	if errors.Join(errs...) == nil {
		return nil
	}
	return errs
}
