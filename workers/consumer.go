package workers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
)

// A Handler handles one delivery of a message. If it returns nil the message is
// acknowledged; if it returns an error, panics, or calls runtime.Goexit, it is given
// back and delivered again, unless the error is marked with [Drop]. It must not call
// Ack or Nack itself.
//
// Its context is not that of Run: it ends when the consumer has been stopping for
// the DrainTimeout, and a handler must return soon after that.
type Handler func(ctx context.Context, m *pubsub.Message) error

// A Middleware makes a handler of a handler: one that does something before and
// after it, or changes its error.
type Middleware func(Handler) Handler

// A Consumer receives messages and has them handled.
//
// One goroutine receives, and only when a handler is free, so that messages do
// not wait in memory while their visibility timeout runs. A delivery goes to one
// handler, once; a message is acknowledged after its handler has succeeded and
// never before. A delivery whose lease has been lost before it could be handled
// is dropped, since the message is, or will be, delivered again.
type Consumer struct {
	Queue   *bus.Queue // required, with a Subscription
	Handler Handler    // required

	// Middleware is around the handler: the first is the outermost, and sees each
	// delivery first and its error last.
	Middleware []Middleware

	// Concurrency is how many handlers may run at a time; 0 means 1.
	Concurrency int

	// Pause is how long a handler rests after each message.
	Pause time.Duration

	// Visibility is the visibility timeout of what this consumer receives, whatever
	// others receive with; nil means that of the queue's URL, or else the queue's
	// own. Run fails with errors.ErrUnsupported if the backend has no control
	// "receivers".
	Visibility *time.Duration

	// Max ends Run after so many deliveries; 0 means no end.
	Max int

	// DrainTimeout is how long handlers may go on when Run is stopping before
	// their context ends; 0 means 30 s.
	DrainTimeout time.Duration

	// OnDone, if not nil, is called after every delivery handled. Calls may
	// overlap if Concurrency is over 1. If it is nil, deliveries that failed are
	// logged with package slog.
	OnDone func(Done)

	stats   consumerStats
	queue   *bus.Queue // Queue, or a receiver of it
	answers answers    // acknowledgements that the queue has not answered yet
}

// Done tells of a delivery that was handled.
type Done struct {
	Message *pubsub.Message
	Err     error         // the handler's; nil if the message was acknowledged
	Took    time.Duration // how long the handler ran
}

// ConsumerStats count deliveries. Each that was received, and is with no handler, is
// also one of those deleted, failed, lost and unconfirmed.
type ConsumerStats struct {
	Received    int // handed out by the queue
	Redelivered int // of those, ones the queue had delivered before, as far as it tells
	Deleted     int // handled and acknowledged in time, as far as the queue tells
	Failed      int // given back since the handler failed
	Lost        int // delivered again: the lease was lost before they could be handled or acknowledged
	Unconfirmed int // handled and acknowledged; the queue has not confirmed it, or not yet
}

type consumerStats struct {
	received, redelivered, deleted, failed, lost, unconfirmed atomic.Int64
}

// Stats returns what has been counted so far. It may be called at any time.
func (c *Consumer) Stats() ConsumerStats {
	s := &c.stats
	return ConsumerStats{
		Received:    int(s.received.Load()),
		Redelivered: int(s.redelivered.Load()),
		Deleted:     int(s.deleted.Load()),
		Failed:      int(s.failed.Load()),
		Lost:        int(s.lost.Load()),
		Unconfirmed: int(s.unconfirmed.Load()) + c.answers.outstanding(),
	}
}

func (c *Consumer) validate() error {
	if c.Queue == nil || c.Queue.Subscription == nil {
		return errors.New("workers: Consumer.Queue has no subscription to receive from")
	}
	if c.Handler == nil {
		return errors.New("workers: Consumer.Handler is missing")
	}
	return errors.Join(
		notNegative("Consumer", "Concurrency", c.Concurrency),
		notNegative("Consumer", "Pause", c.Pause),
		notNegative("Consumer", "Max", c.Max),
		notNegative("Consumer", "DrainTimeout", c.DrainTimeout),
	)
}

// Run receives and handles until ctx ends or Max is reached (both return nil),
// or until the subscription fails. It returns when all handlers have, and the
// queue has answered their acknowledgements or has had 10 s to do so.
func (c *Consumer) Run(ctx context.Context) error {
	if err := c.validate(); err != nil {
		return err
	}
	c.queue = c.Queue
	if c.Visibility != nil {
		receiver, err := c.Queue.OpenReceiver(bus.ReceiverOptions{Visibility: c.Visibility})
		if err != nil {
			return fmt.Errorf("workers: consumer: %w", err)
		}
		c.queue = receiver
	}
	timeout := c.DrainTimeout
	if timeout == 0 {
		timeout = defaultDrainTimeout
	}
	stopping, stop := context.WithCancel(ctx)
	last, cancel := Outlast(stopping, timeout)
	defer cancel()
	err := c.run(ctx, last, stop)
	stop()
	confirming, cancel := context.WithTimeout(last, bus.ShutdownTimeout)
	defer cancel()
	if c.queue != c.Queue {
		if shutErr := c.queue.Shutdown(confirming); shutErr != nil && err == nil {
			err = fmt.Errorf("workers: consumer: %w", shutErr)
		}
	}
	c.answers.wait(confirming)
	return err
}

// run receives and handles. The handlers' context is handling; stop has it end
// after the drain timeout, as ctx does.
func (c *Consumer) run(ctx, handling context.Context, stop func()) error {
	handler := c.Handler
	for _, around := range slices.Backward(c.Middleware) {
		handler = around(handler)
	}
	receiving, endReceiving := context.WithCancel(ctx)
	defer endReceiving()
	var handlers sync.WaitGroup
	failed := c.receive(receiving, func(m *pubsub.Message, free func()) {
		handlers.Go(func() {
			defer free()
			c.handle(handling, handler, m)
			sleep(receiving, c.Pause)
		})
	})
	endReceiving()
	if failed != nil {
		stop()
	}
	if _, err := c.queue.Release(handling); err != nil && failed == nil {
		failed = fmt.Errorf("workers: consumer: %w", err)
	}
	handlers.Wait()
	return failed
}

// receive passes messages on, each with a function to call when its handler is
// free again, until ctx ends, Max is reached or Receive fails.
func (c *Consumer) receive(ctx context.Context, start func(m *pubsub.Message, free func())) error {
	slots := make(chan struct{}, max(1, c.Concurrency))
	for n := 0; c.Max == 0 || n < c.Max; n++ {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		m, err := c.queue.Subscription.Receive(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("workers: receive: %w", err)
		}
		start(m, func() { <-slots })
	}
	return nil
}

// handle takes one delivery from hand-out to acknowledgement.
func (c *Consumer) handle(ctx context.Context, handler Handler, m *pubsub.Message) {
	c.stats.received.Add(1)
	if c.Queue.Supports(bus.ControlDetails) {
		d := bus.Details(m)
		if d.ReceiveCount > 1 {
			c.stats.redelivered.Add(1)
		}
		if d.VisibleAt.IsZero() {
			c.stats.lost.Add(1)
			giveBack(m) // a formality, without which the Go CDK logs a complaint
			return
		}
	}
	a := c.expect(m)
	start := time.Now()
	err := errors.New("workers: the handler called runtime.Goexit")
	defer func() { c.settle(a, m, err, time.Since(start)) }() // also after runtime.Goexit, which runs nothing else
	err = guard("the handler panicked", func() error { return handler(ctx, m) })
}

// settle acknowledges a message, or gives it back if err is not nil, and counts
// and tells what came of it.
func (c *Consumer) settle(a *ack, m *pubsub.Message, err error, took time.Duration) {
	if v := verdictOf(err); v.drop {
		d := bus.Details(m)
		slog.Warn("workers: a message was dropped", "id", d.ID, "receive_count", d.ReceiveCount, "error", err)
		err = nil
	}
	if err == nil {
		err = guard("the handler must not call Ack or Nack", func() error { a.send(); return nil })
	} else {
		giveBack(m)
	}
	if err != nil {
		c.stats.failed.Add(1)
	}
	switch {
	case c.OnDone != nil:
		c.OnDone(Done{Message: m, Err: err, Took: took})
	case err != nil:
		d := bus.Details(m)
		slog.Error("workers: a message was not handled", "id", d.ID, "receive_count", d.ReceiveCount, "error", err)
	}
}

// guard turns a panic into an error, so that one bad message or one careless
// handler does not end the process for all others.
func guard(what string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("workers: %s: %v\n%s", what, r, debug.Stack())
		}
	}()
	return f()
}

// giveBack makes a message visible to all again, unless its handler has settled
// it already, against the rules.
func giveBack(m *pubsub.Message) {
	_ = guard("give back", func() error {
		if m.Nackable() {
			m.Nack()
		}
		return nil
	})
}
