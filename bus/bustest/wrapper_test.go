package bustest

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/batcher"
	cdk "gocloud.dev/pubsub/driver"

	"omnibus/bus"
	"omnibus/bus/driver"
	"omnibus/bus/engine"
	"omnibus/bus/membus"
	"omnibus/bus/spec"
)

// A wrapper is membus with ends of its own, so that a fault can reach in
// anywhere. Without a fault it is a sound backend.
type wrapper struct {
	*membus.Backend
	fault fault
	group sync.WaitGroup // what a fault leaves running, for the bubble to wait for

	purged atomic.Int64 // when a fault purged, in Unix nanoseconds

	mu      sync.Mutex        // guards all below
	sent    int               // messages sent
	ids     map[string]string // receipt handle to message id
	latest  map[string]string // message id to the receipt handle of its latest delivery
	later   []engine.Message  // what was sent with a delay
	opened  map[string]int    // how often, by name
	deleted []string          // URLs
}

// wrapped returns a Backend of wrappers with a fault.
func wrapped(f fault) Backend {
	b := Backend{Virtual: true, Controls: bus.Controls(), Slack: f.slack, Topic: topicURL}
	if f.plain {
		b.Controls = []bus.Control{}
	}
	b.Controls = append(b.Controls, f.claims...)
	b.Setup = func(t testing.TB) (*bus.Mux, func(string) string) {
		w := &wrapper{
			Backend: membus.New(&membus.Options{Engine: engine.New(&engine.Options{Lenient: f.lenient})}),
			fault:   f,
			ids:     map[string]string{},
			latest:  map[string]string{},
			opened:  map[string]int{},
		}
		t.Cleanup(w.group.Wait)
		var o driver.Opener = w
		if f.opener != nil {
			o = f.opener(w)
		}
		if f.plain {
			o = struct{ driver.Opener }{o}
		}
		mux := new(bus.Mux)
		mux.Register(membus.Scheme, o)
		mux.Register(membus.TopicScheme, o)
		return mux, func(name string) string { return membus.Scheme + "://" + name }
	}
	return b
}

func topicURL(name string) string { return membus.TopicScheme + "://" + name }

// controls are all controls of a queue that are methods, to be replaced one by
// one.
type controls struct {
	driver.Queue
	driver.MessageController
	driver.AttributesGetter
	driver.AttributesSetter
	driver.VisibilityChanger
	driver.Renewer
	driver.GiverBack
	driver.Burier
	driver.ReceiverOpener
	driver.Purger
	driver.Deleter
	driver.Redriver
	driver.Peeker
	driver.AckCounter
	driver.Pauser
	driver.TopicSubscriber
}

// An end is an open queue: its sending end, its receiving end and, of its
// controls, those that have to do with them.
type end struct {
	w          *wrapper
	q          *engine.Queue
	inner      driver.Queue // membus's
	topic      *pubsub.Topic
	sub        *pubsub.Subscription
	polls      driver.Polls
	visibility *time.Duration // nil: the queue's own
	late       atomic.Int64
	closed     atomic.Bool
	received   atomic.Int64 // when a message was last handed out, in Unix nanoseconds
}

func (w *wrapper) OpenQueue(ctx context.Context, u *url.URL) (driver.Queue, error) {
	inner, err := w.Backend.OpenQueue(ctx, u)
	if err != nil || u.Scheme == membus.TopicScheme {
		return inner, err
	}
	e := &end{w: w, inner: inner}
	inner.Topic().As(&e.q)
	sends := one
	if n := w.fault.batch; n > 0 {
		sends = &batcher.Options{MaxBatchSize: n, MaxHandlers: 1}
	}
	e.topic = pubsub.NewTopic(&topicEnd{e}, sends)
	return w.open(e)
}

// one makes batches of one.
var one = &batcher.Options{MaxBatchSize: 1, MaxHandlers: 1}

// open gives an end its receiving end and its controls.
func (w *wrapper) open(e *end) (driver.Queue, error) {
	receives := one
	if w.fault.handlers > 0 {
		receives = &batcher.Options{MaxBatchSize: 10, MaxHandlers: w.fault.handlers}
	}
	e.sub = pubsub.NewSubscription(&subEnd{e}, receives, nil)
	inner := e.inner
	if w.fault.plain {
		if w.fault.queue != nil {
			return w.fault.queue(e, nil), nil
		}
		return e, nil
	}
	c := &controls{
		Queue:             e,
		MessageController: inner.(driver.MessageController),
		AttributesGetter:  inner.(driver.AttributesGetter),
		AttributesSetter:  inner.(driver.AttributesSetter),
		VisibilityChanger: inner.(driver.VisibilityChanger),
		Renewer:           inner.(driver.Renewer),
		GiverBack:         inner.(driver.GiverBack),
		Burier:            inner.(driver.Burier),
		ReceiverOpener:    own{e},
		Purger:            inner.(driver.Purger),
		Deleter:           inner.(driver.Deleter),
		Redriver:          inner.(driver.Redriver),
		Peeker:            inner.(driver.Peeker),
		AckCounter:        own{e},
		Pauser:            &e.polls,
		TopicSubscriber:   inner.(driver.TopicSubscriber),
	}
	if w.fault.queue != nil {
		return w.fault.queue(e, c), nil
	}
	return c, nil
}

func (e *end) Topic() *pubsub.Topic               { return e.topic }
func (e *end) Subscription() *pubsub.Subscription { return e.sub }
func (e *end) ErrorCode(err error) gcerrors.ErrorCode {
	return driver.ErrorCode(err)
}
func (e *end) Close(context.Context) error { return nil }

// own are the controls of a queue's own ends.
type own struct{ e *end }

func (o own) LateAcks() int64 { return o.e.late.Load() }

func (o own) OpenReceiver(options driver.ReceiverOptions) (driver.Queue, error) {
	r := &end{w: o.e.w, q: o.e.q, inner: o.e.inner, visibility: o.e.visibility}
	if d := options.Visibility; d != nil {
		if err := spec.CheckVisibility(*d); err != nil {
			return nil, err
		}
		r.visibility = d
	}
	return r.w.open(r)
}

type topicEnd struct{ *end }

func (t *topicEnd) SendBatch(ctx context.Context, ms []*cdk.Message) error {
	if t.w.fault.batch > 0 {
		time.Sleep(time.Millisecond) // so that there are batches
	}
	var first error
	for _, m := range ms {
		if err := t.send(m); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (t *topicEnd) send(m *cdk.Message) error {
	var o driver.SendOptions
	if m.BeforeSend != nil {
		err := m.BeforeSend(func(i any) bool {
			p, ok := i.(**driver.SendOptions)
			if ok = ok && (!t.w.fault.plain || t.w.fault.accepts); ok {
				*p = &o
			}
			return ok
		})
		if err != nil {
			return err
		}
	}
	if t.w.fault.plain {
		o = driver.SendOptions{}
	}
	body, attrs := driver.Encode(m.Body, m.Metadata, &o)
	attrs = append(attrs, o.Attributes...)
	attrs = append(attrs, o.Fitting(body, attrs, spec.MaxMessageBytes)...)
	out := engine.Message{
		Body: body, Attributes: attrs, Delay: o.Delay, Group: o.Group, Deduplication: o.Deduplication,
	}
	t.w.mu.Lock()
	t.w.sent++
	t.w.mu.Unlock()
	if f := t.w.fault.send; f != nil && !f(t.end, &out) {
		return nil
	}
	sent, err := t.q.Send(out)
	if err != nil || m.AfterSend == nil {
		return err
	}
	return m.AfterSend(func(i any) bool {
		p, ok := i.(*driver.Sent)
		if ok {
			*p = driver.Sent{ID: sent.ID, SequenceNumber: sent.SequenceNumber}
		}
		return ok
	})
}

func (t *topicEnd) As(any) bool                            { return false }
func (t *topicEnd) IsRetryable(error) bool                 { return false }
func (t *topicEnd) ErrorAs(error, any) bool                { return false }
func (t *topicEnd) ErrorCode(err error) gcerrors.ErrorCode { return t.w.code(err) }
func (t *topicEnd) Close() error                           { t.closed.Store(true); return nil }

type subEnd struct{ *end }

func (s *subEnd) ReceiveBatch(ctx context.Context, most int) ([]*cdk.Message, error) {
	pollCtx, done, ok := s.polls.Begin(ctx)
	if !ok {
		return nil, nil
	}
	defer done()
	r := engine.ReceiveRequest{Max: max(min(most, 10), s.w.fault.ahead), Visibility: s.visibility, Wait: new(spec.MaxWait)}
	receive := s.q.Receive
	if f := s.w.fault.receive; f != nil {
		receive = func(ctx context.Context, r engine.ReceiveRequest) ([]engine.Delivery, error) { return f(s.end, ctx, r) }
	}
	ds, err := receive(pollCtx, r)
	if err != nil {
		if pollCtx.Err() != nil && ctx.Err() == nil {
			return nil, nil // paused
		}
		return nil, err
	}
	ms := make([]*cdk.Message, len(ds))
	for i := range ds {
		ms[i] = s.message(&ds[i])
	}
	return ms, nil
}

func (s *subEnd) message(d *engine.Delivery) *cdk.Message {
	s.received.Store(time.Now().UnixNano())
	s.w.mu.Lock()
	s.w.ids[d.ReceiptHandle] = d.ID
	s.w.latest[d.ID] = d.ReceiptHandle
	s.w.mu.Unlock()
	body, metadata, typed := driver.Decode(d.Body, d.Attributes)
	held := &held{delivery: *d}
	m := &cdk.Message{LoggableID: d.ID, Body: body, Metadata: metadata, AckID: held}
	m.AsFunc = func(i any) bool {
		if p, ok := i.(**driver.Settling); ok && !s.w.fault.plain {
			*p = &held.settling
			return true
		}
		p, ok := i.(*driver.Details)
		if !ok || s.w.fault.plain {
			return false
		}
		at, _ := s.q.VisibleAt(d.ReceiptHandle)
		*p = driver.Details{
			ID: d.ID, ReceiptHandle: d.ReceiptHandle, ReceiveCount: d.ReceiveCount, Sent: d.Sent, FirstReceived: d.FirstReceived,
			Group: d.Group, Deduplication: d.Deduplication, SequenceNumber: d.SequenceNumber,
			Attributes: typed, VisibleAt: at, DeadLetterSource: d.DeadLetterSource,
		}
		if f := s.w.fault.details; f != nil {
			f(d, p)
		}
		return true
	}
	if f := s.w.fault.message; f != nil {
		f(m)
	}
	return m
}

// held is the AckID of a message.
type held struct {
	delivery engine.Delivery
	settling driver.Settling
}

func (s *subEnd) SendAcks(ctx context.Context, ids []cdk.AckID) error {
	for _, id := range ids {
		h := id.(*held)
		ack := (*end).ack
		if s.w.fault.ack != nil {
			ack = s.w.fault.ack
		}
		err := ack(s.end, h.delivery)
		if errors.Is(err, spec.QueueDoesNotExist) {
			return err
		}
		if tell := s.w.fault.tell; tell != nil {
			tell(&h.settling, err)
		} else {
			h.settling.Tell(err)
		}
	}
	return nil
}

// ack deletes a message, and returns what is to be told of that.
func (e *end) ack(d engine.Delivery) error {
	deleted, err := e.q.Delete(d.ReceiptHandle)
	if deleted || errors.Is(err, spec.QueueDoesNotExist) {
		return err
	}
	e.late.Add(1)
	return driver.LeaseLost(errors.New("too late"))
}

func (s *subEnd) CanNack() bool { return true }

func (s *subEnd) SendNacks(ctx context.Context, ids []cdk.AckID) error {
	for _, id := range ids {
		d := id.(*held).delivery
		if f := s.w.fault.nack; f != nil {
			f(s.end, d)
		} else if err := s.q.ChangeHeld(d.ReceiptHandle, 0); errors.Is(err, spec.QueueDoesNotExist) {
			return err
		}
	}
	return nil
}

func (s *subEnd) As(any) bool                            { return false }
func (s *subEnd) IsRetryable(error) bool                 { return false }
func (s *subEnd) ErrorAs(error, any) bool                { return false }
func (s *subEnd) ErrorCode(err error) gcerrors.ErrorCode { return s.w.code(err) }
func (s *subEnd) Close() error                           { s.closed.Store(true); return nil }

func (w *wrapper) code(err error) gcerrors.ErrorCode {
	if w.fault.uncoded {
		return gcerrors.Unknown
	}
	return driver.ErrorCode(err)
}

// code overrides the error code of a queue's controls.
type code struct {
	driver.Queue
	f func(error) gcerrors.ErrorCode
}

func (c code) ErrorCode(err error) gcerrors.ErrorCode { return c.f(err) }
