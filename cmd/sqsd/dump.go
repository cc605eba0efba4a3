package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"omnibus/bus/spec"
)

// dump returns the queues that there are as a file of -queues, in JSON: what of
// their attributes is not the default, their tags, and dead-letter queues by name.
func dump(ctx context.Context, client *http.Client) ([]byte, error) {
	scratch := newEndpoint(&config{})
	queues := map[string]map[string]any{}
	for token := ""; ; {
		var list struct {
			QueueURLs []string `json:"QueueUrls"`
			NextToken string
		}
		in := map[string]any{"MaxResults": 1000}
		if token != "" {
			in["NextToken"] = token
		}
		if err := call(ctx, client, "ListQueues", in, &list); err != nil {
			return nil, err
		}
		for _, url := range list.QueueURLs {
			name := url[strings.LastIndexByte(url, '/')+1:]
			usual, err := defaults(ctx, scratch.Client(), name)
			if err != nil {
				return nil, err
			}
			q, err := dumpQueue(ctx, client, url, usual)
			if err != nil {
				return nil, fmt.Errorf("queue %s: %w", name, err)
			}
			queues[name] = q
		}
		if token = list.NextToken; token == "" {
			break
		}
	}
	return json.MarshalIndent(map[string]any{"queues": queues}, "", "  ")
}

// defaults returns the attributes of a queue of that name for which nobody has set
// any.
func defaults(ctx context.Context, client *http.Client, name string) (map[string]string, error) {
	q := &queueSpec{name: name}
	if spec.IsFIFOName(name) {
		q.attributes = map[string]string{"FifoQueue": "true"}
	}
	url, err := q.create(ctx, client)
	if err != nil {
		return nil, err
	}
	return allAttributes(ctx, client, url)
}

func allAttributes(ctx context.Context, client *http.Client, url string) (map[string]string, error) {
	var got struct{ Attributes map[string]string }
	err := call(ctx, client, "GetQueueAttributes", map[string]any{"QueueUrl": url, "AttributeNames": []string{"All"}}, &got)
	return got.Attributes, err
}

// dumpQueue returns the members of a queue in the file.
func dumpQueue(ctx context.Context, client *http.Client, url string, usual map[string]string) (map[string]any, error) {
	attributes, err := allAttributes(ctx, client, url)
	if err != nil {
		return nil, err
	}
	var tagged struct{ Tags map[string]string }
	if err := call(ctx, client, "ListQueueTags", map[string]any{"QueueUrl": url}, &tagged); err != nil {
		return nil, err
	}
	q := map[string]any{}
	for name, value := range attributes {
		_, isUsual := usual[name]
		readOnly := strings.HasPrefix(name, "Approximate") || strings.HasSuffix(name, "Timestamp") || name == spec.QueueArn
		if !readOnly && (!isUsual || usual[name] != value) {
			q[name] = value
		}
	}
	if text, has := attributes[redrivePolicy]; has {
		var policy struct {
			DeadLetterTargetArn string `json:"deadLetterTargetArn"`
			MaxReceiveCount     int    `json:"maxReceiveCount"`
		}
		if err := json.Unmarshal([]byte(text), &policy); err != nil {
			return nil, err
		}
		delete(q, redrivePolicy)
		q["dlq"] = policy.DeadLetterTargetArn[strings.LastIndexByte(policy.DeadLetterTargetArn, ':')+1:]
		q["maxReceiveCount"] = policy.MaxReceiveCount
	}
	if len(tagged.Tags) > 0 {
		q["tags"] = tagged.Tags
	}
	return q, nil
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
