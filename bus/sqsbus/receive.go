package sqsbus

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"omnibus/bus/spec"
)

// A receiver receives from one queue, and hands messages out to the portable
// Subscription, which asks only when somebody is to have a message and all earlier
// ones have been taken. Requests begin only while it asks, and [hunger] says how many.
//
// What was not asked for yet waits here, with its lease kept. A consumer gets one
// message at a time, so that none waits in the portable type; one that takes over a
// thousand a second gets a handful, since each call of the portable type costs as much
// as a tenth of a request. Whether a message of a handful has been taken shows when
// the program looks at its details or settles it, or when the portable type asks
// again: until then its lease is kept.
//
// A request waits at the queue for a message only if it is alone. So nothing comes
// later for a consumer that is busy by then.
type receiver struct {
	client     *sqs.Client
	queue      string // URL
	fifo       bool
	wait       time.Duration
	visibility *time.Duration // to receive with; nil: the queue's own
	own        *ownVisibility
	deliveries *deliveries
	change     *changer
	log        *slog.Logger

	ctx  context.Context // of all requests
	end  context.CancelFunc
	work group // that make requests

	mu      sync.Mutex // guards all below
	buffer  []*delivery
	handful []*delivery // handed out, and perhaps not taken yet
	hunger  hunger
	polls   map[*poll]struct{} // under way
	long    bool               // one of them waits at the queue, alone
	rested  time.Time          // not before then is the queue polled again
	err     error              // what ends the Subscription
	changed chan struct{}      // closed when what a waiting call looks at changes; nil if none waits
	pauses  map[*func()]bool   // what to call when nothing is left to hand out while paused
	keeper  *time.Timer        // keeps what is in buffer, or nil
	keeping bool               // requests that do so are under way
	failed  bool               // next has returned an error, with which the Subscription ends
	closed  bool
}

// A poll is a ReceiveMessage under way.
type poll struct {
	cancel context.CancelFunc
	began  time.Time
}

func newReceiver(q *queue, o receiveOptions) *receiver {
	r := &receiver{
		client:     q.client,
		queue:      q.url,
		fifo:       spec.IsFIFOName(q.url),
		wait:       o.wait,
		visibility: o.visibility,
		own:        q.own,
		deliveries: q.deliveries,
		change:     q.changer,
		log:        q.log,
		polls:      map[*poll]struct{}{},
		pauses:     map[*func()]bool{},
	}
	r.ctx, r.end = context.WithCancel(context.Background())
	return r
}

const (
	// restlessPoll is the least time between two polls of which the first came
	// back empty: for a queue polled without waiting.
	restlessPoll = 250 * time.Millisecond

	// minGrace is how old a poll is at least before a pause ends it. The answer to
	// a younger one may be on its way, and its messages would stay in flight.
	minGrace = 50 * time.Millisecond
)

// next returns the next messages, or none when the receiver is paused and holds none.
func (r *receiver) next(ctx context.Context) ([]*delivery, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.hunger.asked(time.Now())
		r.handful, r.failed = nil, false
	}
	for !r.closed { // once it is, what waits here is given back, though the portable type may still ask
		ds := r.take()
		if err := r.err; len(ds) == 0 && err != nil {
			r.err, r.failed = nil, true
			r.endPolls()
			return nil, err
		}
		if len(ds) == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var rest time.Duration
		if len(r.pauses) == 0 {
			rest = r.hunt(len(ds))
		}
		if len(ds) > 0 {
			return ds, nil
		}
		if len(r.pauses) > 0 && len(r.polls) == 0 {
			for idle := range r.pauses {
				(*idle)()
			}
			return nil, nil
		}
		r.await(ctx, rest)
	}
	return nil, context.Canceled
}

// await waits for a change, for ctx, or, if it is not 0, until rest is over. The
// caller holds mu, which is free meanwhile.
func (r *receiver) await(ctx context.Context, rest time.Duration) {
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	changed := r.changed
	r.mu.Unlock()
	defer r.mu.Lock()
	var rested <-chan time.Time
	if rest > 0 {
		t := time.NewTimer(rest)
		defer t.Stop()
		rested = t.C
	}
	select {
	case <-changed:
	case <-rested:
	case <-ctx.Done():
	}
}

// wake wakes the calls that wait. The caller holds mu.
func (r *receiver) wake() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// take hands out the first messages that wait here, if any. One whose lease is lost,
// in spite of all, is left to whoever gets it next. The caller holds mu.
func (r *receiver) take() []*delivery {
	var ds []*delivery
	n := r.hunger.handful()
	for len(r.buffer) > 0 && len(ds) < n {
		d := r.buffer[0]
		r.buffer = r.buffer[1:]
		if d.visibility > 0 && d.lost() {
			r.deliveries.done(d)
			continue
		}
		if len(r.pauses) > 0 {
			d.release()
		}
		ds = append(ds, d)
	}
	if len(ds) > 0 {
		r.handful = ds[1:] // somebody waits for the first
		r.hunger.handedOut(time.Now(), len(ds))
	}
	return ds
}

// hunt starts as many polls as are wanted, or returns how long to rest before. When
// some messages are handed out, only polls begin that do not wait at the queue. The
// caller holds mu.
func (r *receiver) hunt(served int) (rest time.Duration) {
	visibility, known := r.reckoned()
	if !known {
		visibility = 0 // nothing is fetched ahead
	}
	size, wait := 1, r.wait
	if !r.fifo {
		size = r.hunger.size(visibility)
	}
	wanted := r.hunger.polls(size, len(r.buffer)+served, visibility)
	if r.hunger.full > 0 && (wanted > 1 || size == spec.MaxBatchEntries) {
		wait = 0
	}
	if r.long || wait == r.wait && (served > 0 || len(r.polls) > 0) {
		return 0
	}
	if now := time.Now(); now.Before(r.rested) {
		return r.rested.Sub(now)
	}
	for len(r.polls) < wanted {
		r.start(size, wait)
	}
	return 0
}

// reckoned returns the visibility timeout of what is received, and false while it
// is not known, or may not be.
func (r *receiver) reckoned() (time.Duration, bool) {
	if r.visibility != nil {
		return *r.visibility, true
	}
	return r.own.reckoned()
}

// start starts a poll for n messages. The caller holds mu.
func (r *receiver) start(n int, wait time.Duration) {
	ctx, cancel := context.WithCancel(r.ctx)
	p := &poll{cancel: cancel, began: time.Now()}
	r.polls[p] = struct{}{}
	r.long = wait > 0
	r.work.Go(func() {
		defer cancel()
		got, err := r.request(ctx, n, wait)
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.polls, p)
		r.long = false
		switch {
		case err == nil:
			r.hunger.answered(n, len(got), wait, time.Since(p.began))
			if len(got) == 0 && wait == r.wait {
				r.rested = p.began.Add(restlessPoll)
			}
		case ctx.Err() == nil:
			r.err = err
		}
		r.buffer = append(r.buffer, got...)
		if r.failed { // nobody is going to ask
			r.work.Go(func() { r.giveBack(r.ctx, got) })
			return
		}
		r.keep()
		r.wake()
	})
}

// request makes one request and returns what came.
func (r *receiver) request(ctx context.Context, n int, wait time.Duration) ([]*delivery, error) {
	in := &sqs.ReceiveMessageInput{
		QueueUrl:              &r.queue,
		MaxNumberOfMessages:   int32(n),
		WaitTimeSeconds:       orZero(seconds(wait)),
		MessageAttributeNames: all,
		//lint:ignore SA1019 some endpoints do not know its successor, MessageSystemAttributeNames; AWS takes both
		AttributeNames: allSystem,
	}
	var visibility time.Duration
	if r.visibility != nil {
		visibility = *r.visibility
		in.VisibilityTimeout = orZero(seconds(visibility))
	} else {
		var err error
		if visibility, err = r.own.get(ctx); err != nil {
			return nil, err
		}
	}
	if r.fifo {
		in.ReceiveRequestAttemptId = aws.String(rand.Text())
	}
	out, err := r.client.ReceiveMessage(ctx, in)
	if err != nil {
		return nil, err
	}
	got := make([]*delivery, 0, len(out.Messages))
	for _, m := range out.Messages {
		if m.ReceiptHandle == nil {
			continue
		}
		if err := checkSum(aws.ToString(m.Body), m.MD5OfBody); err != nil {
			r.log.Error("sqsbus: a message did not arrive whole, and is left", "queue", r.queue, "message", aws.ToString(m.MessageId), "error", err)
			continue
		}
		got = append(got, r.deliveries.begin(m, visibility))
	}
	return got, nil
}

var (
	all       = []string{"All"}
	allSystem = []types.QueueAttributeName{types.QueueAttributeNameAll}
)

// pause is [driver.Pauser]'s. What waits here is handed out to be given back, and
// so is what polls bring that are about to be answered; others are ended.
func (r *receiver) pause(idle func()) (resume func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pauses[&idle] = true
	for _, d := range r.handful {
		d.release()
	}
	r.endPolls()
	r.wake()
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.pauses, &idle)
		r.wake()
	}
}

// endPolls ends the polls that are not about to be answered. The caller holds mu.
func (r *receiver) endPolls() {
	grace := max(minGrace, 3*r.hunger.trip)
	for p := range r.polls {
		if age := time.Since(p.began); age < grace {
			time.AfterFunc(grace-age, p.cancel)
		} else {
			p.cancel()
		}
	}
}

// fail makes the next call of next return an error that concerns all messages.
func (r *receiver) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
	r.wake()
}

// kept returns the messages whose leases are to be kept. The caller holds mu.
func (r *receiver) kept() (ds []*delivery) {
	for _, d := range r.handful {
		if !d.isTaken() && !d.lost() {
			ds = append(ds, d)
		}
	}
	for _, d := range r.buffer {
		if !d.lost() {
			ds = append(ds, d)
		}
	}
	return ds
}

// keep arranges for the leases of what waits here to be extended when half of the
// first is over, and after what is under way. The caller holds mu.
func (r *receiver) keep() {
	if r.keeper != nil {
		r.keeper.Stop()
		r.keeper = nil
	}
	var due time.Time
	for _, d := range r.kept() {
		if half := d.half(); due.IsZero() || half.Before(due) {
			due = half
		}
	}
	if !due.IsZero() && !r.closed && !r.keeping {
		r.keeper = time.AfterFunc(time.Until(due), func() { r.work.Go(r.extend) })
	}
}

// extend extends the leases of what waits here, in as few requests as can be.
func (r *receiver) extend() {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return
	}
	var changes []change
	var shortest time.Duration
	for _, d := range r.kept() {
		changes = append(changes, change{d, d.handle, d.visibility, false})
		if shortest == 0 || d.visibility < shortest {
			shortest = d.visibility
		}
	}
	r.keeping = true
	r.mu.Unlock()
	if len(changes) > 0 {
		ctx, cancel := context.WithTimeout(r.ctx, shortest/2) // when the other half is over
		defer cancel()
		lost, why := 0, error(nil)
		for i, err := range r.change.do(ctx, false, changes...) {
			if err != nil && r.ctx.Err() == nil { // else they are about to be given back
				lost, why = lost+1, err
				changes[i].delivery.drop()
			}
		}
		if lost > 0 {
			r.log.Warn("sqsbus: cannot keep messages that wait", "queue", r.queue, "messages", lost, "error", why)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keeping = false
	r.keep()
}

// close ends all requests and gives back what waits here, and what was handed out and
// not taken.
func (r *receiver) close(ctx context.Context) {
	r.mu.Lock()
	r.closed = true
	if r.keeper != nil {
		r.keeper.Stop()
	}
	r.wake()
	r.mu.Unlock()
	r.end()
	r.work.Wait()

	r.mu.Lock()
	kept := r.kept()
	r.buffer, r.handful = nil, nil
	r.mu.Unlock()
	r.giveBack(ctx, kept)
}

// giveBack makes messages visible that nobody has.
func (r *receiver) giveBack(ctx context.Context, ds []*delivery) {
	var changes []change
	for _, d := range ds {
		changes = append(changes, change{d, d.handle, 0, true})
	}
	for i, err := range r.change.do(ctx, true, changes...) {
		if err == nil {
			r.deliveries.done(changes[i].delivery)
		}
	}
}
