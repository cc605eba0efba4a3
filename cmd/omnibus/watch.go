package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"omnibus/bus"
	"omnibus/watch"
	"omnibus/watch/live"
)

// chartWindow is how much of the past the chart of a queue shows that goes on.
const chartWindow = 10 * time.Minute

func runWatch(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "watch",
		"Watch queues until Ctrl-C: the three counts, the age of the oldest message if the\nqueue tells it, how fast messages come and go, and what the requests for that\ncost. On a terminal as a chart, with keys; elsewhere a line a queue and second.\nRates are exact if the workers run in this process, and else the least that the\ncounts show. The queues are those named by arguments, or else by -queue or BUS_URL.\nWith -http it serves a page instead, which asks the queues only while somebody\nlooks at it.",
		"omnibus watch http://127.0.0.1:9324/000000000000/mynewq\nomnibus watch -every 5s URL1 URL2\nomnibus watch -http :8080 URL1 URL2")
	f.takes = "[URL…]"
	every := f.Duration("every", time.Second, "time from one look to the next, over 0s; each is a request for each queue")
	price := f.addPrice()
	f.addDrainTimeout()
	measured := f.addMetrics()
	f.addLog()
	plain := f.Bool("plain", false, "print lines, also on a terminal")
	asJSON := f.Bool("json", false, "print one JSON object a line")
	page := f.addPage()
	if err := f.parse(args); err != nil {
		return err
	}
	if err := page.check(); err != nil {
		return err
	}
	if *every <= 0 {
		return usagef("-every %v must be over zero", *every)
	}
	urls := f.words
	if len(urls) == 0 {
		if err := f.needQueue(); err != nil {
			return err
		}
		urls = []string{f.queue}
	}
	if err := measured.listen(); err != nil {
		return err
	}
	defer measured.close()
	p := &live.Poller{Every: *every, Account: func(q *bus.Queue) watch.Account { return watch.Account{Requests: requests(q)} }}
	var err error
	if p.Price, err = price(); err != nil {
		return err
	}
	queues, err := f.openAll(ctx, urls)
	if err == nil {
		err = measured.during(ctx, func() error {
			switch {
			case page.on():
				return page.serveQueues(ctx, queues, *every)
			case a.draws() && !*plain && !*asJSON:
				return watchView(ctx, a, "omnibus watch", p, queues, chartWindow)
			}
			return watchLines(ctx, printer{a.out, *asJSON}, p, queues)
		}, queues...)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.drain)
	defer cancel()
	return errors.Join(err, shutdownAll(last, queues))
}

// openAll opens queues that have counts.
func (f *flagSet) openAll(ctx context.Context, urls []string) ([]*bus.Queue, error) {
	var queues []*bus.Queue
	for _, named := range urls {
		url, err := f.app.resolve(named)
		if err != nil {
			return queues, err
		}
		if err := f.needShared(url); err != nil {
			return queues, err
		}
		q, err := f.app.mux.Open(ctx, url)
		if err != nil {
			return queues, err
		}
		queues = append(queues, q)
		if !q.Supports(bus.ControlAttributes) {
			return queues, fmt.Errorf("%s tells no counts: %w", bus.Redact(url), errors.ErrUnsupported)
		}
	}
	return queues, nil
}

func shutdownAll(ctx context.Context, queues []*bus.Queue) error {
	errs := make([]error, len(queues))
	var wg sync.WaitGroup
	for i, q := range queues {
		wg.Go(func() { errs[i] = q.Shutdown(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// watchLines prints a line for each sample until ctx ends.
func watchLines(ctx context.Context, out printer, p *live.Poller, queues []*bus.Queue) error {
	p.Samples = watch.NewStream[watch.Sample](behind)
	for _, q := range queues {
		p.Add(q)
	}
	viewer := p.Samples.Follow(0)
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	for {
		samples, _, err := viewer.Next(ctx)
		if err != nil {
			return <-done
		}
		for _, s := range samples {
			_ = out.print(s, "%s  %s", s.Time.Format(time.TimeOnly), sampleLine(s)) // output that fails stops the command
		}
	}
}

// sampleLine returns a sample as a line for people.
func sampleLine(s watch.Sample) string {
	if s.Error != "" {
		return s.Name + ": cannot be read: " + s.Error
	}
	line := fmt.Sprintf("%s: %d visible, %d in flight, %d delayed", s.Name, s.Visible, s.InFlight, s.Delayed)
	if s.Oldest > 0 {
		line += fmt.Sprintf("; oldest %v", s.Oldest.Round(time.Second))
	}
	if s.Exact {
		line += fmt.Sprintf("; in %.1f/s, out %.1f/s", s.In, s.Out)
	} else {
		line += fmt.Sprintf("; %+.1f/s", s.In-s.Out)
	}
	return line + fmt.Sprintf("; $%.6f", s.Dollars)
}
