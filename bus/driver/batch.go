package driver

import (
	"context"

	cdk "gocloud.dev/pubsub/driver"
)

// A BatchSender is a [Queue] that sends several messages in one call. It is no
// control: without it they are sent one by one through the Topic.
type BatchSender interface {
	// SendBatch returns nil, or one error for each message, nil for those that were
	// sent. A FIFO queue gets them in their order, but for what [omnibus/bus.Queue.SendBatch]
	// says. BeforeSend and AfterSend of each are called as by the Topic.
	SendBatch(ctx context.Context, ms []*cdk.Message) []error
}

// AllNil returns nil if all errors are, and else the errors.
func AllNil(errs []error) []error {
	for _, err := range errs {
		if err != nil {
			return errs
		}
	}
	return nil
}
