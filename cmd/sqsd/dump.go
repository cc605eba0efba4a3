package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
	"omnibus/bus/topics"
)

// dump returns the queues and topics that there are as a file of -queues, in JSON:
// what of their attributes is not the default, their tags, subscriptions, and queues
// by name.
//
// A redrive policy whose dead-letter queue has been deleted is left out: CreateQueue, as on
// AWS, refuses one, and with it the whole file. What goes with it is the number of receives
// after which a message is lost, since there is no queue for it any more; a server that is
// made of the dump delivers such messages again.
func dump(ctx context.Context, server *endpoint) ([]byte, error) {
	d := &dumper{ctx: ctx, server: server, scratch: newEndpoint(&config{}, engine.New(nil)), places: map[string]*placeDump{}}
	for _, name := range server.Engine().List("") {
		arn := server.ARN(name)
		if err := d.queue(arn); err != nil {
			return nil, fmt.Errorf("%s: %w", arn, err)
		}
	}
	for _, arn := range server.topics.Topics().Topics("") {
		if err := d.topic(arn); err != nil {
			return nil, fmt.Errorf("%s: %w", arn, err)
		}
	}
	all := d.place(server.ARN("q"))
	all.Region, all.Account = "", "" // those of the command line, whatever they are
	for _, key := range slices.Sorted(maps.Keys(d.places)) {
		if p := d.places[key]; p != all {
			all.Places = append(all.Places, p)
		}
	}
	return json.MarshalIndent(all, "", "  ")
}

// placeDump is a place in the file.
type placeDump struct {
	Region  string                    `json:"region,omitempty"`
	Account string                    `json:"account,omitempty"`
	Queues  map[string]map[string]any `json:"queues"`
	Topics  map[string]map[string]any `json:"topics,omitempty"`
	Places  []*placeDump              `json:"places,omitempty"`
}

type dumper struct {
	ctx     context.Context
	server  *endpoint
	scratch *endpoint // for the defaults
	places  map[string]*placeDump
}

// place returns the place that an ARN says.
func (d *dumper) place(arn string) *placeDump {
	parts := strings.Split(arn, ":")
	key := parts[3] + ":" + parts[4]
	if d.places[key] == nil {
		d.places[key] = &placeDump{Region: parts[3], Account: parts[4], Queues: map[string]map[string]any{}}
	}
	return d.places[key]
}

// near returns the name of the queue with an ARN, if it is in the place of another
// ARN, or else its ARN.
func near(queue, arn string) string {
	a, b := strings.Split(queue, ":"), strings.Split(arn, ":")
	if len(a) == 6 && a[3] == b[3] && a[4] == b[4] {
		return a[5]
	}
	return queue
}

// queue adds a queue.
func (d *dumper) queue(arn string) error {
	parts := strings.Split(arn, ":")
	c, name := d.server.caller(parts[3], parts[4]), parts[5]
	attributes, err := c.allAttributes(d.ctx, name)
	if err != nil {
		return err
	}
	usual, err := d.usual(name)
	if err != nil {
		return err
	}
	var tagged struct{ Tags map[string]string }
	if err := c.call(d.ctx, "ListQueueTags", map[string]any{"QueueUrl": name}, &tagged); err != nil {
		return err
	}
	q := map[string]any{}
	for name, value := range attributes {
		_, isUsual := usual[name]
		readOnly := strings.HasPrefix(name, "Approximate") || strings.HasSuffix(name, "Timestamp") || name == spec.QueueArn
		if !readOnly && (!isUsual || usual[name] != value) {
			q[name] = value
		}
	}
	if _, err := d.server.Queue(redriveTarget(attributes[redrivePolicy])); err != nil {
		delete(q, redrivePolicy)
	} else if policy := attributes[redrivePolicy]; near(redriveTarget(policy), arn) != redriveTarget(policy) {
		var count struct {
			MaxReceiveCount int `json:"maxReceiveCount"`
		}
		if err := json.Unmarshal([]byte(policy), &count); err != nil {
			return err
		}
		delete(q, redrivePolicy)
		q["dlq"] = near(redriveTarget(policy), arn)
		q["maxReceiveCount"] = count.MaxReceiveCount
	}
	if len(tagged.Tags) > 0 {
		q["tags"] = tagged.Tags
	}
	d.place(arn).Queues[name] = q
	return nil
}

// usual returns the attributes of a queue of that name for which nobody has set
// any.
func (d *dumper) usual(name string) (map[string]string, error) {
	q := &queueSpec{name: name}
	if spec.IsFIFOName(name) {
		q.attributes = map[string]string{"FifoQueue": "true"}
	}
	c := d.scratch.caller("", "")
	if err := q.create(d.ctx, c, ""); err != nil {
		return nil, err
	}
	return c.allAttributes(d.ctx, name)
}

func (c *caller) allAttributes(ctx context.Context, queue string) (map[string]string, error) {
	var got struct{ Attributes map[string]string }
	err := c.call(ctx, "GetQueueAttributes", map[string]any{"QueueUrl": queue, "AttributeNames": []string{"All"}}, &got)
	return got.Attributes, err
}

// topic adds a topic.
func (d *dumper) topic(arn string) error {
	engine, scratch := d.server.topics.Topics(), d.scratch.topics.Topics()
	attributes, err := engine.TopicAttributes(arn)
	if err != nil {
		return err
	}
	tags, err := engine.Tags(arn)
	if err != nil {
		return err
	}
	subscriptions, err := engine.SubscriptionsByTopic(arn)
	if err != nil {
		return err
	}
	parsed, err := topics.ParseARN("TopicArn", arn)
	if err != nil {
		return err
	}
	kind := map[string]string{}
	if spec.IsFIFOName(arn) {
		kind["FifoTopic"] = "true"
	}
	if err := scratch.CreateTopic(parsed, kind, nil); err != nil {
		return err
	}
	usual, err := scratch.TopicAttributes(arn)
	if err != nil {
		return err
	}
	t := map[string]any{}
	for name, value := range attributes {
		counted := strings.HasPrefix(name, "Subscriptions") || strings.HasPrefix(name, "Effective")
		if has, isUsual := usual[name]; !counted && (!isUsual || has != value) {
			t[name] = value
		}
	}
	if len(tags) > 0 {
		t["tags"] = tags
	}
	var all []map[string]any
	for _, s := range subscriptions {
		attributes, err := engine.SubscriptionAttributes(s.ARN)
		if errors.Is(err, topics.NotFound) {
			continue // it has gone
		}
		if err != nil {
			return err
		}
		all = append(all, dumpSubscription(s, attributes))
	}
	if len(all) > 0 {
		t["subscriptions"] = all
	}
	p := d.place(arn)
	if p.Topics == nil {
		p.Topics = map[string]map[string]any{}
	}
	p.Topics[parsed.Resource] = t
	return nil
}

func dumpSubscription(s topics.Subscription, attributes map[string]string) map[string]any {
	out := map[string]any{"protocol": s.Protocol, "endpoint": s.Endpoint}
	if s.Protocol == "sqs" {
		out = map[string]any{"queue": near(s.Endpoint, s.TopicARN)}
	}
	if attributes["RawMessageDelivery"] == "true" {
		out["raw"] = true
	}
	if filter := attributes["FilterPolicy"]; filter != "" {
		out["filter"] = json.RawMessage(filter)
	}
	for _, name := range []string{"FilterPolicyScope", "DeliveryPolicy", "SubscriptionRoleArn"} {
		if value := attributes[name]; value != "" && value != "MessageAttributes" {
			out[name] = value
		}
	}
	if policy := attributes[redrivePolicy]; policy != "" {
		out["dlq"] = near(redriveTarget(policy), s.TopicARN)
	}
	return out
}

// printDump asks the sqsd that listens on -addr for its queues.
func (c *config) printDump(ctx context.Context, stdout io.Writer) error {
	text, err := c.ask(ctx, "/queues")
	if err != nil {
		return err
	}
	_, err = stdout.Write(text)
	return err
}
