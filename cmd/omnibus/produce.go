package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/lab"
	"omnibus/workers"
)

type sentLine struct {
	Event  string          `json:"event"`
	Number int             `json:"number"`
	ID     string          `json:"id,omitempty"`
	Body   json.RawMessage `json:"body"`
}

type producedLine struct {
	Event string `json:"event"`
	Sent  int    `json:"sent"`
}

func runProduce(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "produce",
		"Send the JSON documents of a file, or the donors of one of the lab's producers:\n  slow  50 donors, one a second, each delayed by 10 s\n  fast  50 others, one a second, each delayed by 2 s\nFlags beside -preset change what it says.",
		"omnibus produce -preset fast\nomnibus produce -data orders.json -attr JobType=NewOrder")
	preset := f.String("preset", "", "`name` of one of the lab's producers, slow or fast")
	data := f.String("data", "", "`file` with a JSON array or with one JSON document a line; - is standard input")
	every := f.Duration("every", 0, "time from one message to the next; 0s is as fast as the queue takes them")
	delay := f.Duration("delay", 0, "how long the messages stay hidden, 0s to 15m (default: the queue's own delay)")
	attrs := attributes{}
	f.Var(attrs, "attr", "`KEY=VALUE` to send as a message attribute; can be repeated")
	count := f.Int("count", 0, "messages to send at most; 0 sends all")
	concurrency := f.Int("concurrency", 1, "sends that may be in progress at a time")
	group := f.String("group", "", "message group `id`, for FIFO queues")
	asJSON := f.Bool("json", false, "print one JSON object a line")
	if err := f.parse(args); err != nil {
		return err
	}
	p := &workers.Producer{Every: *every, Count: *count, Concurrency: *concurrency, Metadata: attrs}
	var err error
	if p.Source, err = f.source(p, *preset, *data); err != nil {
		return err
	}
	if f.given("every") {
		p.Every = *every
	}
	if f.given("delay") {
		p.Delay = delay
	}
	if *group != "" {
		p.Prepare = func(_ int, m *pubsub.Message) { bus.Group(m, *group) }
	}
	if err := f.needQueue(); err != nil {
		return err
	}
	out := printer{a.stdout, *asJSON}
	p.OnSent = func(s workers.Sent) {
		out.print(sentLine{"sent", s.Number, s.ID, body(s.Body)}, "sent %d %s", s.Number, s.Body)
	}
	return f.open(ctx, func(q *bus.Queue) error {
		p.Queue = q
		err := p.Run(ctx)
		out.print(producedLine{"summary", p.Sent()}, "%s sent", messages(p.Sent()))
		return err
	})
}

// source returns what to send, and sets in p what the preset says.
func (f *flagSet) source(p *workers.Producer, preset, data string) (iter.Seq2[[]byte, error], error) {
	if (preset == "") == (data == "") {
		return nil, usagef("give either -preset or -data")
	}
	switch data {
	case "":
		s, ok := lab.Producers[preset]
		if !ok {
			return nil, usagef("unknown preset %q; known are %s", preset, strings.Join(slices.Sorted(maps.Keys(lab.Producers)), ", "))
		}
		p.Every, p.Delay = s.Every, &s.Delay
		added := p.Metadata
		p.Metadata = maps.Clone(s.Metadata)
		maps.Copy(p.Metadata, added)
		return workers.Documents(s.DataName, bytes.NewReader(s.Data)), nil
	case "-":
		return workers.Documents("standard input", f.app.stdin), nil
	}
	content, err := os.ReadFile(data)
	if err != nil {
		return nil, fmt.Errorf("read the data: %w", err)
	}
	return workers.Documents(data, bytes.NewReader(content)), nil
}
