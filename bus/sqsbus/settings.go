package sqsbus

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"omnibus/bus/spec"
)

// beside is a queue's ARN. It names the queues of its account and region in
// policies.
type beside string

// ARN returns the ARN of the queue with that name.
func (arn beside) ARN(queue string) string { return siblingARN(string(arn), queue) }

// QueueOf returns the name of the queue with that ARN.
func (beside) QueueOf(arn string) (string, bool) { return arnName(arn), true }

// Attributes reads all attributes. What an endpoint does not tell, or tells in a
// form that SQS does not have, is zero; the latter is logged, each once.
func (q *queue) Attributes(ctx context.Context) (spec.QueueAttributes, error) {
	wire, err := q.attributes(ctx)
	if err != nil {
		return spec.QueueAttributes{}, err
	}
	a, odd := spec.ParseQueueAttributes(wire, beside(""))
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(odd)) {
		if !q.odd[name] {
			if q.odd == nil {
				q.odd = map[string]bool{}
			}
			q.odd[name] = true
			q.log.Warn("sqsbus: an attribute has no value of SQS's, and is left out", slog.String("queue", q.url), slog.String("attribute", name), slog.String("value", odd[name]))
		}
	}
	return a, nil
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
	q.arn, q.grave = out.Attributes[string(types.QueueAttributeNameQueueArn)], ""
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
	arn := ""
	if namesQueues(s) {
		var err error
		if arn, err = q.ownARN(ctx); err != nil {
			return err
		}
	}
	s.FIFO = nil // is as the name says, and SQS does not take it here
	wire := s.Wire(beside(arn))
	if len(wire) == 0 {
		return nil
	}
	_, err := q.client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &q.url, Attributes: wire})
	if err == nil && s.Visibility != nil {
		q.own.set(*s.Visibility)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.grave = ""
	return err
}

// checkSettings reports settings that SQS would refuse for a queue of that name.
func checkSettings(name string, s spec.QueueSettings) error {
	if s.FIFO != nil {
		if err := spec.CheckQueueType(name, *s.FIFO); err != nil {
			return err
		}
	}
	if err := s.CheckFor(name); err != nil {
		return err
	}
	return s.CheckWholeSeconds()
}

// namesQueues reports whether the settings name other queues, by ARN on the wire.
func namesQueues(s spec.QueueSettings) bool {
	return s.DeadLetter != nil && s.DeadLetter.Queue != "" ||
		s.DeadLetterSources != nil && len(s.DeadLetterSources.Queues) > 0
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
