package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
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
// means what the API means. Redrive policies come last: a queue may stand before
// its dead-letter queue. An error begins with the line.
func (f *queueFile) create(ctx context.Context, client *http.Client) error {
	urls := map[string]string{}
	for _, step := range []func(*queueSpec) error{
		func(q *queueSpec) (err error) {
			urls[q.name], err = q.create(ctx, client)
			return err
		},
		func(q *queueSpec) error { return q.setRedrive(ctx, client, urls) },
	} {
		for _, q := range f.queues {
			if err := step(q); err != nil {
				return &lineError{q.line, fmt.Errorf("queue %s: %w", q.name, err)}
			}
		}
	}
	return nil
}

const redrivePolicy = "RedrivePolicy"

// create creates the queue without its redrive policy, and returns its URL.
func (q *queueSpec) create(ctx context.Context, client *http.Client) (string, error) {
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
	var out struct{ QueueURL string }
	err := call(ctx, client, "CreateQueue", in, &out)
	return out.QueueURL, err
}

// setRedrive sets the queue's redrive policy, if it has one.
func (q *queueSpec) setRedrive(ctx context.Context, client *http.Client, urls map[string]string) error {
	policy := q.attributes[redrivePolicy]
	if q.dlq != "" {
		url, there := urls[q.dlq]
		if !there {
			return fmt.Errorf("its dlq %s is not in the file", q.dlq)
		}
		var dlq struct{ Attributes map[string]string }
		if err := call(ctx, client, "GetQueueAttributes", map[string]any{"QueueUrl": url, "AttributeNames": []string{"QueueArn"}}, &dlq); err != nil {
			return err
		}
		text, err := json.Marshal(map[string]string{"deadLetterTargetArn": dlq.Attributes["QueueArn"], "maxReceiveCount": q.maxReceiveCount})
		if err != nil {
			return err
		}
		policy = string(text)
	}
	if policy == "" {
		return nil
	}
	return call(ctx, client, "SetQueueAttributes", map[string]any{"QueueUrl": urls[q.name], "Attributes": map[string]string{redrivePolicy: policy}}, nil)
}

// call calls an action of SQS.
func call(ctx context.Context, client *http.Client, action string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://sqsd/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	resp, err := client.Do(req)
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
