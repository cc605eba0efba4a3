package workers

import (
	"context"
	"fmt"
	"time"

	"gocloud.dev/pubsub"
)

// A BatchHandler handles several messages at a time. It returns nil if all were
// handled, or one error for each message, in their order, nil for those handled: each
// message is settled as its own error says, as a [Handler]'s is. Another number of errors,
// a panic and runtime.Goexit fail all messages of the batch. A batch has one message of a
// FIFO queue's group at most.
//
// Its context is as a Handler's, but ends for lost leases only when those of all
// messages of the batch are lost. A message whose lease is lost is not acknowledged.
type BatchHandler func(ctx context.Context, ms []*pubsub.Message) []error

// A BatchMiddleware makes a batch handler of a batch handler. [TraceBatch] and
// [MetricsBatch] return some, to be called with the handler that Consumer.BatchHandler
// would be.
type BatchMiddleware func(BatchHandler) BatchHandler

// doBatch has a batch handled, and settles its messages.
func (r *run) doBatch(batch []*delivery, next *[]*delivery) {
	ms := make([]*pubsub.Message, len(batch))
	for i, d := range batch {
		ms[i] = d.message
	}
	ctx, cancel := context.WithCancelCause(r.handling)
	r.keeper.cancels(cancel, batch...)
	start := time.Now()
	var errs []error
	var failed error
	returned := false
	defer func() { // also after runtime.Goexit
		if !returned {
			failed = panicked("the handler", recover())
		}
		took := time.Since(start)
		cancel(nil)
		r.slots.took(took)
		for i, d := range batch {
			switch {
			case failed != nil:
				d.err = failed
			case i < len(errs):
				d.err = errs[i]
			}
			r.settle(d, next, took)
		}
	}()
	errs = r.BatchHandler(ctx, ms)
	if errs != nil && len(errs) != len(ms) {
		failed = fmt.Errorf("the batch handler returned %d errors for %d messages; it must return one for each, or nil", len(errs), len(ms))
	}
	returned = true
}
