package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"omnibus/bus/topics"
)

// readQueueFile reads the file of -queues.
func readQueueFile(path string) (*queueFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := parseQueueFile(text)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return f, nil
}

// create creates what the file says, through the server itself, so that the file
// means what the API means. Redrive policies come after all queues, and topics last:
// a queue may stand before its dead-letter queue. With keep a queue that is there stays as
// it is. An error begins with the line.
func (f *queueFile) create(ctx context.Context, server *endpoint, keep bool) error {
	kept := map[*queueSpec]bool{}
	for _, p := range f.places {
		c := server.caller(p.region, p.account)
		for _, q := range p.queues {
			kept[q] = keep && c.call(ctx, "GetQueueUrl", map[string]any{"QueueName": q.name}, nil) == nil
		}
	}
	for _, step := range []func(*placeSpec, *caller, *queueSpec) error{
		func(_ *placeSpec, c *caller, q *queueSpec) error { return q.create(ctx, c) },
		func(p *placeSpec, c *caller, q *queueSpec) error { return q.setRedrive(ctx, c, p) },
	} {
		for _, p := range f.places {
			c := server.caller(p.region, p.account)
			for _, q := range p.queues {
				if kept[q] {
					continue
				}
				if err := step(p, c, q); err != nil {
					return &lineError{q.line, fmt.Errorf("queue %s: %w", q.name, err)}
				}
			}
		}
	}
	for _, p := range f.places {
		c := server.caller(p.region, p.account)
		for _, t := range p.topics {
			if err := t.create(c); err != nil {
				return within("topic "+t.name, t.line, err)
			}
		}
	}
	return nil
}

const redrivePolicy = "RedrivePolicy"

// create creates the queue without its redrive policy.
func (q *queueSpec) create(ctx context.Context, c *caller) error {
	attributes := map[string]string{}
	for name, value := range q.attributes {
		if name != redrivePolicy {
			attributes[name] = value
		}
	}
	in := map[string]any{"QueueName": q.name, "Attributes": attributes}
	if len(q.tags) > 0 {
		in["tags"] = q.tags
	}
	return c.call(ctx, "CreateQueue", in, nil)
}

// setRedrive sets the queue's redrive policy, if it has one.
func (q *queueSpec) setRedrive(ctx context.Context, c *caller, p *placeSpec) error {
	policy := q.attributes[redrivePolicy]
	if q.dlq != "" {
		if !p.has(q.dlq) {
			return fmt.Errorf("its dlq %s is not in the file", q.dlq)
		}
		text, err := json.Marshal(map[string]string{"deadLetterTargetArn": c.arn("sqs", q.dlq), "maxReceiveCount": q.maxReceiveCount})
		if err != nil {
			return err
		}
		policy = string(text)
	}
	if policy == "" {
		return nil
	}
	return c.call(ctx, "SetQueueAttributes", map[string]any{"QueueUrl": q.name, "Attributes": map[string]string{redrivePolicy: policy}}, nil)
}

// has reports whether a queue of that name is in the file, in this place.
func (p *placeSpec) has(queue string) bool {
	return slices.ContainsFunc(p.queues, func(q *queueSpec) bool { return q.name == queue })
}

// create creates the topic and its subscriptions.
func (t *topicSpec) create(c *caller) error {
	arn := c.arn("sns", t.name)
	parsed, err := topics.ParseARN("TopicArn", arn)
	if err != nil {
		return err
	}
	engine := c.server.topics.Topics()
	if err := engine.CreateTopic(parsed, t.attributes, t.tags); err != nil {
		return err
	}
	for _, s := range t.subscriptions {
		r := topics.SubscribeRequest{TopicARN: arn, Protocol: s.protocol, Endpoint: s.endpoint, Attributes: maps.Clone(s.attributes), Account: parsed.Account, Base: c.server.base}
		if s.queue != "" {
			r.Protocol, r.Endpoint = "sqs", c.arn("sqs", s.queue)
		}
		if s.dlq != "" {
			r.Attributes[redrivePolicy] = `{"deadLetterTargetArn":"` + c.arn("sqs", s.dlq) + `"}`
		}
		if _, err := engine.Subscribe(r); err != nil {
			return &lineError{s.line, fmt.Errorf("the subscription of %s: %w", cmp.Or(s.queue, s.endpoint), err)}
		}
	}
	return nil
}

// A caller calls actions from a place.
type caller struct {
	server          *endpoint
	client          *http.Client
	region, account string
}

// caller returns a caller from a region and an account, which may be "" for those of
// the command line.
func (e *endpoint) caller(region, account string) *caller {
	own := strings.Split(e.ARN("q"), ":")
	return &caller{e, e.Client(), cmp.Or(region, own[3]), cmp.Or(account, own[4])}
}

// arn returns the ARN of what has that name in the caller's place. A name may be an
// ARN of another place.
func (c *caller) arn(service, name string) string {
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	partition, _, _ := strings.Cut(strings.TrimPrefix(c.server.ARN(c.account+"/"+c.region+"/q"), "arn:"), ":")
	return strings.Join([]string{"arn", partition, service, c.region, c.account, name}, ":")
}

// call calls an action of SQS.
func (c *caller) call(ctx context.Context, action string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://sqsd/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+c.account+"/20000101/"+c.region+"/sqs/aws4_request") // which says the place, and is not checked inside
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		if out == nil {
			return nil
		}
		return json.NewDecoder(resp.Body).Decode(out)
	}
	var answer struct{ Message string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	return errors.New(cmp.Or(answer.Message, resp.Status))
}
