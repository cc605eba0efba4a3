package main

import (
	"context"
	"time"

	"omnibus/bus"
	"omnibus/watch"
	"omnibus/watch/live"
	"omnibus/workers"
)

// statusLine is a sample under the names that SQS gives the counts.
type statusLine struct {
	Event    string    `json:"event"`
	Time     time.Time `json:"time"`
	Visible  int       `json:"ApproximateNumberOfMessages"`
	InFlight int       `json:"ApproximateNumberOfMessagesNotVisible"`
	Delayed  int       `json:"ApproximateNumberOfMessagesDelayed"`
}

func runStatus(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "status",
		"Show the numbers of messages that are visible, in flight and delayed, under\nSQS's names for them, until Ctrl-C. On a terminal as omnibus watch does.",
		"omnibus status -once -queue http://127.0.0.1:9324/000000000000/mynewq")
	every := f.Duration("every", time.Second, "time from one look to the next")
	once := f.Bool("once", false, "look once and end")
	f.addDrainTimeout()
	plain := f.Bool("plain", false, "print lines, also on a terminal")
	asJSON := f.Bool("json", false, "print one JSON object a line")
	if err := f.parse(args); err != nil {
		return err
	}
	if *every <= 0 {
		return usagef("-every %v must be over zero", *every)
	}
	if err := f.needQueue(); err != nil {
		return err
	}
	if a.draws() && !*once && !*plain && !*asJSON {
		p := &live.Poller{Every: *every, Account: func(q *bus.Queue) watch.Account { return watch.Account{Requests: requests(q)} }}
		return f.open(ctx, func(q *bus.Queue) error {
			return watchView(ctx, a, "omnibus status", p, []*bus.Queue{q}, chartWindow)
		}, nil)
	}
	out := printer{a.out, *asJSON}
	return f.open(ctx, func(q *bus.Queue) error {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		between := ""
		m := &workers.Monitor{Queue: q, Every: *every, OnSample: func(s workers.Sample) {
			c := s.Attributes.Counts
			_ = out.print(statusLine{"status", s.Time, c.Visible, c.InFlight, c.Delayed}, // output that fails stops the monitor
				between+"%d ApproximateNumberOfMessages\n%d ApproximateNumberOfMessagesNotVisible\n%d ApproximateNumberOfMessagesDelayed",
				c.Visible, c.InFlight, c.Delayed)
			between = "\n"
			if *once {
				stop()
			}
		}}
		return m.Run(ctx)
	}, nil)
}
