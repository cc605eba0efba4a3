package sqsbus

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go/middleware"
	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/awssnssqs"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// A topic is an SNS topic to send to.
type topic struct {
	end       *pubsub.Topic
	publisher *publisher
	traffic   *traffic
	closeIdle func()
}

func (b *Backend) openTopic(ctx context.Context, cfg aws.Config, a *address, closeIdle func()) *topic {
	t := b.traffic(a.topicARN)
	p := newPublisher(b.newSNS(cfg, t), a.topicARN, t)
	front := sns.NewFromConfig(cfg, func(o *sns.Options) {
		o.APIOptions = append(o.APIOptions, b.stack(cfg, t), func(s *middleware.Stack) error {
			return s.Initialize.Add(p, middleware.Before)
		})
	})
	end := awssnssqs.OpenSNSTopic(ctx, front, a.topicARN, &awssnssqs.TopicOptions{BatcherOptions: *sendBatches})
	return &topic{end: end, publisher: p, traffic: t, closeIdle: closeIdle}
}

func (t *topic) Topic() *pubsub.Topic                   { return t.end }
func (t *topic) Subscription() *pubsub.Subscription     { return nil }
func (t *topic) ErrorCode(err error) gcerrors.ErrorCode { return errorCode(err) }

// MessageControls declares what travels on messages to a topic. SNS has no delay.
func (t *topic) MessageControls() []driver.Control {
	return []driver.Control{driver.ControlTypes, driver.ControlGroups}
}

func (t *topic) Close(ctx context.Context) error {
	t.publisher.join.wait(ctx)
	t.closeIdle()
	return ctx.Err()
}

// A publisher is to a topic what [sender] is to a queue. It is a middleware of the
// client that the stock driver gets, whose requests it answers.
type publisher struct {
	client *sns.Client
	arn    string
	join   joiner[types.PublishBatchRequestEntry, types.PublishBatchResultEntry]
}

func newPublisher(client *sns.Client, arn string, t *traffic) *publisher {
	p := &publisher{client: client, arn: arn}
	p.join.send, p.join.outage, p.join.action = p.request, &t.outage, "PublishBatch"
	p.join.linger = linger
	p.join.maxBytes = snsMessageBytes
	p.join.size = func(e types.PublishBatchRequestEntry) int { return publishSize(&e) }
	return p
}

func (*publisher) ID() string { return "OmnibusPublisher" }

func (p *publisher) HandleInitialize(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
	middleware.InitializeOutput, middleware.Metadata, error,
) {
	batch, ok := in.Parameters.(*sns.PublishBatchInput)
	if !ok || len(batch.PublishBatchRequestEntries) != 1 { // the stock driver sends one by one
		return next.HandleInitialize(ctx, in)
	}
	out, err := p.publish(ctx, batch.PublishBatchRequestEntries[0])
	if err != nil {
		return middleware.InitializeOutput{}, middleware.Metadata{}, stoodIn(err)
	}
	return middleware.InitializeOutput{Result: out}, middleware.Metadata{}, nil
}

// snsMessageBytes is the size of a message, and of a whole batch, that SNS takes.
const snsMessageBytes = 256 << 10

func (p *publisher) publish(ctx context.Context, e types.PublishBatchRequestEntry) (*sns.PublishBatchOutput, error) {
	id := e.Id
	err := spec.CheckMessage(aws.ToString(e.Message), attributes(e.MessageAttributes, published), snsMessageBytes)
	if err == nil {
		err = checkIDs(e.MessageGroupId, e.MessageDeduplicationId)
	}
	if err != nil {
		return nil, err
	}
	o := p.join.do(ctx, false, e)[0]
	if o.err != nil {
		return nil, o.err
	}
	o.result.Id = id
	return &sns.PublishBatchOutput{Successful: []types.PublishBatchResultEntry{o.result}}, nil
}

// request makes one request.
func (p *publisher) request(ctx context.Context, entries []types.PublishBatchRequestEntry) ([]outcome[types.PublishBatchResultEntry], error) {
	for i := range entries {
		entries[i].Id = batchID(i)
	}
	out, err := p.client.PublishBatch(ctx, &sns.PublishBatchInput{TopicArn: &p.arn, PublishBatchRequestEntries: entries})
	if err != nil {
		return nil, err
	}
	outcomes := unanswered[types.PublishBatchResultEntry](len(entries))
	for _, r := range out.Successful {
		if i, ok := batchIndex(r.Id, len(entries)); ok {
			outcomes[i] = outcome[types.PublishBatchResultEntry]{result: r}
		}
	}
	failed := make([]sqstypes.BatchResultErrorEntry, len(out.Failed))
	for i, f := range out.Failed {
		failed[i] = sqstypes.BatchResultErrorEntry{Id: f.Id, Code: f.Code, Message: f.Message, SenderFault: f.SenderFault}
	}
	failures(outcomes, failed)
	return outcomes, nil
}
