//go:build strangers

// Command attributes sends or receives one message with typed attributes through
// package bus, for tests that have a client of another make at the other end.
//
//	attributes send <message.json
//	attributes receive
//
// BUS_URL names the queue. A message is a JSON object as [message] says; binary
// values are in Base64.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	_ "omnibus/bus/sqsbus"
)

// patience is how long the message may take.
const patience = 30 * time.Second

type message struct {
	Body       string               `json:"body"`
	Group      string               `json:"group,omitempty"`
	Attributes map[string]attribute `json:"attributes"`
	Metadata   map[string]string    `json:"metadata,omitempty"` // when received: the same as the portable type has it
}

// attribute is a bus.Attribute under the names of SQS.
type attribute struct {
	DataType    string
	StringValue string `json:",omitempty"`
	BinaryValue []byte `json:",omitempty"`
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "attributes: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: attributes send|receive")
	}
	q, err := bus.Open(ctx, os.Getenv("BUS_URL"))
	if err != nil {
		return err
	}
	defer q.Shutdown(ctx)
	switch args[0] {
	case "send":
		return send(ctx, q)
	case "receive":
		return receive(ctx, q)
	}
	return fmt.Errorf("unknown command %q", args[0])
}

func send(ctx context.Context, q *bus.Queue) error {
	var in message
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		return err
	}
	m := &pubsub.Message{Body: []byte(in.Body)}
	if in.Group != "" {
		bus.Group(m, in.Group)
	}
	for name, a := range in.Attributes {
		bus.SetAttribute(m, name, bus.Attribute(a))
	}
	return q.Topic.Send(ctx, m)
}

func receive(ctx context.Context, q *bus.Queue) error {
	m, err := q.Subscription.Receive(ctx)
	if err != nil {
		return err
	}
	m.Ack()
	d := bus.Details(m)
	out := message{Body: string(m.Body), Group: d.Group, Attributes: map[string]attribute{}, Metadata: m.Metadata}
	for name, a := range d.Attributes {
		out.Attributes[name] = attribute(a)
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}
