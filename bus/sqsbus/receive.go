package sqsbus

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// A receiver receives from one queue, for the stock driver, one message at a time.
//
// The portable Subscription, whose receive options are one handler and a batch of
// one, asks the driver for a message only when somebody is to have it and all
// earlier ones have been handed out. So what has been fetched and not asked for
// is known exactly: it waits here, with its lease kept alive, and not in the
// portable type. A call returns when there is a message, when its context ends or
// when it is paused; in between it polls.
type receiver struct {
	client *sqs.Client
	queue  string // URL
	fifo   bool
	wait   time.Duration
	own    *ownVisibility
	leases *leases
	change *changer
	log    *slog.Logger
	polls  driver.Polls
	paused atomic.Int64 // pauses that have not been resumed

	mu       sync.Mutex     // guards all below
	asked    *time.Duration // visibility timeout to receive with; nil: the queue's own
	buffer   []held
	prefetch prefetch
	keeper   *time.Timer // keeps what is in buffer, or nil
	keeping  int         // requests under way that do so
	closed   bool

	work       sync.WaitGroup // goroutines that keep leases
	keepCtx    context.Context
	endKeeping context.CancelFunc
}

// A held is a message that was fetched and not handed out yet.
type held struct {
	message types.Message
	lease   *lease
}

// restlessPoll is the least time between two polls of which the first came back
// empty: for a queue polled without waiting.
const restlessPoll = 250 * time.Millisecond

func newReceiver(client *sqs.Client, queue string, o receiveOptions, ls *leases, change *changer, log *slog.Logger) *receiver {
	r := &receiver{
		client: client,
		queue:  queue,
		fifo:   spec.IsFIFOName(queue),
		wait:   o.wait,
		own:    &ownVisibility{client: client, queue: queue, log: log},
		leases: ls,
		change: change,
		log:    log,
		asked:  o.visibility,
	}
	r.keepCtx, r.endKeeping = context.WithCancel(context.Background())
	return r
}

// pause is [driver.Pauser]'s. While paused, what waits here is handed out to be
// given back.
func (r *receiver) pause(idle func()) (resume func()) {
	r.paused.Add(1)
	resumePolls := r.polls.Pause(idle)
	return func() {
		resumePolls()
		r.paused.Add(-1)
	}
}

// next returns the next message, or nil if the call was paused.
func (r *receiver) next(ctx context.Context, in *sqs.ReceiveMessageInput) (*types.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if m := r.take(); m != nil {
		return m, nil
	}
	pollCtx, end, ok := r.polls.Begin(ctx)
	if !ok {
		return nil, nil
	}
	defer end()
	for {
		began := time.Now()
		err := r.poll(pollCtx, in)
		if ctx.Err() != nil {
			return nil, ctx.Err() // what came stays here and is given back when the queue is closed
		}
		if m := r.take(); m != nil {
			return m, nil
		}
		if pollCtx.Err() != nil {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		sleep(pollCtx, restlessPoll-time.Since(began))
	}
}

// take hands out the first message that waits here, if any. One whose lease has
// been lost, in spite of all, is left to whoever gets it next.
func (r *receiver) take() *types.Message {
	paused := r.paused.Load() > 0
	r.mu.Lock()
	defer r.mu.Unlock()
	r.prefetch.asked(time.Now())
	for len(r.buffer) > 0 {
		h := r.buffer[0]
		r.buffer = r.buffer[1:]
		if h.lease.lost() && h.lease.setting() > 0 {
			r.leases.done(h.lease.handle)
			continue
		}
		if paused {
			h.lease.release()
		}
		r.prefetch.handedOut(time.Now())
		r.keep()
		return &h.message
	}
	r.keep()
	return nil
}

// poll makes one request and keeps what came.
func (r *receiver) poll(ctx context.Context, in *sqs.ReceiveMessageInput) error {
	request := *in
	request.QueueUrl = &r.queue
	request.WaitTimeSeconds = orZero(seconds(r.wait))
	request.VisibilityTimeout = 0
	request.MaxNumberOfMessages = 1
	visibility, ok := r.visibility()
	if ok {
		request.VisibilityTimeout = orZero(seconds(visibility))
	} else {
		var err error
		if visibility, err = r.own.get(ctx); err != nil {
			return err
		}
	}
	if r.fifo { // one message, so that the order in its group holds after a nack
		request.ReceiveRequestAttemptId = aws.String(rand.Text())
	} else if visibility != unknownVisibility {
		r.mu.Lock()
		request.MaxNumberOfMessages = int32(r.prefetch.size(visibility))
		r.mu.Unlock()
	}
	out, err := r.client.ReceiveMessage(ctx, &request)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range out.Messages {
		if m.ReceiptHandle == nil {
			continue
		}
		if err := checkSum(aws.ToString(m.Body), m.MD5OfBody); err != nil {
			r.log.Error("sqsbus: a message did not arrive whole, and is left", "queue", r.queue, "message", aws.ToString(m.MessageId), "error", err)
			continue
		}
		m.ReceiptHandle = aws.String(*m.ReceiptHandle)
		r.buffer = append(r.buffer, held{m, r.leases.begin(m.ReceiptHandle, visibility)})
	}
	r.keep()
	return nil
}

// visibility returns the timeout to receive with, if there is one besides the
// queue's own.
func (r *receiver) visibility() (time.Duration, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked == nil {
		return 0, false
	}
	return *r.asked, true
}

// keep arranges for the leases of what waits here to be extended when half of the
// first is over, after what is under way. The caller holds mu.
func (r *receiver) keep() {
	if r.keeper != nil {
		r.keeper.Stop()
		r.keeper = nil
	}
	var due time.Time
	for _, h := range r.buffer {
		if half := h.lease.half(); !h.lease.lost() && (due.IsZero() || half.Before(due)) {
			due = half
		}
	}
	if !due.IsZero() && !r.closed && r.keeping == 0 {
		r.keeper = time.AfterFunc(time.Until(due), r.extend)
	}
}

// extend extends the leases of what waits here, in one request.
func (r *receiver) extend() {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return
	}
	r.work.Add(1)
	defer r.work.Done()
	var changes []driver.VisibilityChange
	var leases []*lease
	for _, h := range r.buffer {
		timeout := h.lease.setting()
		if r.asked != nil {
			timeout = *r.asked
		}
		if !h.lease.lost() && timeout > 0 {
			changes = append(changes, driver.VisibilityChange{ReceiptHandle: h.lease.handle, Timeout: timeout})
			leases = append(leases, h.lease)
		}
	}
	if len(changes) == 0 {
		r.mu.Unlock()
		return
	}
	r.keeping++
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(r.keepCtx, leases[0].setting()/2) // when the other half is over
	defer cancel()
	for i, err := range r.change.change(ctx, false, changes) {
		if err != nil {
			r.log.Warn("sqsbus: cannot keep a message that waits", "queue", r.queue, "error", err)
			leases[i].drop()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keeping--
	r.keep()
}

// setVisibility has messages received with the timeout d from now on. Those that
// wait here get it too.
func (r *receiver) setVisibility(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = &d
	if len(r.buffer) > 0 && !r.closed {
		r.work.Go(r.extend)
	}
}

// close gives back what waits here. No message must be asked for any more.
func (r *receiver) close(ctx context.Context) {
	r.mu.Lock()
	r.closed = true
	var changes []driver.VisibilityChange
	for _, h := range r.buffer {
		changes = append(changes, driver.VisibilityChange{ReceiptHandle: h.lease.handle})
	}
	r.buffer = nil
	r.keep()
	r.mu.Unlock()
	r.endKeeping()
	r.work.Wait()
	for i, err := range r.change.change(ctx, true, changes) {
		if err == nil {
			r.leases.done(changes[i].ReceiptHandle)
		}
	}
}
