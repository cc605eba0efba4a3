package sqsbus

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus/spec"
)

// A joiner joins entries that come one by one, from many goroutines, into
// requests of up to ten.
//
// A request goes out when there are ten entries for it, or a few milliseconds after
// the first of them came. A lone entry does not wait: if no request is under way, and
// no request of several entries has just been answered, it goes out at once, with those
// that other goroutines were about to add.
//
// Each entry has its own outcome. An entry that fails for a fault of AWS's own is sent
// again, with others. When SQS refuses a whole request, each of its entries is sent by
// itself, so that the one at fault fails alone.
type joiner[E, R any] struct {
	// send makes one request and returns the outcome of each entry. An error is of
	// the request as a whole.
	send func(ctx context.Context, entries []E) ([]outcome[R], error)
	// size is an entry's part of maxBytes, which a request may have; nil means none.
	size     func(E) int
	maxBytes int
	// ctx is that of posted entries.
	ctx context.Context
	// linger is how long an entry waits for others.
	linger time.Duration
	// outage is told of entries that fail, with the action of send; nil means nobody is.
	outage *outage
	action string

	mu      sync.Mutex // guards all below
	pending []*entry[E, R]
	bytes   int         // of pending
	due     bool        // somebody is going to flush
	timer   *time.Timer // who does so when others may come, or nil
	running int         // requests under way
	crowded time.Time   // until when others are expected, since they have just been answered
	waited  int         // calls of wait, for which entries go out without waiting for others

	work group // that make requests
}

// An outcome is what became of one entry.
type outcome[R any] struct {
	result R
	err    error
}

// An entry is one that waits to be sent, or for its outcome.
type entry[E, R any] struct {
	value  E
	ctx    context.Context // of the one who waits, or the joiner's
	posted bool            // nobody waits: ctx is the joiner's
	size   int
	tries  int
	answer func(outcome[R]) // called once, when the outcome is there
}

const (
	linger    = 2 * time.Millisecond  // how long somebody waits for others to join
	ackLinger = 10 * time.Millisecond // how long an acknowledgement does, for which nobody waits
	crowd     = 5 * linger            // how long after an answer those who got it may come again
)

// do sends the entries, joined with those of others, and returns their outcomes.
// An entry whose ctx ends has the context's error, and may still be sent. Urgent
// entries do not wait for others.
func (j *joiner[E, R]) do(ctx context.Context, urgent bool, values ...E) []outcome[R] {
	type answered struct {
		place int
		outcome[R]
	}
	outcomes := make([]outcome[R], len(values))
	answers := make(chan answered, len(values))
	entries := make([]*entry[E, R], len(values))
	for i, v := range values {
		outcomes[i].err = errUnanswered
		entries[i] = j.entry(ctx, v, func(o outcome[R]) { answers <- answered{i, o} })
	}
	j.add(urgent, entries...)
	for range values {
		select {
		case a := <-answers:
			outcomes[a.place] = a.outcome
		case <-ctx.Done():
			for i := range outcomes {
				if outcomes[i].err == errUnanswered {
					outcomes[i].err = ctx.Err()
				}
			}
			return outcomes
		}
	}
	return outcomes
}

// errUnanswered stands for an outcome that is not there yet.
var errUnanswered = errors.New("sqsbus: not answered yet")

// post sends an entry, joined with those of others, under the joiner's context, and
// calls answer with its outcome. It does not wait.
func (j *joiner[E, R]) post(urgent bool, v E, answer func(outcome[R])) {
	e := j.entry(j.ctx, v, answer)
	e.posted = true
	j.add(urgent, e)
}

func (j *joiner[E, R]) entry(ctx context.Context, v E, answer func(outcome[R])) *entry[E, R] {
	e := &entry[E, R]{value: v, ctx: ctx, answer: answer}
	if j.size != nil {
		e.size = j.size(v)
	}
	return e
}

func (j *joiner[E, R]) add(urgent bool, entries ...*entry[E, R]) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range entries {
		if j.maxBytes > 0 && j.bytes+e.size > j.maxBytes {
			j.flush()
		}
		j.pending = append(j.pending, e)
		j.bytes += e.size
		if len(j.pending) == spec.MaxBatchEntries {
			j.flush()
		}
	}
	if len(j.pending) == 0 || j.due && !urgent {
		return
	}
	j.due = true
	if !urgent && j.waited == 0 && (j.running > 0 || time.Now().Before(j.crowded)) {
		j.timer = time.AfterFunc(j.linger, j.expire)
		return
	}
	j.work.Go(func() {
		runtime.Gosched()
		j.expire()
	})
}

// expire sends what is pending.
func (j *joiner[E, R]) expire() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.flush()
}

// flush starts a request with what is pending. The caller holds mu.
func (j *joiner[E, R]) flush() {
	j.due = false
	if j.timer != nil {
		j.timer.Stop()
		j.timer = nil
	}
	batch := j.pending
	j.pending, j.bytes = nil, 0
	if len(batch) > 0 {
		j.start(batch)
	}
}

// start starts a request. The caller holds mu.
func (j *joiner[E, R]) start(batch []*entry[E, R]) {
	j.running++
	j.work.Go(func() {
		j.run(batch, func() {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.running--
			if len(batch) > 1 {
				j.crowded = time.Now().Add(crowd)
			}
		})
	})
}

// run makes a request, calls answered and tells everyone the outcome.
func (j *joiner[E, R]) run(batch []*entry[E, R], answered func()) {
	ctx, cancel := joined(batch)
	defer cancel()
	values := make([]E, len(batch))
	for i, e := range batch {
		values[i] = e.value
	}
	outcomes, err := j.send(ctx, values)
	err = coded(err)
	if err != nil && len(batch) > 1 && blamesEntry(err) {
		for _, e := range batch {
			j.run([]*entry[E, R]{e}, func() {})
		}
		answered()
		return
	}
	answered()
	for i, e := range batch {
		switch {
		case err != nil:
			e.answer(outcome[R]{err: err})
		case outcomes[i].err != nil && passes(outcomes[i].err) && e.ctx.Err() == nil:
			j.again(e, outcomes[i].err)
		default:
			e.answer(outcomes[i])
		}
	}
}

// again adds an entry that failed again after a while.
func (j *joiner[E, R]) again(e *entry[E, R], err error) {
	e.tries++
	if j.outage != nil {
		j.outage.failed(j.action, e.tries, err)
		if answer := e.answer; e.tries == 1 {
			e.answer = func(o outcome[R]) {
				j.outage.ended(true, o.err == nil)
				answer(o)
			}
		}
	}
	j.work.Go(func() {
		if sleep(e.ctx, before(e.ctx, backoff(e.tries))) {
			j.add(false, e)
			return
		}
		e.answer(outcome[R]{err: e.ctx.Err()})
	})
}

// joined returns the context of a request: it ends when those of all entries have
// ended.
func joined[E, R any](batch []*entry[E, R]) (context.Context, context.CancelFunc) {
	if len(batch) == 1 || !slices.ContainsFunc(batch, func(e *entry[E, R]) bool { return !e.posted }) {
		return batch[0].ctx, func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(batch[0].ctx))
	var waiting atomic.Int64
	waiting.Store(int64(len(batch)))
	stops := make([]func() bool, len(batch))
	for i, e := range batch {
		stops[i] = context.AfterFunc(e.ctx, func() {
			if waiting.Add(-1) == 0 {
				cancel()
			}
		})
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}

// blamesEntry reports whether a request may have been refused for one of its
// entries.
func blamesEntry(err error) bool {
	var c *codedError
	return errors.As(err, &c) && c.code == gcerrors.InvalidArgument
}

// passes reports whether an entry's failure is a fault of AWS's own.
func passes(err error) bool {
	var c *codedError
	return errors.As(err, &c) && (c.code == gcerrors.Internal || c.code == gcerrors.ResourceExhausted)
}

// wait returns when all has been sent and answered, what fails and is sent again
// included, or ctx has ended.
func (j *joiner[E, R]) wait(ctx context.Context) {
	j.mu.Lock()
	j.waited++ // so that nothing waits for a timer, which is none of the work
	j.flush()
	j.mu.Unlock()
	done := make(chan struct{})
	go func() {
		j.work.Wait()
		j.mu.Lock()
		j.waited--
		j.mu.Unlock()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
