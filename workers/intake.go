package workers

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
)

// An intake receives from one queue. When the queue is deleted it may wait until the
// queue exists again.
type intake struct {
	run      *run
	queue    *bus.Queue // the settings'; it settles what any receiver received
	can      can
	options  bus.ReceiverOptions
	receiver *receiver
	retired  []*receiver // whose deliveries are not settled yet, perhaps

	share Share
	offer // when there are several queues
}

// A receiver is a Queue with a Subscription. A Subscription that has failed stays as it
// is; but what it handed out is acknowledged through it.
type receiver struct {
	*bus.Queue
	own    bool         // opened for this run
	inHand atomic.Int64 // deliveries that are not settled
}

func (r *run) newIntake(s Share) (*intake, error) {
	in := &intake{run: r, queue: s.Queue, can: supported(s.Queue), share: s}
	if r.MaxReceives > 0 && !in.can.details {
		return nil, fmt.Errorf("MaxReceives is %d, and the backend of the queue does not tell how often a message was received", r.MaxReceives)
	}
	if dead := r.DeadLetter; dead != nil && dead.Name() != "" && s.Queue.Name() != "" && dead.FIFO() != s.Queue.FIFO() {
		return nil, fmt.Errorf("Consumer.DeadLetter is %s for %s; the dead-letter queue of a FIFO queue must be a FIFO queue, and that of a standard queue a standard queue", dead.Name(), s.Queue.Name())
	}
	if r.Visibility == nil {
		in.receiver = &receiver{Queue: s.Queue}
		return in, nil
	}
	in.options.Visibility = r.Visibility
	return in, in.open()
}

// open opens a receiver of the run's own.
func (in *intake) open() error {
	q, err := in.queue.OpenReceiver(in.options)
	if err == nil {
		in.receiver = &receiver{Queue: q, own: true}
	}
	return err
}

// next receives a message. It returns nil and no error when ctx ends.
func (in *intake) next(ctx context.Context) (*delivery, error) {
	for {
		m, err := in.receiver.Subscription.Receive(ctx)
		if err == nil {
			return in.run.accept(m, in), nil
		}
		if ctx.Err() != nil {
			return nil, nil
		}
		if err := in.await(ctx, err); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, nil
		}
	}
}

const (
	firstLook = time.Second      // for a queue that does not exist
	mostLook  = 15 * time.Second // between two looks
)

// await waits until a queue that does not exist does, and opens another receiver then:
// a Subscription that has failed stays as it is. It returns an error if there is nothing
// to wait for.
func (in *intake) await(ctx context.Context, failed error) error {
	if gcerrors.Code(failed) != gcerrors.NotFound || !in.run.WaitForQueue || !in.can.reopen {
		return fmt.Errorf("receive: %w", failed)
	}
	in.run.log.Warn("workers: the queue does not exist; waiting for it", "queue", in.queue.Name(), "error", failed.Error())
	for pause := firstLook; ; pause = min(2*pause, mostLook) {
		sleep(ctx, pause)
		if ctx.Err() != nil {
			return nil
		}
		if !in.missing(ctx) {
			break
		}
	}
	in.run.log.Info("workers: the queue exists again", "queue", in.queue.Name())
	in.retire()
	return in.open()
}

// missing reports whether the queue is known not to exist.
func (in *intake) missing(ctx context.Context) bool {
	if !in.can.attributes {
		return false
	}
	_, err := in.queue.Attributes(ctx)
	return gcerrors.Code(err) == gcerrors.NotFound || ctx.Err() != nil
}

// retire has the receiver shut down when all it handed out is settled.
func (in *intake) retire() {
	if in.receiver.own {
		in.retired = append(in.retired, in.receiver)
	}
	kept := in.retired[:0]
	for _, rc := range in.retired {
		if rc.inHand.Load() > 0 {
			kept = append(kept, rc)
		} else {
			rc.end(in.run.settling)
		}
	}
	in.retired = kept
}

// release gives back what the receiver has fetched.
func (in *intake) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, bus.ShutdownTimeout)
	defer cancel()
	_, _ = in.receiver.Release(ctx) // its error is of a subscription that has failed, as a receive has told already
}

// close ends the receivers that were opened for this run.
func (in *intake) close(ctx context.Context) {
	for _, rc := range append(in.retired, in.receiver) {
		if rc != nil && rc.own {
			rc.end(ctx)
		}
	}
}

// end shuts a receiver down. Its error is of what was not confirmed, which is counted.
func (rc *receiver) end(ctx context.Context) { _ = rc.Shutdown(ctx) }
