package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/spec"
	"omnibus/lab"
	"omnibus/workers"
)

// handledLine is a message that was received, or looked at, and printed.
type handledLine struct {
	Event string `json:"event"`
	ID    string `json:"id,omitempty"`
	lab.Body
	Metadata         map[string]string        `json:"metadata,omitempty"`   // as portable programs see it
	Attributes       map[string]attributeLine `json:"attributes,omitempty"` // as they travelled, with their types
	Group            string                   `json:"group,omitempty"`
	Deduplication    string                   `json:"deduplication,omitempty"`
	SequenceNumber   string                   `json:"sequence_number,omitempty"`
	ReceiveCount     int                      `json:"receive_count,omitempty"`
	Sent             time.Time                `json:"sent,omitzero"`
	FirstReceived    time.Time                `json:"first_received,omitzero"`
	VisibleAt        time.Time                `json:"visible_at,omitzero"` // to others, if it is not deleted before
	DeadLetterSource string                   `json:"dead_letter_source,omitempty"`
}

// attributeLine is a typed attribute. One of Value and Base64 is set, unless it is
// empty.
type attributeLine struct {
	Type   string `json:"type"`
	Value  string `json:"value,omitempty"`
	Base64 []byte `json:"base64,omitempty"`
}

// plain returns a message's body as it is printed: without the compression that its
// content type names, if that can be undone.
func plain(body []byte, contentType string) []byte {
	c := codecs["gzip"]
	var document json.RawMessage
	if contentType != c.ContentType || c.Unmarshal(body, &document) != nil {
		return body
	}
	return document
}

// newMessageLine returns what is to be printed of a message.
func newMessageLine(event string, m bus.Peeked) handledLine {
	d := m.Details
	line := handledLine{
		Event: event, ID: d.ID, Body: lab.NewBody(plain(m.Body, m.Metadata[workers.ContentType])), Metadata: m.Metadata,
		Group: d.Group, Deduplication: d.Deduplication, SequenceNumber: d.SequenceNumber,
		ReceiveCount: d.ReceiveCount, Sent: d.Sent, FirstReceived: d.FirstReceived, VisibleAt: d.VisibleAt,
		DeadLetterSource: d.DeadLetterSource,
	}
	for name, a := range d.Attributes {
		if line.Attributes == nil {
			line.Attributes = map[string]attributeLine{}
		}
		line.Attributes[name] = attributeLine{a.DataType, a.StringValue, a.BinaryValue}
	}
	return line
}

type consumedLine struct {
	Event       string `json:"event"`
	Received    int    `json:"received"`
	Deleted     int    `json:"deleted"`
	Redelivered int    `json:"redelivered"`
	Unconfirmed int    `json:"unconfirmed"`      // printed; the queue has not confirmed that they are deleted
	Buried      int    `json:"buried,omitempty"` // sent to the dead-letter queue
}

func runConsume(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "consume",
		"Receive messages, print each one's producer, job type and body, and delete it,\nuntil Ctrl-C. A message that cannot be printed is given back instead, and ends\nthe command. Control characters are printed as \\n, \\x1b or \\u009b.\nThe lab's consumers are:\n  slow  visibility 20s, wait 10s, then 8 s of pause\n  fast  visibility 5s, wait 10s, then 2 s of pause\nFlags beside -preset change what it says. Batches, several queues in one consumer,\nmiddleware and metrics are for programs: go doc omnibus/workers.",
		"omnibus consume -preset slow\nomnibus consume -concurrency 16 -max 1000\nomnibus consume -work 5s -fail 1/3\nomnibus consume -rate 5 -dead-letter http://127.0.0.1:9324/000000000000/dead -max-receives 3")
	preset := f.String("preset", "", "`name` of one of the lab's consumers, slow or fast")
	visibility := f.Duration("visibility", 0, "how long a received message is hidden from others, whole seconds from 0s to 12h\n(default: the queue's own)")
	wait := f.Duration("wait", 0, "how long one receive waits for a message, whole seconds from 0s to 20s\n(default: the backend's)")
	pause := f.Duration("pause", 0, "how long to rest after each message, 0s or more (default 0s)")
	settings, rehearsed := f.addConsumer(), f.addRehearsal()
	most := f.Int("max", 0, "messages to handle at most, 0 or more; 0 is no limit, and those that are put off\nsince they are not due do not count (default 0)")
	f.addDrainTimeout()
	measured := f.addMetrics()
	measured.addScale()
	f.addLog()
	asJSON := f.Bool("json", false, "print one JSON object a line, with all that is known of each message: body if it\nis JSON, text if it is other text, base64 if it is neither; typed attributes,\ngroup, times and receive count")
	if err := f.parse(args); err != nil {
		return err
	}
	if err := errors.Join(
		seconds("visibility", *visibility, spec.MaxVisibility, "12h"),
		seconds("wait", *wait, spec.MaxWait, "20s"),
		atLeast("pause", *pause, 0),
		rehearsed.check(),
		atLeast("max", *most, 0),
	); err != nil {
		return err
	}
	c := &workers.Consumer{Max: *most, DrainTimeout: f.inHand()}
	var pollWait *time.Duration
	if *preset != "" {
		p, ok := lab.Consumers[*preset]
		if !ok {
			return usagef("unknown preset %q; known are %s", *preset, strings.Join(slices.Sorted(maps.Keys(lab.Consumers)), ", "))
		}
		c.Visibility, c.Rest, pollWait = &p.Visibility, p.Pause, &p.Wait
	}
	if f.given("visibility") {
		c.Visibility = visibility
	}
	if f.given("pause") {
		c.Rest = *pause
	}
	if f.given("wait") {
		pollWait = wait
	}
	if err := f.needQueue(); err != nil {
		return err
	}
	if err := settings.apply(c); err != nil {
		return err
	}
	if err := measured.listen(); err != nil {
		return err
	}
	defer measured.close()
	if pollWait != nil {
		f.queue = withParam(f.queue, "wait", pollWait.String())
	}
	out := printer{a.out, *asJSON}
	c.Handler = func(ctx context.Context, m *pubsub.Message) error {
		logBody(ctx, a.log(), "a message was received", m)
		// Output that fails gives this message back, at once unless the flags say
		// another time, and stops the consumer.
		err := out.print(newMessageLine("handled", received(m)), "Producer: %s, JobType: %s, Body: %s", m.Metadata["Producer"], m.Metadata["JobType"], plain(m.Body, m.Metadata[workers.ContentType]))
		return settings.retried(err)
	}
	rehearsed.out = out
	c.Handler = rehearsed.around(c.Handler, settings.retried)
	c.Logger, c.OnDone = a.log(), func(d workers.Done) { logDone(a.log(), d) }
	err := f.open(ctx, func(q *bus.Queue) error {
		c.Queue = q
		if err := settings.openDeadLetter(ctx, c); err != nil {
			return err
		}
		return measured.duringConsumer(ctx, c)
	}, func() error {
		s := c.Stats()
		text := fmt.Sprintf("%s received, %d deleted, %d redelivered", messages(s.Received), s.Deleted, s.Redelivered)
		if s.Unconfirmed > 0 {
			text += fmt.Sprintf(", %d not confirmed", s.Unconfirmed)
		}
		if s.Dead > 0 {
			text += fmt.Sprintf(", %d sent to the dead-letter queue", s.Dead)
		}
		return out.print(consumedLine{"summary", s.Received, s.Deleted, s.Redelivered, s.Unconfirmed, s.Dead}, "%s", text)
	})
	if n := c.Stats().Unconfirmed; n > 0 && err == nil {
		err = fmt.Errorf("the queue has not confirmed that it deleted %s: what was printed may come again", messages(n))
	}
	return err
}

// withParam returns the URL with a parameter added, unless it has it already.
func withParam(rawURL, name, value string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Query().Has(name) {
		return rawURL
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}
