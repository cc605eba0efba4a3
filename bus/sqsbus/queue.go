package sqsbus

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/awssnssqs"
	"gocloud.dev/pubsub/batcher"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// The options of the portable types' batchers. Each Send is a batch of its own,
// so that it succeeds or fails by itself, and [joiner] makes the requests; one
// fetch at a time, of one message, is what [receiver] relies on. 100 handlers are
// the most that the stock driver allows: so many Sends are under way at a time.
var (
	sendBatches    = batcher.Options{MaxBatchSize: 1, MaxHandlers: 100}
	receiveBatches = batcher.Options{MaxBatchSize: 1, MaxHandlers: 1}
	ackBatches     = batcher.Options{MaxBatchSize: spec.MaxBatchEntries, MaxHandlers: 100}
)

// A queue is an open queue: the stock driver's two ends, on a client whose
// requests [front] answers, and the controls on the client that makes them.
type queue struct {
	client    *sqs.Client
	url       string
	name      string
	front     *front
	closeIdle func()

	topic *pubsub.Topic
	sub   *pubsub.Subscription

	log *slog.Logger

	mu  sync.Mutex      // guards all below
	arn string          // "" until it has been asked for
	odd map[string]bool // attributes of which it was said that they are odd
}

func (b *Backend) openQueue(ctx context.Context, cfg aws.Config, a *address, closeIdle func()) *queue {
	q := &queue{client: b.newSQS(cfg, a.queue), url: a.queue, name: a.name, closeIdle: closeIdle, log: b.options.Logger}
	ls := new(leases)
	changer := newChanger(q.client, q.url, ls, a.nackDelay, b.options.Logger)
	q.front = &front{
		queue:    q.url,
		sender:   newSender(q.client, q.url, b.options.Logger),
		receiver: newReceiver(q.client, q.url, a.receive, ls, changer, b.options.Logger),
		deleter:  newDeleter(q.client, q.url, ls, b.options.Logger),
		changer:  changer,
	}
	client := b.newFront(cfg, q.url, q.front)
	q.topic = awssnssqs.OpenSQSTopic(ctx, client, q.url, &awssnssqs.TopicOptions{BatcherOptions: sendBatches})
	q.sub = awssnssqs.OpenSubscription(ctx, client, q.url, &awssnssqs.SubscriptionOptions{
		Raw:                   a.sns == "",
		SNSTopicARN:           a.sns,
		NackLazy:              a.nackLazy,
		ReceiveBatcherOptions: receiveBatches,
		AckBatcherOptions:     ackBatches,
	})
	return q
}

func (q *queue) Topic() *pubsub.Topic                   { return q.topic }
func (q *queue) Subscription() *pubsub.Subscription     { return q.sub }
func (q *queue) ErrorCode(err error) gcerrors.ErrorCode { return errorCode(err) }

// MessageControls declares what travels on messages: all there is.
func (q *queue) MessageControls() []driver.Control {
	return []driver.Control{driver.ControlDelay, driver.ControlTypes, driver.ControlDetails, driver.ControlGroups, driver.ControlDeadLetter}
}

// Close gives back what was fetched and not handed out, and waits for requests
// under way.
func (q *queue) Close(ctx context.Context) error {
	q.front.receiver.close(ctx)
	q.front.sender.join.wait(ctx)
	q.front.deleter.join.wait(ctx)
	q.front.changer.join.wait(ctx)
	q.closeIdle()
	return ctx.Err()
}

func (q *queue) SetReceiveVisibility(d time.Duration) error {
	if err := errors.Join(spec.CheckVisibility(d), spec.CheckWholeSeconds("VisibilityTimeout", d)); err != nil {
		return err
	}
	q.front.receiver.setVisibility(d)
	return nil
}

func (q *queue) ChangeVisibility(ctx context.Context, changes []driver.VisibilityChange) []error {
	errs := q.front.changer.change(ctx, false, changes)
	if errors.Join(errs...) == nil {
		return nil
	}
	return errs
}

func (q *queue) Purge(ctx context.Context) error {
	_, err := q.client.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: &q.url})
	return err
}

func (q *queue) Delete(ctx context.Context) error {
	_, err := q.client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &q.url})
	return err
}

func (q *queue) LateAcks() int64 { return q.front.deleter.late.Load() }

func (q *queue) Pause(idle func()) (resume func()) { return q.front.receiver.pause(idle) }
