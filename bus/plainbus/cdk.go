package plainbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	cdk "gocloud.dev/pubsub/driver"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// topic sends to a mempubsub topic, later if a message has a delay.
type topic struct{ inner *pubsub.Topic }

func (t *topic) SendBatch(ctx context.Context, ms []*cdk.Message) error {
	for _, m := range ms {
		if err := t.send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (t *topic) send(ctx context.Context, m *cdk.Message) error {
	o, err := driver.CollectSendOptions(m.BeforeSend)
	if err != nil {
		return err
	}
	if o.Group != "" || o.Deduplication != "" {
		return fmt.Errorf("the %s backend has no control %q: %w", Scheme, driver.ControlGroups, errors.ErrUnsupported)
	}
	metadata, err := encode(m.Metadata, append(o.Attributes, offered(m, o)...))
	if err != nil {
		return err
	}
	out := &pubsub.Message{Body: m.Body, Metadata: metadata, AfterSend: m.AfterSend}
	if o.Delay == nil || *o.Delay == 0 {
		return t.inner.Send(ctx, out)
	}
	if err := spec.CheckDelay(*o.Delay); err != nil {
		return err
	}
	return t.hold(out, *o.Delay)
}

// hold sends m after its delay. To its sender it is sent when hold returns.
func (t *topic) hold(m *pubsub.Message, delay time.Duration) error {
	after := m.AfterSend
	m.AfterSend = nil
	m.Body = slices.Clone(m.Body)
	time.AfterFunc(delay, func() {
		if err := t.inner.Send(context.Background(), m); err != nil {
			slog.Error("plainbus: a delayed message could not be sent", "error", err)
		}
	})
	if after == nil {
		return nil
	}
	return after(func(any) bool { return false })
}

func (t *topic) IsRetryable(error) bool                 { return false }
func (t *topic) As(i any) bool                          { return t.inner.As(i) }
func (t *topic) ErrorAs(err error, i any) bool          { return t.inner.ErrorAs(err, i) }
func (t *topic) ErrorCode(err error) gcerrors.ErrorCode { return driver.ErrorCode(err) }
func (t *topic) Close() error                           { return nil }

// subscription receives from a mempubsub subscription that others share.
type subscription struct {
	inner    *pubsub.Subscription
	polls    driver.Polls
	received atomic.Bool // whether it ever did
}

// ReceiveBatch returns the next message of the shared subscription.
func (s *subscription) ReceiveBatch(ctx context.Context, _ int) ([]*cdk.Message, error) {
	pollCtx, end, ok := s.polls.Begin(ctx)
	if !ok {
		return nil, nil
	}
	defer end()
	s.received.Store(true)
	m, err := s.inner.Receive(pollCtx)
	if err != nil {
		if pollCtx.Err() != nil && ctx.Err() == nil {
			return nil, nil // paused
		}
		return nil, err
	}
	metadata, typed := decode(m.Metadata)
	return []*cdk.Message{{
		LoggableID: m.LoggableID,
		Body:       m.Body,
		Metadata:   metadata,
		AckID:      m,
		AsFunc: func(i any) bool {
			p, ok := i.(*driver.Details)
			if ok {
				*p = driver.Details{ID: m.LoggableID, Attributes: typed}
			}
			return ok
		},
	}}, nil
}

// SendAcks passes acknowledgements on. The portable types see to it that there
// is one for each message.
func (s *subscription) SendAcks(ctx context.Context, ids []cdk.AckID) error {
	for _, id := range ids {
		id.(*pubsub.Message).Ack()
	}
	return nil
}

func (s *subscription) CanNack() bool { return true }

func (s *subscription) SendNacks(ctx context.Context, ids []cdk.AckID) error {
	for _, id := range ids {
		id.(*pubsub.Message).Nack()
	}
	return nil
}

func (s *subscription) IsRetryable(error) bool                 { return false }
func (s *subscription) As(i any) bool                          { return s.inner.As(i) }
func (s *subscription) ErrorAs(err error, i any) bool          { return s.inner.ErrorAs(err, i) }
func (s *subscription) ErrorCode(err error) gcerrors.ErrorCode { return driver.ErrorCode(err) }
func (s *subscription) Close() error                           { return nil }
