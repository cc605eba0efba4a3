package sqsbus

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"gocloud.dev/gcerrors"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// A changer changes the visibility timeouts of messages received from one queue:
// for the controls, for messages that wait in memory, and for those given back.
type changer struct {
	client     *sqs.Client
	queue      string // URL
	deliveries *deliveries
	join       joiner[change, struct{}]
}

// A change makes a message visible again in timeout from now.
type change struct {
	delivery *delivery // nil if it is not known
	handle   string
	timeout  time.Duration
	last     bool // it gives the message back; changes that do not are not made once one is under way
}

// late reports whether the change comes too late: its lease is lost, or the message is
// being given back.
func (c change) late() bool {
	d := c.delivery
	return d != nil && (d.lost() || !c.last && d.isLeaving())
}

func newChanger(ctx context.Context, client *sqs.Client, queue string, ds *deliveries, t *traffic) *changer {
	c := &changer{client: client, queue: queue, deliveries: ds}
	c.join.send, c.join.ctx, c.join.outage, c.join.action = c.request, ctx, &t.outage, "ChangeMessageVisibilityBatch"
	c.join.linger = linger
	return c
}

// check reports a change that is not to be asked for: of a timeout that SQS does
// not take, or of a lease that is lost.
func (c change) check() error {
	if err := spec.CheckVisibility(c.timeout); err != nil {
		return err
	}
	if err := spec.CheckWholeSeconds("VisibilityTimeout", c.timeout); err != nil {
		return err
	}
	if c.late() {
		return errLost
	}
	return nil
}

// do makes the changes and returns one error for each. Urgent changes do not wait
// for others to join them.
func (c *changer) do(ctx context.Context, urgent bool, changes ...change) []error {
	errs := make([]error, len(changes))
	var good []change
	var places []int
	for i, v := range changes {
		if errs[i] = v.check(); errs[i] == nil {
			good, places = append(good, v), append(places, i)
		}
	}
	for i, o := range c.join.do(ctx, urgent, good...) {
		errs[places[i]] = refused(o.err)
	}
	return errs
}

// refused makes the errors with which SQS answers for a lost lease match
// driver.ErrLeaseLost.
func refused(err error) error {
	if errors.Is(err, spec.MessageNotInflight) || errors.Is(err, spec.ReceiptHandleIsInvalid) {
		return driver.LeaseLost(err)
	}
	return err
}

// giveBack makes the message of a delivery visible at once, without waiting for
// the answer: a nack. A message whose lease is lost is not given back, since
// another receiver may have it. failed is called with an error that concerns all
// messages of the queue.
func (c *changer) giveBack(d *delivery, failed func(error)) {
	if d.lost() {
		return
	}
	d.leave(true)
	c.join.post(d.isReleased(), change{d, d.handle, 0, true}, func(o outcome[struct{}]) {
		if o.err != nil && c.join.ctx.Err() == nil && concernsAll(o.err) {
			failed(o.err)
		}
		c.deliveries.done(d)
	})
}

// concernsAll reports whether an entry's error concerns all messages of the
// queue.
func concernsAll(err error) bool {
	switch errorCode(err) {
	case gcerrors.NotFound, gcerrors.PermissionDenied:
		return true
	}
	return !errors.As(coded(err), new(*codedError))
}

// errUnheard is the error of a change that was not answered before it could have ended
// the lease.
var errUnheard = driver.LeaseLost(coded(spec.Errorf(spec.MessageNotInflight, "no answer came in time; the message may be visible, or another receiver's")))

// request makes the changes in one request, which is tried again as long as that can
// only change what is held here: a message that was made visible by a try whose answer
// got lost, or whose lease is over, may be another receiver's, whose lease SQS would
// change. Nor is a change made after one that gives the message back.
func (c *changer) request(ctx context.Context, changes []change) ([]outcome[struct{}], error) {
	outcomes := unanswered[struct{}](len(changes))
	left := make([]int, len(changes)) // places in changes
	for i := range left {
		left[i] = i
	}
	for {
		left = slices.DeleteFunc(left, func(i int) bool {
			late := changes[i].late()
			if late {
				outcomes[i].err = errLost
			}
			return late
		})
		if len(left) == 0 {
			return outcomes, nil
		}
		anyLate := func() bool { return slices.ContainsFunc(left, func(i int) bool { return changes[i].late() }) }
		asked, before := time.Now(), len(left)
		err := c.try(unless(ctx, anyLate), changes, left, outcomes)
		switch {
		case err == nil || ctx.Err() != nil:
			return outcomes, err
		case errors.As(coded(err), new(*codedError)): // nothing was changed
			if anyLate() {
				continue
			}
			return outcomes, err
		}
		left = slices.DeleteFunc(left, func(i int) bool {
			over := time.Since(asked) >= changes[i].timeout
			if over {
				outcomes[i].err = errUnheard
				if d := changes[i].delivery; d != nil {
					d.drop()
				}
			}
			return over
		})
		if len(left) == before && !anyLate() {
			return outcomes, err
		}
	}
}

// try makes a request of the changes at the places given, until the first lease is over.
// Leases begin anew when it is made: with its effect, or, if the answer is late, before
// that, but never after.
func (c *changer) try(ctx context.Context, changes []change, places []int, outcomes []outcome[struct{}]) error {
	in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &c.queue}
	asked := time.Now()
	shortest := spec.MaxVisibility
	for i, at := range places {
		v := changes[at]
		in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
			Id: batchID(i), ReceiptHandle: &v.handle, VisibilityTimeout: seconds(v.timeout),
		})
		shortest = min(shortest, v.timeout)
		if v.delivery != nil {
			if end := v.delivery.end(); !end.IsZero() {
				var cancel context.CancelFunc
				ctx, cancel = context.WithDeadline(ctx, end)
				defer cancel()
			}
		}
	}
	out, err := c.client.ChangeMessageVisibilityBatch(heardBy(ctx, asked.Add(shortest)), in)
	if err != nil {
		return err
	}
	for _, r := range out.Successful {
		if i, ok := batchIndex(r.Id, len(places)); ok {
			outcomes[places[i]] = outcome[struct{}]{}
			if v := changes[places[i]]; v.delivery != nil && !v.delivery.isSettled() {
				v.delivery.begin(asked, v.timeout)
			}
		}
	}
	failed := make([]outcome[struct{}], len(places))
	failures(failed, out.Failed)
	for i, at := range places {
		if failed[i].err != nil {
			outcomes[at] = failed[i]
		}
	}
	return nil
}

// ChangeVisibility makes the changes, in as few requests as can be.
func (q *queue) ChangeVisibility(ctx context.Context, changes []driver.VisibilityChange) []error {
	wanted := make([]change, len(changes))
	for i, v := range changes {
		wanted[i] = change{q.deliveries.find(v.ReceiptHandle), v.ReceiptHandle, v.Timeout, false}
	}
	return anyError(q.changer.do(ctx, false, wanted...))
}

// Renew begins leases anew, each for the timeout with which its message was
// received.
func (q *queue) Renew(ctx context.Context, handles []string) []error {
	return q.settle(handles, func(ds []*delivery) []error {
		changes := make([]change, len(ds))
		for i, d := range ds {
			changes[i] = change{d, d.handle, d.visibility, false}
		}
		return q.changer.do(ctx, false, changes...)
	})
}

// GiveBack makes messages visible after a delay and settles their deliveries.
func (q *queue) GiveBack(ctx context.Context, handles []string, after time.Duration) []error {
	return q.settle(handles, func(ds []*delivery) []error {
		changes := make([]change, len(ds))
		for i, d := range ds {
			d.leave(true)
			changes[i] = change{d, d.handle, after, true}
		}
		errs := q.changer.do(ctx, false, changes...)
		for i, err := range errs {
			if err == nil {
				ds[i].settle() // known still, so that nothing more is done with it
			} else {
				ds[i].leave(false)
			}
		}
		return errs
	})
}

// settle calls f for the deliveries that the handles name, as far as their leases
// are not lost, and returns one error for each handle, or nil if there is none.
func (q *queue) settle(handles []string, f func([]*delivery) []error) []error {
	errs := make([]error, len(handles))
	var held []*delivery
	var places []int
	for i, h := range handles {
		if d := q.deliveries.find(h); d != nil && !d.lost() {
			held, places = append(held, d), append(places, i)
		} else {
			errs[i] = errLost
		}
	}
	for i, err := range f(held) {
		errs[places[i]] = err
	}
	return anyError(errs)
}

// anyError returns errs, or nil if there is none among them.
func anyError(errs []error) []error {
	if errors.Join(errs...) == nil {
		return nil
	}
	return errs
}
