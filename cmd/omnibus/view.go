package main

import (
	"context"
	"errors"
	"time"

	"omnibus/bus"
	"omnibus/lab"
	"omnibus/view/term"
	"omnibus/watch"
	"omnibus/watch/live"
)

// How many events and samples a view that draws slowly may be behind.
const behind = 4096

// draws reports whether a person looks on, at a terminal that can draw.
func (a *app) draws() bool { return a.terminal && a.getenv("TERM") != "dumb" }

// plainTerminal reports whether colours are not wanted: https://no-color.org.
func (a *app) plainTerminal() bool { return a.getenv("NO_COLOR") != "" }

// labView runs the lab behind a live view. Ctrl-C and q stop the lab as they stop it
// elsewhere, and the last picture stays.
func labView(ctx context.Context, a *app, l *lab.Lab, story *lab.Story) (lab.Summary, error) {
	l.Samples, l.Events = watch.NewStream[watch.Sample](behind), watch.NewStream[watch.Event](behind)
	var s lab.Summary
	err := term.Run(ctx, term.Options{
		Title: "omnibus lab: " + story.Title, About: story.Look, Speed: l.Speed, Sent: story.Messages(), Handled: story.Deliveries(),
		Stage: l, Purge: l.Purge, Visible: visible, Plain: a.plainTerminal(),
	}, a.stdin, a.stdout, l.Samples, l.Events, func(ctx context.Context) (err error) {
		s, err = l.Run(ctx)
		return err
	})
	return s, err
}

// watchView samples queues behind a live view until the person quits.
func watchView(ctx context.Context, a *app, title string, p *live.Poller, queues []*bus.Queue, window time.Duration) error {
	p.Samples = watch.NewStream[watch.Sample](behind)
	var names []string
	for _, q := range queues {
		p.Add(q)
		names = append(names, q.Name())
	}
	return term.Run(ctx, term.Options{
		Title: title, Queues: names, Window: window, Visible: visible, Plain: a.plainTerminal(),
		Purge: func(ctx context.Context, name string) (int, error) { return purgeNamed(ctx, queues, name) },
	}, a.stdin, a.stdout, p.Samples, nil, p.Run)
}

// purgeNamed purges the queue with a name, and returns how many messages there were just
// before.
func purgeNamed(ctx context.Context, queues []*bus.Queue, name string) (int, error) {
	for _, q := range queues {
		if q.Name() != name {
			continue
		}
		a, err := q.Attributes(ctx)
		if err != nil {
			return 0, err
		}
		return a.Visible + a.InFlight + a.Delayed, q.Purge(ctx)
	}
	return 0, errors.New("there is no queue of that name")
}
