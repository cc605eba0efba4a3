// Package workers has the three programs that every queue needs: a [Producer]
// that sends, a [Consumer] that handles, a [Monitor] that watches. Each is a
// struct of settings with a method Run, in the manner of http.Server: set the
// fields, call Run once, cancel its context to stop. Slow and fast ones are
// settings, not programs.
//
// Workers know package bus and no backend. What a queue's backend lacks, they do
// without if they can, and say so if they cannot.
//
// # Stopping
//
// Cancelling Run's context is the ordinary way to stop and not an error: Run
// takes nothing new, finishes what is in hand under a deadline of its own, gives
// back what it fetched and did not handle, and returns nil. It owns every
// goroutine it starts, and they have ended when it returns. The one exception is a
// source that waits, see [Producer.Source].
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
