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

	"omnibus/bus/engine"
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
// means what the API means. With keep, queues outlast the process: one that is there stays as
// it is, and of a file with an error none is made. An error begins with the line.
func (f *queueFile) create(ctx context.Context, server *endpoint, keep bool) error {
	queues, err := f.newQueues(ctx, server, keep)
	if err != nil {
		return err
	}
	if keep && len(queues) > 0 {
		if err := rehearse(ctx, server, queues); err != nil {
			return err
		}
	}
	// Topics, which nothing keeps, come first: their queues need not be there.
	for _, p := range f.places {
		c := server.caller(p.region, p.account)
		for _, t := range p.topics {
			if err := t.create(c); err != nil {
				return within("topic "+t.name, t.line, err)
			}
		}
	}
	return createQueues(ctx, server, queues)
}

const redrivePolicy = "RedrivePolicy"

// A newQueue is a queue of the file that is to be made.
type newQueue struct {
	*queueSpec
	place  *placeSpec
	policy string // its redrive policy, or ""
	late   bool   // the policy has to wait until all queues are there

	begun, placed bool // how far inOrder has got with it
}

// newQueues returns the queues of the file in the order in which to make them; with keep
// without those that are there.
func (f *queueFile) newQueues(ctx context.Context, server *endpoint, keep bool) ([]*newQueue, error) {
	var queues []*newQueue
	byARN := map[string]*newQueue{}
	for _, p := range f.places {
		c := server.caller(p.region, p.account)
		for _, q := range p.queues {
			if keep && c.call(ctx, "GetQueueUrl", map[string]any{"QueueName": q.name}, nil) == nil {
				continue
			}
			policy, err := q.redrive(c, p)
			if err != nil {
				return nil, q.failed(err)
			}
			n := &newQueue{queueSpec: q, place: p, policy: policy}
			queues = append(queues, n)
			byARN[c.arn("sqs", q.name)] = n
		}
	}
	return inOrder(queues, byARN), nil
}

// inOrder puts dead-letter queues before the queues that name them, so that each is
// made with its redrive policy and none is ever there without. That cannot be for queues
// that are each other's: one of them gets its policy late.
func inOrder(queues []*newQueue, byARN map[string]*newQueue) []*newQueue {
	sorted := make([]*newQueue, 0, len(queues))
	var place func(*newQueue)
	place = func(q *newQueue) {
		q.begun = true
		if dead := byARN[redriveTarget(q.policy)]; dead != nil && dead != q {
			if !dead.begun {
				place(dead)
			}
			q.late = !dead.placed
		}
		q.placed = true
		sorted = append(sorted, q)
	}
	for _, q := range queues {
		if !q.begun {
			place(q)
		}
	}
	return sorted
}

// rehearse creates the queues beside a copy of those that are there. What fails leaves
// nothing behind: a queue that was made once would not be made again as the mended file says,
// and the name of one that was deleted again could not be used for a minute.
func rehearse(ctx context.Context, server *endpoint, queues []*newQueue) error {
	own := server.caller("", "")
	stage := newEndpoint(&config{region: own.region, account: own.account}, engine.New(nil))
	for _, name := range server.Engine().List("") {
		q, err := server.Engine().Queue(name)
		if err != nil {
			return err
		}
		a, err := q.Attributes()
		if err != nil {
			return err
		}
		settings := a.Settings()
		settings.DeadLetter = nil // which may not be there yet, or no longer
		if _, err := stage.Engine().Create(name, settings); err != nil {
			return err
		}
	}
	return createQueues(ctx, stage, queues)
}

func createQueues(ctx context.Context, server *endpoint, queues []*newQueue) error {
	for _, q := range queues {
		policy := q.policy
		if q.late {
			policy = ""
		}
		if err := q.create(ctx, server.caller(q.place.region, q.place.account), policy); err != nil {
			return q.failed(err)
		}
	}
	for _, q := range queues {
		if q.late {
			in := map[string]any{"QueueUrl": q.name, "Attributes": map[string]string{redrivePolicy: q.policy}}
			if err := server.caller(q.place.region, q.place.account).call(ctx, "SetQueueAttributes", in, nil); err != nil {
				return q.failed(err)
			}
		}
	}
	return nil
}

// failed returns an error with the queue and its line.
func (q *queueSpec) failed(err error) error {
	return &lineError{q.line, fmt.Errorf("queue %s: %w", q.name, err)}
}

// create creates the queue with this redrive policy, if it is not "".
func (q *queueSpec) create(ctx context.Context, c *caller, policy string) error {
	attributes := map[string]string{}
	maps.Copy(attributes, q.attributes)
	delete(attributes, redrivePolicy)
	if policy != "" {
		attributes[redrivePolicy] = policy
	}
	in := map[string]any{"QueueName": q.name, "Attributes": attributes}
	if len(q.tags) > 0 {
		in["tags"] = q.tags
	}
	return c.call(ctx, "CreateQueue", in, nil)
}

// redrive returns the queue's redrive policy, "" if it has none.
func (q *queueSpec) redrive(c *caller, p *placeSpec) (string, error) {
	if q.dlq == "" {
		return q.attributes[redrivePolicy], nil
	}
	if !p.has(q.dlq) {
		return "", fmt.Errorf("its dlq %s is not in the file", q.dlq)
	}
	text, err := json.Marshal(map[string]string{"deadLetterTargetArn": c.arn("sqs", q.dlq), "maxReceiveCount": q.maxReceiveCount})
	return string(text), err
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
