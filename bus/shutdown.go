package bus

import (
	"context"
	"errors"
	"sync"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus/driver"
)

// plainDrain is how long Release looks for messages in a subscription that it
// cannot pause.
const plainDrain = 10 * time.Millisecond

// Release gives back messages that the Subscription has fetched and not handed
// out, so that other receivers get them at once. A portable Subscription goes on
// fetching when the context of a Receive has ended; what it fetches then waits,
// hidden, for the next Receive. Call Release when you stop receiving and after
// the last Receive has returned; [Queue.Shutdown] does it too. It returns how
// many messages it gave back.
//
// A backend without the control "release" cannot stop a fetch in progress: there
// Release only gives back what has arrived or arrives within 10 ms. It fails on a
// subscription that has failed for good, which holds nothing any more.
func (q *Queue) Release(ctx context.Context) (int, error) {
	if q.Subscription == nil {
		return 0, nil
	}
	var cancel context.CancelFunc
	if p, ok := driver.Find[driver.Pauser](q.impl); ok {
		ctx, cancel = context.WithCancel(ctx)
		defer p.Pause(cancel)() // a fetch that begins while paused says that all earlier ones have been handed out
	} else {
		ctx, cancel = context.WithTimeout(ctx, plainDrain)
	}
	defer cancel()
	var held []*pubsub.Message
	var err error
	for err == nil {
		var m *pubsub.Message
		if m, err = q.Subscription.Receive(ctx); err == nil {
			held = append(held, m)
		}
	}
	for _, m := range held {
		if m.Nackable() {
			m.Nack()
		}
	}
	if ctx.Err() != nil || gcerrors.Code(err) == gcerrors.FailedPrecondition { // the latter when shut down
		return len(held), nil
	}
	return len(held), newError("release", q.url, gcerrors.Code(err), err)
}

// ShutdownTimeout is how long [Queue.Shutdown] takes at most when its context has
// no deadline.
const ShutdownTimeout = 10 * time.Second

// UnconfirmedError is in the chain of the error of a [Queue.Shutdown] that ended
// before the backend had confirmed everything. It says how many sends and
// acknowledgements were not confirmed: they may have been made, or not.
type UnconfirmedError = driver.UnconfirmedError

// Shutdown sends what is waiting to be sent and acknowledged, gives back what was
// fetched and not handed out, and closes both ends. Call it once, when no Send and
// no Receive is running; the Queue cannot be used any more.
//
// It ends when ctx does, or after [ShutdownTimeout] if ctx has no deadline. If not
// all was confirmed by then, its error has the code DeadlineExceeded and, where the
// backend can tell, the counts of an [UnconfirmedError].
func (q *Queue) Shutdown(ctx context.Context) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, ShutdownTimeout)
		defer cancel()
	}
	var topicErr, subErr, closeErr error
	var topic sync.WaitGroup
	if q.Topic != nil && !q.borrowed {
		topic.Go(func() { topicErr = q.Topic.Shutdown(ctx) }) // neither end is to use up the other's time
	}
	if q.Subscription != nil {
		_, _ = q.Release(ctx) // its error is of a subscription that has failed, as a Receive has told already
		subErr = q.Subscription.Shutdown(ctx)
	}
	topic.Wait()
	if q.impl != nil {
		closeErr = q.impl.Close(ctx)
	}
	if _, ok := errors.AsType[*UnconfirmedError](closeErr); ok { // which says all that a context's error does
		topicErr, subErr = butContexts(topicErr), butContexts(subErr)
	}
	if err := errors.Join(topicErr, subErr, closeErr); err != nil {
		return newError("shut down", q.url, driver.ErrorCode(err), err)
	}
	return nil
}

// butContexts returns err, or nil if it is a context's.
func butContexts(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
