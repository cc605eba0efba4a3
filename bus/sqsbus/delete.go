package sqsbus

import (
	"context"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// A deleter deletes messages from one queue: what is acknowledged.
type deleter struct {
	client     *sqs.Client
	queue      string          // URL
	ctx        context.Context // of all requests
	deliveries *deliveries
	log        *slog.Logger
	join       joiner[*delivery, struct{}]
}

func newDeleter(ctx context.Context, client *sqs.Client, queue string, ds *deliveries, log *slog.Logger, t *traffic) *deleter {
	d := &deleter{client: client, queue: queue, ctx: ctx, deliveries: ds, log: log}
	d.join.send, d.join.ctx, d.join.outage, d.join.action = d.request, ctx, &t.outage, "DeleteMessageBatch"
	d.join.linger = ackLinger
	if spec.IsFIFOName(queue) {
		d.join.linger = linger // the next message of the group waits for it
	}
	return d
}

// ack deletes the message of a delivery and calls answered with what became of it:
// nil, an error that matches driver.ErrLeaseLost if it came too late, the error of the
// queue's context if that ended before the answer, or an error that concerns all
// messages of the queue. It does not wait.
func (d *deleter) ack(m *delivery, answered func(error)) {
	d.join.post(false, m, func(o outcome[struct{}]) {
		err := o.err
		if err != nil && (d.ctx.Err() != nil || concernsAll(err)) {
			answered(err)
			return
		}
		d.deliveries.done(m)
		if err != nil {
			d.log.Info("sqsbus: acknowledged too late", "queue", d.queue, "message", aws.ToString(m.message.MessageId), "error", err)
			err = driver.LeaseLost(err)
		}
		answered(err)
	})
}

// errLate is the outcome of a deletion whose lease was lost.
var errLate = spec.Errorf(spec.MessageNotInflight, "the message's visibility timeout was over")

// request makes one request. On a standard queue SQS reports success also for a
// deletion that came too late, so the lease decides. The lease began when the answer
// to the receive arrived; so it is looked at when the answer to the deletion arrives,
// and the time that an answer travels does not count. What nobody can tell is that the
// answer to the receive took longer than this one: by so much the lease is shorter than
// it looks here, and a deletion in its last moments may be taken for a success.
func (d *deleter) request(ctx context.Context, ms []*delivery) ([]outcome[struct{}], error) {
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &d.queue, Entries: make([]types.DeleteMessageBatchRequestEntry, len(ms))}
	for i, m := range ms {
		in.Entries[i] = types.DeleteMessageBatchRequestEntry{Id: batchID(i), ReceiptHandle: &m.handle}
	}
	out, err := d.client.DeleteMessageBatch(ctx, in)
	if err != nil {
		return nil, err
	}
	outcomes := unanswered[struct{}](len(ms))
	for _, r := range out.Successful {
		if i, ok := batchIndex(r.Id, len(ms)); ok {
			outcomes[i] = outcome[struct{}]{}
			if ms[i].lost() {
				outcomes[i].err = coded(errLate)
			}
		}
	}
	failures(outcomes, out.Failed)
	return outcomes, nil
}
