package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"omnibus/bus"
	"omnibus/bus/engine"
	"omnibus/bus/membus"
	"omnibus/lab"
	"omnibus/view/web"
	"omnibus/watch"
)

// serveLab serves the page of a lab in memory, whose queues it opens to the page, and of
// its workers. It is called before the lab runs.
func (p *pageFlags) serveLab(ctx context.Context, l *lab.Lab) (stop func() error, err error) {
	if !strings.HasPrefix(l.URL, membus.Scheme+"://") {
		return nil, usagef("-http of the lab shows queues of %s://; omnibus watch -http shows others", membus.Scheme)
	}
	e := engine.New(nil)
	l.Mux = new(bus.Mux)
	membus.New(&membus.Options{Engine: e}).Register(l.Mux)
	l.Events = watch.NewStream[watch.Event](1000)
	crew := &labCrew{lab: l, latest: map[string][]web.Deed{}}
	ctx, cancel := context.WithCancel(ctx)
	page, closed, err := p.serve(web.Options{
		Source: web.Engine(func() *engine.Engine { return e }), Workers: crew, Title: "omnibus lab",
		Every: max(100*time.Millisecond, time.Second/time.Duration(l.Speed)),
	})
	if err != nil {
		cancel()
		return nil, err
	}
	var beside sync.WaitGroup
	beside.Go(func() { crew.follow(ctx, l.Events.Follow(0)) })
	beside.Go(func() { page.Sample(ctx) })
	return func() error {
		cancel()
		beside.Wait()
		return closed()
	}, nil
}

// labCrew is the workers of a lab, with what each did last.
type labCrew struct {
	lab *lab.Lab

	mu     sync.Mutex // guards latest
	latest map[string][]web.Deed
}

// latestDeeds is how many of a worker's deeds are shown.
const latestDeeds = 5

// follow remembers what the workers do, until ctx or the stream ends.
func (c *labCrew) follow(ctx context.Context, v *watch.Viewer[watch.Event]) {
	for {
		events, _, err := v.Next(ctx)
		if err != nil {
			return
		}
		c.mu.Lock()
		for _, e := range events {
			if e.Worker != "" {
				c.add(e)
			}
		}
		c.mu.Unlock()
	}
}

// add puts an event before those of its worker. The message that it is of is in hand no
// more, unless this is what it tells. The caller holds mu.
func (c *labCrew) add(e watch.Event) {
	deeds := c.latest[e.Worker]
	for i := range deeds {
		deeds[i].LeaseBegan, deeds[i].LeaseEnds = 0, 0
	}
	d := web.Deed{Kind: string(e.Kind), Words: e.Words, At: web.Millis(e.Time), LeaseBegan: web.Millis(e.LeaseBegan), LeaseEnds: web.Millis(e.LeaseEnds)}
	if e.Receives > 1 {
		d.Words = fmt.Sprintf("×%d %s", e.Receives, d.Words)
	}
	c.latest[e.Worker] = append([]web.Deed{d}, deeds[:min(len(deeds), latestDeeds-1)]...)
}

func (c *labCrew) Workers() []web.Worker {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []web.Worker{}
	for _, w := range c.lab.Workers() {
		out = append(out, web.Worker{
			Name: w.Name, Queue: w.Queue, Producer: w.Producer, State: w.State, Done: w.Done, Of: w.Of,
			Settings: workerSettings(w), Can: workerActions(w), Latest: append([]web.Deed{}, c.latest[w.Name]...),
		})
	}
	return out
}

// workerSettings returns what tells a worker from others, in words.
func workerSettings(w watch.Worker) string {
	var words []string
	add := func(format string, d time.Duration) {
		if d > 0 {
			words = append(words, fmt.Sprintf(format, d))
		}
	}
	add("one every %v", w.Every)
	add("delayed by %v", w.Delay)
	add("visibility timeout %v", w.Visibility)
	add("works for %v", w.Work)
	return strings.Join(words, ", ")
}

func workerActions(w watch.Worker) []string {
	var can []string
	switch w.State {
	case watch.StateRunning:
		can = append(can, "pause")
	case watch.StatePaused:
		can = append(can, "resume")
	}
	if w.Producer || w.State != watch.StateRunning && w.State != watch.StatePaused {
		return can
	}
	return append(can, "crash", "remove", "add another")
}

// Do pauses a worker, or resumes, crashes or removes it, or adds another one like it.
func (c *labCrew) Do(ctx context.Context, worker, action string) error {
	switch action {
	case "pause":
		return c.lab.Pause(worker)
	case "resume":
		return c.lab.Resume(worker)
	case "crash":
		return c.lab.Crash(worker)
	case "remove":
		return c.lab.Remove(worker)
	case "add another":
		_, err := c.lab.AddConsumer(ctx, worker)
		return err
	}
	return fmt.Errorf("a worker cannot %q; it can pause, resume, crash, remove and add another", action)
}
