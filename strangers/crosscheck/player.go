//go:build strangers

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// most is how many messages a queue is given before it is replaced. A batch adds up
// to two, and one receive returns ten, so no endpoint has a choice.
const most = 9

// A player makes up calls.
type player struct {
	rand   *rand.Rand
	run    int64 // tells the queues of this run from those of others
	sides  [2]*side
	queues [3]*queue // the last is FIFO; nil is to be created
	made   int       // queues and messages so far, which names them
}

func newPlayer(seed uint64, ours, theirs string) *player {
	return &player{
		rand:  rand.New(rand.NewPCG(seed, 0)),
		run:   time.Now().UnixNano(),
		sides: [2]*side{newSide(ours), newSide(theirs)},
	}
}

// queue is what is known of a queue on both sides.
type queue struct {
	name   string
	fifo   bool
	sent   int
	bodies []string         // of all messages that were to be sent
	states map[string]state // by body; none if it was not received
	again  []call           // sends to a FIFO queue that can be repeated
}

// A state is that of a message which was received.
type state string

const (
	inFlight  state = "in flight"
	givenBack state = "given back"
	deleted   state = "deleted"
)

// locked returns the groups that have a message in flight.
func (q *queue) locked() []string {
	var groups []string
	for _, body := range q.bodies {
		if group, _, ok := strings.Cut(body, "/"); ok && q.states[body] == inFlight && !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	slices.Sort(groups)
	return groups
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
	return c, nil
}

// pick returns one of several things.
func pick[T any](p *player, from ...T) T { return from[p.rand.IntN(len(from))] }

// create creates a queue on both sides, where messages that are received stay
// hidden for an hour.
func (p *player) create(ctx context.Context, fifo bool) (*queue, error) {
	p.made++
	q := &queue{name: fmt.Sprintf("crosscheck-%d-%d", p.run, p.made), fifo: fifo, states: map[string]state{}}
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

// replace ends the use of a queue, on both sides.
func (p *player) replace(name string) {
	for i, q := range p.queues {
		if q != nil && q.name == name {
			p.queues[i] = nil
		}
	}
}

// These are texts for bodies.
var (
	plainTexts = []string{"", "", "ä <&> \"%41\"", "\t\r\n", "東京"}
	goodTexts  = append(slices.Clone(plainTexts), "😀")
	badTexts   = []string{"\x01", "\ufffe"}
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

// send makes up a message with at most one fault: of several, each endpoint may
// report another.
func (p *player) send(q *queue) call {
	if len(q.again) > 0 && p.rand.IntN(6) == 0 {
		return pick(p, q.again...).repeat(q)
	}
	fault := pick(p, "", "", "", "", "", "characters", "attributes", "delay", "group", "deduplication")
	texts, attributes, delays := plainTexts, goodAttributes, []int32{0, 0, 900}
	if q.fifo {
		delays = []int32{0} // none but the queue's own
	}
	switch fault {
	case "":
		texts = goodTexts
	case "characters":
		texts = badTexts
	case "attributes":
		attributes = badAttributes
	case "delay":
		delays = []int32{901, -1}
	}
	body, group := p.body(q, texts)
	in := sqs.SendMessageInput{MessageBody: &body, MessageAttributes: pick(p, attributes...), DelaySeconds: pick(p, delays...)}
	if q.fifo {
		if fault != "group" {
			in.MessageGroupId = &group
		}
		if fault != "deduplication" {
			in.MessageDeduplicationId = aws.String(fmt.Sprint(p.made))
		}
	}
	what := fmt.Sprintf("%q delay=%d group=%t deduplication=%t", body, in.DelaySeconds, in.MessageGroupId != nil, in.MessageDeduplicationId != nil)
	for _, name := range slices.Sorted(maps.Keys(in.MessageAttributes)) {
		a := in.MessageAttributes[name]
		what += fmt.Sprintf(" %s=%s:%s", name, *a.DataType, aws.ToString(a.StringValue))
	}
	c := call{what: "SendMessage " + what, queue: q.name, body: body, play: func(ctx context.Context, s *side) string {
		in := in
		in.QueueUrl = s.url(q.name)
		out, err := s.client.SendMessage(ctx, &in)
		if err != nil {
			return failed(err)
		}
		return "sent " + aws.ToString(out.MD5OfMessageBody) + " " + aws.ToString(out.MD5OfMessageAttributes) + s.seen(out.MessageId)
	}}
	c.learn = func(ours string) {
		if q.fifo && strings.HasPrefix(ours, "sent ") {
			q.again = append(q.again, c)
		}
	}
	return c
}

// repeat returns the same send once more, within the time of its deduplication.
func (c call) repeat(q *queue) call {
	c.what = strings.Replace(c.what, "SendMessage", "SendMessage again", 1)
	if s, ok := q.states[c.body]; ok {
		c.what += ", " + string(s)
	}
	c.learn = nil
	return c
}

// sendBatch makes up a batch, of good messages or of some with a fault.
func (p *player) sendBatch(q *queue) call {
	ids := pick(p, []string{"1", "2"}, []string{"1"}, []string{"same", "same"}, []string{}, []string{"not valid!"},
		strings.Split("1 2 3 4 5 6 7 8 9 10 11", " "))
	late := !q.fifo && p.rand.IntN(2) == 0
	texts := goodTexts
	if late {
		texts = plainTexts
	}
	var entries []types.SendMessageBatchRequestEntry
	var what []string
	sent := q.sent
	for _, id := range ids {
		body, group := p.body(q, texts)
		e := types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &body}
		if q.fifo {
			e.MessageGroupId, e.MessageDeduplicationId = &group, aws.String(fmt.Sprint(p.made))
		} else if late && p.rand.IntN(2) == 0 {
			e.DelaySeconds = 901
		}
		what = append(what, fmt.Sprintf("%s: %q delay=%d", id, body, e.DelaySeconds))
		entries = append(entries, e)
	}
	if len(ids) > 2 {
		q.sent = sent // all of it is refused
	}
	return call{what: "SendMessageBatch " + strings.Join(what, ", "), play: func(ctx context.Context, s *side) string {
		out, err := s.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: s.url(q.name), Entries: entries})
		if err != nil {
			return failed(err)
		}
		var answers []string
		for _, r := range out.Successful {
			answers = append(answers, *r.Id+" sent "+aws.ToString(r.MD5OfMessageBody)+s.seen(r.MessageId))
		}
		for _, r := range out.Failed {
			answers = append(answers, *r.Id+" failed "+aws.ToString(r.Code))
		}
		slices.Sort(answers)
		return strings.Join(answers, ", ")
	}}
}

func (p *player) receive(q *queue) call {
	in := sqs.ReceiveMessageInput{
		MaxNumberOfMessages:   pick[int32](p, 10, 10, 10, 10, 10, 10, 11, -1),
		MessageAttributeNames: pick(p, []string{"All"}, []string{"All"}, []string{"Name", "Job.*"}, nil),
	}
	what := fmt.Sprintf("ReceiveMessage max=%d attributes=%v locked=%v", in.MaxNumberOfMessages, in.MessageAttributeNames, q.locked())
	return call{what: what, learn: func(ours string) {
		for _, body := range q.bodies {
			if strings.Contains(ours, fmt.Sprintf("{%q ", body)) {
				q.states[body] = inFlight
			}
		}
	}, play: func(ctx context.Context, s *side) string {
		in := in
		in.QueueUrl = s.url(q.name)
		out, err := s.client.ReceiveMessage(ctx, &in)
		if err != nil {
			return failed(err)
		}
		return s.received(out)
	}}
}

// A receipt is a receipt handle that was chosen.
type receipt struct {
	what   string
	body   string // "" if it is none at all
	latest bool
}

func (r receipt) handle(s *side) *string { return s.handle(r.body, r.latest) }

// receipt chooses the latest or the first receipt handle of a message that was
// received, and now and then none at all.
func (p *player) receipt(q *queue) (r receipt, ok bool) {
	var received []string
	for _, body := range q.bodies {
		if q.states[body] != "" {
			received = append(received, body)
		}
	}
	switch {
	case len(received) == 0 && p.rand.IntN(4) > 0:
		return receipt{}, false
	case len(received) == 0 || p.rand.IntN(16) == 0:
		return receipt{what: "of nothing"}, true
	}
	r = receipt{body: pick(p, received...), latest: p.rand.IntN(4) > 0}
	if len(p.sides[0].handles[r.body]) == 1 {
		r.latest = true
	}
	of := "earlier of"
	if r.latest {
		of = "of"
	}
	r.what = fmt.Sprintf("%s %q, %s", of, r.body, q.states[r.body])
	return r, true
}

func (p *player) remove(q *queue) call {
	r, ok := p.receipt(q)
	if !ok {
		return p.receive(q)
	}
	return call{what: "DeleteMessage " + r.what, learn: func(ours string) {
		if ours == "done, 1 fewer" {
			q.states[r.body] = deleted
		}
	}, play: func(ctx context.Context, s *side) string {
		before, errBefore := s.counts(ctx, q.name)
		_, err := s.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: s.url(q.name), ReceiptHandle: r.handle(s)})
		after, errAfter := s.counts(ctx, q.name)
		if err := errors.Join(errBefore, err, errAfter); err != nil {
			return failed(err)
		}
		return fmt.Sprintf("done, %d fewer", max(before.visible-after.visible, before.inFlight-after.inFlight))
	}}
}

func (p *player) changeVisibility(q *queue) call {
	r, ok := p.receipt(q)
	if !ok {
		return p.receive(q)
	}
	timeout := pick[int32](p, 0, 0, 1800, 43201, -1)
	return call{what: fmt.Sprintf("ChangeMessageVisibility %s timeout=%d", r.what, timeout), learn: func(ours string) {
		switch {
		case ours == "done" && timeout == 0:
			q.states[r.body] = givenBack
		case ours == "done":
			q.states[r.body] = inFlight // again, if it was given back
		}
	}, play: func(ctx context.Context, s *side) string {
		_, err := s.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: s.url(q.name), ReceiptHandle: r.handle(s), VisibilityTimeout: timeout})
		s.settle(ctx, q.name)
		return done(err)
	}}
}

func (p *player) count(q *queue) call {
	return call{what: "GetQueueAttributes of counts", play: func(ctx context.Context, s *side) string {
		c, err := s.counts(ctx, q.name)
		if err != nil {
			return failed(err)
		}
		return c.String()
	}}
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
		map[string]string{"MessageRetentionPeriod": "1209600"}, map[string]string{"MessageRetentionPeriod": "59"},
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
