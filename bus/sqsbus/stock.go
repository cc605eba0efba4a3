package sqsbus

import (
	"context"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/middleware"
	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/awssnssqs"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// A stock is a queue whose two ends are those of gocloud.dev/pubsub/awssnssqs as they
// come, on a client as the SDK makes it. The controls that travel on messages go
// through the driver's As types; those that are requests of their own are made by a
// client of this package. What needs a hand in the driver's receiving is not there:
// visibility timeouts, settling, giving back what was fetched.
type stock struct {
	topic     *pubsub.Topic
	sub       *pubsub.Subscription
	controls  *queue // which has no ends
	closeIdle func()
}

func (b *Backend) openStock(ctx context.Context, cfg aws.Config, a *address, closeIdle func()) *stock {
	t := b.traffic(a.queue)
	controls := &queue{client: b.newSQS(cfg, t), traffic: t, url: a.queue, name: a.name, log: b.logger()}
	controls.own = &ownVisibility{client: controls.client, queue: a.queue, log: b.logger()}
	client, closeOwn := b.newStock(cfg, controls)
	return &stock{
		topic: awssnssqs.OpenSQSTopic(ctx, client, a.queue, nil),
		sub: awssnssqs.OpenSubscription(ctx, client, a.queue, &awssnssqs.SubscriptionOptions{
			Raw: a.sns == "", SNSTopicARN: a.sns, WaitTime: a.receive.wait,
		}),
		controls:  controls,
		closeIdle: func() { closeIdle(); closeOwn() },
	}
}

// newStock returns a client as the Go CDK's own URLs give it to the stock driver. It
// counts its calls, but not how often the SDK tries each. Two middlewares are for what
// the controls promise: [zeros], for a delay of 0, and [leaseEnds].
func (b *Backend) newStock(cfg aws.Config, q *queue) (client *sqs.Client, closeIdle func()) {
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.RateLimiter = ratelimit.None })
	}
	closeIdle = func() {}
	cfg.HTTPClient = b.options.HTTPClient
	if cfg.HTTPClient == nil {
		own, transport := newHTTP()
		cfg.HTTPClient, closeIdle = own, transport.CloseIdleConnections
	}
	return sqs.NewFromConfig(cfg, func(o *sqs.Options) {
		o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
			return firstError(
				s.Initialize.Add(leaseEnds{q.own}, middleware.Before),
				s.Initialize.Add(&metering{meter: b.options.Meter, traffic: q.traffic}, middleware.After),
				s.Build.Add(zeros{}, middleware.Before),
			)
		})
	}), closeIdle
}

// leaseEnds is the middleware that tells when the lease of each message received ends,
// in a system attribute of this package's own, leaseEnd. The queue's own visibility
// timeout is read before the first receive.
type leaseEnds struct{ own *ownVisibility }

// leaseEnd is the name of the attribute. Its value is a time in milliseconds since 1970.
const leaseEnd = "OmnibusLeaseEnd"

func (leaseEnds) ID() string { return "OmnibusLeaseEnds" }

func (l leaseEnds) HandleInitialize(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
	middleware.InitializeOutput, middleware.Metadata, error,
) {
	if _, ok := in.Parameters.(*sqs.ReceiveMessageInput); !ok {
		return next.HandleInitialize(ctx, in)
	}
	visibility, err := l.own.get(ctx)
	if err != nil {
		return middleware.InitializeOutput{}, middleware.Metadata{}, err
	}
	out, metadata, err := next.HandleInitialize(ctx, in)
	if received, ok := out.Result.(*sqs.ReceiveMessageOutput); ok && err == nil {
		end := strconv.FormatInt(time.Now().Add(visibility).UnixMilli(), 10)
		for i := range received.Messages {
			m := &received.Messages[i]
			if m.Attributes == nil {
				m.Attributes = map[string]string{}
			}
			m.Attributes[leaseEnd] = end
		}
	}
	return out, metadata, err
}

func (s *stock) Topic() *pubsub.Topic                   { return s.topic }
func (s *stock) Subscription() *pubsub.Subscription     { return s.sub }
func (s *stock) ErrorCode(err error) gcerrors.ErrorCode { return errorCode(err) }

// MessageControls declares what the driver's As types can say.
func (s *stock) MessageControls() []driver.Control {
	return []driver.Control{driver.ControlDelay, driver.ControlTypes, driver.ControlDetails, driver.ControlGroups, driver.ControlDeadLetter, driver.ControlLimits}
}

// stockNap is how long the driver sleeps when it has no message, whatever becomes of
// the context.
const stockNap = 250 * time.Millisecond

// Close waits for the driver's last sleep to end.
func (s *stock) Close(ctx context.Context) error {
	defer s.closeIdle()
	if !sleep(ctx, stockNap+time.Millisecond) {
		return ctx.Err()
	}
	return nil
}

func (s *stock) Attributes(ctx context.Context) (spec.QueueAttributes, error) {
	return s.controls.Attributes(ctx)
}

func (s *stock) SetAttributes(ctx context.Context, set spec.QueueSettings) error {
	return s.controls.SetAttributes(ctx, set)
}

func (s *stock) Purge(ctx context.Context) error  { return s.controls.Purge(ctx) }
func (s *stock) Delete(ctx context.Context) error { return s.controls.Delete(ctx) }
