package workers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gocloud.dev/pubsub"
	"golang.org/x/time/rate"

	"omnibus/bus"
)

// Recover makes a [PanicError] of a panic in the handler. The consumer does so itself,
// around all middleware; Recover inside of others lets them see the error. What calls
// runtime.Goexit passes through it.
func Recover() Middleware {
	return func(next Handler) Handler {
		return func(ctx context.Context, m *pubsub.Message) (err error) {
			defer func() {
				if v := recover(); v != nil {
					err = panicked("the handler", v)
				}
			}()
			return next(ctx, m)
		}
	}
}

// Timeout ends the handler's context after d, which must be positive. The handler
// is to return then: it is waited for, since a delivery never has two handlers, and
// what it returns counts. The error of a handler that was late says so and matches
// context.DeadlineExceeded.
func Timeout(d time.Duration) Middleware {
	if d <= 0 {
		panic(fmt.Sprintf("workers: Timeout(%v); it must be positive", d))
	}
	late := fmt.Errorf("the handler took longer than %v: %w", d, context.DeadlineExceeded)
	return func(next Handler) Handler {
		return func(ctx context.Context, m *pubsub.Message) error {
			ctx, cancel := context.WithTimeoutCause(ctx, d, late)
			defer cancel()
			err := next(ctx, m)
			if err != nil && errors.Is(context.Cause(ctx), late) {
				return fmt.Errorf("%w: %w", late, err)
			}
			return err
		}
	}
}

// Log writes one line for each delivery handled, with the message's id, receive
// count and group, the time the handler took, and its error if it failed, which is
// of level Error; others are of level Info. A nil logger is slog.Default. A consumer
// without OnDone logs failures itself: set it if one line is enough.
func Log(to *slog.Logger) Middleware {
	return func(next Handler) Handler {
		return func(ctx context.Context, m *pubsub.Message) (err error) {
			logger := to
			if logger == nil {
				logger = slog.Default()
			}
			start := time.Now()
			err = errNotReturned
			defer func() {
				level, text := slog.LevelInfo, "workers: a message was handled"
				d := bus.Details(m)
				attrs := []slog.Attr{slog.String("id", d.ID), slog.Int("receive_count", d.ReceiveCount), slog.Duration("took", time.Since(start))}
				if d.Group != "" {
					attrs = append(attrs, slog.String("group", d.Group))
				}
				if err != nil {
					level, text = slog.LevelError, "workers: a message was not handled"
					attrs = append(attrs, slog.String("error", err.Error()))
				}
				logger.LogAttrs(ctx, level, text, attrs...)
			}()
			err = next(ctx, m)
			return err
		}
	}
}

// errNotReturned is what middleware sees of a handler that panics or calls
// runtime.Goexit.
var errNotReturned = errors.New("workers: the handler did not return")

// RateLimit has every delivery wait for its turn before it is handled. One limiter
// may be shared by many consumers of a process. What waits occupies a handler and
// keeps its lease, so that a limit far below what the queue delivers makes
// deliveries wait in hand, up to the consumer's Concurrency.
func RateLimit(l *rate.Limiter) Middleware {
	return func(next Handler) Handler {
		return func(ctx context.Context, m *pubsub.Message) error {
			if err := l.Wait(ctx); err != nil {
				return fmt.Errorf("workers: wait for the rate limit: %w", err)
			}
			return next(ctx, m)
		}
	}
}
