package membus

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"gocloud.dev/gcerrors"
	cdk "gocloud.dev/pubsub/driver"

	"omnibus/bus/driver"
	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// This file holds the Go CDK's side: a driver.Topic and a driver.Subscription
// over one engine queue.

type topic struct{ q *handle }

// SendBatch sends the messages one by one. The batch has one message, unless
// somebody made a pubsub.Topic with other options.
func (t *topic) SendBatch(ctx context.Context, ms []*cdk.Message) error {
	for _, m := range ms {
		if err := t.send(m); err != nil {
			return err
		}
	}
	return nil
}

func (t *topic) send(m *cdk.Message) error {
	message, err := outgoing(m)
	if err != nil {
		return err
	}
	if m.AfterSend == nil {
		return t.q.get().Post(message)
	}
	sent, err := t.q.get().Send(message)
	if err != nil {
		return err
	}
	return tellSent(m, driver.Sent{ID: sent.ID, SequenceNumber: sent.SequenceNumber})
}

// outgoing returns a message as the engine takes it.
func outgoing(m *cdk.Message) (engine.Message, error) {
	o, err := driver.CollectSendOptions(m.BeforeSend)
	if err != nil {
		return engine.Message{}, err
	}
	body, attrs := driver.Encode(m.Body, m.Metadata, &o)
	attrs = append(attrs, o.Attributes...)
	attrs = append(attrs, o.Fitting(body, attrs, spec.MaxMessageBytes)...)
	return engine.Message{
		Body:          body,
		Attributes:    attrs,
		Delay:         o.Delay,
		Group:         o.Group,
		Deduplication: o.Deduplication,
		TraceHeader:   o.TraceHeader,
	}, nil
}

// tellSent tells a message's AfterSend what was sent.
func tellSent(m *cdk.Message, sent driver.Sent) error {
	if m.AfterSend == nil {
		return nil
	}
	return m.AfterSend(func(i any) bool {
		p, ok := i.(*driver.Sent)
		if ok {
			*p = sent
		}
		return ok
	})
}

func (t *topic) As(i any) bool                          { return asQueue(t.q.get(), i) }
func (t *topic) IsRetryable(error) bool                 { return false }
func (t *topic) ErrorAs(err error, i any) bool          { return errorAs(err, i) }
func (t *topic) ErrorCode(err error) gcerrors.ErrorCode { return driver.ErrorCode(err) }
func (t *topic) Close() error                           { return nil }

func asQueue(q *engine.Queue, i any) bool {
	p, ok := i.(**engine.Queue)
	if ok {
		*p = q
	}
	return ok
}

func errorAs(err error, i any) bool {
	p, ok := i.(**spec.Error)
	return ok && errors.As(err, p)
}

// subscription receives from one queue with a visibility timeout of its own.
type subscription struct {
	q          *handle
	visibility *time.Duration // nil: the queue's own
	wait       time.Duration
	lateAcks   atomic.Int64
	ahead      ahead
	polls      driver.Polls
}

func newSubscription(q *handle, visibility *time.Duration, wait time.Duration) *subscription {
	return &subscription{q: q, visibility: visibility, wait: wait}
}

// restlessPoll is the least time between two polls of which the first found
// nothing, for a receiver that does not wait in the engine.
const restlessPoll = 250 * time.Millisecond

// ReceiveBatch waits in the engine, which wakes it when there is a message. It
// returns neither message nor error when the wait is over or was paused, and is
// called again then.
func (s *subscription) ReceiveBatch(ctx context.Context, _ int) ([]*cdk.Message, error) {
	pollCtx, end, ok := s.polls.Begin(ctx)
	if !ok {
		return nil, nil
	}
	defer end()
	ms, err := s.receive(pollCtx)
	if len(ms) == 0 && err == nil && s.wait < restlessPoll {
		rest(pollCtx, restlessPoll-s.wait)
	}
	if err != nil && pollCtx.Err() != nil && ctx.Err() == nil {
		return nil, nil // paused
	}
	return ms, err
}

// receive takes as many messages from the engine as the receiver is to have.
func (s *subscription) receive(ctx context.Context) ([]*cdk.Message, error) {
	want := s.ahead.next()
	if spec.IsFIFOName(s.q.get().Name()) {
		want = 1 // so that none is received before those ahead of it in its group are done with
	}
	r := engine.ReceiveRequest{Max: min(want, spec.MaxBatchEntries), Visibility: s.visibility, Wait: &s.wait}
	ds, err := s.q.get().Take(ctx, r)
	if len(ds) == 0 || err != nil {
		return nil, err
	}
	lease := time.Until(ds[0].VisibleAt())
	ms := s.messages(make([]*cdk.Message, 0, min(want, len(ds)*want/r.Max)), ds)
	for len(ds) == r.Max && len(ms) < want {
		r.Max, r.Wait = min(want-len(ms), spec.MaxBatchEntries), new(time.Duration(0))
		if ds, err = s.q.get().Take(ctx, r); err != nil {
			break // what there is is handed out; the next call meets the error again
		}
		ms = s.messages(ms, ds)
	}
	s.ahead.fetched(len(ms), lease)
	return ms, nil
}

func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// delivery is the AckID of a received message. The portable type keeps it as long as
// the program keeps the message, and then until the garbage collector has run the
// message's finalizer and comes again. So it has neither body nor attributes.
type delivery struct {
	*engine.Taken
	queue    *handle
	typed    map[string]spec.Attribute
	settling driver.Settling
}

// messages appends the messages of deliveries, at most ten that one receive took,
// to ms. What is kept of them stays in memory until the last of them is given up.
func (s *subscription) messages(ms []*cdk.Message, ds []engine.Taken) []*cdk.Message {
	// Together, which is cheaper than each by itself.
	held, out := make([]delivery, len(ds)), make([]cdk.Message, len(ds))
	for i := range ds {
		d, m := &held[i], &out[i]
		d.Taken, d.queue = &ds[i], s.q
		*m = cdk.Message{LoggableID: d.ID(), AckID: d, AsFunc: d.as}
		m.Body, m.Metadata, d.typed = driver.Decode(d.Body, d.Attributes)
		d.Body, d.Attributes = "", nil
		ms = append(ms, m)
	}
	return ms
}

func (d *delivery) as(i any) bool {
	switch p := i.(type) {
	case *driver.Details:
		delivery := d.Delivery()
		*p = details(&delivery)
		p.Attributes = d.typed
		p.VisibleAt, _ = d.queue.get().VisibleAt(p.ReceiptHandle)
	case **driver.Settling:
		*p = &d.settling
	default:
		return false
	}
	return true
}

// details returns what a delivery tells, attributes excepted.
func details(d *engine.Delivery) driver.Details {
	return driver.Details{
		ID:               d.ID,
		ReceiptHandle:    d.ReceiptHandle,
		ReceiveCount:     d.ReceiveCount,
		Sent:             d.Sent,
		FirstReceived:    d.FirstReceived,
		Group:            d.Group,
		Deduplication:    d.Deduplication,
		SequenceNumber:   d.SequenceNumber,
		VisibleAt:        d.VisibleAt,
		TraceHeader:      d.TraceHeader,
		DeadLetterSource: d.DeadLetterSource,
	}
}

// SendAcks deletes messages. What comes too late is counted and is no error: an
// error would end the Subscription.
func (s *subscription) SendAcks(ctx context.Context, ids []cdk.AckID) error {
	taken := make([]*engine.Taken, len(ids))
	for i, id := range ids {
		taken[i] = id.(*delivery).Taken
	}
	err := s.q.get().DeleteTaken(taken)
	for _, id := range ids {
		d := id.(*delivery)
		ackErr := err
		if err == nil && !d.Deleted {
			s.lateAcks.Add(1)
			ackErr = errLate
		}
		d.settling.Tell(ackErr)
	}
	return err
}

var errLate = driver.LeaseLost(errors.New("membus: the acknowledgement came too late; the message is, or was, delivered again"))

func (s *subscription) CanNack() bool { return true }

// SendNacks makes messages visible at once. A delivery whose lease is lost, or that
// was settled, needs no nack.
func (s *subscription) SendNacks(ctx context.Context, ids []cdk.AckID) error {
	for _, id := range ids {
		if err := s.q.get().ChangeHeld(id.(*delivery).ReceiptHandle(), 0); errors.Is(err, spec.QueueDoesNotExist) {
			return err
		}
	}
	return nil
}

func (s *subscription) As(i any) bool                          { return asQueue(s.q.get(), i) }
func (s *subscription) IsRetryable(error) bool                 { return false }
func (s *subscription) ErrorAs(err error, i any) bool          { return errorAs(err, i) }
func (s *subscription) ErrorCode(err error) gcerrors.ErrorCode { return driver.ErrorCode(err) }
func (s *subscription) Close() error                           { return nil }
