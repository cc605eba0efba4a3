package sqsbus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// Redrive moves dead letters. All of them are moved by SQS itself, in a task whose
// end is waited for; when ctx ends first, the task is cancelled. A number of them
// is moved one by one, since tasks know no number: received, sent, deleted, so
// that a failure in between leaves a message in both queues.
func (q *queue) Redrive(ctx context.Context, to string, most int) (int, error) {
	if most < 0 {
		return 0, invalid("%d messages to redrive; allowed are 0, for all, and more", most)
	}
	if to != "" && spec.IsFIFOName(to) != spec.IsFIFOName(q.name) {
		return 0, invalid("queue %s is not of the type of %s: both must be FIFO or both standard", to, q.name)
	}
	sources, err := q.client.ListDeadLetterSourceQueues(ctx, &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: &q.url})
	if err != nil {
		return 0, err
	}
	if len(sources.QueueUrls) == 0 {
		return 0, spec.Errorf(spec.UnsupportedOperation, "queue %s is not a dead-letter queue of any queue", q.name)
	}
	arn, err := q.ownARN(ctx)
	if err != nil {
		return 0, err
	}
	if most > 0 {
		return q.moveSome(ctx, to, most)
	}
	in := &sqs.StartMessageMoveTaskInput{SourceArn: &arn}
	if to != "" {
		if _, err := q.target(ctx, to); err != nil {
			return 0, err
		}
		in.DestinationArn = aws.String(siblingARN(arn, to))
	}
	task, err := q.client.StartMessageMoveTask(ctx, in)
	if err != nil {
		return 0, err
	}
	return q.awaitTask(ctx, arn, aws.ToString(task.TaskHandle))
}

// The times between looks at a task: twice as long after each.
const (
	firstTaskLook = 100 * time.Millisecond
	maxTaskLook   = 5 * time.Second
)

// cancelTime is how long the end of a task may take when ctx has ended.
const cancelTime = 10 * time.Second

// awaitTask waits for the end of the latest task of a queue.
func (q *queue) awaitTask(ctx context.Context, arn, handle string) (int, error) {
	var cancelled error
	for look := firstTaskLook; ; look = min(2*look, maxTaskLook) {
		task, err := q.task(ctx, arn)
		if err != nil && ctx.Err() == nil {
			return 0, err
		}
		moved := int(task.ApproximateNumberOfMessagesMoved)
		switch status := aws.ToString(task.Status); {
		case err != nil:
		case status == "COMPLETED", status == "CANCELLED" && cancelled != nil:
			return moved, cancelled
		case status == "FAILED", status == "CANCELLED":
			return moved, fmt.Errorf("sqsbus: the move task ended as %s after %d messages: %s", status, moved, aws.ToString(task.FailureReason))
		}
		if sleep(ctx, look) {
			continue
		}
		if cancelled != nil {
			return moved, cancelled
		}
		cancelled = ctx.Err()
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
		defer cancel()
		if _, err := q.client.CancelMessageMoveTask(ctx, &sqs.CancelMessageMoveTaskInput{TaskHandle: &handle}); err != nil {
			return moved, errors.Join(cancelled, err)
		}
		look = firstTaskLook / 2
	}
}

// task returns what SQS tells of the latest task of a queue.
func (q *queue) task(ctx context.Context, arn string) (types.ListMessageMoveTasksResultEntry, error) {
	out, err := q.client.ListMessageMoveTasks(ctx, &sqs.ListMessageMoveTasksInput{SourceArn: &arn, MaxResults: aws.Int32(1)})
	if err != nil {
		return types.ListMessageMoveTasksResultEntry{}, err
	}
	if len(out.Results) == 0 {
		return types.ListMessageMoveTasksResultEntry{}, fmt.Errorf("sqsbus: SQS does not know the move task that it has started for %s", arn)
	}
	return out.Results[0], nil
}

// target returns the URL of the queue named name.
func (q *queue) target(ctx context.Context, name string) (string, error) {
	out, err := q.client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(arnName(name))})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.QueueUrl), nil
}

const (
	moveVisibility = 30 * time.Second // within which a message is moved
	moveWait       = time.Second      // long enough for SQS to ask all its servers
)

// moveSome moves up to most visible messages.
func (q *queue) moveSome(ctx context.Context, to string, most int) (int, error) {
	targets := map[string]string{} // URLs by name
	left := map[string]string{}    // receipt handles by id, of messages received and not moved
	defer func() { q.giveBack(ctx, left) }()
	moved := 0
	for moved < most {
		out, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl:                    &q.url,
			MaxNumberOfMessages:         int32(min(most-moved, spec.MaxBatchEntries)),
			MessageAttributeNames:       []string{"All"},
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
			VisibilityTimeout:           seconds(moveVisibility),
			WaitTimeSeconds:             seconds(moveWait),
		})
		if err != nil || len(out.Messages) == 0 {
			return moved, err
		}
		known := 0 // that were received before, and have become visible again since
		for i, m := range out.Messages {
			name := to
			if name == "" {
				name = sourceOf(&m)
			}
			if name == "" {
				id := aws.ToString(m.MessageId)
				if left[id] != "" {
					known++
				}
				left[id] = aws.ToString(m.ReceiptHandle)
				continue
			}
			err := q.move(ctx, m, name, targets)
			if err != nil {
				for _, m := range out.Messages[i:] {
					left[aws.ToString(m.MessageId)] = aws.ToString(m.ReceiptHandle)
				}
				return moved, err
			}
			moved++
		}
		if known == len(out.Messages) {
			return moved, nil
		}
	}
	return moved, nil
}

// sourceOf returns the ARN or the name of the queue that a dead letter came from, or ""
// if it was sent here and came from nowhere. Of a message that was buried, SQS does not
// tell; an attribute does.
func sourceOf(m *types.Message) string {
	if arn := m.Attributes[string(types.MessageSystemAttributeNameDeadLetterQueueSourceArn)]; arn != "" {
		return arn
	}
	return aws.ToString(m.MessageAttributes[driver.DeadLetterSource].StringValue)
}

// giveBack makes messages visible again. One that fails becomes so by itself.
func (q *queue) giveBack(ctx context.Context, handles map[string]string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer cancel()
	for batch := range slices.Chunk(slices.Collect(maps.Values(handles)), spec.MaxBatchEntries) {
		in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.url}
		for i, handle := range batch {
			in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{Id: batchID(i), ReceiptHandle: &handle})
		}
		_, _ = q.client.ChangeMessageVisibilityBatch(ctx, in)
	}
}

// move sends a message to the queue of that name or ARN, as a new one, and deletes
// it here. The URLs of queues are kept in targets.
func (q *queue) move(ctx context.Context, m types.Message, name string, targets map[string]string) (err error) {
	to, ok := targets[name]
	if !ok {
		if to, err = q.target(ctx, name); err != nil {
			return err
		}
		targets[name] = to
	}
	in := copyOf(&m, to)
	if spec.IsFIFOName(q.name) {
		in.MessageDeduplicationId = aws.String(rand.Text()) // the message's own may be known to the queue still
	}
	if _, err := q.client.SendMessage(ctx, in); err != nil {
		return err
	}
	_, err = q.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &q.url, ReceiptHandle: m.ReceiptHandle})
	return err
}
