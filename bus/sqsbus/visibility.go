package sqsbus

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"gocloud.dev/gcerrors"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// A changer changes the visibility timeouts of messages received from one queue:
// for the control, for messages that wait in memory, and for those given back.
type changer struct {
	client    *sqs.Client
	queue     string // URL
	leases    *leases
	nackDelay time.Duration
	join      joiner[driver.VisibilityChange, struct{}]
}

func newChanger(client *sqs.Client, queue string, ls *leases, nackDelay time.Duration, log *slog.Logger) *changer {
	c := &changer{client: client, queue: queue, leases: ls, nackDelay: nackDelay}
	c.join.send, c.join.log, c.join.action = c.request, log, "ChangeMessageVisibilityBatch"
	return c
}

// change makes the changes and returns one error for each. A lease that has been
// lost is not asked for. Urgent changes do not wait for others to join them.
func (c *changer) change(ctx context.Context, urgent bool, changes []driver.VisibilityChange) []error {
	errs := make([]error, len(changes))
	var good []driver.VisibilityChange
	var places []int
	for i, v := range changes {
		switch l := c.leases.find(v.ReceiptHandle); {
		case spec.CheckVisibility(v.Timeout) != nil:
			errs[i] = spec.CheckVisibility(v.Timeout)
		case spec.CheckWholeSeconds("VisibilityTimeout", v.Timeout) != nil:
			errs[i] = spec.CheckWholeSeconds("VisibilityTimeout", v.Timeout)
		case l != nil && l.lost():
			errs[i] = spec.Errorf(spec.MessageNotInflight, "the message's visibility timeout is over")
		default:
			good, places = append(good, v), append(places, i)
		}
	}
	for i, o := range c.join.do(ctx, urgent, good...) {
		errs[places[i]] = o.err
	}
	return errs
}

// stockNack is the timeout, in seconds, that the stock driver asks for to give a
// message back, whatever was meant.
const stockNack = 1

// batch answers ChangeMessageVisibilityBatch, with which the stock driver gives
// messages back. Where it does, the timeout is the one that was meant. A message
// whose lease has been lost is not given back, since another receiver may have it.
// Only what concerns all messages is an error.
func (c *changer) batch(ctx context.Context, in *sqs.ChangeMessageVisibilityBatchInput) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	out := &sqs.ChangeMessageVisibilityBatchOutput{}
	changes := make([]driver.VisibilityChange, len(in.Entries))
	urgent := false
	for i, e := range in.Entries {
		changes[i] = driver.VisibilityChange{ReceiptHandle: aws.ToString(e.ReceiptHandle), Timeout: time.Duration(e.VisibilityTimeout) * time.Second}
		if e.VisibilityTimeout != stockNack {
			continue
		}
		changes[i].Timeout = c.nackDelay
		if l := c.leases.find(changes[i].ReceiptHandle); l != nil && l.isReleased() {
			changes[i].Timeout, urgent = 0, true
		}
	}
	for i, err := range c.change(ctx, urgent, changes) {
		id := in.Entries[i].Id
		switch nack := in.Entries[i].VisibilityTimeout == stockNack; {
		case err != nil && concernsAll(err):
			return nil, err
		case err != nil && !nack:
			out.Failed = append(out.Failed, failure(id, err))
			continue
		case nack:
			c.leases.done(changes[i].ReceiptHandle)
		}
		out.Successful = append(out.Successful, types.ChangeMessageVisibilityBatchResultEntry{Id: id})
	}
	return out, nil
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
func (c *changer) request(ctx context.Context, changes []driver.VisibilityChange) ([]outcome[struct{}], error) {
	in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &c.queue}
	for i, v := range changes {
		in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
			Id: batchID(i), ReceiptHandle: &v.ReceiptHandle, VisibilityTimeout: seconds(v.Timeout),
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
			if l := c.leases.find(changes[i].ReceiptHandle); l != nil {
				l.begin(changes[i].Timeout)
			}
		}
	}
	failures(outcomes, out.Failed)
	return outcomes, nil
}
