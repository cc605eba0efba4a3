// Package membus is the backend mem://: queues in this process that behave as
// SQS queues do, with every control of package bus, and topics as those of SNS. Without
// the parameter dir it is for tests and for trying things out: nothing outlives the
// process.
//
// # URLs
//
// A URL is mem://NAME. Importing the package registers the scheme on
// [omnibus/bus.DefaultMux]; there, all of a process share one set of queues, and
// the same name is the same queue. A [Backend] of your own has a set of its own,
// as a test wants it (in a testing/synctest bubble always):
//
//	var mux bus.Mux
//	mux.Register(membus.Scheme, membus.New(nil))
//	q, err := mux.Open(ctx, "mem://donors?visibility=5s")
//
// Opening a queue creates it if need be. These parameters are of the queue: they
// set its attributes when it is created, and must agree with it when it exists.
// Durations are written as in Go, 90s or 1.5h.
//
//	delay         how long sent messages stay hidden: 0s to 15m, default 0s
//	retention     when undeleted messages are dropped: 1m to 336h, default 96h
//	fifo          true or false, as the name's suffix .fifo says
//	contentdedup  FIFO: deduplicate by the body, true or false
//	dlq           name of the dead-letter queue, created if need be
//	maxreceives   deliveries before a message goes there, 1 to 1000; with dlq only
//
// With dir the queue is one of those in a directory, which outlive the process and, as
// [engine.Open] says in full, also a power cut:
//
//	dir           path of the directory, made if need be; one process at a time has it
//
// These are of the one who opens it, so that consumers of one queue can differ:
//
//	visibility    visibility timeout of its receives: 0s to 12h, default the queue's own (30s)
//	wait          how long one receive waits: 0s to 20s, default 20s
//
// # Delivery
//
// At least once, as on SQS. Standard queues deliver in the order in which
// messages become visible. A visibility timeout begins when Receive hands the
// message out, since nothing is fetched ahead; but a receiver that has taken 100
// messages in a row, each within a thousandth of the visibility timeout (30 ms of
// 30 s), gets as many at a time, 100 at most, as it takes at its pace in a
// hundredth of that timeout; if it then pauses, those wait in memory. Messages of a
// FIFO queue are received one at a time. A waiting
// Receive is woken by the send, the end of the delay or the end of the visibility
// timeout itself. One failed Send fails alone.
//
// Metadata and bodies have the Go CDK's wire form for SQS, so that limits are
// those of production: at most 10 attributes with portable metadata counted, no
// empty body, no empty metadata value.
//
// # Topics
//
// memsns://NAME is a topic, which can be sent to, and is created if need be. A queue
// of the same backend gets what it wants of that, as it was sent, once it is
// subscribed:
//
//	topic, err := bus.Open(ctx, "memsns://donations")
//	large, err := bus.Open(ctx, "mem://large")
//	err = large.SubscribeTo(ctx, topic.URL(), bus.SubscriptionSettings{
//		Filter: `{"amount": [{"numeric": [">=", 1000]}]}`,
//	})
//
// Topics are not kept in a directory, and send to no queue in one.
// The parameters are fifo and contentdedup, as of queues. What is sent has the limits
// of both SNS and SQS: up to 256 KiB and 10 attributes. It is in all queues when Send
// returns; those that have been deleted get nothing. The id that the sender is told is
// the topic's, and each queue gives the message one of its own. A backend of your own
// has topics on a mux when its Register has put both schemes there.
//
// # As
//
//   - Message.BeforeSend: **driver.SendOptions
//   - Message.AfterSend: *driver.Sent
//   - Message: *driver.Details, **driver.Settling
//   - Topic, Subscription: **engine.Queue
//   - Error: **spec.Error
package membus

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/batcher"
	cdk "gocloud.dev/pubsub/driver"

	"omnibus/bus"
	"omnibus/bus/driver"
	"omnibus/bus/engine"
	"omnibus/bus/spec"
	"omnibus/bus/topics"
)

// The schemes of the URLs.
const (
	Scheme      = "mem"    // of queues
	TopicScheme = "memsns" // of topics
)

func init() { New(nil).Register(bus.DefaultMux()) }

// Options configure a [Backend]. The zero value is as strict as SQS.
type Options struct {
	// Engine holds the queues; nil means a new one.
	Engine *engine.Engine

	// Report, unless nil, gets a line for what is found in the directories of the
	// parameter dir, and when one cannot be written.
	Report func(string)
}

// A Backend is a set of queues in memory. It is safe for concurrent use.
type Backend struct {
	engine      *engine.Engine
	topics      *topics.Engine
	report      func(string)
	directories directories
}

// New returns a backend. opts may be nil.
func New(opts *Options) *Backend {
	b := &Backend{}
	if opts != nil {
		b.engine, b.report = opts.Engine, opts.Report
	}
	if b.engine == nil {
		b.engine = engine.New(nil)
	}
	b.topics = topics.New(topics.Options{Queues: queues{b.engine}})
	return b
}

// Register registers the backend on a mux for both of its schemes.
func (b *Backend) Register(m *bus.Mux) {
	m.Register(Scheme, b)
	m.Register(TopicScheme, b)
}

// Local says that the queues exist in this process only.
func (b *Backend) Local() bool { return true }

// OpenQueue opens the queue or the topic that the URL names and creates it if need
// be.
func (b *Backend) OpenQueue(ctx context.Context, u *url.URL) (driver.Queue, error) {
	if u.Scheme == TopicScheme {
		return b.openTopic(u)
	}
	p, err := parse(u)
	if err != nil {
		return nil, err
	}
	b, release, err := b.in(p.dir)
	if err != nil {
		return nil, err
	}
	q, err := b.create(p.name, p.settings)
	if err != nil {
		return nil, errors.Join(err, release())
	}
	opened := open(b, q, p)
	opened.release = release
	return opened, nil
}

// CreateQueue creates the queue or the topic that the URL names. The settings are added to
// those in the URL, whose visibility and wait are the queue's own here.
func (b *Backend) CreateQueue(ctx context.Context, u *url.URL, s spec.QueueSettings) (string, error) {
	if u.Scheme == TopicScheme {
		name, settings, err := parseTopic(u)
		if err != nil {
			return "", err
		}
		if _, err := b.createTopic(name, settings.Merge(s)); err != nil {
			return "", err
		}
		return TopicScheme + "://" + name, nil
	}
	p, err := parse(u)
	if err != nil {
		return "", err
	}
	b, release, err := b.in(p.dir)
	if err != nil {
		return "", err
	}
	_, err = b.create(p.name, p.settings.Merge(s))
	if err := errors.Join(err, release()); err != nil {
		return "", err
	}
	return urlOf(p.name, p.dir), nil
}

// create creates a queue, and its dead-letter queue before it.
func (b *Backend) create(name string, s spec.QueueSettings) (*engine.Queue, error) {
	if d := s.DeadLetter; d != nil && d.Queue != "" && d.Queue != name {
		if err := spec.CheckQueueName(d.Queue); err != nil {
			return nil, fmt.Errorf("dead-letter queue: %w", err)
		}
		if _, err := b.engine.Create(d.Queue, spec.QueueSettings{}); err != nil {
			return nil, fmt.Errorf("dead-letter queue: %w", err)
		}
	}
	return b.engine.Create(name, s)
}

// ListQueues returns the URLs of the queues, or of the topics, whose names start with prefix.
func (b *Backend) ListQueues(ctx context.Context, u *url.URL, prefix string) ([]string, error) {
	var urls []string
	if u.Scheme == TopicScheme {
		for _, arn := range b.topics.Topics(topicARNs + prefix) {
			urls = append(urls, TopicScheme+"://"+strings.TrimPrefix(arn, topicARNs))
		}
		return urls, nil
	}
	dir := u.Query().Get("dir")
	b, release, err := b.in(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range b.engine.List(prefix) {
		urls = append(urls, urlOf(name, dir))
	}
	return urls, release()
}

// Each Send is a batch of its own, so that it succeeds or fails by itself. A
// Receive that fetches is the only one to do so, and [ahead] says how many
// messages it gets.
var (
	sendBatches    = &batcher.Options{MaxBatchSize: 1, MaxHandlers: 4}
	keptBatches    = &batcher.Options{MaxBatchSize: 1, MaxHandlers: 1000} // one sync serves all that wait for it
	receiveBatches = &batcher.Options{MaxBatchSize: 1, MaxHandlers: 1}
)

// queue is an open queue.
type queue struct {
	backend *Backend
	q       *handle
	sub     *subscription
	release func() error // nil of a further receiver, whose queue has one

	topicEnd *pubsub.Topic
	subEnd   *pubsub.Subscription
}

func open(b *Backend, q *engine.Queue, p params) *queue {
	h, sends := newHandle(b.engine, q), sendBatches
	if p.dir != "" {
		sends = keptBatches
	}
	opened := &queue{backend: b, q: h, topicEnd: pubsub.NewTopic(&topic{h}, sends)}
	opened.subscribe(newSubscription(h, p.visibility, p.wait))
	return opened
}

func (q *queue) subscribe(s *subscription) {
	q.sub, q.subEnd = s, pubsub.NewSubscription(s, receiveBatches, nil)
}

func (q *queue) Topic() *pubsub.Topic                   { return q.topicEnd }
func (q *queue) Subscription() *pubsub.Subscription     { return q.subEnd }
func (q *queue) ErrorCode(err error) gcerrors.ErrorCode { return driver.ErrorCode(err) }

// Close lets go of the directory of the parameter dir.
func (q *queue) Close(context.Context) error {
	if q.release == nil {
		return nil
	}
	return q.release()
}

// MessageControls declares all that can be declared.
func (q *queue) MessageControls() []driver.Control {
	return []driver.Control{driver.ControlDelay, driver.ControlTypes, driver.ControlDetails, driver.ControlGroups, driver.ControlDeadLetter, driver.ControlAckResults, driver.ControlLimits}
}

// SendBatch sends messages together, so that in a directory one sync serves them all.
// Their AfterSend is called when that is done, since it may use the queue.
func (q *queue) SendBatch(ctx context.Context, ms []*cdk.Message) []error {
	errs := make([]error, len(ms))
	messages, sent := make([]engine.Message, len(ms)), make([]engine.Sent, len(ms))
	for i, m := range ms {
		messages[i], errs[i] = outgoing(m)
	}
	failed := q.q.get().Batch(func(b *engine.Batch) {
		for i := range ms {
			if errs[i] == nil {
				sent[i], errs[i] = b.Send(messages[i])
			}
		}
	})
	for i, m := range ms {
		if errs[i] == nil {
			errs[i] = failed
		}
		if errs[i] == nil {
			errs[i] = tellSent(m, driver.Sent{ID: sent[i].ID, SequenceNumber: sent[i].SequenceNumber})
		}
	}
	return driver.AllNil(errs)
}

func (q *queue) Attributes(ctx context.Context) (spec.QueueAttributes, error) {
	return q.q.get().Attributes()
}

func (q *queue) SetAttributes(ctx context.Context, s spec.QueueSettings) error {
	return q.q.get().SetAttributes(s)
}

func (q *queue) Purge(context.Context) error  { return q.q.get().Purge() }
func (q *queue) Delete(context.Context) error { return q.backend.engine.Delete(q.q.get().Name()) }
func (q *queue) LateAcks() int64              { return q.sub.lateAcks.Load() }

// redriveChunk bounds how long one step of a redrive keeps others waiting.
const redriveChunk = 1000

func (q *queue) Redrive(ctx context.Context, to string, most int) (int, error) {
	if most < 0 {
		return 0, spec.Errorf(spec.InvalidParameterValue, "%d messages to redrive; allowed are 0, for all, and more", most)
	}
	if most == 0 {
		a, err := q.q.get().Attributes()
		if err != nil {
			return 0, err
		}
		most = a.Visible
	}
	moved := 0
	for {
		step := min(most-moved, redriveChunk)
		n, err := q.q.get().Redrive(to, step)
		moved += n
		if err != nil || n < step || moved == most {
			return moved, err
		}
		if err := ctx.Err(); err != nil {
			return moved, err
		}
	}
}

func (q *queue) Peek(ctx context.Context, n int) ([]driver.Peeked, error) {
	if n < 0 {
		return nil, spec.Errorf(spec.InvalidParameterValue, "%d messages to peek at; allowed are 0 and more", n)
	}
	ds, err := q.q.get().Peek(n)
	var out []driver.Peeked
	for i := range ds {
		p := driver.Peeked{Details: details(&ds[i])}
		p.Body, p.Metadata, p.Details.Attributes = driver.Decode(ds[i].Body, ds[i].Attributes)
		out = append(out, p)
	}
	return out, err
}

func (q *queue) Pause(idle func()) (resume func()) { return q.sub.polls.Pause(idle) }
