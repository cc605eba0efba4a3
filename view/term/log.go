package term

import (
	"fmt"

	"omnibus/watch"
)

// logPart returns the latest events, the newest at the bottom, as exactly height lines.
func (m *Model) logPart(width, height int) []string {
	if height <= 0 {
		return nil
	}
	var lines []string
	if n := len(m.log); n > height {
		for _, e := range m.log[n-height:] {
			lines = append(lines, m.logLine(e, width))
		}
	} else {
		for _, e := range m.log {
			lines = append(lines, m.logLine(e, width))
		}
	}
	for len(lines) < height {
		lines = append(lines, fit("", width))
	}
	return lines
}

// logLine returns an event as a line.
func (m *Model) logLine(e watch.Event, width int) string {
	who := e.Worker
	if who == "" {
		who = e.Queue
	}
	name := min(16, width/4)
	line := faintStyle.Render(fmt.Sprintf("%7s", clock(m.elapsed(e.Time)))) + " " + mark(e) + " "
	if who != "" {
		line += boldStyle.Render(fit(m.o.Visible(who), name)) + " "
	}
	return fit(line+m.o.Visible(what(e)), width)
}

// what returns what happened, without who did it.
func what(e watch.Event) string {
	switch e.Kind {
	case watch.Sent:
		return "sent " + message(e)
	case watch.Received, watch.Redelivered:
		return "received " + message(e)
	case watch.Handled:
		return "deleted " + message(e)
	case watch.Failed:
		return "failed on " + message(e) + ": " + e.Error
	case watch.Lost:
		return "lost its lease on " + message(e)
	case watch.Dead:
		return "gave up, now a dead letter: " + message(e)
	case watch.Finished:
		return "is done, after " + count(e.Number, "message")
	case watch.Purged:
		return "was purged of " + count(e.Number, "message")
	case watch.Redriven:
		return count(e.Number, "dead letter") + " went back to the queue"
	case watch.Note:
		return e.Words
	case watch.Crashed:
		return "crashed"
	}
	return "was " + string(e.Kind)
}

// count returns a number of things in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
