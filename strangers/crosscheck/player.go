//go:build strangers

package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// most is how many messages a queue is given before it is replaced: as many as one
// receive returns, so that no endpoint has a choice.
const most = 10

// A player makes up calls.
type player struct {
	rand   *rand.Rand
	run    int64 // tells the queues of this run from those of others
	sides  [2]*side
	queues [3]*queue // the last is FIFO; nil is to be created
	made   int       // queues and messages so far, which names them
}

// queue is what is known of a queue on both sides.
type queue struct {
	name   string
	fifo   bool
	sent   int
	bodies []string // received at least once, perhaps
}

// next returns the next call. Queues are created by it as they are needed.
func (p *player) next(ctx context.Context) (call, error) {
	slot := p.rand.IntN(len(p.queues))
	q := p.queues[slot]
	if q == nil || q.sent >= most {
		var err error
		if q, err = p.create(ctx, slot == len(p.queues)-1); err != nil {
			return call{}, err
		}
		p.queues[slot] = q
	}
	makers := []func(*queue) call{
		p.send, p.send, p.send, p.sendBatch, p.receive, p.receive, p.receive, p.remove, p.remove,
		p.changeVisibility, p.changeVisibility, p.count, p.attributes, p.setAttributes, p.createAgain, p.lookUp, p.tag,
	}
	c := pick(p, makers...)(q)
	c.queue = q.name
	c.what = fmt.Sprintf("%s (%s)", c.what, map[bool]string{true: "FIFO", false: "standard"}[q.fifo])
	return c, nil
}

// pick returns one of several things.
func pick[T any](p *player, from ...T) T { return from[p.rand.IntN(len(from))] }

// create creates a queue on both sides, where messages that are received stay
// hidden for an hour.
func (p *player) create(ctx context.Context, fifo bool) (*queue, error) {
	p.made++
	q := &queue{name: fmt.Sprintf("crosscheck-%d-%d", p.run, p.made), fifo: fifo}
	attributes := map[string]string{"VisibilityTimeout": "3600"}
	if fifo {
		q.name += ".fifo"
		attributes["FifoQueue"] = "true"
	}
	for _, s := range p.sides {
		out, err := s.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &q.name, Attributes: attributes})
		if err != nil {
			return nil, err
		}
		s.urls[q.name] = *out.QueueUrl
	}
	return q, nil
}

// replace has a queue no longer used, on both sides.
func (p *player) replace(name string) {
	for i, q := range p.queues {
		if q != nil && q.name == name {
			p.queues[i] = nil
		}
	}
}

// goodTexts and badTexts are for bodies.
var (
	goodTexts = []string{"", "", "ä <&> \"%41\"", "\t\r\n", "東京", "😀"}
	badTexts  = []string{"\x01", "\ufffe"}
)

// body makes up the body of a message; each is another.
func (p *player) body(q *queue, texts []string) (body, group string) {
	p.made++
	text := pick(p, texts...)
	body = fmt.Sprintf("m%d%s", p.made, text)
	if q.fifo {
		group = pick(p, "a", "a", "b")
		body = group + "/" + body
	}
	q.sent++
	q.bodies = append(q.bodies, body)
	return body, group
}

// text returns attributes of one with text.
func text(name, dataType, value string) map[string]types.MessageAttributeValue {
	return map[string]types.MessageAttributeValue{name: {DataType: &dataType, StringValue: &value}}
}

var (
	goodAttributes = []map[string]types.MessageAttributeValue{
		nil, nil, nil,
		text("JobType", "String", "100%25"),
		text("Name", "String", "Zoë 東京"),
		text("Amount", "Number.euro", "97.50"),
		{"A": {DataType: aws.String("String"), StringValue: aws.String("a")}, "B": {DataType: aws.String("Binary.png"), BinaryValue: []byte{0, 1, 255}}},
	}
	badAttributes = []map[string]types.MessageAttributeValue{
		text("Amount", "Number", "twelve"),
		text("When", "Date", "today"),
		text("Name", "String", ""),
		text("AWS.name", "String", "x"),
		text(".name", "String", "x"),
	}
)

// send makes up a message with at most one fault, since which of several is told
// is left to the endpoint.
func (p *player) send(q *queue) call {
	fault := pick(p, "", "", "", "", "", "characters", "attributes", "delay", "group", "deduplication")
	texts, attributes, delays := goodTexts, goodAttributes, []int32{0, 0, 900}
	if q.fifo {
		delays = []int32{0} // none but the queue's own
	}
	switch fault {
	case "characters":
		texts = badTexts
	case "attributes":
		texts, attributes = goodTexts[:5], badAttributes
	case "delay":
		texts, delays = goodTexts[:5], []int32{901, -1}
	}
	body, group := p.body(q, texts)
	in := sqs.SendMessageInput{MessageBody: &body, MessageAttributes: pick(p, attributes...), DelaySeconds: pick(p, delays...)}
	what := fmt.Sprintf("SendMessage %q", body)
	if q.fifo {
		if fault != "group" {
			in.MessageGroupId = &group
		}
		if fault != "deduplication" {
			in.MessageDeduplicationId = aws.String(fmt.Sprint(p.made))
		}
	}
	what += fmt.Sprintf(" delay=%d group=%t deduplication=%t", in.DelaySeconds, in.MessageGroupId != nil, in.MessageDeduplicationId != nil)
	for _, name := range slices.Sorted(maps.Keys(in.MessageAttributes)) {
		a := in.MessageAttributes[name]
		what += fmt.Sprintf(" %s=%s:%s", name, *a.DataType, aws.ToString(a.StringValue))
	}
	return call{what: what, play: func(ctx context.Context, s *side) string {
		in := in
		in.QueueUrl = s.url(q.name)
		out, err := s.client.SendMessage(ctx, &in)
		if err != nil {
			return failed(err)
		}
		return "md5 " + aws.ToString(out.MD5OfMessageBody) + " " + aws.ToString(out.MD5OfMessageAttributes)
	}}
}

func (p *player) sendBatch(q *queue) call {
	ids := pick(p, []string{"1", "2"}, []string{"1"}, []string{"same", "same"}, []string{}, []string{"not valid!"},
		strings.Split("1 2 3 4 5 6 7 8 9 10 11", " "))
	var entries []types.SendMessageBatchRequestEntry
	what := fmt.Sprintf("SendMessageBatch ids=%q", ids)
	for _, id := range ids {
		body, group := p.body(q, goodTexts)
		e := types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &body}
		if q.fifo {
			e.MessageGroupId, e.MessageDeduplicationId = &group, aws.String(fmt.Sprint(p.made))
		} else if p.rand.IntN(4) == 0 {
			e.DelaySeconds = 901
		}
		what += fmt.Sprintf(" %q/%d", body, e.DelaySeconds)
		entries = append(entries, e)
	}
	return call{what: what, play: func(ctx context.Context, s *side) string {
		out, err := s.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: s.url(q.name), Entries: entries})
		if err != nil {
			return failed(err)
		}
		var answers []string
		for _, r := range out.Successful {
			answers = append(answers, *r.Id+" sent "+aws.ToString(r.MD5OfMessageBody))
		}
		for _, r := range out.Failed {
			answers = append(answers, *r.Id+" failed "+aws.ToString(r.Code))
		}
		slices.Sort(answers)
		return fmt.Sprint(answers)
	}}
}

func (p *player) receive(q *queue) call {
	in := sqs.ReceiveMessageInput{
		MaxNumberOfMessages:   pick[int32](p, 10, 10, 10, 10, 10, 10, 11, -1),
		MessageAttributeNames: pick(p, []string{"All"}, []string{"All"}, []string{"Name", "Job.*"}, nil),
	}
	what := fmt.Sprintf("ReceiveMessage max=%d attributes=%v", in.MaxNumberOfMessages, in.MessageAttributeNames)
	return call{what: what, play: func(ctx context.Context, s *side) string {
		in := in
		in.QueueUrl = s.url(q.name)
		out, err := s.client.ReceiveMessage(ctx, &in)
		if err != nil {
			return failed(err)
		}
		return s.received(out)
	}}
}

// handle chooses a receipt handle: the latest or the first of a message that was
// received, and now and then none at all.
func (p *player) handle(q *queue) (what string, of func(*side) *string) {
	var received []string
	for _, body := range q.bodies {
		if len(p.sides[0].handles[body]) > 0 {
			received = append(received, body)
		}
	}
	if len(received) == 0 && p.rand.IntN(4) > 0 {
		return "", nil
	}
	if len(received) == 0 || p.rand.IntN(16) == 0 {
		return "of nothing", func(*side) *string { return aws.String("nonsense") }
	}
	body, latest := pick(p, received...), p.rand.IntN(4) > 0
	if latest {
		return fmt.Sprintf("of %q", body), func(s *side) *string { return s.handle(body, true) }
	}
	return fmt.Sprintf("first of %q", body), func(s *side) *string { return s.handle(body, false) }
}

func (p *player) remove(q *queue) call {
	what, handle := p.handle(q)
	if handle == nil {
		return p.receive(q)
	}
	return call{what: "DeleteMessage " + what, play: func(ctx context.Context, s *side) string {
		_, err := s.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: s.url(q.name), ReceiptHandle: handle(s)})
		return done(err)
	}}
}

func (p *player) changeVisibility(q *queue) call {
	what, handle := p.handle(q)
	if handle == nil {
		return p.receive(q)
	}
	timeout := pick[int32](p, 0, 0, 1800, 43201, -1)
	return call{what: fmt.Sprintf("ChangeMessageVisibility %s timeout=%d", what, timeout), play: func(ctx context.Context, s *side) string {
		_, err := s.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: s.url(q.name), ReceiptHandle: handle(s), VisibilityTimeout: timeout})
		return done(err)
	}}
}

func (p *player) count(q *queue) call {
	return p.getAttributes(q, "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
}

func (p *player) attributes(q *queue) call {
	return p.getAttributes(q, pick(p,
		[]string{"DelaySeconds", "VisibilityTimeout", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds"},
		[]string{"MaximumMessageSize"}, []string{"FifoQueue", "ContentBasedDeduplication"}, []string{"RedrivePolicy"}, []string{"Colour"}, nil)...)
}

func (p *player) getAttributes(q *queue, names ...string) call {
	var in []types.QueueAttributeName
	for _, n := range names {
		in = append(in, types.QueueAttributeName(n))
	}
	return call{what: fmt.Sprintf("GetQueueAttributes %v", names), play: func(ctx context.Context, s *side) string {
		out, err := s.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: s.url(q.name), AttributeNames: in})
		if err != nil {
			return failed(err)
		}
		return fmt.Sprint(out.Attributes)
	}}
}

func (p *player) setAttributes(q *queue) call {
	attributes := pick(p,
		map[string]string{"MessageRetentionPeriod": "60"}, map[string]string{"MessageRetentionPeriod": "59"},
		map[string]string{"DelaySeconds": "901"}, map[string]string{"VisibilityTimeout": "43201"}, map[string]string{"VisibilityTimeout": "3600"},
		map[string]string{"ReceiveMessageWaitTimeSeconds": "21"}, map[string]string{"MaximumMessageSize": "2048"}, map[string]string{"MaximumMessageSize": "100"},
		map[string]string{"Colour": "red"}, map[string]string{"RedrivePolicy": "nonsense"}, map[string]string{"DelaySeconds": "soon"})
	return call{what: fmt.Sprintf("SetQueueAttributes %v", attributes), play: func(ctx context.Context, s *side) string {
		_, err := s.client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: s.url(q.name), Attributes: attributes})
		return done(err)
	}}
}

func (p *player) createAgain(q *queue) call {
	name, attributes := q.name, map[string]string{}
	switch p.rand.IntN(6) {
	case 0:
		name = pick(p, "not a name", strings.Repeat("x", 81), "")
	case 1:
		attributes["VisibilityTimeout"] = "3600"
	case 2:
		attributes["VisibilityTimeout"] = "7"
	case 3:
		attributes["DelaySeconds"] = "1000"
	case 4:
		attributes["ReceiveMessageWaitTimeSeconds"] = "0"
	}
	if q.fifo && name == q.name {
		attributes["FifoQueue"] = "true"
	}
	what := fmt.Sprintf("CreateQueue %q %v", strings.Replace(name, q.name, "same", 1), attributes)
	return call{what: what, play: func(ctx context.Context, s *side) string {
		_, err := s.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
		return done(err)
	}}
}

func (p *player) lookUp(q *queue) call {
	name := pick(p, q.name, "missing-"+q.name)
	action := pick(p, "GetQueueUrl", "SendMessage", "PurgeQueue", "ListQueues")
	return call{what: fmt.Sprintf("%s of %s", action, strings.Replace(name, q.name, "same", 1)), play: func(ctx context.Context, s *side) string {
		var err error
		switch missing := aws.String("missing-" + q.name); action {
		case "GetQueueUrl":
			_, err = s.client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
		case "SendMessage":
			_, err = s.client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: s.url(*missing), MessageBody: aws.String("lost")})
		case "PurgeQueue":
			_, err = s.client.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: s.url(*missing)})
		case "ListQueues":
			var out *sqs.ListQueuesOutput
			if out, err = s.client.ListQueues(ctx, &sqs.ListQueuesInput{QueueNamePrefix: &name}); err == nil {
				return fmt.Sprint(len(out.QueueUrls), " queues")
			}
		}
		return done(err)
	}}
}

func (p *player) tag(q *queue) call {
	key, value := pick(p, "team", "cost of it"), pick(p, "donors", "ä", "")
	untag := p.rand.IntN(3) == 0
	return call{what: fmt.Sprintf("TagQueue %s=%s untag=%t", key, value, untag), play: func(ctx context.Context, s *side) string {
		var err error
		if untag {
			_, err = s.client.UntagQueue(ctx, &sqs.UntagQueueInput{QueueUrl: s.url(q.name), TagKeys: []string{key}})
		} else {
			_, err = s.client.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: s.url(q.name), Tags: map[string]string{key: value}})
		}
		if err != nil {
			return failed(err)
		}
		out, err := s.client.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: s.url(q.name)})
		if err != nil {
			return failed(err)
		}
		return fmt.Sprint(out.Tags)
	}}
}

// done is the answer of an action that only succeeds or fails.
func done(err error) string {
	if err != nil {
		return failed(err)
	}
	return "done"
}
