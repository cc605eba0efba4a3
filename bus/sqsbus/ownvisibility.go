package sqsbus

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"gocloud.dev/gcerrors"

	"omnibus/bus/spec"
)

// An ownVisibility is the queue's own visibility timeout, which a receiver without
// one of its own must know to know when a lease ends. It is read before the first
// receive, and again whenever the attributes are read or set through this queue.
type ownVisibility struct {
	client *sqs.Client
	queue  string // URL
	log    *slog.Logger

	mu    sync.Mutex // guards all below
	known bool
	d     time.Duration
}

// unknownVisibility stands for a timeout that may not be read: the lease is taken
// to last as long as SQS allows, and nothing is fetched ahead.
const unknownVisibility = spec.MaxVisibility

// reckoned returns the timeout, and false while it is not known, or may not be.
func (o *ownVisibility) reckoned() (time.Duration, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.d, o.known && o.d != unknownVisibility
}

// get returns the timeout.
func (o *ownVisibility) get(ctx context.Context) (time.Duration, error) {
	o.mu.Lock()
	known, d := o.known, o.d
	o.mu.Unlock()
	if known {
		return d, nil
	}
	const name = types.QueueAttributeNameVisibilityTimeout
	out, err := o.client.GetQueueAttributes(patiently(ctx), &sqs.GetQueueAttributesInput{QueueUrl: &o.queue, AttributeNames: []types.QueueAttributeName{name}})
	if errorCode(err) == gcerrors.PermissionDenied {
		o.log.Warn("sqsbus: the queue's visibility timeout may not be read; give the parameter visibility", "queue", o.queue, "error", err)
		o.set(unknownVisibility)
		return unknownVisibility, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(out.Attributes[string(name)])
	if err != nil {
		n = int(spec.DefaultVisibility / time.Second)
	}
	d = time.Duration(n) * time.Second
	o.set(d)
	return d, nil
}

func (o *ownVisibility) set(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known, o.d = true, d
}
