package sqsbus

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	cdk "gocloud.dev/pubsub/driver"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// SendBatch sends messages in requests of ten. To a FIFO queue those go one after
// the other, with nobody else's messages in between; to a standard queue some go at
// the same time.
func (q *queue) SendBatch(ctx context.Context, ms []*cdk.Message) []error {
	errs := make([]error, len(ms))
	var entries []types.SendMessageBatchRequestEntry
	var places []int
	for i, m := range ms {
		e, err := entryOf(m)
		if err == nil {
			err = coded(checkEntry(&e))
		}
		if err != nil {
			errs[i] = err
			continue
		}
		entries, places = append(entries, e), append(places, i)
	}
	sender, most := q.sender, 200
	if spec.IsFIFOName(q.url) {
		sender, most = newSender(q.client, q.url, q.traffic), spec.MaxBatchEntries
	}
	for len(entries) > 0 {
		if err := ctx.Err(); err != nil {
			for _, at := range places {
				errs[at] = err
			}
			break
		}
		n := together(entries, most)
		for i, o := range sender.join.do(ctx, true, entries[:n]...) {
			at := places[i]
			if errs[at] = o.err; o.err == nil {
				errs[at] = tellSent(ms[at], o.result)
			}
		}
		entries, places = entries[n:], places[n:]
	}
	return driver.AllNil(errs)
}

// together returns how many of the entries are sent together: up to most, and as many
// as fit one request if most is what one has.
func together(entries []types.SendMessageBatchRequestEntry, most int) int {
	bytes := 0
	for i := range entries {
		bytes += entrySize(&entries[i])
		if i == most || most == spec.MaxBatchEntries && i > 0 && bytes > spec.MaxMessageBytes {
			return i
		}
	}
	return len(entries)
}

// tellSent tells a message's AfterSend what SQS answered.
func tellSent(m *cdk.Message, sent types.SendMessageBatchResultEntry) error {
	if m.AfterSend == nil {
		return nil
	}
	return m.AfterSend(func(i any) bool {
		switch p := i.(type) {
		case *driver.Sent:
			*p = driver.Sent{ID: aws.ToString(sent.MessageId), SequenceNumber: aws.ToString(sent.SequenceNumber)}
		case *types.SendMessageBatchResultEntry:
			*p = sent
		default:
			return false
		}
		return true
	})
}
