package faulty

import (
	"context"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	cdk "gocloud.dev/pubsub/driver"

	"omnibus/bus/driver"
)

// This file holds the Go CDK's side: a driver.Topic and a driver.Subscription over the
// portable ends of the inner queue.

type topic struct {
	q     *queue
	inner *pubsub.Topic
}

// SendBatch sends messages one by one. The batch has one message.
func (t *topic) SendBatch(ctx context.Context, ms []*cdk.Message) error {
	for _, m := range ms {
		if err := t.send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (t *topic) send(ctx context.Context, m *cdk.Message) error {
	f := t.q.backend.fault(&Call{Operation: Send, URL: t.q.url, Body: m.Body})
	if err := f.before(ctx); err != nil {
		return err
	}
	err := t.inner.Send(ctx, &pubsub.Message{Body: m.Body, Metadata: m.Metadata, BeforeSend: m.BeforeSend, AfterSend: m.AfterSend})
	if err == nil && f.Twice {
		err = t.inner.Send(ctx, &pubsub.Message{Body: m.Body, Metadata: m.Metadata, BeforeSend: m.BeforeSend})
	}
	return f.after(ctx, err)
}

func (t *topic) As(i any) bool                          { return t.inner.As(i) }
func (t *topic) IsRetryable(error) bool                 { return false } // the inner one has tried
func (t *topic) ErrorAs(err error, i any) bool          { return t.inner.ErrorAs(err, i) }
func (t *topic) ErrorCode(err error) gcerrors.ErrorCode { return errorCode(t.q.inner, err) }
func (t *topic) Close() error                           { return nil } // queue.Close does

type subscription struct {
	q     *queue
	inner *pubsub.Subscription
}

// A delivery is the AckID of a message.
type delivery struct {
	inner    *pubsub.Message
	call     Call
	settling driver.Settling
	again    bool // the first of two of one message, which is settled without effect
}

// ReceiveBatch returns the next message that does not get lost.
func (s *subscription) ReceiveBatch(ctx context.Context, _ int) (ms []*cdk.Message, err error) {
	for _, m := range s.q.takeFetched() {
		c, _ := s.call(m)
		ms = append(ms, s.message(m, c, false))
	}
	if len(ms) > 0 {
		return ms, nil
	}
	pollCtx, end, ok := s.q.polls.Begin(ctx)
	if !ok {
		return nil, nil
	}
	defer end()
	for len(ms) == 0 && err == nil {
		ms, err = s.receive(pollCtx)
	}
	if err != nil && pollCtx.Err() != nil && ctx.Err() == nil {
		return nil, nil // paused
	}
	return ms, err
}

// receive returns the next message, or none if it got lost.
func (s *subscription) receive(ctx context.Context) ([]*cdk.Message, error) {
	m, err := s.inner.Receive(ctx)
	if err != nil {
		return nil, err
	}
	c, details := s.call(m)
	f := s.q.backend.fault(&c)
	if err := wait(ctx, f.Before+f.After); err != nil {
		m.Nack()
		return nil, err
	}
	if f.Refuse != nil || f.Lose != nil {
		s.abandon(ctx, m, details)
		return nil, nil
	}
	ms := []*cdk.Message{s.message(m, c, false)}
	if f.Twice {
		ms = []*cdk.Message{s.message(m, c, true), ms[0]}
	}
	return ms, nil
}

// call returns the call of a receive.
func (s *subscription) call(m *pubsub.Message) (c Call, details driver.Details) {
	m.As(&details)
	return Call{Operation: Receive, URL: s.q.url, Body: m.Body, ID: details.ID, Receipt: details.ReceiptHandle}, details
}

// abandon leaves a message hidden for as long as its lease would have been.
func (s *subscription) abandon(ctx context.Context, m *pubsub.Message, d driver.Details) {
	if g, ok := driver.Find[driver.GiverBack](s.q.inner); ok {
		left := max(0, time.Until(d.VisibleAt)).Truncate(time.Second)
		_ = g.GiveBack(ctx, []string{d.ReceiptHandle}, left) // its error is of a lease that is lost
	}
	m.Nack() // of what was given back it changes nothing
}

func (s *subscription) message(m *pubsub.Message, c Call, again bool) *cdk.Message {
	d := &delivery{inner: m, call: c, again: again}
	return &cdk.Message{
		LoggableID: m.LoggableID, Body: m.Body, Metadata: m.Metadata, AckID: d,
		AsFunc: func(i any) bool {
			p, ok := i.(**driver.Settling)
			if !ok {
				return m.As(i)
			}
			var inner *driver.Settling
			if ok = m.As(&inner); ok {
				*p = &d.settling
			}
			return ok
		},
	}
}

// SendAcks acknowledges each message by itself.
func (s *subscription) SendAcks(ctx context.Context, ids []cdk.AckID) error {
	for _, id := range ids {
		s.settle(id.(*delivery), Ack, s.ack)
	}
	return nil
}

func (s *subscription) CanNack() bool { return true }

// SendNacks gives each message back by itself.
func (s *subscription) SendNacks(ctx context.Context, ids []cdk.AckID) error {
	for _, id := range ids {
		s.settle(id.(*delivery), Nack, s.nack)
	}
	return nil
}

// settle acknowledges a message or gives it back, after a wait if it is to wait.
func (s *subscription) settle(d *delivery, op Operation, f func(*delivery, Fault)) {
	c := d.call
	c.Operation = op
	fault := s.q.backend.fault(&c)
	s.q.after(fault.Before, func() { f(d, fault) })
}

// after calls f in d, or when the queue is closed. It does not wait for that.
func (q *queue) after(d time.Duration, f func()) {
	if d == 0 {
		f()
		return
	}
	q.waiting.Go(func() {
		_ = wait(q.open, d)
		f()
	})
}

func (s *subscription) ack(d *delivery, f Fault) {
	tell := func(err error) {
		s.q.after(f.After, func() { d.settling.Tell(err) })
	}
	switch {
	case f.Refuse != nil:
		s.leave(d)
		tell(f.Refuse)
	case d.again:
		tell(f.Lose)
	default:
		var inner *driver.Settling
		if d.inner.As(&inner) {
			inner.Acked = func(err error) {
				if err == nil {
					err = f.Lose
				}
				tell(err)
			}
		}
		d.inner.Ack()
	}
}

func (s *subscription) nack(d *delivery, f Fault) {
	switch {
	case f.Refuse != nil:
		s.leave(d)
	case !d.again:
		d.inner.Nack()
	}
}

// leave leaves a delivery as if nothing was heard of it.
func (s *subscription) leave(d *delivery) {
	if d.again {
		return
	}
	var details driver.Details
	d.inner.As(&details)
	s.abandon(s.q.open, d.inner, details)
}

func (s *subscription) As(i any) bool                          { return s.inner.As(i) }
func (s *subscription) IsRetryable(error) bool                 { return false }
func (s *subscription) ErrorAs(err error, i any) bool          { return s.inner.ErrorAs(err, i) }
func (s *subscription) ErrorCode(err error) gcerrors.ErrorCode { return errorCode(s.q.inner, err) }
func (s *subscription) Close() error                           { return nil }
