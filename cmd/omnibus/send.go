package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/spec"
)

// sendFlags are the flags of send.
type sendFlags struct {
	*flagSet
	file          string
	delay         time.Duration
	group         string
	deduplication string
	attributes    map[string]string // by KEY or KEY:TYPE
	timeout       time.Duration
	asJSON        bool
}

func runSend(ctx context.Context, a *app, args []string) error {
	f := &sendFlags{attributes: map[string]string{}, flagSet: newFlags(a, "send",
		"Send one message, and print its id. Its body is the argument, the content of -file,\nor else standard input, byte by byte. After -- an argument may begin with a dash.",
		"omnibus send -queue http://127.0.0.1:9324/000000000000/mynewq '{\"name\": \"Zoe\"}'\nomnibus send -attr JobType=NewDonor -attr amount:Number=12.50 -delay 10s hello\nomnibus send -group donors -dedup 1 -file order.json -queue mynewq.fifo\necho hello | omnibus send")}
	f.takes = "[BODY]"
	f.StringVar(&f.file, "file", "", "`file` with the body; - is standard input")
	f.DurationVar(&f.delay, "delay", 0, "how long the message stays hidden, whole seconds from 0s to 15m (default: the\nqueue's own delay); FIFO queues have none but their own")
	f.StringVar(&f.group, "group", "", "message group `id`, which a FIFO queue needs")
	f.StringVar(&f.deduplication, "dedup", "", "deduplication `id`: a FIFO queue drops a second message with the same within 5m")
	f.Func("attr", "`KEY=VALUE` to send as a message attribute, or KEY:TYPE=VALUE, where TYPE is String,\nNumber or Binary, the latter in base64; may be given several times", func(text string) error {
		key, value, ok := strings.Cut(text, "=")
		if _, twice := f.attributes[key]; !ok || key == "" || value == "" || twice {
			return errors.New("want KEY=VALUE or KEY:TYPE=VALUE, neither empty, each key once")
		}
		f.attributes[key] = value
		return nil
	})
	f.DurationVar(&f.timeout, "send-timeout", 10*time.Second, "how long to wait for the queue's confirmation, over 0s")
	f.BoolVar(&f.asJSON, "json", false, "print one JSON object")
	f.addDrainTimeout()
	if err := f.parse(args); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	m := &pubsub.Message{}
	if err := f.setAttributes(m); err != nil {
		return err
	}
	body, err := f.body()
	if err != nil {
		return err
	}
	m.Body = body
	return f.send(ctx, m)
}

// check reports what makes no sense before anything is read.
func (f *sendFlags) check() error {
	if len(f.words) > 1 {
		return usagef("%d arguments are given; want one, the body, in quotes if it has spaces", len(f.words))
	}
	if len(f.words) > 0 && f.file != "" {
		return usagef("the body is given twice, as an argument and as -file %s; leave one out", f.file)
	}
	if err := seconds("delay", f.delay, spec.MaxDelay, "15m"); err != nil {
		return err
	}
	if f.timeout <= 0 {
		return usagef("-send-timeout is %v; it must be over 0s", f.timeout)
	}
	if err := f.needQueue(); err != nil {
		return err
	}
	switch {
	case f.fifo() && f.group == "":
		return usagef("a message to a FIFO queue needs a group; add -group ID")
	case f.fifo() && f.given("delay"):
		return usagef("-delay %v is for one message, and FIFO queues have none but their own; leave it out, or set that with omnibus attributes delay=%v", f.delay, f.delay)
	case !f.fifo() && f.deduplication != "":
		return usagef("-dedup %s is for FIFO queues; leave it out, or name a queue that ends in .fifo", f.deduplication)
	}
	return nil
}

// body returns the message's body.
func (f *sendFlags) body() ([]byte, error) {
	var body []byte
	var err error
	switch {
	case len(f.words) > 0:
		body = []byte(f.words[0])
	case f.file != "" && f.file != "-":
		body, err = os.ReadFile(f.file)
	case f.file == "" && f.app.terminal:
		return nil, usagef("no body is given: add it as an argument, name a file with -file, or -file - to type it, up to Ctrl-D")
	default:
		body, err = io.ReadAll(io.LimitReader(f.app.stdin, spec.MaxMessageBytes+1))
	}
	switch {
	case err != nil:
		return nil, err
	case len(body) == 0:
		return nil, usagef("the body is empty; SQS wants 1 to %d bytes", spec.MaxMessageBytes)
	case len(body) > spec.MaxMessageBytes:
		return nil, usagef("the body is larger than %d bytes, the most that SQS allows with all attributes; send a reference to where it is kept", spec.MaxMessageBytes)
	}
	return body, nil
}

// setAttributes sets what -attr says.
func (f *sendFlags) setAttributes(m *pubsub.Message) error {
	if n := len(f.attributes); n > spec.MaxAttributes {
		return usagef("%d attributes are given; allowed are %d", n, spec.MaxAttributes)
	}
	for _, key := range slices.Sorted(maps.Keys(f.attributes)) {
		value := f.attributes[key]
		name, dataType, typed := strings.Cut(key, ":")
		if !typed {
			if m.Metadata == nil {
				m.Metadata = map[string]string{}
			}
			m.Metadata[key] = value
			continue
		}
		a := bus.Attribute{DataType: dataType, StringValue: value}
		switch kind, _, _ := strings.Cut(dataType, "."); kind {
		case "String", "Number":
		case "Binary":
			b, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				return usagef("-attr %s=%s is not base64: %v", key, value, err)
			}
			a.StringValue, a.BinaryValue = "", b
		default:
			return usagef("-attr %s has the type %q%s; allowed are String, Number and Binary", key, dataType, didYouMean("", dataType, []string{"String", "Number", "Binary"}))
		}
		if err := spec.CheckAttributes([]spec.NamedAttribute{{Name: name, Attribute: a}}); err != nil {
			return usageError{fmt.Errorf("-attr %s: %w", key, err)}
		}
		bus.SetAttribute(m, name, a)
	}
	return nil
}

// send sends the message and prints its id.
func (f *sendFlags) send(ctx context.Context, m *pubsub.Message) error {
	if f.given("delay") {
		bus.Delay(m, f.delay)
	}
	if f.group != "" {
		bus.Group(m, f.group)
	}
	if f.deduplication != "" {
		bus.Deduplicate(m, f.deduplication)
	}
	var sent bus.SentMessage
	bus.StoreSent(m, &sent)
	return f.open(ctx, func(q *bus.Queue) error {
		if q.Topic == nil {
			return usagef("%s is nothing to send to", bus.Redact(f.queue))
		}
		sending, cancel := context.WithTimeout(ctx, f.timeout)
		defer cancel()
		if err := q.Topic.Send(sending, m); err != nil {
			if sending.Err() != nil {
				err = fmt.Errorf("not confirmed within %v, so it may have been sent or not: %w", f.timeout, err)
			}
			return err
		}
		return printer{f.app.out, f.asJSON}.print(struct {
			Event          string `json:"event"`
			ID             string `json:"id"`
			SequenceNumber string `json:"sequence_number,omitempty"`
		}{"sent", sent.ID, sent.SequenceNumber}, "%s", sent.ID)
	}, nil)
}
