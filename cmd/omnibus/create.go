package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
	"omnibus/bus/spec"
	"omnibus/lab"
)

func runCreate(ctx context.Context, a *app, args []string) error {
	preset := lab.QueueSettings()
	f := newFlags(a, "create",
		"Create the queue that the URL names and print the URL to use for it. Without\nflags it is the lab's: a delay of 5 s, a retention of a day. A queue that exists\nwith the same attributes is left as it is; with others it is an error.",
		"omnibus create -queue http://127.0.0.1:9324/000000000000/mynewq")
	delay := f.Duration("delay", *preset.Delay, "how long sent messages stay hidden, 0s to 15m")
	retention := f.Duration("retention", *preset.Retention, "when undeleted messages are dropped, 1m to 336h")
	visibility := f.Duration("visibility", 30*time.Second, "how long a received message is hidden from others, 0s to 12h")
	wait := f.Duration("wait", 0, "how long a receive waits for a message, 0s to 20s")
	fifo := f.Bool("fifo", false, "a FIFO queue that deduplicates by content; the name must end in .fifo")
	dlq := f.String("dlq", "", "`name` of the dead-letter queue")
	maxReceives := f.Int("max-receives", 0, "`times` a message is delivered before it goes to the dead-letter queue, 1 to 1000")
	attributes := map[string]string{}
	f.Func("attr", "`NAME=VALUE`: any attribute as SQS spells it, such as DeduplicationScope=messageGroup; may be given several times", func(text string) error {
		name, value, ok := strings.Cut(text, "=")
		if _, twice := attributes[name]; !ok || twice {
			return errors.New("want NAME=VALUE, each name once")
		}
		attributes[name] = value
		return nil
	})
	asJSON := f.Bool("json", false, "print one JSON object")
	if err := f.parse(args); err != nil {
		return err
	}
	if err := f.needQueue(); err != nil {
		return err
	}
	if (*dlq == "") != (*maxReceives == 0) {
		return usagef("-dlq and -max-receives go together")
	}
	s := bus.QueueSettings{Delay: delay, Retention: retention}
	if f.given("visibility") {
		s.Visibility = visibility
	}
	if f.given("wait") {
		s.Wait = wait
	}
	if *fifo {
		s.FIFO, s.ContentBasedDeduplication = fifo, new(true)
	}
	if *dlq != "" {
		s.DeadLetter = &bus.DeadLetter{Queue: *dlq, MaxReceives: *maxReceives}
	}
	given, err := spec.ParseQueueSettings(queueName(f.queue), attributes, byName{})
	if err != nil {
		return usageError{err}
	}
	s = s.Merge(given)
	if err := s.Check(); err != nil {
		return usageError{err}
	}
	url, err := a.mux.Create(ctx, f.queue, s)
	if err != nil {
		if *dlq != "" && gcerrors.Code(err) == gcerrors.NotFound {
			return fmt.Errorf("the dead-letter queue must exist first: omnibus create -queue %s: %w", bus.Redact(besides(f.queue, *dlq)), err)
		}
		return err
	}
	return printer{a.out, *asJSON}.print(struct {
		Event string `json:"event"`
		URL   string `json:"url"`
	}{"created", url}, "%s", url)
}

// byName reads policies that name queues by ARN or by their names alone.
type byName struct{}

func (byName) ARN(queue string) string { return queue }

func (byName) QueueOf(arn string) (string, bool) {
	return arn[strings.LastIndexByte(arn, ':')+1:], true
}

// besides returns the URL of the queue of that name where the one of the URL is.
func besides(url, name string) string {
	at, _, _ := strings.Cut(url, "?")
	return strings.TrimSuffix(at, path.Base(at)) + name
}

// queueName returns the name of the queue that a URL names.
func queueName(url string) string {
	url, _, _ = strings.Cut(url, "?")
	return path.Base(url)
}
