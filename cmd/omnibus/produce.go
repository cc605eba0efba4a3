package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	Event  string `json:"event"`
	Number int    `json:"number"`
	ID     string `json:"id,omitempty"`
	lab.Body
}

type producedLine struct {
	Event       string `json:"event"`
	Sent        int    `json:"sent"`
	Unconfirmed int    `json:"unconfirmed"`
}

func runProduce(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "produce",
		"Send the JSON documents of a file, its lines, or the donors of one of the lab's\nproducers:\n  slow  50 donors, one a second, each delayed by 10 s\n  fast  50 others, one a second, each delayed by 2 s\nFlags beside -preset change what it says. To a FIFO queue its donors go without\na delay of their own, which SQS does not allow there.",
		"omnibus produce -preset fast\nomnibus produce -preset fast -group donors -queue http://127.0.0.1:9324/000000000000/mynewq.fifo\nomnibus produce -data orders.json -attr JobType=NewOrder\nls | omnibus produce -data - -lines")
	preset := f.String("preset", "", "`name` of one of the lab's producers, slow or fast")
	data := f.String("data", "", "`file` with a JSON array or with one JSON document a line; - is standard input")
	lines := f.Bool("lines", false, "send each line of -data as it is, whether JSON or not; empty ones are left out")
	every := f.Duration("every", 0, "time from one message, or batch, to the next, 0s or more; 0s is as fast as the\nqueue takes them (default 0s, or the preset's)")
	delay := f.Duration("delay", 0, "how long the messages stay hidden, 0s or more (default: the queue's own delay);\nover 15m, and on a FIFO queue, only omnibus consume and its like wait for it")
	attrs := attributes{}
	f.Var(attrs, "attr", "`KEY=VALUE` to send as a message attribute; can be repeated")
	count := f.Int("count", 0, "messages to send at most, 0 or more; 0 sends all (default 0)")
	concurrency := f.Int("concurrency", 1, "sends that may be in progress at a time, 1 or more")
	group := f.String("group", "", "message group `id`, which every message to a FIFO queue needs")
	batch := f.Int("batch", 1, "messages to send at a time, 1 or more, in one call with one outcome each;\na FIFO queue gets ten in a request, in their order")
	sendTimeout := f.Duration("send-timeout", 0, "how long a send may take before it is given up as not confirmed, over 0s\n(default: until the queue answers)")
	wait := f.Bool("wait-for-queue", false, "wait for a queue that does not exist, or not any more, and do not fail")
	codec := f.String("codec", "", "how to encode the documents, named in the attribute Content-Type: json, or gzip\nfor JSON that is compressed (default: as they are, and unnamed)")
	f.addDrainTimeout()
	measured := f.addMetrics()
	f.addLog()
	asJSON := f.Bool("json", false, "print one JSON object a line")
	if err := f.parse(args); err != nil {
		return err
	}
	if f.given("send-timeout") && *sendTimeout <= 0 {
		return usagef("-send-timeout is %v; it must be over 0s, or left out to wait until the queue answers", *sendTimeout)
	}
	if err := errors.Join(
		atLeast("batch", *batch, 1),
		atLeast("every", *every, 0),
		atLeast("delay", *delay, 0),
		atLeast("count", *count, 0),
		atLeast("concurrency", *concurrency, 1),
	); err != nil {
		return err
	}
	p := &workers.Producer{
		Every: *every, Count: *count, Concurrency: *concurrency, Metadata: attrs,
		Batch: *batch, SendTimeout: *sendTimeout, DrainTimeout: f.inHand(), WaitForQueue: *wait,
	}
	var err error
	if p.Source, err = f.source(p, *preset, *data, *lines); err != nil {
		return err
	}
	if *codec != "" {
		if err := encode(p, *codec, *lines); err != nil {
			return err
		}
	}
	if f.given("every") {
		p.Every = *every
	}
	if f.given("delay") {
		p.Delay = delay
	}
	if *group != "" {
		p.Prepare = func(_ context.Context, _ int, m *pubsub.Message) error {
			bus.Group(m, *group)
			return nil
		}
	}
	if err := f.needQueue(); err != nil {
		return err
	}
	if err := measured.listen(); err != nil {
		return err
	}
	defer measured.close()
	p.Telemetry, p.Logger = measured.telemetry, a.log()
	out := printer{a.out, *asJSON}
	p.OnSent = func(s workers.Sent) {
		body := plain(s.Body, p.Metadata[workers.ContentType])
		a.log().Debug("a message was sent", "number", s.Number, "id", s.ID, "body", string(body))
		_ = out.print(sentLine{"sent", s.Number, s.ID, lab.NewBody(body)}, "sent %d %s", s.Number, body) // output that fails stops the producer
	}
	return f.open(ctx, func(q *bus.Queue) error {
		p.Queue = q
		return measured.during(ctx, func() error { return p.Run(ctx) }, q)
	}, func() error {
		text := messages(p.Sent()) + " sent"
		if n := p.Unconfirmed(); n > 0 {
			text += fmt.Sprintf(", %d not confirmed", n)
		}
		return out.print(producedLine{"summary", p.Sent(), p.Unconfirmed()}, "%s", text)
	})
}

// codecs are those of -codec, and those by which consume reads what it prints.
var codecs = map[string]workers.Codec{"json": workers.JSONCodec(), "gzip": workers.Gzip(workers.JSONCodec())}

// encode has p send its documents by a codec.
func encode(p *workers.Producer, name string, lines bool) error {
	c, ok := codecs[name]
	switch {
	case !ok:
		return usagef("unknown codec %q; known are %s", name, strings.Join(slices.Sorted(maps.Keys(codecs)), ", "))
	case lines:
		return usagef("-codec is for JSON documents, and -lines sends other text")
	}
	documents := p.Source
	p.Source = workers.Values(func(yield func(json.RawMessage, error) bool) {
		for document, err := range documents {
			if !yield(document, err) {
				return
			}
		}
	}, c)
	p.Metadata = maps.Clone(p.Metadata)
	if p.Metadata == nil {
		p.Metadata = map[string]string{}
	}
	p.Metadata[workers.ContentType] = c.ContentType
	return nil
}

// source returns what to send, and sets in p what the preset says.
func (f *flagSet) source(p *workers.Producer, preset, data string, lines bool) (iter.Seq2[[]byte, error], error) {
	if (preset == "") == (data == "") {
		return nil, usagef("give either -preset or -data")
	}
	read := workers.Documents
	if lines {
		read = workers.Lines
	}
	switch data {
	case "":
		if lines {
			return nil, usagef("-lines goes with -data")
		}
		s, ok := lab.Producers[preset]
		if !ok {
			return nil, usagef("unknown preset %q; known are %s", preset, strings.Join(slices.Sorted(maps.Keys(lab.Producers)), ", "))
		}
		p.Every = s.Every
		if !f.fifo() {
			p.Delay = &s.Delay
		}
		added := p.Metadata
		p.Metadata = maps.Clone(s.Metadata)
		maps.Copy(p.Metadata, added)
		return read(s.DataName, bytes.NewReader(s.Data)), nil
	case "-":
		return read("standard input", f.app.stdin), nil
	}
	if _, err := os.Stat(data); err != nil {
		return nil, err
	}
	return file(data, read), nil
}

// file returns a source that reads a file. It opens the file when it is asked for
// the first element, since to open a named pipe may take as long as to read it.
func file(name string, read func(string, io.Reader) iter.Seq2[[]byte, error]) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		f, err := os.Open(name)
		if err != nil {
			yield(nil, err)
			return
		}
		defer f.Close() // only read from
		read(name, f)(yield)
	}
}
