package bustest

import (
	"context"
	"time"
)

// A Clock is the time that a backend goes by, where that is not the time of
// package time. It must be safe for concurrent use.
type Clock interface {
	// Now returns what the clock shows.
	Now() time.Time

	// Sleep returns when d has passed by the clock, or when ctx ends.
	Sleep(ctx context.Context, d time.Duration)
}

// wall is the time of package time: in a bubble, virtual time.
type wall struct{}

func (wall) Now() time.Time { return time.Now() }

func (wall) Sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// clock returns the backend's clock.
func (b *Backend) clock() Clock {
	if b.Clock == nil {
		return wall{}
	}
	return b.Clock
}

func (t *trial) now() time.Time                   { return t.clock.Now() }
func (t *trial) until(at time.Time) time.Duration { return at.Sub(t.now()) }

// sleep waits for d.
func (t *trial) sleep(d time.Duration) { t.clock.Sleep(t.ctx, d) }

// after calls f in d from now, unless stop is called before.
func (t *trial) after(d time.Duration, f func()) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		t.clock.Sleep(ctx, d)
		if ctx.Err() == nil {
			f()
		}
	}()
	return cancel
}

// timeout returns a context that ends in d from now.
func (t *trial) timeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if t.clock == (wall{}) {
		return context.WithTimeout(ctx, d)
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := t.after(d, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}
