package sqsbus

import (
	"context"
	"errors"
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
	if c.delivery != nil && c.delivery.lost() {
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
	c.join.post(d.isReleased(), change{d, d.handle, 0}, func(o outcome[struct{}]) {
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

// request makes one request.
func (c *changer) request(ctx context.Context, changes []change) ([]outcome[struct{}], error) {
	in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &c.queue}
	for i, v := range changes {
		in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
			Id: batchID(i), ReceiptHandle: &v.handle, VisibilityTimeout: seconds(v.timeout),
		})
	}
	out, err := c.client.ChangeMessageVisibilityBatch(ctx, in)
	if err != nil {
		return nil, err
	}
	outcomes := unanswered[struct{}](len(changes))
	for _, r := range out.Successful {
		if i, ok := batchIndex(r.Id, len(changes)); ok {
			outcomes[i] = outcome[struct{}]{}
			if d := changes[i].delivery; d != nil && !d.isSettled() {
				d.begin(changes[i].timeout)
			}
		}
	}
	failures(outcomes, out.Failed)
	return outcomes, nil
}

// ChangeVisibility makes the changes, in as few requests as can be.
func (q *queue) ChangeVisibility(ctx context.Context, changes []driver.VisibilityChange) []error {
	wanted := make([]change, len(changes))
	for i, v := range changes {
		wanted[i] = change{q.deliveries.find(v.ReceiptHandle), v.ReceiptHandle, v.Timeout}
	}
	return anyError(q.changer.do(ctx, false, wanted...))
}

// Renew begins leases anew, each for the timeout with which its message was
// received.
func (q *queue) Renew(ctx context.Context, handles []string) []error {
	return q.settle(handles, func(ds []*delivery) []error {
		changes := make([]change, len(ds))
		for i, d := range ds {
			changes[i] = change{d, d.handle, d.visibility}
		}
		return q.changer.do(ctx, false, changes...)
	})
}

// GiveBack makes messages visible after a delay and settles their deliveries.
func (q *queue) GiveBack(ctx context.Context, handles []string, after time.Duration) []error {
	return q.settle(handles, func(ds []*delivery) []error {
		changes := make([]change, len(ds))
		for i, d := range ds {
			changes[i] = change{d, d.handle, after}
		}
		errs := q.changer.do(ctx, false, changes...)
		for i, err := range errs {
			if err == nil {
				ds[i].settle() // known still, so that nothing more is done with it
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
