package sqsbus

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go/middleware"
)

// A front is the middleware of the client that the stock driver gets. It answers
// the four actions that the driver uses from the sender, the receiver, the deleter
// and the changer of the queue, which make requests of their own, fewer and
// better, through the queue's other client. Other actions, and other queues, pass.
type front struct {
	queue    string // URL
	sender   *sender
	receiver *receiver
	deleter  *deleter
	changer  *changer
}

func (*front) ID() string { return "OmnibusFront" }

func (f *front) HandleInitialize(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
	out middleware.InitializeOutput, metadata middleware.Metadata, err error,
) {
	switch p := in.Parameters.(type) {
	case *sqs.SendMessageBatchInput:
		if f.isOurs(p.QueueUrl) {
			return answer(f.sender.batch(ctx, p))
		}
	case *sqs.ReceiveMessageInput:
		if f.isOurs(p.QueueUrl) {
			return answer(f.receive(ctx, p))
		}
	case *sqs.DeleteMessageBatchInput:
		if f.isOurs(p.QueueUrl) {
			return answer(f.deleter.batch(ctx, p))
		}
	case *sqs.ChangeMessageVisibilityBatchInput:
		if f.isOurs(p.QueueUrl) {
			return answer(f.changer.batch(ctx, p))
		}
	}
	return next.HandleInitialize(ctx, in)
}

func (f *front) isOurs(queue *string) bool { return queue != nil && *queue == f.queue }

func (f *front) receive(ctx context.Context, in *sqs.ReceiveMessageInput) (*sqs.ReceiveMessageOutput, error) {
	m, err := f.receiver.next(ctx, in)
	if err != nil {
		return nil, err
	}
	if m == nil {
		endReceive()
		return &sqs.ReceiveMessageOutput{}, nil
	}
	return &sqs.ReceiveMessageOutput{Messages: []types.Message{*m}}, nil
}

// answer makes a middleware's results of those of a call.
func answer[T any](result *T, err error) (middleware.InitializeOutput, middleware.Metadata, error) {
	if err != nil {
		return middleware.InitializeOutput{}, middleware.Metadata{}, coded(err)
	}
	return middleware.InitializeOutput{Result: result}, middleware.Metadata{}, nil
}
