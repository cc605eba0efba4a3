// Package plainbus is the backend mempubsub://: the Go CDK's own in-memory
// driver (gocloud.dev/pubsub/mempubsub) as it comes, behind the URL of one
// queue. It is the floor of what is portable, to see what a program needs beyond
// it; for tests use mem:// of package membus.
//
// # URLs
//
// A URL is mempubsub://NAME. Importing the package registers the scheme on
// [omnibus/bus.DefaultMux]; the same name is the same queue there. A [Backend] of
// your own has a set of queues of its own. One parameter is known:
//
//	ackdeadline  when an unacknowledged message is delivered again, for the
//	             first who opens the queue: over 0s, default 1m
//
// # Delivery
//
// At least once, in no order. Everyone who opens a name competes for its
// messages, since a mempubsub subscription is shared among them. Two things are
// added to the driver: a delay ([omnibus/bus.Delay]) is held in the process, and
// typed attributes travel in the metadata, with their types listed under the key
// omnibus.types. All else of package bus's controls is unsupported.
//
// mempubsub looks for messages four times a second when it has none, so a
// waiting Receive is woken after 125 ms on average.
//
// # As
//
//   - Message.BeforeSend: **driver.SendOptions
//   - Message: *driver.Details
package plainbus

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/batcher"
	"gocloud.dev/pubsub/mempubsub"

	"omnibus/bus"
	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// Scheme is the scheme of the URLs. It is not mem, which the Go CDK gives to
// this driver, since that is package membus's here.
const Scheme = "mempubsub"

func init() { bus.DefaultMux().Register(Scheme, New()) }

// A Backend is a set of queues in memory. It is safe for concurrent use.
type Backend struct {
	mu     sync.Mutex // guards queues
	queues map[string]*shared
}

// shared is what all who open one name share.
type shared struct {
	topic *pubsub.Topic
	sub   *pubsub.Subscription
}

// New returns a backend without queues.
func New() *Backend { return &Backend{queues: map[string]*shared{}} }

// Local says that the queues exist in this process only.
func (b *Backend) Local() bool { return true }

const defaultAckDeadline = time.Minute

// one makes batches of one: a Send succeeds or fails by itself, and no message
// is fetched before somebody wants it.
var one = &batcher.Options{MaxBatchSize: 1, MaxHandlers: 1}

// OpenQueue opens the queue that the URL names and creates it if need be.
func (b *Backend) OpenQueue(ctx context.Context, u *url.URL) (driver.Queue, error) {
	name := u.Host + u.Path
	if err := spec.CheckQueueName(name); err != nil {
		return nil, err
	}
	deadline, err := ackDeadline(u)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.queues[name]
	if s == nil {
		s = &shared{topic: mempubsub.NewTopic()}
		s.sub = mempubsub.NewSubscriptionWithOptions(s.topic, deadline, &mempubsub.SubscriptionOptions{ReceiveBatcherOptions: *one})
		b.queues[name] = s
	}
	sub := &subscription{inner: s.sub}
	return &queue{
		topic: pubsub.NewTopic(&topic{inner: s.topic}, one),
		sub:   sub,
		end:   pubsub.NewSubscription(sub, one, nil),
	}, nil
}

func ackDeadline(u *url.URL) (time.Duration, error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return 0, spec.Errorf(spec.InvalidParameterValue, "the parameters do not parse: %v", err)
	}
	for name := range query {
		if name != "ackdeadline" {
			return 0, spec.Errorf(spec.InvalidParameterValue, "unknown parameter %q; known is ackdeadline", name)
		}
	}
	if !query.Has("ackdeadline") {
		return defaultAckDeadline, nil
	}
	d, err := time.ParseDuration(query.Get("ackdeadline"))
	if err != nil || d <= 0 {
		return 0, spec.Errorf(spec.InvalidParameterValue, "parameter ackdeadline=%s: want a duration over zero, such as 5s", query.Get("ackdeadline"))
	}
	return d, nil
}

// queue is an open queue.
type queue struct {
	topic *pubsub.Topic
	sub   *subscription
	end   *pubsub.Subscription
}

func (q *queue) Topic() *pubsub.Topic                   { return q.topic }
func (q *queue) Subscription() *pubsub.Subscription     { return q.end }
func (q *queue) ErrorCode(err error) gcerrors.ErrorCode { return driver.ErrorCode(err) }

// MessageControls declares what is added to the driver.
func (q *queue) MessageControls() []driver.Control {
	return []driver.Control{driver.ControlDelay, driver.ControlTypes}
}

func (q *queue) Pause(idle func()) (resume func()) { return q.sub.polls.Pause(idle) }

// mempubsubPoll is how long mempubsub sleeps when it has no message, whatever
// becomes of the context.
const mempubsubPoll = 250 * time.Millisecond

// Close waits for the driver's last sleep to end, so that no goroutine outlives
// the queue.
func (q *queue) Close(ctx context.Context) error {
	if !q.sub.received.Load() {
		return nil
	}
	select {
	case <-time.After(mempubsubPoll + time.Millisecond):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for mempubsub's poll to end: %w", ctx.Err())
	}
}
