package sqsbus

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/middleware"
)

// A Count is what one action on one queue has come to. AWS bills requests, and
// for each request every 64 KiB of messages as one more.
type Count struct {
	Queue  string // the queue's URL or the topic's ARN; for create and list, the endpoint
	Action string // as SQS names it: SendMessageBatch, ReceiveMessage, …

	Requests int64 // all tries counted
	Failed   int64 // of those, ones that were answered with an error or not at all
	Messages int64 // sent, received, deleted or changed, by requests that succeeded
	Bytes    int64 // of messages sent and received: bodies and attributes
	Chunks   int64 // chunks of 64 KiB, at least one for each request: what is billed
}

// A Meter counts requests. The zero value is ready. It is safe for concurrent
// use.
type Meter struct {
	mu     sync.Mutex // guards counts
	counts map[[2]string]*Count
}

// Counts returns what has been counted so far, sorted by queue and action.
func (m *Meter) Counts() []Count {
	m.mu.Lock()
	defer m.mu.Unlock()
	var cs []Count
	for _, c := range m.counts {
		cs = append(cs, *c)
	}
	slices.SortFunc(cs, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Action, b.Action))
	})
	return cs
}

// chunk is the size by which AWS bills.
const chunk = 64 << 10

func (m *Meter) add(queue, action string, failed bool, messages, bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil {
		m.counts = map[[2]string]*Count{}
	}
	key := [2]string{queue, action}
	c := m.counts[key]
	if c == nil {
		c = &Count{Queue: queue, Action: action}
		m.counts[key] = c
	}
	c.Requests++
	c.Chunks += int64(max(1, (bytes+chunk-1)/chunk))
	c.Bytes += int64(bytes)
	if failed {
		c.Failed++
	} else {
		c.Messages += int64(messages)
	}
}

// metering is the middleware that counts every try of a request. It stands within
// [patience].
type metering struct {
	meter   *Meter
	traffic *traffic
}

func (*metering) ID() string { return "OmnibusMetering" }

func (m *metering) HandleInitialize(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
	middleware.InitializeOutput, middleware.Metadata, error,
) {
	out, metadata, err := next.HandleInitialize(ctx, in)
	messages, bytes := carried(in.Parameters)
	if received, ok := out.Result.(*sqs.ReceiveMessageOutput); ok && err == nil {
		messages = len(received.Messages)
		for _, m := range received.Messages {
			bytes += messageSize(m.Body, m.MessageAttributes, attribute)
		}
	}
	action := middleware.GetOperationName(ctx)
	m.meter.add(m.traffic.queue, action, err != nil, messages, bytes)
	m.traffic.meter.add(m.traffic.queue, action, err != nil, messages, bytes)
	return out, metadata, err
}

// carried returns how many messages a request is about, and their size if it
// carries them.
func carried(params any) (messages, bytes int) {
	switch p := params.(type) {
	case *sqs.SendMessageBatchInput:
		for i := range p.Entries {
			bytes += entrySize(&p.Entries[i])
		}
		return len(p.Entries), bytes
	case *sqs.SendMessageInput:
		return 1, messageSize(p.MessageBody, p.MessageAttributes, attribute)
	case *sns.PublishBatchInput:
		for i := range p.PublishBatchRequestEntries {
			bytes += publishSize(&p.PublishBatchRequestEntries[i])
		}
		return len(p.PublishBatchRequestEntries), bytes
	case *sqs.DeleteMessageBatchInput:
		return len(p.Entries), 0
	case *sqs.ChangeMessageVisibilityBatchInput:
		return len(p.Entries), 0
	case *sqs.DeleteMessageInput, *sqs.ChangeMessageVisibilityInput:
		return 1, 0
	}
	return 0, 0
}

// longPoll returns how long SQS may hold a request.
func longPoll(params any) time.Duration {
	if p, ok := params.(*sqs.ReceiveMessageInput); ok && p.WaitTimeSeconds > 0 {
		return time.Duration(p.WaitTimeSeconds) * time.Second
	}
	return 0
}
