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

// outlast returns a context for what is in hand when ctx ends: it ends timeout
// after ctx does, or defaultDrainTimeout after it if timeout is 0.
func outlast(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout == 0 {
		timeout = defaultDrainTimeout
	}
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(timeout, cancel) })
	return longer, func() { stop(); cancel() }
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
