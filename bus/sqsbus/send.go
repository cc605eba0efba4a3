package sqsbus

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"gocloud.dev/gcerrors"

	"omnibus/bus/spec"
)

// A sender sends messages to one queue: it checks each before it is joined with
// others, and each has its own outcome.
type sender struct {
	client *sqs.Client
	queue  string // URL
	join   joiner[types.SendMessageBatchRequestEntry, types.SendMessageBatchResultEntry]
}

func newSender(client *sqs.Client, queue string, log *slog.Logger) *sender {
	s := &sender{client: client, queue: queue}
	s.join.send, s.join.log, s.join.action = s.request, log, "SendMessageBatch"
	s.join.maxBytes = spec.MaxMessageBytes
	s.join.size = func(e types.SendMessageBatchRequestEntry) int { return entrySize(&e) }
	return s
}

// batch answers SendMessageBatch. If its only message fails, so does the call,
// with that message's error.
func (s *sender) batch(ctx context.Context, in *sqs.SendMessageBatchInput) (*sqs.SendMessageBatchOutput, error) {
	outcomes := make([]outcome[types.SendMessageBatchResultEntry], len(in.Entries))
	var good []types.SendMessageBatchRequestEntry
	var places []int
	for i, e := range in.Entries {
		if aws.ToString(e.MessageBody) == "" {
			outcomes[i] = s.empty(ctx, e)
		} else if err := checkEntry(&e); err != nil {
			outcomes[i].err = coded(err)
		} else {
			good, places = append(good, e), append(places, i)
		}
	}
	for i, o := range s.join.do(ctx, false, good...) {
		outcomes[places[i]] = o
	}
	if len(outcomes) == 1 && outcomes[0].err != nil {
		return nil, outcomes[0].err
	}
	out := &sqs.SendMessageBatchOutput{}
	for i, o := range outcomes {
		if o.err != nil {
			out.Failed = append(out.Failed, failure(in.Entries[i].Id, o.err))
			continue
		}
		o.result.Id = in.Entries[i].Id
		out.Successful = append(out.Successful, o.result)
	}
	return out, nil
}

// empty sends a message without a body by itself, for SQS to refuse: who sends one
// may want to know whether the queue is there, as the Go CDK's own tests do.
func (s *sender) empty(ctx context.Context, e types.SendMessageBatchRequestEntry) outcome[types.SendMessageBatchResultEntry] {
	outcomes, err := s.request(ctx, []types.SendMessageBatchRequestEntry{e})
	if err != nil {
		return outcome[types.SendMessageBatchResultEntry]{err: coded(err)}
	}
	return outcomes[0]
}

// checkEntry reports what SQS would refuse in a message. A queue that allows less
// than SQS does itself refuses it then.
func checkEntry(e *types.SendMessageBatchRequestEntry) error {
	if err := spec.CheckMessage(aws.ToString(e.MessageBody), attributes(e.MessageAttributes, attribute), spec.MaxMessageBytes); err != nil {
		return err
	}
	if e.DelaySeconds != explicitZero {
		if err := spec.CheckDelay(time.Duration(e.DelaySeconds) * time.Second); err != nil {
			return err
		}
	}
	return checkIDs(e.MessageGroupId, e.MessageDeduplicationId)
}

// checkIDs checks a message's group and deduplication ids, if it has them.
func checkIDs(group, deduplication *string) error {
	if group != nil {
		if err := spec.CheckGroup("MessageGroupId", *group); err != nil {
			return err
		}
	}
	if deduplication != nil {
		return spec.CheckGroup("MessageDeduplicationId", *deduplication)
	}
	return nil
}

// request makes one request.
func (s *sender) request(ctx context.Context, entries []types.SendMessageBatchRequestEntry) ([]outcome[types.SendMessageBatchResultEntry], error) {
	bodies := make([]string, len(entries))
	for i := range entries {
		entries[i].Id = batchID(i)
		bodies[i] = aws.ToString(entries[i].MessageBody)
	}
	out, err := s.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &s.queue, Entries: entries})
	if err != nil {
		return nil, err
	}
	outcomes := unanswered[types.SendMessageBatchResultEntry](len(entries))
	for _, r := range out.Successful {
		if i, ok := batchIndex(r.Id, len(entries)); ok {
			outcomes[i] = outcome[types.SendMessageBatchResultEntry]{r, checkSum(bodies[i], r.MD5OfMessageBody)}
		}
	}
	failures(outcomes, out.Failed)
	return outcomes, nil
}

// batchID names an entry of a request by its place.
func batchID(i int) *string { return aws.String(strconv.Itoa(i)) }

// batchIndex returns an entry's place in a request of n.
func batchIndex(id *string, n int) (int, bool) {
	i, err := strconv.Atoi(aws.ToString(id))
	return i, err == nil && i >= 0 && i < n
}

// unanswered returns n outcomes of entries that the answer does not mention,
// which had better be sent again.
func unanswered[R any](n int) []outcome[R] {
	outcomes := make([]outcome[R], n)
	for i := range outcomes {
		outcomes[i].err = entryError("InternalError", "the answer does not mention the entry", false)
	}
	return outcomes
}

// failures sets the outcomes of entries that failed.
func failures[R any](outcomes []outcome[R], failed []types.BatchResultErrorEntry) {
	for _, f := range failed {
		if i, ok := batchIndex(f.Id, len(outcomes)); ok {
			outcomes[i].err = entryError(aws.ToString(f.Code), aws.ToString(f.Message), f.SenderFault)
		}
	}
}

// entryError is the error of an entry. A code that is not known is taken for a
// fault of AWS's own if it is not the sender's.
func entryError(code, message string, senderFault bool) error {
	api := &smithy.GenericAPIError{Code: code, Message: message, Fault: smithy.FaultServer}
	if senderFault {
		api.Fault = smithy.FaultClient
	}
	err := coded(api)
	if c := err.(*codedError); c.code == gcerrors.Unknown && !senderFault {
		c.code = gcerrors.Internal
	}
	return err
}

// failure is an entry's failure as SQS tells it.
func failure(id *string, err error) types.BatchResultErrorEntry {
	f := types.BatchResultErrorEntry{Id: id, Message: aws.String(err.Error()), Code: aws.String("InternalError")}
	var api smithy.APIError
	if errors.As(coded(err), &api) {
		f.Code, f.SenderFault = aws.String(api.ErrorCode()), api.ErrorFault() == smithy.FaultClient
	}
	return f
}

// checkSum reports a body that did not travel whole. The SDK's own check makes a
// whole request fail for one message, so that it is turned off for this one.
func checkSum(body string, sum *string) error {
	if sum == nil {
		return nil
	}
	if got := md5.Sum([]byte(body)); hex.EncodeToString(got[:]) != *sum {
		return fmt.Errorf("sqsbus: the message's MD5 is %x; SQS has %s", got, *sum)
	}
	return nil
}
