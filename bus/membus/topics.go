package membus

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	cdk "gocloud.dev/pubsub/driver"

	"omnibus/bus/driver"
	"omnibus/bus/engine"
	"omnibus/bus/spec"
	"omnibus/bus/topics"
)

// This file holds topics. Their engine knows topics and queues by ARNs, which hold
// the names, and delivers raw, so that a queue gets what a sender would send it.

const (
	account   = "000000000000"
	queueARNs = "arn:aws:sqs:us-east-1:" + account + ":"
	topicARNs = "arn:aws:sns:us-east-1:" + account + ":"
)

// queues are the queues of the engine of queues, by ARN.
type queues struct{ engine *engine.Engine }

func (q queues) Queue(arn string) (*engine.Queue, error) {
	return q.engine.Queue(strings.TrimPrefix(arn, queueARNs))
}

// parseTopic returns a topic's name, and the settings that its URL has.
func parseTopic(u *url.URL) (name string, s spec.QueueSettings, err error) {
	name = u.Host + u.Path
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", s, spec.Errorf(spec.InvalidParameterValue, "the parameters do not parse: %v", err)
	}
	return name, s, driver.EachParameter(query, []string{"fifo", "contentdedup"}, func(name, value string) (err error) {
		if name == "fifo" {
			s.FIFO, err = boolean(value)
		} else {
			s.ContentBasedDeduplication, err = boolean(value)
		}
		return err
	})
}

// createTopic creates a topic if need be, and returns its ARN. Of the settings of
// queues, topics have two.
func (b *Backend) createTopic(name string, s spec.QueueSettings) (string, error) {
	others := s
	others.FIFO, others.ContentBasedDeduplication = nil, nil
	if !reflect.ValueOf(others).IsZero() {
		return "", spec.Errorf(spec.InvalidParameterValue, "topics have no settings but FIFO and ContentBasedDeduplication")
	}
	attrs := map[string]string{}
	if s.FIFO != nil || spec.IsFIFOName(name) {
		attrs["FifoTopic"] = strconv.FormatBool(s.FIFO == nil || *s.FIFO)
	}
	if s.ContentBasedDeduplication != nil {
		attrs["ContentBasedDeduplication"] = strconv.FormatBool(*s.ContentBasedDeduplication)
	}
	arn, err := topics.ParseARN("topic", topicARNs+name)
	if err == nil {
		err = b.topics.CreateTopic(arn, attrs, nil)
	}
	return arn.String(), topicError(err)
}

// openTopic opens the topic that the URL names and creates it if need be.
func (b *Backend) openTopic(u *url.URL) (driver.Queue, error) {
	name, s, err := parseTopic(u)
	if err != nil {
		return nil, err
	}
	arn, err := b.createTopic(name, s)
	if err != nil {
		return nil, err
	}
	p := &publisher{b.topics, arn}
	return &openTopic{publisher: p, end: pubsub.NewTopic(p, sendBatches)}, nil
}

// SubscribeTo subscribes the queue to the topic that the URL names, which is created
// if need be.
func (q *queue) SubscribeTo(_ context.Context, u *url.URL, s spec.SubscriptionSettings) error {
	if u.Scheme != TopicScheme {
		return spec.Errorf(spec.InvalidParameterValue, "the URL of a topic here is %s://NAME", TopicScheme)
	}
	if _, err := q.q.get().Attributes(); err != nil {
		return err // it is deleted
	}
	name, settings, err := parseTopic(u)
	if err != nil {
		return err
	}
	return q.backend.subscribe(name, settings, q.q.get().Name(), s)
}

func (b *Backend) subscribe(topic string, settings spec.QueueSettings, queue string, s spec.SubscriptionSettings) error {
	arn, err := b.createTopic(topic, settings)
	if err != nil {
		return err
	}
	scope := "MessageAttributes"
	if s.FilterBody {
		scope = "MessageBody"
	}
	attrs := map[string]string{"RawMessageDelivery": "true", "FilterPolicy": s.Filter, "FilterPolicyScope": scope}
	request := topics.SubscribeRequest{TopicARN: arn, Protocol: "sqs", Endpoint: queueARNs + queue, Attributes: attrs, Account: account}
	made, err := b.topics.Subscribe(request)
	if err == nil {
		return nil
	}
	// It may be subscribed already, with other settings.
	subs, _ := b.topics.SubscriptionsByTopic(arn)
	for _, has := range subs {
		if has.Endpoint == request.Endpoint {
			made = has
		}
	}
	if made.ARN != "" {
		err = b.topics.SetSubscriptionAttributes(made.ARN, attrs)
	}
	return topicError(err)
}

// openTopic is an open topic: a queue that can be sent to.
type openTopic struct {
	publisher *publisher
	end       *pubsub.Topic
}

func (t *openTopic) Topic() *pubsub.Topic                   { return t.end }
func (t *openTopic) Subscription() *pubsub.Subscription     { return nil }
func (t *openTopic) ErrorCode(err error) gcerrors.ErrorCode { return driver.ErrorCode(err) }
func (t *openTopic) Close(context.Context) error            { return nil }

// MessageControls declares what travels on messages to a topic. SNS has no delay.
func (t *openTopic) MessageControls() []driver.Control {
	return []driver.Control{driver.ControlTypes, driver.ControlGroups}
}

func (t *openTopic) Delete(context.Context) error {
	return topicError(t.publisher.topics.DeleteTopic(t.publisher.arn))
}

// publisher is the Go CDK's side of a topic.
type publisher struct {
	topics *topics.Engine
	arn    string
}

// SendBatch sends the messages one by one, as [topic.SendBatch] does.
func (p *publisher) SendBatch(_ context.Context, ms []*cdk.Message) error {
	for _, m := range ms {
		if err := p.send(m); err != nil {
			return topicError(err)
		}
	}
	return nil
}

func (p *publisher) send(m *cdk.Message) error {
	o, err := driver.CollectSendOptions(m.BeforeSend)
	if err != nil {
		return err
	}
	if o.Delay != nil {
		return fmt.Errorf("membus: topics have no delay; give the queue behind the topic one: control %q: %w", driver.ControlDelay, errors.ErrUnsupported)
	}
	body, attrs := driver.Encode(m.Body, m.Metadata, &o)
	attrs = append(attrs, o.Attributes...)
	attrs = append(attrs, o.Fitting(body, attrs, maxTopicBytes)...)
	// Of more than 10 attributes, a queue would get nothing, and nobody would hear of
	// it.
	if err := spec.CheckMessage(body, attrs, maxTopicBytes); err != nil {
		return err
	}
	sent, err := p.topics.Publish(p.arn, "", topics.Message{
		Body:          body,
		Attributes:    attrs,
		Group:         o.Group,
		Deduplication: o.Deduplication,
		TraceHeader:   o.TraceHeader,
	})
	if err != nil {
		return err
	}
	return tellSent(m, driver.Sent{ID: sent.MessageID, SequenceNumber: sent.SequenceNumber})
}

// maxTopicBytes is the size of a message that a topic takes.
const maxTopicBytes = 256 << 10

func (p *publisher) As(any) bool                            { return false }
func (p *publisher) IsRetryable(error) bool                 { return false }
func (p *publisher) ErrorAs(err error, i any) bool          { return errorAs(err, i) }
func (p *publisher) ErrorCode(err error) gcerrors.ErrorCode { return driver.ErrorCode(err) }
func (p *publisher) Close() error                           { return nil }

// A coded error is one of the engine of topics, whose codes package driver does not
// know.
type codedError struct {
	error
	code gcerrors.ErrorCode
}

func (e codedError) Unwrap() error            { return e.error }
func (e codedError) Code() gcerrors.ErrorCode { return e.code }

func topicError(err error) error {
	var code spec.Code
	if !errors.As(err, &code) {
		return err
	}
	switch code {
	case topics.NotFound:
		return codedError{err, gcerrors.NotFound}
	case topics.FilterPolicyLimitExceeded:
		return codedError{err, gcerrors.ResourceExhausted}
	case topics.InvalidParameter, topics.ParameterValueInvalid:
		return codedError{err, gcerrors.InvalidArgument}
	}
	return err
}
