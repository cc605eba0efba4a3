package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/driver"
	"omnibus/workers"
)

// deadLetterLine is a dead-letter queue.
type deadLetterLine struct {
	Event string `json:"event"`
	Name  string `json:"name"`
	URL   string `json:"url"`
	*countsLine
	Sources []string `json:"sources"`
}

func runDLQList(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "dlq list",
		"Print the dead-letter queues of an endpoint: how many messages each has, and which\nqueues give up theirs to it. That takes a request for each queue that there is.",
		"omnibus dlq list -queue http://127.0.0.1:9324")
	asJSON := f.Bool("json", false, "print one JSON object a line")
	if err := f.parse(args); err != nil {
		return err
	}
	place, err := f.needPlace()
	if err != nil {
		return err
	}
	found, err := a.deadLetterQueues(ctx, place)
	if err != nil {
		return err
	}
	out := printer{a.out, *asJSON}
	for _, d := range found {
		text := fmt.Sprintf("%8d dead, %d in flight, %d delayed  %s  from %s", d.Visible, d.InFlight, d.Delayed, d.URL, strings.Join(d.Sources, ", "))
		if err := out.print(d, "%s", text); err != nil {
			return err
		}
	}
	return nil
}

// deadLetterQueues returns the dead-letter queues of a place: those that the redrive
// policy of a queue there names, as far as they exist.
func (a *app) deadLetterQueues(ctx context.Context, place string) ([]deadLetterLine, error) {
	urls, err := a.mux.List(ctx, place, "")
	if err != nil {
		return nil, err
	}
	attributes, err := a.attributesOf(ctx, urls)
	if err != nil {
		return nil, err
	}
	sources := map[string][]string{}
	for i, url := range urls {
		if attributes[i] != nil && attributes[i].DeadLetter.Queue != "" {
			dead := attributes[i].DeadLetter.Queue
			sources[dead] = append(sources[dead], queueName(url))
		}
	}
	var found []deadLetterLine
	for i, url := range urls {
		if name := queueName(url); attributes[i] != nil && sources[name] != nil {
			slices.Sort(sources[name])
			found = append(found, deadLetterLine{"dead-letter queue", name, url, newCounts(attributes[i].Counts), sources[name]})
		}
	}
	return found, nil
}

// sources returns the names of the queues that give up messages to a queue.
func (a *app) sources(ctx context.Context, queue string) ([]string, error) {
	if onSQS(queue) {
		urls, err := a.sqs.DeadLetterSources(ctx, queue) // one request, however many queues there are
		for i, url := range urls {
			urls[i] = queueName(url)
		}
		return urls, err
	}
	all, err := a.deadLetterQueues(ctx, queue)
	for _, d := range all {
		if d.Name == queueName(queue) {
			return d.Sources, err
		}
	}
	return nil, err
}

// needDeadLetters returns an error if no queue gives up messages to the queue. If the
// queue has a dead-letter queue of its own, the error names that.
func (f *flagSet) needDeadLetters(ctx context.Context) error {
	sources, err := f.app.sources(ctx, f.queue)
	if err != nil || len(sources) > 0 {
		return err
	}
	attributes, err := f.app.attributesOf(ctx, []string{f.queue})
	if err != nil {
		return err
	}
	shown := bus.Redact(f.queue)
	if attributes[0] != nil && attributes[0].DeadLetter.Queue != "" {
		own, err := f.app.beside(f.queue, attributes[0].DeadLetter.Queue)
		if err != nil {
			return err
		}
		return fmt.Errorf("%s is no dead-letter queue, and has one: omnibus %s -queue %s", shown, f.Name(), bus.Redact(own))
	}
	return fmt.Errorf("%s is the dead-letter queue of no queue there; omnibus dlq list -queue %s shows which are", shown, shown)
}

func runDLQPeek(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "dlq peek",
		"Print dead letters of the dead-letter queue, where they come from, and why if they\nwere buried; and leave them there.\n"+peekAbout,
		"omnibus dlq peek -receive -queue http://127.0.0.1:9324/000000000000/mynewq-dead\nomnibus dlq peek -receive -attr DeadLetterReason")
	p := f.addPeek()
	if err := p.parse(args); err != nil {
		return err
	}
	if err := f.needQueue(); err != nil {
		return err
	}
	if err := f.needDeadLetters(ctx); err != nil {
		return err
	}
	return p.run(ctx)
}

// sourceName returns the name of the queue that a dead letter comes from, or "" if it
// does not tell.
func sourceName(m bus.Peeked) string {
	source := m.Details.DeadLetterSource
	if source == "" {
		source = m.Metadata[driver.DeadLetterSource]
	}
	return source[strings.LastIndexByte(source, ':')+1:]
}

type dlqPurgedLine struct {
	Event     string `json:"event"`
	Deleted   int    `json:"deleted"`
	Unmatched int    `json:"unmatched"`
}

func runDLQPurge(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "dlq purge",
		"Delete the dead letters of the dead-letter queue: all of them, which SQS allows once\nin a minute, or those that -attr and -body want, which are received for that. On a\nterminal it asks first.",
		"omnibus dlq purge -yes -queue http://127.0.0.1:9324/000000000000/mynewq-dead\nomnibus dlq purge -attr JobType=Test")
	wanted := f.addFilter()
	yes := f.Bool("yes", false, "do not ask")
	f.addDrainTimeout()
	asJSON := f.Bool("json", false, "print one JSON object")
	if err := f.parse(args); err != nil {
		return err
	}
	if err := f.needQueue(); err != nil {
		return err
	}
	which := "all dead letters"
	if !wanted.all() {
		which = "the dead letters that the filter wants"
	}
	if a.terminal && !*yes && !a.agrees(ctx, "Delete %s of %s?", which, bus.Redact(f.queue)) {
		return errors.New("nothing was deleted")
	}
	if err := f.needDeadLetters(ctx); err != nil {
		return err
	}
	out := printer{a.out, *asJSON}
	if wanted.all() {
		return f.open(ctx, func(q *bus.Queue) error {
			attributes, err := q.Attributes(ctx)
			if err != nil {
				return err
			}
			if err := q.Purge(ctx); err != nil {
				return err
			}
			c := attributes.Counts
			n := c.Visible + c.InFlight + c.Delayed
			return out.print(dlqPurgedLine{"purged", n, 0}, "%s deleted", messages(n))
		}, nil)
	}
	var t tally
	f.queue = scanURL(f.queue)
	return f.open(ctx, func(q *bus.Queue) error {
		s := &scan{queue: q}
		err := s.run(ctx, func(m *pubsub.Message) (bool, error) {
			if !wanted.wants(received(m)) {
				if s.hold(m) {
					t.add(&t.unmatched)
				}
				return true, nil
			}
			t.settle(m, &t.moved)
			return true, nil
		})
		last, cancel := workers.Outlast(ctx, f.inHand())
		defer cancel()
		s.giveBack(last)
		return err
	}, func() error {
		n := t.snapshot()
		err := out.print(dlqPurgedLine{"purged", n.moved, n.unmatched}, "%s deleted, %d left since they do not match", messages(n.moved), n.unmatched)
		if n.unconfirmed > 0 {
			err = errors.Join(err, fmt.Errorf("the queue has not confirmed that it deleted %s; the same command goes on with what is left", messages(n.unconfirmed)))
		}
		return err
	})
}
