package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"omnibus/bus"
	"omnibus/lab"
	"omnibus/watch"
)

func runLab(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "lab",
		"Run the whole lab in one process: create the queue, start a slow and a fast\nproducer and a slow and a fast consumer, and watch the three counts until all\nthat was sent is handled. At its own pace that takes under three minutes.\nThe queue is in memory unless -queue or BUS_URL names another. The stories are:\n"+storyList(),
		"omnibus lab\nomnibus lab -story visibility -http :8080\nomnibus lab -speed 60 -json")
	story := f.String("story", lab.Stories()[0].Name, "`name` of the story")
	notes := f.Bool("as-in-the-notes", false, "consumers delete a message at once and rest then, as the notes' programs do, so\nthat nothing is seen in flight; without it they work on it first")
	run := f.addLab()
	page := f.addPage()
	if err := f.parse(args); err != nil {
		return err
	}
	if err := page.check(); err != nil {
		return err
	}
	l, err := run.lab()
	if err != nil {
		return err
	}
	l.Story, l.AsInTheNotes = *story, *notes
	s, err := lab.FindStory(*story)
	if err != nil {
		return usageError{err}
	}
	if *notes && s.Name != lab.Stories()[0].Name {
		return usagef("-as-in-the-notes is for the story %s; in the story %s leases are to be seen", lab.Stories()[0].Name, s.Name)
	}
	if !page.on() {
		return run.play(ctx, l, s)
	}
	stop, err := page.serveLab(ctx, l)
	if err != nil {
		return err
	}
	if err = run.play(ctx, l, s); err == nil && ctx.Err() == nil {
		fmt.Fprintln(a.stderr, "the page stays until Ctrl-C")
		<-ctx.Done()
	}
	return errors.Join(err, stop())
}

// storyList returns the stories as a list for people.
func storyList() string {
	var b strings.Builder
	for _, s := range lab.Stories() {
		fmt.Fprintf(&b, "  %-12s %s\n", s.Name, s.Title)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// labFlags are the flags of commands that run a lab.
type labFlags struct {
	flags  *flagSet
	speed  int
	plain  bool
	asJSON bool
	price  func() (watch.Price, error)
}

// addLab adds the flags.
func (f *flagSet) addLab() *labFlags {
	s := &labFlags{flags: f}
	f.IntVar(&s.speed, "speed", 1, fmt.Sprintf("divide every duration by `N`, 1 to %d; in memory only", lab.MaxSpeed))
	s.price = f.addPrice()
	f.addDrainTimeout()
	f.BoolVar(&s.plain, "plain", false, "print lines, also on a terminal")
	f.BoolVar(&s.asJSON, "json", false, "print one JSON object a line")
	return s
}

// lab returns the lab that the flags describe, once they are parsed.
func (s *labFlags) lab() (*lab.Lab, error) {
	f := s.flags
	if s.speed < 1 || s.speed > lab.MaxSpeed {
		return nil, usagef("-speed %d is out of range; allowed are 1 to %d", s.speed, lab.MaxSpeed)
	}
	if f.queue == "" {
		f.queue = "mem://" + lab.QueueName
	}
	local, err := f.app.mux.Local(f.queue)
	if err != nil {
		return nil, usageError{err}
	}
	if s.speed != 1 && !local {
		return nil, usagef("-speed %d works in memory only; on %s durations are whole seconds", s.speed, bus.Redact(f.queue))
	}
	price, err := s.price()
	if err != nil {
		return nil, err
	}
	return &lab.Lab{Mux: f.app.mux, URL: f.queue, Speed: s.speed, DrainTimeout: f.drain, Price: price, Requests: requests}, nil
}

// play runs a lab, and prints what happens and what came of it.
func (s *labFlags) play(ctx context.Context, l *lab.Lab, story *lab.Story) error {
	a := s.flags.app
	out := printer{a.out, s.asJSON}
	var sum lab.Summary
	var err error
	if a.draws() && !s.plain && !s.asJSON {
		sum, err = labView(ctx, a, l, story)
	} else {
		if !s.asJSON {
			if err := lookFor(a.out, story); err != nil {
				return err
			}
		}
		start := time.Now()
		l.OnEvent = func(e lab.Event) { _ = out.print(e, "%s", labLine(e, start)) } // output that fails stops the lab
		sum, err = l.Run(ctx)
	}
	if sum.Event == "" {
		return err
	}
	return errors.Join(err, out.print(sum, "%d sent, %d received, %d deleted, %d redelivered, %d dead; left: %d visible, %d in flight, %d delayed; %d requests, $%.6f",
		sum.Sent, sum.Received, sum.Deleted, sum.Redelivered, sum.Dead, sum.Visible, sum.InFlight, sum.Delayed, sum.Requests, sum.Dollars))
}

// lookFor prints what a story is about.
func lookFor(w io.Writer, s *lab.Story) error {
	text := s.Title + "\nLook for:\n"
	for _, line := range s.Look {
		text += "  - " + line + "\n"
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// labLine returns an event as a line for people.
func labLine(e lab.Event, start time.Time) string {
	at := fmt.Sprintf("%7.2fs", e.Time.Sub(start).Seconds())
	who := e.Worker
	if who == "" {
		who = e.Queue
	}
	switch e.Kind {
	case watch.Created:
		return fmt.Sprintf("%s  created        %s", at, e.URL)
	case lab.EventStatus:
		line := fmt.Sprintf("%s  status         %d visible, %d in flight, %d delayed", at, e.Counts.Visible, e.Counts.InFlight, e.Counts.Delayed)
		if e.Queue != "" {
			line += " in " + e.Queue
		}
		return line
	case watch.Finished:
		return fmt.Sprintf("%s  %-14s ends after %s", at, who, messages(e.Number))
	case watch.Note:
		return fmt.Sprintf("%s  note           %s", at, e.Words)
	case watch.Purged, watch.Redriven:
		return fmt.Sprintf("%s  %-14s %s: %s", at, who, e.Kind, messages(e.Number))
	case watch.Paused, watch.Resumed, watch.Added, watch.Removed, watch.Crashed:
		return fmt.Sprintf("%s  %-14s %s", at, who, e.Kind)
	}
	return fmt.Sprintf("%s  %-14s %s", at, who, workerLine(e))
}

// workerLine returns what a worker did as a line, without the worker's name.
func workerLine(e lab.Event) string {
	what := fmt.Sprintf("%s %s %v", e.Producer, e.JobType, e.Body)
	if e.Group != "" {
		what = e.Group + " " + what
	}
	switch e.Kind {
	case watch.Sent:
		return fmt.Sprintf("sent %d: %s", e.Number, what)
	case watch.Received:
		return "received: " + what
	case watch.Redelivered:
		return fmt.Sprintf("received again, time %d: %s", e.Receives, what)
	case watch.Handled:
		return fmt.Sprintf("deleted %d: %s", e.Number, what)
	}
	verb := map[watch.Kind]string{watch.Failed: "could not handle", watch.Lost: "lost the lease of", watch.Dead: "gave up, now a dead letter"}[e.Kind]
	return fmt.Sprintf("%s: %s (%s)", verb, what, strings.SplitN(e.Error, "\n", 2)[0])
}
