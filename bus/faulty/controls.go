package faulty

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"sync"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/batcher"
	cdk "gocloud.dev/pubsub/driver"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// A Send is a batch of its own, so that it succeeds or fails by itself, and no message
// is fetched before somebody wants it.
var (
	sendBatches    = &batcher.Options{MaxBatchSize: 1, MaxHandlers: 1000}
	receiveBatches = &batcher.Options{MaxBatchSize: 1, MaxHandlers: 1}
)

// queue is an open queue. It has the methods of all controls; package bus uses those
// that the inner queue has too.
type queue struct {
	backend *Backend
	url     string
	inner   driver.Queue
	topic   *pubsub.Topic
	sub     *pubsub.Subscription
	open    context.Context // ends when the queue is closed
	close   context.CancelFunc
	waiting sync.WaitGroup // what acknowledgements and nacks wait for, while it is open
	polls   driver.Polls

	mu      sync.Mutex        // guards fetched
	fetched []*pubsub.Message // what the inner queue had fetched when it was paused
}

func (b *Backend) wrap(url string, inner driver.Queue) *queue {
	q := &queue{backend: b, url: url, inner: inner}
	q.open, q.close = context.WithCancel(context.Background())
	if t := inner.Topic(); t != nil {
		q.topic = pubsub.NewTopic(&topic{q, t}, sendBatches)
	}
	if s := inner.Subscription(); s != nil {
		q.sub = pubsub.NewSubscription(&subscription{q, s}, receiveBatches, nil)
	}
	return q
}

func (q *queue) Unwrap() any                            { return q.inner }
func (q *queue) Topic() *pubsub.Topic                   { return q.topic }
func (q *queue) Subscription() *pubsub.Subscription     { return q.sub }
func (q *queue) ErrorCode(err error) gcerrors.ErrorCode { return errorCode(q.inner, err) }

// errorCode returns the code of a fault, or that which the inner queue gives.
func errorCode(inner driver.Queue, err error) gcerrors.ErrorCode {
	if f, ok := errors.AsType[*fault](err); ok {
		return f.code
	}
	return inner.ErrorCode(err)
}

// Close shuts the inner queue down, whose ends nobody else does.
func (q *queue) Close(ctx context.Context) error {
	q.close()
	q.waiting.Wait()
	return closeAll(ctx, q.inner)
}

func closeAll(ctx context.Context, inner driver.Queue) error {
	var errs [3]error
	var topic sync.WaitGroup
	if t := inner.Topic(); t != nil {
		topic.Go(func() { errs[0] = t.Shutdown(ctx) }) // neither end is to use up the other's time
	}
	if s := inner.Subscription(); s != nil {
		errs[1] = s.Shutdown(ctx)
	}
	topic.Wait()
	errs[2] = inner.Close(ctx)
	if _, ok := errors.AsType[*driver.UnconfirmedError](errs[2]); ok { // which says all that the others do
		return errs[2]
	}
	return errors.Join(errs[:]...)
}

// control makes a call of a control.
func (q *queue) control(ctx context.Context, c driver.Control, effect func() error) error {
	return q.backend.do(ctx, &Call{Operation: Operation(c), URL: q.url}, effect)
}

// each makes a call of a control for each receipt handle. f does those at the places
// given together.
func (q *queue) each(ctx context.Context, c driver.Control, handles []string, f func(places []int) []error) []error {
	errs := make([]error, len(handles))
	faults := make([]Fault, len(handles))
	var places []int
	for i, h := range handles {
		faults[i] = q.backend.fault(&Call{Operation: Operation(c), URL: q.url, Receipt: h})
		if errs[i] = faults[i].before(ctx); errs[i] == nil {
			places = append(places, i)
		}
	}
	if len(places) == 0 {
		return driver.AllNil(errs)
	}
	for i, err := range f(places) {
		errs[places[i]] = err
	}
	for _, i := range places {
		errs[i] = faults[i].after(ctx, errs[i])
	}
	return driver.AllNil(errs)
}

// at returns the elements at the places given.
func at[T any](all []T, places []int) []T {
	some := make([]T, len(places))
	for i, p := range places {
		some[i] = all[p]
	}
	return some
}

func (q *queue) MessageControls() []driver.Control {
	return q.inner.(driver.MessageController).MessageControls()
}

func (q *queue) Renew(ctx context.Context, handles []string) []error {
	return q.each(ctx, driver.ControlRenew, handles, func(places []int) []error {
		return q.inner.(driver.Renewer).Renew(ctx, at(handles, places))
	})
}

func (q *queue) GiveBack(ctx context.Context, handles []string, after time.Duration) []error {
	return q.each(ctx, driver.ControlGiveBack, handles, func(places []int) []error {
		return q.inner.(driver.GiverBack).GiveBack(ctx, at(handles, places), after)
	})
}

func (q *queue) ChangeVisibility(ctx context.Context, changes []driver.VisibilityChange) []error {
	handles := make([]string, len(changes))
	for i, c := range changes {
		handles[i] = c.ReceiptHandle
	}
	return q.each(ctx, driver.ControlVisibility, handles, func(places []int) []error {
		return q.inner.(driver.VisibilityChanger).ChangeVisibility(ctx, at(changes, places))
	})
}

func (q *queue) Bury(ctx context.Context, handle, reason string) error {
	c := &Call{Operation: Operation(driver.ControlBury), URL: q.url, Receipt: handle}
	return q.backend.do(ctx, c, func() error { return q.inner.(driver.Burier).Bury(ctx, handle, reason) })
}

func (q *queue) OpenReceiver(o driver.ReceiverOptions) (driver.Queue, error) {
	var inner driver.Queue
	err := q.control(context.Background(), driver.ControlReceivers, func() (err error) {
		inner, err = q.inner.(driver.ReceiverOpener).OpenReceiver(o)
		return err
	})
	switch {
	case err == nil:
		return q.backend.wrap(q.url, inner), nil
	case inner != nil:
		return nil, errors.Join(err, closeAll(context.Background(), inner))
	}
	return nil, err
}

func (q *queue) Attributes(ctx context.Context) (a spec.QueueAttributes, err error) {
	err = q.control(ctx, driver.ControlAttributes, func() error {
		a, err = q.inner.(driver.AttributesGetter).Attributes(ctx)
		return err
	})
	return a, err
}

func (q *queue) SetAttributes(ctx context.Context, s spec.QueueSettings) error {
	return q.control(ctx, driver.ControlSetAttributes, func() error { return q.inner.(driver.AttributesSetter).SetAttributes(ctx, s) })
}

func (q *queue) Purge(ctx context.Context) error {
	return q.control(ctx, driver.ControlPurge, func() error { return q.inner.(driver.Purger).Purge(ctx) })
}

func (q *queue) Delete(ctx context.Context) error {
	return q.control(ctx, driver.ControlDelete, func() error { return q.inner.(driver.Deleter).Delete(ctx) })
}

func (q *queue) Redrive(ctx context.Context, to string, most int) (moved int, err error) {
	err = q.control(ctx, driver.ControlRedrive, func() error {
		moved, err = q.inner.(driver.Redriver).Redrive(ctx, to, most)
		return err
	})
	return moved, err
}

func (q *queue) Peek(ctx context.Context, n int) (ms []driver.Peeked, err error) {
	err = q.control(ctx, driver.ControlPeek, func() error {
		ms, err = q.inner.(driver.Peeker).Peek(ctx, n)
		return err
	})
	return ms, err
}

func (q *queue) SubscribeTo(ctx context.Context, topic *url.URL, s spec.SubscriptionSettings) error {
	return q.control(ctx, driver.ControlTopics, func() error { return q.inner.(driver.TopicSubscriber).SubscribeTo(ctx, topic, s) })
}

// What follows makes no request, so nothing goes wrong with it.

func (q *queue) LateAcks() int64                 { return q.inner.(driver.AckCounter).LateAcks() }
func (q *queue) Requests() []driver.RequestCount { return q.inner.(driver.RequestCounter).Requests() }

// Pause ends the calls of ReceiveBatch, here and in the inner queue. What that has
// fetched, the next calls return.
func (q *queue) Pause(idle func()) (resume func()) {
	resume = q.polls.Pause(idle)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer q.inner.(driver.Pauser).Pause(cancel)()
	for {
		m, err := q.inner.Subscription().Receive(ctx)
		if err != nil { // that of ctx, or one that the next call meets again
			return resume
		}
		q.mu.Lock()
		q.fetched = append(q.fetched, m)
		q.mu.Unlock()
	}
}

// takeFetched returns what [queue.Pause] left.
func (q *queue) takeFetched() []*pubsub.Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	ms := q.fetched
	q.fetched = nil
	return ms
}

// SendBatch sends those messages together with which nothing goes wrong before.
func (q *queue) SendBatch(ctx context.Context, ms []*cdk.Message) []error {
	errs := make([]error, len(ms))
	faults := make([]Fault, len(ms))
	var batch []*cdk.Message
	var places []int
	for i, m := range ms {
		faults[i] = q.backend.fault(&Call{Operation: Send, URL: q.url, Body: m.Body})
		if errs[i] = faults[i].before(ctx); errs[i] != nil {
			continue
		}
		batch, places = append(batch, m), append(places, i)
		if faults[i].Twice {
			batch, places = append(batch, &cdk.Message{Body: m.Body, Metadata: m.Metadata, BeforeSend: m.BeforeSend}), append(places, i)
		}
	}
	if len(batch) == 0 {
		return driver.AllNil(errs)
	}
	for i, err := range q.inner.(driver.BatchSender).SendBatch(ctx, batch) {
		errs[places[i]] = cmp.Or(errs[places[i]], err)
	}
	for _, i := range slices.Compact(places) {
		errs[i] = faults[i].after(ctx, errs[i])
	}
	return driver.AllNil(errs)
}
