package main

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/lab"
	"omnibus/workers"
)

type handledLine struct {
	Event        string          `json:"event"`
	ID           string          `json:"id"`
	Producer     string          `json:"producer,omitempty"`
	JobType      string          `json:"job_type,omitempty"`
	ReceiveCount int             `json:"receive_count,omitempty"`
	Body         json.RawMessage `json:"body"`
}

type consumedLine struct {
	Event       string `json:"event"`
	Received    int    `json:"received"`
	Deleted     int    `json:"deleted"`
	Redelivered int    `json:"redelivered"`
}

func runConsume(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "consume",
		"Receive messages, print each one's producer, job type and body, and delete it,\nuntil Ctrl-C. The lab's consumers are:\n  slow  visibility 20s, wait 10s, then 8 s of pause\n  fast  visibility 5s, wait 10s, then 2 s of pause\nFlags beside -preset change what it says.",
		"omnibus consume -preset slow\nomnibus consume -concurrency 16 -max 1000")
	preset := f.String("preset", "", "`name` of one of the lab's consumers, slow or fast")
	visibility := f.Duration("visibility", 0, "how long a received message is hidden from others, 0s to 12h (default: the queue's own)")
	wait := f.Duration("wait", 0, "how long one receive waits for a message, 0s to 20s (default: the backend's)")
	pause := f.Duration("pause", 0, "rest after each message")
	concurrency := f.Int("concurrency", 1, "messages handled at a time")
	most := f.Int("max", 0, "messages to receive at most; 0 goes on")
	asJSON := f.Bool("json", false, "print one JSON object a line")
	if err := f.parse(args); err != nil {
		return err
	}
	c := &workers.Consumer{Concurrency: *concurrency, Max: *most}
	var pollWait *time.Duration
	if *preset != "" {
		p, ok := lab.Consumers[*preset]
		if !ok {
			return usagef("unknown preset %q; known are %s", *preset, strings.Join(slices.Sorted(maps.Keys(lab.Consumers)), ", "))
		}
		c.Visibility, c.Pause, pollWait = &p.Visibility, p.Pause, &p.Wait
	}
	if f.given("visibility") {
		c.Visibility = visibility
	}
	if f.given("pause") {
		c.Pause = *pause
	}
	if f.given("wait") {
		pollWait = wait
	}
	if err := f.needQueue(); err != nil {
		return err
	}
	if pollWait != nil {
		f.queue = withParam(f.queue, "wait", pollWait.String())
	}
	out := printer{a.stdout, *asJSON}
	var mu sync.Mutex // one line at a time
	c.Handler = func(_ context.Context, m *pubsub.Message) error {
		d := bus.Details(m)
		mu.Lock()
		defer mu.Unlock()
		out.print(handledLine{"handled", d.ID, m.Metadata["Producer"], m.Metadata["JobType"], d.ReceiveCount, body(m.Body)},
			"Producer: %s, JobType: %s, Body: %s", m.Metadata["Producer"], m.Metadata["JobType"], m.Body)
		return nil
	}
	return f.open(ctx, func(q *bus.Queue) error {
		c.Queue = q
		err := c.Run(ctx)
		s := c.Stats()
		out.print(consumedLine{"summary", s.Received, s.Deleted, s.Redelivered},
			"%s received, %d deleted, %d redelivered", messages(s.Received), s.Deleted, s.Redelivered)
		return err
	})
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
