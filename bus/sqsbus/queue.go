package sqsbus

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// A queue is an open queue: its sending end, and what its receivers share.
type queue struct {
	backend   *Backend
	client    *sqs.Client
	traffic   *traffic
	url       string
	name      string
	topicARN  string // of the topic whose envelopes are opened, or ""
	log       *slog.Logger
	closeIdle func()

	ctx context.Context // of acknowledgements, and of messages given back
	end context.CancelFunc

	sender     *sender
	deleter    *deleter
	changer    *changer
	deliveries *deliveries
	own        *ownVisibility
	sending    *sending
	topic      *pubsub.Topic

	mu    sync.Mutex      // guards all below
	arn   string          // "" until it has been asked for
	grave string          // URL of the dead-letter queue, "" until it has been asked for
	odd   map[string]bool // attributes of which it was said that they are odd
}

// A receiving is a queue with a receiving end.
type receiving struct {
	*queue
	options      receiveOptions
	subscription *subscription
	portable     *pubsub.Subscription
	first        bool // it has the sending end too, and closes the queue
}

func (b *Backend) openQueue(cfg aws.Config, a *address, closeIdle func()) *receiving {
	log := b.logger()
	t := b.traffic(a.queue)
	q := &queue{
		backend: b, client: b.newSQS(cfg, t), traffic: t, url: a.queue, name: a.name, topicARN: a.sns, log: log, closeIdle: closeIdle,
		deliveries: new(deliveries),
	}
	q.ctx, q.end = context.WithCancel(context.Background())
	q.sender = newSender(q.client, q.url, t)
	q.deleter = newDeleter(q.ctx, q.client, q.url, q.deliveries, log, t)
	q.changer = newChanger(q.ctx, q.client, q.url, q.deliveries, t)
	q.own = &ownVisibility{client: q.client, queue: q.url, log: log}
	q.sending = &sending{client: q.client, sender: q.sender}
	q.topic = pubsub.NewTopic(q.sending, sendBatches)
	r := q.receive(a.receive)
	r.first = true
	return r
}

// receive returns a receiving end of the queue.
func (q *queue) receive(o receiveOptions) *receiving {
	s := &subscription{receiver: newReceiver(q, o), deleter: q.deleter, topicARN: q.topicARN}
	return &receiving{queue: q, options: o, subscription: s, portable: pubsub.NewSubscription(s, receiveBatches, ackBatches)}
}

// OpenReceiver opens a further receiving end.
func (r *receiving) OpenReceiver(o driver.ReceiverOptions) (driver.Queue, error) {
	options := r.options
	if o.Visibility != nil {
		if err := errors.Join(spec.CheckVisibility(*o.Visibility), spec.CheckWholeSeconds("VisibilityTimeout", *o.Visibility)); err != nil {
			return nil, err
		}
		options.visibility = o.Visibility
	}
	return r.receive(options), nil
}

func (r *receiving) Topic() *pubsub.Topic {
	if r.first {
		return r.topic
	}
	return nil
}

func (r *receiving) Subscription() *pubsub.Subscription { return r.portable }

func (r *receiving) LateAcks() int64 { return r.subscription.late.Load() }

func (r *receiving) Pause(idle func()) (resume func()) { return r.subscription.receiver.pause(idle) }

// Close gives back what was fetched and not handed out, and waits for requests
// under way. When ctx ends first, they end too, and what was not confirmed is an
// error.
func (r *receiving) Close(ctx context.Context) error {
	r.subscription.receiver.close(ctx)
	if r.first {
		defer r.closeIdle()
		defer r.end()
		r.sender.join.wait(ctx)
	}
	r.deleter.join.wait(ctx)
	r.changer.join.wait(ctx)
	unconfirmed := driver.UnconfirmedError{Acks: int(r.subscription.unanswered.Load()), Err: ctx.Err()}
	if r.first {
		unconfirmed.Sends = int(r.sending.unconfirmed.Load())
	}
	if unconfirmed.Sends+unconfirmed.Acks > 0 && ctx.Err() != nil {
		return &unconfirmed
	}
	return ctx.Err()
}

func (q *queue) ErrorCode(err error) gcerrors.ErrorCode { return errorCode(err) }

// MessageControls declares what travels on messages: all there is.
func (q *queue) MessageControls() []driver.Control {
	return []driver.Control{driver.ControlDelay, driver.ControlTypes, driver.ControlDetails, driver.ControlGroups, driver.ControlDeadLetter, driver.ControlAckResults, driver.ControlLimits}
}

func (q *queue) Purge(ctx context.Context) error {
	_, err := q.client.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: &q.url})
	return err
}

func (q *queue) Delete(ctx context.Context) error {
	_, err := q.client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &q.url})
	return err
}
