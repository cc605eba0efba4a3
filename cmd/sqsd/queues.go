package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"omnibus/bus/sqsserver"
)

// queueFile is the file of -queues: an object with a member for each queue, its
// name and its attributes as CreateQueue takes them. Values may be written as
// numbers, booleans and, for policies, objects. A queue must stand behind the
// dead-letter queue that it names.
type queueFile []queueSpec

type queueSpec struct {
	name       string
	attributes map[string]string
	line       int
}

// createQueues creates the queues of a file through the server itself, so that
// the file means what the API means. It returns their names.
func createQueues(ctx context.Context, server *sqsserver.Server, path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	queues, err := parseQueues(text)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	var names []string
	for _, q := range queues {
		if err := create(ctx, server, q); err != nil {
			return nil, fmt.Errorf("%s:%d: queue %s: %w", path, q.line, q.name, err)
		}
		names = append(names, q.name)
	}
	return names, nil
}

// create calls CreateQueue.
func create(ctx context.Context, server *sqsserver.Server, q queueSpec) error {
	if strings.HasSuffix(q.name, ".fifo") && q.attributes["FifoQueue"] == "" {
		q.attributes["FifoQueue"] = "true" // the name says it
	}
	body, err := json.Marshal(map[string]any{"QueueName": q.name, "Attributes": q.attributes})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://sqsd/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Amz-Target", "AmazonSQS.CreateQueue")
	resp, err := server.Client().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	var answer struct{ Message string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	return errors.New(answer.Message)
}

// parseQueues reads a queue file. Errors begin with the line.
func parseQueues(text []byte) (queueFile, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	lineAt := func(offset int64) int { return 1 + bytes.Count(text[:min(offset, int64(len(text)))], []byte("\n")) }
	fail := func(err error) (queueFile, error) {
		offset := d.InputOffset()
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			offset = syntax.Offset
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			offset, err = int64(len(text)), errors.New("the file ends in the middle of a value")
		}
		return nil, fmt.Errorf("%d: byte %d: %w", lineAt(offset), offset, err)
	}
	token, err := d.Token()
	if err != nil {
		return fail(err)
	}
	if token != json.Delim('{') {
		return fail(fmt.Errorf("want an object of queues, found %v", token))
	}
	var queues queueFile
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return fail(err)
		}
		name := token.(string) // what else a member begins with, Token refuses
		q := queueSpec{name: name, attributes: map[string]string{}, line: lineAt(d.InputOffset())}
		var raw map[string]json.RawMessage
		if err := d.Decode(&raw); err != nil {
			if errors.As(err, new(*json.UnmarshalTypeError)) {
				err = errors.New("want an object of attributes")
			}
			return fail(fmt.Errorf("queue %s: %w", name, err))
		}
		for attribute, value := range raw {
			q.attributes[attribute] = attributeText(value)
		}
		queues = append(queues, q)
	}
	if _, err := d.Token(); err != nil {
		return fail(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fail(errors.New("something follows the object of queues"))
	}
	return queues, nil
}

// attributeText returns a value as the API takes it: a text.
func attributeText(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) == nil {
		return s
	}
	return string(value)
}
