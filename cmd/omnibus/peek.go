package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

const peekAbout = "On SQS there is no way to look without receiving: -receive does that, and gives\neach message back at once. It counts as a receive, so that a message may go to the\ndead-letter queue for it, and nobody else gets it meanwhile. Of a FIFO queue it shows\nthe first message of each group."

func runPeek(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "peek",
		"Print visible messages of the queue, and leave them there.\n"+peekAbout,
		"omnibus peek -receive -queue http://127.0.0.1:9324/000000000000/mynewq\nomnibus peek -receive -n 100 -attr JobType=NewDonor -body 'Pierce|Huber'")
	p := f.addPeek()
	if err := p.parse(args); err != nil {
		return err
	}
	if err := f.needQueue(); err != nil {
		return err
	}
	return p.run(ctx)
}

// peekFlags are the flags of peek and dlq peek.
type peekFlags struct {
	*flagSet
	most    int
	receive bool
	wanted  *filter
	asJSON  bool
}

const defaultPeek = 10

func (f *flagSet) addPeek() *peekFlags {
	p := &peekFlags{flagSet: f, wanted: f.addFilter()}
	f.IntVar(&p.most, "n", defaultPeek, "messages to print at most, 1 or more")
	f.BoolVar(&p.receive, "receive", false, "receive the messages to look at them, where the backend has no other way")
	f.BoolVar(&p.asJSON, "json", false, "print one JSON object a line, with all that is known of each message")
	f.addDrainTimeout()
	return p
}

func (p *peekFlags) parse(args []string) error {
	if err := p.flagSet.parse(args); err != nil {
		return err
	}
	return atLeast("n", p.most, 1)
}

// run prints the messages.
func (p *peekFlags) run(ctx context.Context) error {
	if p.receive {
		p.queue = scanURL(p.queue)
	}
	return p.open(ctx, func(q *bus.Queue) error {
		out := printer{p.app.out, p.asJSON}
		switch {
		case q.Supports(bus.ControlPeek):
			return p.peek(ctx, q, out)
		case !p.receive:
			return usagef("%s shows no message without receiving it, which counts as a receive and hides it from others for that moment; add -receive if that may be", bus.Redact(p.queue))
		}
		return p.scan(ctx, q, out)
	}, nil)
}

// peek looks without receiving. Those that the filter does not want count for
// nothing, so all are asked for if there is one.
func (p *peekFlags) peek(ctx context.Context, q *bus.Queue, out printer) error {
	ask := p.most
	if !p.wanted.all() {
		attributes, err := q.Attributes(ctx)
		if err != nil {
			return err
		}
		ask = max(1, attributes.Visible)
	}
	ms, err := q.Peek(ctx, ask)
	if err != nil {
		return err
	}
	for _, m := range ms {
		if !p.wanted.wants(m) {
			continue
		}
		if p.most--; p.most < 0 {
			break
		}
		if err := out.peeked(m); err != nil {
			return err
		}
	}
	return nil
}

// scan looks by receiving.
func (p *peekFlags) scan(ctx context.Context, q *bus.Queue, out printer) error {
	s := &scan{queue: q}
	err := s.run(ctx, func(m *pubsub.Message) (bool, error) {
		seen := received(m)
		if !s.hold(m) || !p.wanted.wants(seen) {
			return true, nil
		}
		p.most--
		return p.most > 0, out.peeked(seen)
	})
	last, cancel := workers.Outlast(ctx, p.inHand())
	defer cancel()
	s.giveBack(last)
	return err
}

// received returns what a received message tells.
func received(m *pubsub.Message) bus.Peeked {
	return bus.Peeked{Body: m.Body, Metadata: m.Metadata, Details: bus.Details(m)}
}

// peeked prints a message that was looked at.
func (p printer) peeked(m bus.Peeked) error {
	d := m.Details
	about := []string{d.ID}
	if !d.Sent.IsZero() {
		about = append(about, "sent "+d.Sent.UTC().Format(time.RFC3339))
	}
	about = append(about, fmt.Sprintf("received %s", times(d.ReceiveCount)))
	if d.Group != "" {
		about = append(about, "group "+d.Group)
	}
	if source := sourceName(m); source != "" {
		about = append(about, "from "+source)
	}
	if reason := m.Metadata[bus.DeadLetterReason]; reason != "" {
		about = append(about, "reason: "+reason)
	}
	return p.print(newMessageLine("peeked", m), "%s\n  %s", strings.Join(about, ", "), plain(m.Body, m.Metadata[workers.ContentType]))
}

// times returns a number of times in words.
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
