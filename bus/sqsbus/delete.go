package sqsbus

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// A deleter deletes messages from one queue: what is acknowledged. A deletion
// that comes too late is counted and no error, since an error would end the
// Subscription.
type deleter struct {
	client *sqs.Client
	queue  string // URL
	leases *leases
	log    *slog.Logger
	join   joiner[string, struct{}] // of receipt handles

	late atomic.Int64 // acknowledgements that came too late
}

func newDeleter(client *sqs.Client, queue string, ls *leases, log *slog.Logger) *deleter {
	d := &deleter{client: client, queue: queue, leases: ls, log: log}
	d.join.send, d.join.log, d.join.action = d.request, log, "DeleteMessageBatch"
	return d
}

// batch answers DeleteMessageBatch. Only what concerns all messages is an error.
func (d *deleter) batch(ctx context.Context, in *sqs.DeleteMessageBatchInput) (*sqs.DeleteMessageBatchOutput, error) {
	handles := make([]string, len(in.Entries))
	for i, e := range in.Entries {
		handles[i] = aws.ToString(e.ReceiptHandle)
	}
	out := &sqs.DeleteMessageBatchOutput{}
	for i, o := range d.join.do(ctx, false, handles...) {
		if o.err != nil && !d.clear(handles[i], o.err) {
			return nil, o.err
		}
		out.Successful = append(out.Successful, types.DeleteMessageBatchResultEntry{Id: in.Entries[i].Id})
	}
	return out, nil
}

// clear deals with a deletion that failed, and reports false if the error
// concerns all messages. What is left is a receipt handle that has expired, or
// whose message is gone.
func (d *deleter) clear(handle string, err error) bool {
	if concernsAll(err) {
		return false
	}
	d.late.Add(1)
	d.leases.done(handle)
	d.log.Info("sqsbus: acknowledged too late", "queue", d.queue, "error", err)
	return true
}

// request makes one request. On a standard queue SQS says of a deletion that came
// too late that it succeeded, so the lease tells. Since it began when an answer
// had arrived, it is looked at when another has: the time that an answer takes does
// not count.
func (d *deleter) request(ctx context.Context, handles []string) ([]outcome[struct{}], error) {
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &d.queue}
	for i, h := range handles {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: batchID(i), ReceiptHandle: &h})
	}
	out, err := d.client.DeleteMessageBatch(ctx, in)
	if err != nil {
		return nil, err
	}
	outcomes := unanswered[struct{}](len(handles))
	for _, r := range out.Successful {
		if i, ok := batchIndex(r.Id, len(handles)); ok {
			outcomes[i] = outcome[struct{}]{}
			if l := d.leases.find(handles[i]); l != nil && l.lost() {
				d.late.Add(1)
			}
			d.leases.done(handles[i])
		}
	}
	failures(outcomes, out.Failed)
	return outcomes, nil
}
