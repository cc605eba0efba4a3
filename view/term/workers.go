package term

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"omnibus/watch"
)

// leastColumn is how wide a worker's column is at least; where there is no room for one
// for each, each worker has a line.
const leastColumn = 19

// workersPart returns what the workers do, as lines.
func (m *Model) workersPart(width, height int) []string {
	n := len(m.workers)
	if n == 0 || height <= 0 {
		return nil
	}
	if each := width / n; each >= leastColumn && height >= 4 {
		columns := make([][]string, n)
		for i, w := range m.workers {
			room := each - 1
			if i == n-1 {
				room = width - each*(n-1)
			}
			columns[i] = m.workerColumn(w, room, height)
		}
		lines := make([]string, height)
		for row := range lines {
			parts := make([]string, n)
			for i := range columns {
				parts[i] = columns[i][row]
			}
			lines[row] = fit(strings.Join(parts, " "), width)
		}
		return lines
	}
	first := 0
	for i, w := range m.workers {
		if w.Name == m.selected && i >= height {
			first = i - height + 1
		}
	}
	var lines []string
	for i, w := range m.workers[first:] {
		if left := n - first - i; len(lines) == height-1 && left > 1 {
			return append(lines, fit(faintStyle.Render(fmt.Sprintf("  and %d more", left)), width))
		}
		if len(lines) == height {
			break
		}
		lines = append(lines, m.workerLine(w, width))
	}
	return lines
}

// heading returns a worker's name, marked if it is the selected one.
func (m *Model) heading(w watch.Worker, width int) string {
	mark, style := "  ", boldStyle
	if w.Name == m.selected {
		mark = "▸ "
	}
	switch w.State {
	case watch.StateCrashed:
		style = badStyle.Bold(true)
	case watch.StateEnded:
		style = faintStyle
	}
	return style.Render(fit(mark+m.o.Visible(w.Name), width))
}

// status returns what a worker does now in a few words.
func (m *Model) status(w watch.Worker) string {
	done := fmt.Sprintf("%d done", w.Done)
	if w.Producer {
		done = fmt.Sprintf("%d sent", w.Done)
	}
	switch d := m.doing[w.Name]; {
	case w.State == watch.StateCrashed:
		return badStyle.Render("crashed") + faintStyle.Render(", "+done)
	case w.State == watch.StateEnded:
		return faintStyle.Render("ended, " + done)
	case w.State == watch.StatePaused:
		return waitStyle.Render("paused") + faintStyle.Render(", "+done)
	case w.Producer:
		return faintStyle.Render(fmt.Sprintf("%d of %d sent", w.Done, w.Of))
	case d != nil && d.inHand != nil:
		return busyStyle.Render("working") + faintStyle.Render(", "+done)
	}
	return faintStyle.Render("waiting, " + done)
}

// workerColumn returns exactly height lines: name, state, the message in hand with its
// lease, and what was before.
func (m *Model) workerColumn(w watch.Worker, width, height int) []string {
	lines := []string{m.heading(w, width), "  " + m.status(w)}
	d := m.doing[w.Name]
	if d == nil {
		d = new(doing)
	}
	room := width - 2
	switch {
	case w.Producer:
		lines = append(lines, "  "+bar(float64(w.Done)/float64(max(1, w.Of)), room, goodStyle))
	case d.inHand != nil:
		lines = append(lines, "  "+m.lease(d.inHand, room), "  "+boldStyle.Render(fit(m.o.Visible(message(*d.inHand)), room)))
	default:
		lines = append(lines, "  "+faintStyle.Render(strings.Repeat("·", max(0, room))), "")
	}
	for _, e := range d.latest {
		if len(lines) >= height {
			break
		}
		lines = append(lines, mark(e)+" "+faintStyle.Render(fit(m.o.Visible(message(e)), room)))
	}
	for len(lines) < height {
		lines = append(lines, "")
	}
	for i, line := range lines {
		lines[i] = fit(line, width)
	}
	return lines[:height]
}

// workerLine returns a worker in one line.
func (m *Model) workerLine(w watch.Worker, width int) string {
	name := min(16, width/3)
	line := m.heading(w, name+2) + " "
	room := width - name - 3
	d := m.doing[w.Name]
	switch {
	case d != nil && d.inHand != nil:
		lease := min(12, room/2)
		return fit(line+m.lease(d.inHand, lease)+" "+m.o.Visible(message(*d.inHand)), width)
	case w.Producer && w.State == watch.StateRunning:
		return fit(line+bar(float64(w.Done)/float64(max(1, w.Of)), min(12, room/2), goodStyle)+" "+faintStyle.Render(fmt.Sprintf("%d of %d", w.Done, w.Of)), width)
	}
	return fit(line+m.status(w), width)
}

// lease returns how much of the lease of a message in hand is left, as a bar that runs
// down.
func (m *Model) lease(e *watch.Event, width int) string {
	left := e.LeaseEnds.Sub(m.now)
	all := e.LeaseEnds.Sub(e.LeaseBegan)
	if e.LeaseEnds.IsZero() || all <= 0 {
		return faintStyle.Render(fit("in hand", width))
	}
	left = max(0, left)
	text := short(left * time.Duration(m.o.Speed))
	part := float64(left) / float64(all)
	style := busyStyle
	if part < 0.25 {
		style = badStyle
	}
	return fit(bar(part, width-6, style)+fmt.Sprintf("%6s", text), width)
}

// message returns a message in a few words.
func message(e watch.Event) string {
	text := e.Words
	if e.Group != "" {
		text = e.Group + ": " + text
	}
	if e.Receives > 1 {
		text = fmt.Sprintf("%d× %s", e.Receives, text)
	}
	return text
}

// mark returns a character for what became of a message.
func mark(e watch.Event) string {
	glyph, style := "·", lipgloss.NewStyle()
	switch e.Kind {
	case watch.Sent:
		glyph, style = "→", waitStyle
	case watch.Received:
		glyph, style = "←", busyStyle
	case watch.Redelivered:
		glyph, style = "↺", busyStyle
	case watch.Handled:
		glyph, style = "✓", goodStyle
	case watch.Failed:
		glyph, style = "✗", badStyle
	case watch.Lost:
		glyph, style = "!", badStyle
	case watch.Dead:
		glyph, style = "†", badStyle
	case watch.Crashed:
		glyph, style = "✗", badStyle
	}
	return style.Render(glyph)
}
