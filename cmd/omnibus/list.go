package main

import (
	"context"
	"errors"

	"gocloud.dev/gcerrors"
	"golang.org/x/sync/errgroup"

	"omnibus/bus"
)

// queueLine is a queue in a list. Its counts are those of SQS's attributes.
type queueLine struct {
	Event string `json:"event"`
	Name  string `json:"name"`
	URL   string `json:"url"`
	*countsLine
}

// countsLine is the three counts of a queue.
type countsLine struct {
	Visible  int `json:"ApproximateNumberOfMessages"`
	InFlight int `json:"ApproximateNumberOfMessagesNotVisible"`
	Delayed  int `json:"ApproximateNumberOfMessagesDelayed"`
}

func newCounts(c bus.Counts) *countsLine { return &countsLine{c.Visible, c.InFlight, c.Delayed} }

func runList(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "list",
		"Print the URLs of the queues of an endpoint, one a line. The endpoint is that\nof -queue, which may be the URL of a queue there or end at the host.",
		"omnibus list -queue http://127.0.0.1:9324\nomnibus list -prefix orders- -counts")
	prefix := f.String("prefix", "", "list only queues whose `names` begin so")
	counts := f.Bool("counts", false, "print before each URL how many messages are visible, in flight and delayed; costs\none more request a queue")
	asJSON := f.Bool("json", false, "print one JSON object a line")
	if err := f.parse(args); err != nil {
		return err
	}
	place, err := f.needPlace()
	if err != nil {
		return err
	}
	urls, err := a.mux.List(ctx, place, *prefix)
	if err != nil {
		return err
	}
	var attributes []*bus.QueueAttributes
	if *counts {
		if attributes, err = a.attributesOf(ctx, urls); err != nil {
			return err
		}
	}
	out := printer{a.out, *asJSON}
	for i, url := range urls {
		line := queueLine{Event: "queue", Name: queueName(url), URL: url}
		if !*counts {
			if err := out.print(line, "%s", url); err != nil {
				return err
			}
			continue
		}
		if attributes[i] == nil {
			continue
		}
		c := newCounts(attributes[i].Counts)
		line.countsLine = c
		if err := out.print(line, "%8d visible %8d in flight %8d delayed  %s", c.Visible, c.InFlight, c.Delayed, url); err != nil {
			return err
		}
	}
	return nil
}

// looks is how many queues are looked at at a time.
const looks = 8

// attributesOf returns the attributes of queues, in their order: nil of a queue that
// does not exist any more.
func (a *app) attributesOf(ctx context.Context, urls []string) ([]*bus.QueueAttributes, error) {
	all := make([]*bus.QueueAttributes, len(urls))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(looks)
	for i, url := range urls {
		g.Go(func() error {
			q, err := a.mux.Open(ctx, url)
			if err != nil {
				return err
			}
			attributes, err := q.Attributes(ctx)
			if err == nil {
				all[i] = &attributes
			} else if gcerrors.Code(err) == gcerrors.NotFound {
				err = nil
			}
			return errors.Join(err, q.Shutdown(ctx))
		})
	}
	return all, g.Wait()
}
