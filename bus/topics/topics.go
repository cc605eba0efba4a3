// Package topics is Amazon SNS in one process: topics, subscriptions with filter
// policies, and the fan-out of what is published to the queues that subscribe.
//
// It is a library for backends; programs use package bus, and package
// [omnibus/bus/snsserver] speaks the protocol of SNS over it. An [Engine] holds
// topics by their ARNs. Like package engine's, it has two layers: topics are state
// machines that take the time and return values, and the Engine around them owns
// the lock. No goroutine runs here, and nothing waits: a publication has reached
// its queues when [Engine.Publish] returns.
//
// # Delivery
//
// A queue gets a message raw, or in the envelope that SNS puts around it, as its
// subscription says. What a queue refuses (it is gone, the message is too large,
// more than ten attributes are to be delivered raw) goes to the dead-letter queue
// of the subscription, if there is one, in the form in which it would have been
// delivered; with more than ten attributes in the envelope, which has room for
// them. A FIFO topic hands its messages on in order, with group and deduplication
// id to FIFO queues and without to standard ones, and remembers deduplication ids
// for five minutes.
//
// Endpoints over HTTP are asked to confirm, and a [Poster] takes what is delivered
// to them. Endpoints of other protocols stay unconfirmed and get nothing.
//
// Changes of filter policies and all else take effect at once. Policies and
// permissions are kept and not enforced.
//
// The rules are those of the SNS Developer Guide and API Reference
// (https://docs.aws.amazon.com/sns/latest/), and what AWS has been recorded to do.
// Errors are of type [*spec.Error], with AWS's texts as far as they are known. All
// methods are safe for concurrent use.
package topics

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// Queues are where messages are delivered. Queue returns the queue with an ARN, or
// the error that there is none.
type Queues interface {
	Queue(arn string) (*engine.Queue, error)
}

// Options configure an engine. Queues is required.
type Options struct {
	Queues Queues
	Poster Poster // takes what is delivered over HTTP; nil: nothing is
	Signer Signer // signs envelopes; nil: they are not signed
}

// An Engine holds topics. Create one with [New].
type Engine struct {
	opts  Options
	start time.Time // its monotonic clock is the engine's

	mu     sync.Mutex // guards everything below, and all that the topics hold
	topics map[string]*handle
	number uint64 // the latest subscription's
}

// A handle is a topic with the lock that keeps the order of a FIFO topic's
// messages on their way to queues. It is taken before that of the engine.
type handle struct {
	order sync.Mutex
	*topic
}

// New returns an engine without topics.
func New(opts Options) *Engine {
	return &Engine{opts: opts, start: time.Now(), topics: map[string]*handle{}}
}

// now returns what the engine's clock shows. It does not follow the wall clock
// when that is set.
func (e *Engine) now() int64 { return int64(time.Since(e.start)) }

// send sends a message to the queue with an ARN.
func (e *Engine) send(arn string, m engine.Message) error {
	q, err := e.opts.Queues.Queue(arn)
	if err == nil {
		_, err = q.Send(m)
	}
	return err
}

// newID returns a random UUID.
func newID() string {
	var b [16]byte
	binary.NativeEndian.PutUint64(b[:8], rand.Uint64())
	binary.NativeEndian.PutUint64(b[8:], rand.Uint64())
	return spec.ID(b, 4)
}

// topic returns the topic with an ARN. e.mu is held.
func (e *Engine) topic(arn string) (*handle, error) {
	if _, err := parseTopicARN(arn); err != nil {
		return nil, err
	}
	if t := e.topics[arn]; t != nil {
		return t, nil
	}
	return nil, errNoTopic
}

// CreateTopic makes the topic with an ARN. Of a topic that exists it changes
// nothing, and fails if an attribute or a tag given differs from what that one
// has.
func (e *Engine) CreateTopic(arn ARN, attrs, tags map[string]string) error {
	fifo, _ := boolean(attrs["FifoTopic"])
	if err := checkTopicName(arn.Resource, fifo == "true"); err != nil {
		return err
	}
	attrs, err := checkTopicAttributes(attrs, fifo == "true")
	if err != nil {
		return err
	}
	if err := checkTags(tags); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if t := e.topics[arn.String()]; t != nil {
		return t.sameAs(attrs, tags)
	}
	// Sequence numbers have 20 digits, as AWS's.
	const least, span = 10_000_000_000_000_000_000, 8_000_000_000_000_000_000
	t := newTopic(arn, attrs, tags, least+rand.Uint64N(span))
	e.topics[t.name] = &handle{topic: t}
	return nil
}

// DeleteTopic removes a topic and its subscriptions. One that does not exist is
// no error.
func (e *Engine) DeleteTopic(arn string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := parseTopicARN(arn); err != nil {
		return err
	}
	delete(e.topics, arn)
	return nil
}

// Topics returns the ARNs of the topics that start with prefix, sorted.
func (e *Engine) Topics(prefix string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var arns []string
	for arn := range e.topics {
		if strings.HasPrefix(arn, prefix) {
			arns = append(arns, arn)
		}
	}
	slices.Sort(arns)
	return arns
}

// TopicAttributes returns the attributes of a topic, as SNS shows them.
func (e *Engine) TopicAttributes(arn string) (map[string]string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, err := e.topic(arn)
	if err != nil {
		return nil, err
	}
	return t.attributes(), nil
}

// SetTopicAttribute sets an attribute of a topic. An empty value removes it.
func (e *Engine) SetTopicAttribute(arn, name, value string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, err := e.topic(arn)
	if err != nil {
		return err
	}
	return t.set(name, value)
}

// ChangePolicy sets the policy of a topic to what change makes of it.
func (e *Engine) ChangePolicy(arn string, change func(policy string) (string, error)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, err := e.topic(arn)
	if err != nil {
		return err
	}
	policy, err := change(t.attribute("Policy"))
	if err != nil {
		return err
	}
	return t.set("Policy", policy)
}

// resource returns the topic whose tags are asked for. e.mu is held.
func (e *Engine) resource(arn string) (*handle, error) {
	t, err := e.topic(arn)
	if err == errNoTopic {
		err = spec.Errorf(ResourceNotFound, "Resource does not exist")
	}
	return t, err
}

// Tags returns the tags of a topic.
func (e *Engine) Tags(arn string) (map[string]string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, err := e.resource(arn)
	if err != nil {
		return nil, err
	}
	return maps.Clone(t.tags), nil
}

// Tag adds tags to a topic, up to 50, or changes those that it has.
func (e *Engine) Tag(arn string, tags map[string]string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, err := e.resource(arn)
	if err != nil {
		return err
	}
	return t.tag(tags)
}

// Untag removes tags from a topic.
func (e *Engine) Untag(arn string, keys []string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, err := e.resource(arn)
	if err != nil {
		return err
	}
	t.tags = maps.Clone(t.tags)
	for _, key := range keys {
		delete(t.tags, key)
	}
	return nil
}

// Publish publishes a message to a topic. base is the address at which the
// subscribers reach the protocol of SNS, as in http://127.0.0.1:9324, for the
// links and the signature in envelopes; without one they have neither.
func (e *Engine) Publish(arn, base string, m Message) (Published, error) {
	out, errs, err := e.publish(arn, base, []Message{m}, 0)
	if err == nil {
		err = errs[0]
	}
	if err != nil {
		return Published{}, err
	}
	return out[0], nil
}

// maxBatchBytes is how large the messages of a batch may be together.
const maxBatchBytes = spec.MaxMessageBytes

// PublishBatch publishes messages to a topic. They succeed or fail one by one,
// with an error each, except where SNS refuses them all: for their size together,
// attributes, structure, and a group or a deduplication id that is missing.
func (e *Engine) PublishBatch(arn, base string, ms []Message) ([]Published, []error, error) {
	return e.publish(arn, base, ms, defaultMaxBytes)
}

// publish publishes messages that have together at most so many bytes, or the
// topic's maximum if that is more.
func (e *Engine) publish(arn, base string, ms []Message, most int) ([]Published, []error, error) {
	e.mu.Lock()
	t, err := e.topic(arn)
	e.mu.Unlock()
	if err != nil {
		return nil, nil, err
	}
	if t.fifo {
		t.order.Lock()
		defer t.order.Unlock()
	}
	out, errs, publications, err := e.accept(t, base, ms, most)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range publications {
		p.deliver()
	}
	return out, errs, nil
}

// accept checks messages, gives them their ids and returns those that are to be
// delivered.
func (e *Engine) accept(t *handle, base string, ms []Message, most int) (out []Published, errs []error, publications []*publication, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.topics[t.name] != t {
		return nil, nil, nil, errNoTopic // it was deleted meanwhile
	}
	size := 0
	for i := range ms {
		size += spec.MessageSize(ms[i].Body, ms[i].Attributes)
	}
	if most > 0 && size > max(most, t.maxBytes) {
		return nil, nil, nil, spec.Errorf(BatchRequestTooLong, "The length of all the messages put together is more than the limit.")
	}
	out, errs = make([]Published, len(ms)), make([]error, len(ms))
	for i := range ms {
		if errs[i] = ms[i].check(t.topic); errs[i] != nil {
			continue
		}
		if err := ms[i].checkForAll(t.topic); err != nil {
			return nil, nil, nil, err
		}
	}
	for i := range ms {
		if errs[i] != nil {
			continue
		}
		var isNew bool
		if out[i], isNew = t.accept(e.now(), &ms[i]); isNew {
			publications = append(publications, e.newPublication(t.topic, &ms[i], out[i], base))
		}
	}
	return out, errs, publications, nil
}
