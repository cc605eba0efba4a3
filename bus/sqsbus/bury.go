package sqsbus

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// Bury sends the message of a delivery to the queue's dead-letter queue, and deletes
// it here. SQS has no such step of its own: when the deletion fails, the message is in
// both queues. On FIFO queues its id is the deduplication id there, so that a second
// attempt within five minutes does not make a second dead letter.
func (q *queue) Bury(ctx context.Context, handle, reason string) error {
	d := q.deliveries.find(handle)
	if d == nil || d.lost() {
		return errLost
	}
	grave, err := q.deadLetterQueue(ctx)
	if err != nil {
		return err
	}
	in := copyOf(&d.message, grave)
	told := details(&d.message)
	attrs := driver.BurialAttributes(aws.ToString(in.MessageBody), attributes(in.MessageAttributes, attribute),
		driver.Burial{Reason: reason, Source: q.name, ReceiveCount: told.ReceiveCount, Sent: told.Sent}, spec.MaxMessageBytes)
	in.MessageAttributes = make(map[string]types.MessageAttributeValue, len(attrs))
	for _, a := range attrs {
		in.MessageAttributes[a.Name] = toWire(a.Attribute)
	}
	if spec.IsFIFOName(q.name) {
		in.MessageDeduplicationId = d.message.MessageId
	}
	if _, err := q.client.SendMessage(ctx, in); err != nil {
		return err
	}
	deleted := make(chan error, 1)
	q.deleter.ack(d, func(err error) { deleted <- err })
	select {
	case err = <-deleted:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		d.settle()
	}
	return err
}

// deadLetterQueue returns the URL of the queue's dead-letter queue.
func (q *queue) deadLetterQueue(ctx context.Context) (string, error) {
	q.mu.Lock()
	grave := q.grave
	q.mu.Unlock()
	if grave != "" {
		return grave, nil
	}
	a, err := q.Attributes(ctx)
	if err != nil {
		return "", err
	}
	if a.DeadLetter.Queue == "" {
		return "", spec.Errorf(spec.UnsupportedOperation, "queue %s has no dead-letter queue; set its DeadLetter first", q.name)
	}
	if grave, err = q.target(ctx, a.DeadLetter.Queue); err != nil {
		return "", err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.grave = grave
	return grave, nil
}

// copyOf returns a request that sends a message that was received to another queue,
// as it was sent to its own.
func copyOf(m *types.Message, to string) *sqs.SendMessageInput {
	in := &sqs.SendMessageInput{QueueUrl: &to, MessageBody: m.Body, MessageAttributes: m.MessageAttributes}
	setID(&in.MessageGroupId, m.Attributes[string(types.MessageSystemAttributeNameMessageGroupId)])
	if trace := m.Attributes[string(types.MessageSystemAttributeNameAWSTraceHeader)]; trace != "" {
		in.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{
			string(types.MessageSystemAttributeNameForSendsAWSTraceHeader): {DataType: aws.String("String"), StringValue: &trace},
		}
	}
	return in
}
