package sqsbus

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
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

func newSender(client *sqs.Client, queue string, t *traffic) *sender {
	s := &sender{client: client, queue: queue}
	s.join.send, s.join.outage, s.join.action = s.request, &t.outage, "SendMessageBatch"
	s.join.linger = linger
	s.join.maxBytes = spec.MaxMessageBytes
	s.join.size = func(e types.SendMessageBatchRequestEntry) int { return entrySize(&e) }
	return s
}

// send sends one message.
func (s *sender) send(ctx context.Context, e types.SendMessageBatchRequestEntry) (types.SendMessageBatchResultEntry, error) {
	var o outcome[types.SendMessageBatchResultEntry]
	if aws.ToString(e.MessageBody) == "" {
		o = s.empty(ctx, e)
	} else if err := checkEntry(&e); err != nil {
		o.err = coded(err)
	} else {
		o = s.join.do(ctx, false, e)[0]
	}
	return o.result, o.err
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

// unanswered returns n outcomes of entries that the answer does not mention. They are
// sent again.
func unanswered[R any](n int) []outcome[R] {
	outcomes := make([]outcome[R], n)
	for i := range outcomes {
		outcomes[i].err = errUnmentioned
	}
	return outcomes
}

var errUnmentioned = entryError("InternalError", "the answer does not mention the entry", false)

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
