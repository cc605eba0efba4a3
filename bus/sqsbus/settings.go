package sqsbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"omnibus/bus/spec"
)

// redrivePolicy is the attribute RedrivePolicy.
type redrivePolicy struct {
	Target      string      `json:"deadLetterTargetArn"`
	MaxReceives json.Number `json:"maxReceiveCount"` // endpoints write it as a number or as text
}

// Attributes reads all attributes. What an endpoint does not tell is zero.
func (q *queue) Attributes(ctx context.Context) (spec.QueueAttributes, error) {
	wire, err := q.attributes(ctx)
	if err != nil {
		return spec.QueueAttributes{}, err
	}
	var bad []error
	number := func(name types.QueueAttributeName) int {
		text, ok := wire[string(name)]
		n, err := strconv.Atoi(text)
		if ok && err != nil {
			bad = append(bad, fmt.Errorf("sqsbus: attribute %s is %q", name, text))
		}
		return n
	}
	duration := func(name types.QueueAttributeName) time.Duration { return time.Duration(number(name)) * time.Second }
	date := func(name types.QueueAttributeName) time.Time {
		if n := number(name); n != 0 {
			return time.Unix(int64(n), 0)
		}
		return time.Time{}
	}
	a := spec.QueueAttributes{
		Delay:                     duration(types.QueueAttributeNameDelaySeconds),
		Visibility:                duration(types.QueueAttributeNameVisibilityTimeout),
		Retention:                 duration(types.QueueAttributeNameMessageRetentionPeriod),
		Wait:                      duration(types.QueueAttributeNameReceiveMessageWaitTimeSeconds),
		MaxMessageBytes:           number(types.QueueAttributeNameMaximumMessageSize),
		FIFO:                      wire[string(types.QueueAttributeNameFifoQueue)] == "true",
		ContentBasedDeduplication: wire[string(types.QueueAttributeNameContentBasedDeduplication)] == "true",
		Counts: spec.Counts{
			Visible:  number(types.QueueAttributeNameApproximateNumberOfMessages),
			InFlight: number(types.QueueAttributeNameApproximateNumberOfMessagesNotVisible),
			Delayed:  number(types.QueueAttributeNameApproximateNumberOfMessagesDelayed),
		},
		Created:  date(types.QueueAttributeNameCreatedTimestamp),
		Modified: date(types.QueueAttributeNameLastModifiedTimestamp),
	}
	if text := wire[string(types.QueueAttributeNameRedrivePolicy)]; text != "" {
		var p redrivePolicy
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			bad = append(bad, fmt.Errorf("sqsbus: attribute RedrivePolicy is %q: %w", text, err))
		}
		n, _ := strconv.Atoi(p.MaxReceives.String())
		a.DeadLetter = spec.DeadLetter{Queue: arnName(p.Target), MaxReceives: n}
	}
	return a, errors.Join(bad...)
}

// attributes reads the attributes as they are on the wire, and learns from them.
func (q *queue) attributes(ctx context.Context) (map[string]string, error) {
	out, err := q.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &q.url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		return nil, err
	}
	if n, err := strconv.Atoi(out.Attributes[string(types.QueueAttributeNameVisibilityTimeout)]); err == nil {
		q.own.set(time.Duration(n) * time.Second)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.arn = out.Attributes[string(types.QueueAttributeNameQueueArn)]
	return out.Attributes, nil
}

// ownARN returns the queue's ARN.
func (q *queue) ownARN(ctx context.Context) (string, error) {
	q.mu.Lock()
	arn := q.arn
	q.mu.Unlock()
	if arn != "" {
		return arn, nil
	}
	wire, err := q.attributes(ctx)
	return wire[string(types.QueueAttributeNameQueueArn)], err
}

// SetAttributes sets the attributes given.
func (q *queue) SetAttributes(ctx context.Context, s spec.QueueSettings) error {
	if err := checkSettings(q.name, s); err != nil {
		return err
	}
	wire := settingsToWire(s)
	if s.DeadLetter != nil {
		arn, err := q.ownARN(ctx)
		if err != nil {
			return err
		}
		wire[string(types.QueueAttributeNameRedrivePolicy)] = policyToWire(*s.DeadLetter, arn)
	}
	if len(wire) == 0 {
		return nil
	}
	_, err := q.client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &q.url, Attributes: wire})
	if err == nil && s.Visibility != nil {
		q.own.set(*s.Visibility)
	}
	return err
}

// checkSettings reports settings that SQS would refuse for a queue of that name.
func checkSettings(name string, s spec.QueueSettings) error {
	errs := []error{s.Check()}
	for _, d := range []struct {
		name  string
		value *time.Duration
	}{
		{"DelaySeconds", s.Delay},
		{"VisibilityTimeout", s.Visibility},
		{"MessageRetentionPeriod", s.Retention},
		{"ReceiveMessageWaitTimeSeconds", s.Wait},
	} {
		if d.value != nil {
			errs = append(errs, spec.CheckWholeSeconds(d.name, *d.value))
		}
	}
	fifo := spec.IsFIFOName(name)
	if s.FIFO != nil && *s.FIFO != fifo {
		errs = append(errs, spec.Errorf(spec.InvalidAttributeValue, "FifoQueue %t does not fit the name %s: the names of FIFO queues, and no others, end in %s", *s.FIFO, name, spec.FIFOSuffix))
	}
	if s.ContentBasedDeduplication != nil && !fifo {
		errs = append(errs, spec.Errorf(spec.InvalidAttributeName, "ContentBasedDeduplication is for FIFO queues only; %s is a standard queue", name))
	}
	if d := s.DeadLetter; d != nil && d.Queue != "" {
		if d.Queue == name {
			errs = append(errs, spec.Errorf(spec.InvalidAttributeValue, "queue %s cannot be its own dead-letter queue", name))
		}
		if spec.IsFIFOName(d.Queue) != fifo {
			errs = append(errs, spec.Errorf(spec.InvalidAttributeValue, "dead-letter queue %s is not of the type of %s: both must be FIFO or both standard", d.Queue, name))
		}
	}
	return errors.Join(errs...)
}

// settingsToWire returns the attributes to set, without the redrive policy.
func settingsToWire(s spec.QueueSettings) map[string]string {
	wire := map[string]string{}
	for name, d := range map[types.QueueAttributeName]*time.Duration{
		types.QueueAttributeNameDelaySeconds:                  s.Delay,
		types.QueueAttributeNameVisibilityTimeout:             s.Visibility,
		types.QueueAttributeNameMessageRetentionPeriod:        s.Retention,
		types.QueueAttributeNameReceiveMessageWaitTimeSeconds: s.Wait,
	} {
		if d != nil {
			wire[string(name)] = strconv.Itoa(int(seconds(*d)))
		}
	}
	if s.MaxMessageBytes != nil {
		wire[string(types.QueueAttributeNameMaximumMessageSize)] = strconv.Itoa(*s.MaxMessageBytes)
	}
	if s.ContentBasedDeduplication != nil {
		wire[string(types.QueueAttributeNameContentBasedDeduplication)] = strconv.FormatBool(*s.ContentBasedDeduplication)
	}
	return wire
}

// policyToWire returns a redrive policy for a queue beside the one that arn names.
// The zero policy removes it.
func policyToWire(d spec.DeadLetter, arn string) string {
	if d == (spec.DeadLetter{}) {
		return ""
	}
	text, err := json.Marshal(redrivePolicy{siblingARN(arn, d.Queue), json.Number(strconv.Itoa(d.MaxReceives))})
	if err != nil {
		panic(err) // of two strings
	}
	return string(text)
}

// siblingARN returns the ARN of the queue named name in the account and region of
// arn. A name that is an ARN is returned as it is.
func siblingARN(arn, name string) string {
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	return arn[:strings.LastIndex(arn, ":")+1] + name
}

// arnName returns the name of the queue that an ARN names.
func arnName(arn string) string { return arn[strings.LastIndex(arn, ":")+1:] }
