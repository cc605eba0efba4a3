// Package workers has the three programs that every queue needs: a [Producer]
// that sends, a [Consumer] that handles, a [Monitor] that watches. Each is a
// struct of settings with a method Run, in the manner of http.Server: set the
// fields, call Run once, cancel its context to stop. Slow and fast ones are
// settings, not programs.
//
// Workers know package bus and no backend. What a queue's backend lacks, they do
// without if they can, and say so if they cannot.
//
// # Handling
//
// A [Consumer] has messages handled, so many at a time; a handler that returns nil
// acknowledges its message. Messages of one group of a FIFO queue are handled in order.
// Delivery is at least once: a message is handled again if its handler was cut short, if
// its lease was lost, or if the process died before the queue had its acknowledgement.
// [ConsumerStats] count what the queue has answered. With a [BatchHandler] several
// messages are handled by one call, each with an outcome of its own.
//
// # Leases
//
// A message that was received is hidden from others for its visibility timeout: its
// lease. The consumer renews it while the message waits or its handler runs, for up to
// Consumer.MaxLease; a handler that ends within half of the lease costs no request. When
// a lease is lost all the same, the handler's context ends, with a cause that matches
// [bus.ErrLeaseLost], and the message is not acknowledged: it is somebody else's.
//
// # Failures
//
// A message whose handler fails comes again after a delay that grows, at random between
// 1 s and a limit that doubles, up to 15 minutes: see Consumer.Retry. The handler's error
// may say something else: [RetryAfter], [Permanent] or [Drop]. A queue's redrive policy
// moves messages that were received too often to its dead-letter queue; for a queue
// without one Consumer.MaxReceives and Consumer.DeadLetter do the same, and with a reason.
// A panic, and runtime.Goexit, are errors of type [*PanicError].
//
// # Flow
//
// Consumer.Concurrency, Limiter and TargetTime bound what is handled; [Consumer.Pause] and
// [Consumer.Resume] work while it runs; Consumer.Queues has several queues served by
// weight, or in a strict order. [Delay] delays a message for however long.
//
// # Schedules
//
// A [Schedule] sends a message whenever a cron expression says so. Processes that run the
// same one send once.
//
// # Outages
//
// The backends go on by themselves when their endpoint is away and comes again, with one
// line in the log for each, and a [Consumer] and a [Producer] that reads from a source
// with them. A queue that does not exist ends Run, unless Consumer.WaitForQueue or
// Producer.WaitForQueue is set. When an endpoint takes no acknowledgements any more the consumer stops receiving, until it does.
//
// # Stopping
//
// Cancelling Run's context is the ordinary way to stop and not an error: Run
// takes nothing new, finishes what is in hand under a deadline of its own, gives
// back what it fetched and did not handle, and returns nil. It owns every
// goroutine it starts, and they have ended when it returns. The one exception is a
// source that waits, see [Producer.Source].
//
// # Programs
//
// [Run] runs workers together, with an [HTTPServer] if need be and whatever else has such
// a Run. When its context ends it stops them in order: requests first, then what sends,
// then consumers, then the rest. When one fails or panics it stops the others, and its
// error names the one. A [Program] has the time for that as a setting.
package workers

import (
	"context"
	"fmt"
	"time"
)

const defaultDrainTimeout = 30 * time.Second

// Outlast returns a context for what is in hand when ctx ends: it ends timeout
// after ctx does. Call cancel when it is not needed any more.
func Outlast(ctx context.Context, timeout time.Duration) (longer context.Context, cancel context.CancelFunc) {
	longer, end := context.WithCancelCause(context.WithoutCancel(ctx))
	expire := func() { end(fmt.Errorf("the drain timeout of %v is over: %w", timeout, context.DeadlineExceeded)) }
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(timeout, expire) })
	return longer, func() { stop(); end(nil) }
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// notNegative reports a setting below zero.
func notNegative[T int | time.Duration](worker, field string, v T) error {
	if v < 0 {
		return fmt.Errorf("workers: %s.%s is %v; it must not be negative", worker, field, v)
	}
	return nil
}
