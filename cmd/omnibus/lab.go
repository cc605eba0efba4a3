package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"omnibus/bus"
	"omnibus/lab"
)

func runLab(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "lab",
		"Run the whole lab in one process: create the queue, start a slow and a fast\nproducer and a slow and a fast consumer, and watch the three counts until all\nthat was sent is handled. At its own pace that takes under three minutes.\nThe queue is in memory unless -queue or BUS_URL names another.",
		"omnibus lab\nomnibus lab -speed 60 -json")
	speed := f.Int("speed", 1, fmt.Sprintf("divide every duration by `N`, 1 to %d; in memory only", lab.MaxSpeed))
	f.addDrainTimeout()
	plain := f.Bool("plain", false, "print lines, also on a terminal")
	asJSON := f.Bool("json", false, "print one JSON object a line")
	if err := f.parse(args); err != nil {
		return err
	}
	if *speed < 1 || *speed > lab.MaxSpeed {
		return usagef("-speed %d is out of range; allowed are 1 to %d", *speed, lab.MaxSpeed)
	}
	if f.queue == "" {
		f.queue = "mem://" + lab.QueueName
	}
	local, err := a.mux.Local(f.queue)
	if err != nil {
		return usageError{err}
	}
	if *speed != 1 && !local {
		return usagef("-speed %d works in memory only; on %s durations are whole seconds", *speed, bus.Redact(f.queue))
	}
	l := &lab.Lab{Mux: a.mux, URL: f.queue, Speed: *speed, DrainTimeout: f.drain}
	out := printer{a.out, *asJSON}
	var s lab.Summary
	if a.terminal && !*plain && !*asJSON {
		s, err = labView(ctx, a, l)
	} else {
		start := time.Now()
		l.OnEvent = func(e lab.Event) { _ = out.print(e, "%s", labLine(e, start)) } // output that fails stops the lab
		s, err = l.Run(ctx)
	}
	if s.Event == "" {
		return err
	}
	return errors.Join(err, out.print(s, "%d sent, %d received, %d deleted, %d redelivered; left: %d visible, %d in flight, %d delayed",
		s.Sent, s.Received, s.Deleted, s.Redelivered, s.Visible, s.InFlight, s.Delayed))
}

// labLine returns an event as a line for people.
func labLine(e lab.Event, start time.Time) string {
	at := fmt.Sprintf("%7.2fs", e.Time.Sub(start).Seconds())
	switch e.Event {
	case lab.EventCreated:
		return fmt.Sprintf("%s  created        %s", at, e.URL)
	case lab.EventStatus:
		return fmt.Sprintf("%s  status         %d visible, %d in flight, %d delayed", at, e.Counts.Visible, e.Counts.InFlight, e.Counts.Delayed)
	case lab.EventDone:
		return fmt.Sprintf("%s  %-14s ends after %s", at, e.Worker, messages(e.Number))
	}
	return fmt.Sprintf("%s  %-14s %s", at, e.Worker, workerLine(e))
}

// workerLine returns what a worker did as a line, without the worker's name.
func workerLine(e lab.Event) string {
	verb := map[string]string{lab.EventSent: "sent", lab.EventHandled: "deleted", lab.EventFailed: "could not handle"}[e.Event]
	line := fmt.Sprintf("%s %d: %s %s %v", verb, e.Number, e.Producer, e.JobType, e.Body)
	if e.Error != "" {
		line += " (" + strings.SplitN(e.Error, "\n", 2)[0] + ")"
	}
	return line
}
