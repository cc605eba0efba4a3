package workers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"gocloud.dev/pubsub"
	"golang.org/x/time/rate"

	"omnibus/bus"
)

// A Handler handles one delivery of a message. If it returns nil the message is
// acknowledged; if it returns an error, panics, or calls runtime.Goexit, the message
// is delivered again later, as Consumer.Retry says. Errors marked with [RetryAfter],
// [Permanent] or [Drop] say themselves what is to be done. It must not call Ack or
// Nack itself.
//
// Its context is not that of Run. It ends when the message's lease is lost, with a
// cause that matches [bus.ErrLeaseLost], and when the consumer has been stopping for
// the DrainTimeout. A handler must return soon after that.
type Handler func(ctx context.Context, m *pubsub.Message) error

// A Middleware makes a handler of a handler: one that does something before and
// after it, or changes its error.
type Middleware func(Handler) Handler

// A Consumer receives messages and has them handled.
//
// It receives only when a handler is free, so that messages do not wait in memory
// while their visibility timeout runs; for handlers that are fast, it and the backend
// have a few ahead, and keep their leases. At a stop or a pause those go back to the
// queue, and have been received once more, of which a queue's redrive policy and
// MaxReceives know: let both be 3 or more. A delivery goes to one handler, once; a
// message is acknowledged after its handler has succeeded and never before. A
// delivery whose lease has been lost is not acknowledged, and is dropped if it was
// not handled yet, since the message is, or will be, delivered again.
//
// Messages of one group of a FIFO queue are handled one after the other, in order;
// groups are handled side by side. A message that fails holds back its own group
// only.
type Consumer struct {
	Queue   *bus.Queue // required, with a Subscription, unless there are Queues
	Handler Handler    // required, unless there is a BatchHandler

	// Middleware is around the handler: the first is the outermost, and sees each
	// delivery first and its error last.
	Middleware []Middleware

	// Queues are several queues to receive from, in place of Queue. As long as more
	// than one has messages, each gets a part of the handlers by its weight. While no
	// handler is free, one message of each may wait here.
	Queues []Share

	// Strict has a queue of Queues served only while those before it have had no
	// message for a tenth of a second. Their weights do not matter then.
	Strict bool

	// Concurrency is how many handlers may run at a time; 0 means 1.
	Concurrency int

	// TargetTime, if not 0, makes the number of handlers follow the time they take:
	// when they take longer than this on the average fewer run at a time, down to
	// one; when they are quicker more do, up to Concurrency.
	TargetTime time.Duration

	// Limiter, if not nil, limits how many messages are received in a time: each
	// takes one token. Consumers may share it. Its burst must be 1 or more.
	Limiter *rate.Limiter

	// Rest is how long a handler rests after each message, or each batch.
	Rest time.Duration

	// Max ends Run after so many deliveries; 0 means no end. Those that are not due
	// yet, and those that are given back without having been begun, do not count.
	Max int

	// BatchHandler handles messages in batches, in place of Handler. BatchSize is
	// how many messages a batch has at most, 0 means 10; BatchWait is how long the
	// first waits for others, 0 means 1 s. Each batch is one of the Concurrency.
	BatchHandler BatchHandler
	BatchSize    int
	BatchWait    time.Duration

	// Visibility is the visibility timeout of what this consumer receives, whatever
	// others receive with: its first lease, and each time it is renewed. It is 1 s to
	// 12 h; nil means that of the queue's URL, or else the queue's own. Run fails with
	// errors.ErrUnsupported if the backend has no control "receivers". Messages that are
	// received with none, as the URL or the queue may say, are anybody's at once: they are
	// not handled, a line of the log says so, and each delays its handler for a second.
	Visibility *time.Duration

	// MaxLease is for how long after its receive a message's lease is renewed: while
	// its handler runs, and before that. 0 means 10 minutes; 12 h is the most that
	// SQS allows. With less than the visibility timeout no lease is renewed. Leases
	// are renewed where the backend has the control "renew".
	MaxLease time.Duration

	// Retry returns the delay after which a message that could not be handled is to
	// be delivered again, by the handler's error and how often the message has been
	// received so far, 1 or more. nil means Backoff(time.Second, 15*time.Minute).
	// A delay is rounded up to whole seconds, and is at most what is left of the 12
	// hours since the receive. Where the backend has no control "give-back" the
	// message comes again at once.
	Retry func(err error, receives int) time.Duration

	// DeadLetter is where messages are buried that could not be handled: at once if
	// the error is [Permanent], and after MaxReceives receives, 1 or more; 0 means
	// that no number is too many. A buried message is sent there whole, with
	// attributes that say why (see [bus.Queue.Burial]), and then deleted here. Without
	// it permanent errors bury by [bus.Queue.Bury], where the queue has a dead-letter
	// queue of its own.
	DeadLetter  *bus.Queue
	MaxReceives int

	// WaitForQueue has a queue that does not exist, or not any more, waited for. It
	// needs the control "receivers". Without it Run fails with the code NotFound.
	WaitForQueue bool

	// DrainTimeout is how long handlers may go on when Run is stopping before
	// their context ends; 0 means 25 s. If they end then, Run does at most a sixth of
	// that, or 1 s, later: within the 30 s that Kubernetes gives.
	DrainTimeout time.Duration

	// OnDone, if not nil, is called after every delivery handled. Calls may
	// overlap if Concurrency is over 1. If it is nil, deliveries that failed are
	// logged.
	OnDone func(Done)

	// OnDead, if not nil, is called after every message buried. Calls may overlap.
	OnDead func(Dead)

	// Logger is where it is logged what nobody else is told; nil means
	// slog.Default().
	Logger *slog.Logger

	gate  gate
	acks  acks
	stats consumerStats
}

// Done tells of a delivery that was handled.
type Done struct {
	Message *pubsub.Message
	Err     error         // the handler's; nil if the message was acknowledged
	Took    time.Duration // how long the handler ran
}

// Dead tells of a message that was buried.
type Dead struct {
	Message  *pubsub.Message
	Err      error // the handler's
	Receives int   // how often the message had been received
}

const (
	defaultMaxLease  = 10 * time.Minute
	mostLease        = 12 * time.Hour // of one delivery, as SQS has it
	defaultBatchSize = 10
	defaultBatchWait = time.Second
	defaultDrain     = 25 * time.Second
)

func (c *Consumer) validate() error {
	if len(c.Queues) == 0 && (c.Queue == nil || c.Queue.Subscription == nil) {
		return errors.New("workers: Consumer.Queue has no subscription to receive from")
	}
	if c.Queue != nil && len(c.Queues) > 0 {
		return errors.New("workers: Consumer has both Queue and Queues; give one of them")
	}
	if (c.Handler == nil) == (c.BatchHandler == nil) {
		return errors.New("workers: Consumer.Handler is missing; it, or a BatchHandler, is required, and not both")
	}
	if c.BatchHandler != nil && len(c.Middleware) > 0 {
		return errors.New("workers: Consumer.Middleware is for a Handler; call a BatchMiddleware with the BatchHandler itself")
	}
	if c.MaxReceives > 0 && c.DeadLetter == nil {
		return fmt.Errorf("workers: Consumer.MaxReceives is %d without a DeadLetter queue; a queue's own number is in its redrive policy", c.MaxReceives)
	}
	if c.DeadLetter != nil && c.DeadLetter.Topic == nil {
		return errors.New("workers: Consumer.DeadLetter has no topic to send to")
	}
	if c.Visibility != nil && *c.Visibility <= 0 {
		return fmt.Errorf("workers: Consumer.Visibility is %v; allowed are 1 s to 12 h, since a message must be the consumer's own while it is handled", *c.Visibility)
	}
	for _, s := range c.shares() {
		if c.DeadLetter != nil && s.Queue == c.DeadLetter {
			return errors.New("workers: Consumer.DeadLetter is the queue that is received from; it must be another")
		}
	}
	if c.MaxLease > mostLease {
		return fmt.Errorf("workers: Consumer.MaxLease is %v; allowed are 0, for 10 minutes, to 12 h", c.MaxLease)
	}
	if l := c.Limiter; l != nil && l.Burst() < 1 && l.Limit() != rate.Inf {
		return fmt.Errorf("workers: Consumer.Limiter has a burst of %d; it must be 1 or more", l.Burst())
	}
	for i, s := range c.Queues {
		if s.Queue == nil || s.Queue.Subscription == nil {
			return fmt.Errorf("workers: Consumer.Queues[%d] has no subscription to receive from", i)
		}
		if err := notNegative("Consumer", fmt.Sprintf("Queues[%d].Weight", i), s.Weight); err != nil {
			return err
		}
	}
	return errors.Join(
		notNegative("Consumer", "Concurrency", c.Concurrency),
		notNegative("Consumer", "TargetTime", c.TargetTime),
		notNegative("Consumer", "Rest", c.Rest),
		notNegative("Consumer", "Max", c.Max),
		notNegative("Consumer", "BatchSize", c.BatchSize),
		notNegative("Consumer", "BatchWait", c.BatchWait),
		notNegative("Consumer", "MaxLease", c.MaxLease),
		notNegative("Consumer", "MaxReceives", c.MaxReceives),
		notNegative("Consumer", "DrainTimeout", c.DrainTimeout),
	)
}

// Run receives and handles until ctx ends or Max is reached (both return nil),
// or until a subscription fails. It returns when all handlers have, and the queue has
// answered their acknowledgements or has had time to do so: 10 s, but, if Run is to stop,
// no more than the DrainTimeout and a sixth of it in all, or that sixth after the last
// handler has returned, and 1 s at least.
func (c *Consumer) Run(ctx context.Context) error {
	if err := c.validate(); err != nil {
		return err
	}
	r, err := c.begin(ctx)
	if err != nil {
		return fmt.Errorf("workers: consumer: %w", err)
	}
	if err = r.receive(ctx); err != nil {
		err = fmt.Errorf("workers: consumer: %w", err)
	}
	r.stop(ctx.Err() != nil || err != nil)
	return err
}

func (c *Consumer) handler() Handler {
	h := c.Handler
	for _, around := range slices.Backward(c.Middleware) {
		h = around(h)
	}
	return h
}

func (c *Consumer) logger() *slog.Logger {
	if c.Logger != nil {
		return c.Logger
	}
	return slog.Default()
}

// shares returns the queues to receive from.
func (c *Consumer) shares() []Share {
	if len(c.Queues) > 0 {
		return c.Queues
	}
	return []Share{{Queue: c.Queue}}
}
