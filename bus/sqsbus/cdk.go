package sqsbus

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub/batcher"
	cdk "gocloud.dev/pubsub/driver"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// This file holds the Go CDK's side: a driver.Topic and a driver.Subscription on
// the queue's sender, receiver, deleter and changer. Messages are on the wire as
// those of the Go CDK's own driver, in both directions.

// Each Send is a batch of its own, so that it succeeds or fails by itself; the
// sender joins them. The receiver relies on one fetch at a time, which begins when all
// earlier messages have been taken. Acknowledgements come in batches of any size: the
// deleter splits and joins them.
var (
	sendBatches    = &batcher.Options{MaxBatchSize: 1, MaxHandlers: 1000}
	receiveBatches = &batcher.Options{MaxBatchSize: 1, MaxHandlers: 1}
	ackBatches     = &batcher.Options{MaxHandlers: 1}
)

type sending struct {
	client *sqs.Client
	sender *sender

	unconfirmed atomic.Int64 // messages that may or may not have been sent
}

// SendBatch sends the messages one by one. The batch has one message, unless
// somebody made a pubsub.Topic with other options.
func (t *sending) SendBatch(ctx context.Context, ms []*cdk.Message) error {
	for _, m := range ms {
		if err := t.send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (t *sending) send(ctx context.Context, m *cdk.Message) error {
	e, err := entryOf(m)
	if err != nil {
		return err
	}
	t.unconfirmed.Add(1)
	sent, err := t.sender.send(ctx, e)
	if err == nil || ctx.Err() == nil { // else the Topic is being shut down, and the message may be sent
		t.unconfirmed.Add(-1)
	}
	if err != nil {
		return err
	}
	return tellSent(m, sent)
}

// entryOf returns a message as it is sent.
func entryOf(m *cdk.Message) (types.SendMessageBatchRequestEntry, error) {
	var e types.SendMessageBatchRequestEntry
	var o driver.SendOptions
	body, attrs := driver.Encode(m.Body, m.Metadata, &o)
	e.MessageBody = &body
	if m.BeforeSend != nil {
		if err := m.BeforeSend(func(i any) bool {
			switch p := i.(type) {
			case **driver.SendOptions:
				*p = &o
			case **types.SendMessageBatchRequestEntry:
				*p = &e
			default:
				return false
			}
			return true
		}); err != nil {
			return e, err
		}
	}
	o.Attributes = append(attrs, o.Attributes...)
	return e, coded(setEntry(&e, o))
}

func (t *sending) As(i any) bool                          { return asClient(t.client, i) }
func (t *sending) IsRetryable(error) bool                 { return false }
func (t *sending) ErrorAs(err error, i any) bool          { return errorAs(err, i) }
func (t *sending) ErrorCode(err error) gcerrors.ErrorCode { return errorCode(err) }
func (t *sending) Close() error                           { return nil }

func asClient(client *sqs.Client, i any) bool {
	p, ok := i.(**sqs.Client)
	if ok {
		*p = client
	}
	return ok
}

func errorAs(err error, i any) bool {
	p, ok := i.(*smithy.APIError)
	return ok && errors.As(err, p)
}

type subscription struct {
	receiver *receiver
	deleter  *deleter
	topicARN string // of the topic whose envelopes are opened, or ""

	acks   time.Time // when SendAcks, which is called once at a time, returned last
	inARow int       // how many calls came less than ackRest after another

	late       atomic.Int64 // acknowledgements that came too late
	unanswered atomic.Int64 // acknowledgements without an answer yet
}

// ReceiveBatch returns what the receiver hands out, or nothing when it is paused.
func (s *subscription) ReceiveBatch(ctx context.Context, _ int) ([]*cdk.Message, error) {
	ds, err := s.receiver.next(ctx)
	ms := make([]*cdk.Message, len(ds))
	for i, d := range ds {
		ms[i] = s.message(d)
	}
	return ms, err
}

func (s *subscription) message(d *delivery) *cdk.Message {
	body, attrs := aws.ToString(d.message.Body), attributes(d.message.MessageAttributes, attribute)
	if s.topicARN != "" && len(attrs) == 0 {
		body, attrs, _ = openEnvelope(body, s.topicARN)
	}
	m := &cdk.Message{LoggableID: aws.ToString(d.message.MessageId), AckID: d}
	var typed map[string]spec.Attribute
	m.Body, m.Metadata, typed = driver.Decode(body, attrs)
	m.AsFunc = func(i any) bool {
		d.take()
		switch p := i.(type) {
		case *driver.Details:
			*p = details(&d.message)
			p.Attributes = typed
			p.VisibleAt = d.end()
		case **driver.Settling:
			*p = &d.settling
		case *types.Message:
			*p = d.message
		default:
			return false
		}
		return true
	}
	return m
}

// details returns what a message tells, attributes and lease excepted.
func details(m *types.Message) driver.Details {
	system := func(name types.MessageSystemAttributeName) string { return m.Attributes[string(name)] }
	d := driver.Details{
		ID:               aws.ToString(m.MessageId),
		ReceiptHandle:    aws.ToString(m.ReceiptHandle),
		Sent:             milliseconds(system(types.MessageSystemAttributeNameSentTimestamp)),
		FirstReceived:    milliseconds(system(types.MessageSystemAttributeNameApproximateFirstReceiveTimestamp)),
		Group:            system(types.MessageSystemAttributeNameMessageGroupId),
		Deduplication:    system(types.MessageSystemAttributeNameMessageDeduplicationId),
		SequenceNumber:   system(types.MessageSystemAttributeNameSequenceNumber),
		TraceHeader:      system(types.MessageSystemAttributeNameAWSTraceHeader),
		DeadLetterSource: system(types.MessageSystemAttributeNameDeadLetterQueueSourceArn),
	}
	d.ReceiveCount, _ = strconv.Atoi(system(types.MessageSystemAttributeNameApproximateReceiveCount))
	return d
}

// milliseconds reads a time as SQS writes it: in milliseconds since 1970.
func milliseconds(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(n)
}

// SendAcks passes the messages on to be deleted, and does not wait for that. It rests
// when it is called often.
func (s *subscription) SendAcks(ctx context.Context, ids []cdk.AckID) error {
	for _, id := range ids {
		d := id.(*delivery)
		d.take()
		if d.isSettled() {
			d.settling.Tell(errLost)
			continue
		}
		s.unanswered.Add(1)
		s.deleter.ack(d, func(err error) { s.acked(d, err) })
	}
	s.rest(ctx)
	return nil
}

const (
	ackRest  = time.Millisecond // how long acknowledgements gather
	manyAcks = 16               // calls of SendAcks, less than ackRest apart, after which they do
)

// rest lets acknowledgements gather when they come one after another. The portable
// type calls SendAcks again when it returns, with all that came meanwhile, and each of
// its calls costs about as much as the acknowledgement of a message.
func (s *subscription) rest(ctx context.Context) {
	now := time.Now()
	if now.Sub(s.acks) < ackRest {
		s.inARow++
	} else {
		s.inARow = 0
	}
	if s.inARow >= manyAcks && !s.receiver.fifo {
		sleep(ctx, ackRest)
		now = time.Now()
	}
	s.acks = now
}

// acked counts what became of an acknowledgement, and tells who asked. What
// concerns all messages ends the Subscription at its next receive.
func (s *subscription) acked(d *delivery, err error) {
	ended := s.deleter.ctx.Err() != nil
	if err == nil || !ended {
		s.unanswered.Add(-1)
	}
	switch {
	case errors.Is(err, driver.ErrLeaseLost):
		s.late.Add(1)
	case err != nil && !ended:
		s.receiver.fail(err)
	}
	d.settling.Tell(err)
}

func (s *subscription) CanNack() bool { return true }

// SendNacks passes the messages on to be given back at once.
func (s *subscription) SendNacks(_ context.Context, ids []cdk.AckID) error {
	for _, id := range ids {
		d := id.(*delivery)
		d.take()
		s.receiver.change.giveBack(d, s.receiver.fail)
	}
	return nil
}

func (s *subscription) As(i any) bool                          { return asClient(s.receiver.client, i) }
func (s *subscription) IsRetryable(error) bool                 { return false }
func (s *subscription) ErrorAs(err error, i any) bool          { return errorAs(err, i) }
func (s *subscription) ErrorCode(err error) gcerrors.ErrorCode { return errorCode(err) }

// Close ends the requests under way. The queue's own Close gives back what waits.
func (s *subscription) Close() error {
	s.receiver.end()
	return nil
}
