package term

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"omnibus/watch"
)

// View implements tea.Model.
func (m *Model) View() tea.View {
	v := tea.NewView(m.Frame())
	v.AltScreen = true
	v.WindowTitle = ansi.Strip(m.o.Visible(m.o.Title))
	if m.o.Handled > 0 && !m.ended {
		v.ProgressBar = tea.NewProgressBar(tea.ProgressBarDefault, min(100, 100*m.handled/m.o.Handled))
	}
	return v
}

// On a terminal that is smaller than this there is no room for anything.
const (
	leastWidth  = 20
	leastHeight = 5
)

// Frame returns the picture: exactly as many lines as the terminal has, each exactly as
// wide.
func (m *Model) Frame() string {
	width, height := max(1, m.width), max(1, m.height)
	var lines []string
	switch {
	case width < leastWidth || height < leastHeight:
		lines = []string{"too small"}
	case m.help:
		lines = append([]string{m.header(width)}, m.helpPart(width)...)
	default:
		lines = append(lines, m.header(width))
		lines = append(lines, m.body(width, height-2)...)
	}
	for len(lines) < height {
		lines = append(lines, "")
	}
	lines = lines[:height]
	if width >= leastWidth && height >= leastHeight {
		lines[height-1] = m.footer(width)
	}
	for i, line := range lines {
		lines[i] = fit(line, width)
	}
	return strings.Join(lines, "\n")
}

// header returns the first line.
func (m *Model) header(width int) string {
	right := clock(m.elapsed(m.now))
	if m.o.Window > 0 {
		right = m.now.Format("15:04:05")
	}
	if m.o.Speed > 1 {
		right += fmt.Sprintf(" ×%d", m.o.Speed)
	}
	title := m.o.Visible(m.o.Title)
	if q := m.queue(); q != "" {
		title += "  " + m.o.Visible(q)
	}
	return boldStyle.Render(ends(title, right, width))
}

// body returns all between the first and the last line.
func (m *Model) body(width, height int) []string {
	queue := m.queue()
	legend := m.legend(queue, width)
	table := m.table(width)
	var bars []string
	if m.o.Sent > 0 && m.o.Handled > 0 {
		bars = []string{m.progress(width)}
	}
	// The chart has two fifths of what is left, the workers as much as they need, the log
	// the rest.
	left := height - len(legend) - len(bars) - len(table)
	rules := height >= 30 && len(m.workers) > 0
	if rules {
		left -= 2
	}
	chart := min(max(4, left*2/5), 20)
	switch {
	case len(m.workers) == 0 && len(m.log) == 0:
		chart = left
	case len(m.workers) == 0:
		chart = max(4, left*3/4)
	}
	if left < 4 {
		chart = max(0, left)
	}
	workers := 0
	if n := len(m.workers); n > 0 {
		switch left -= chart; {
		case width/n >= leastColumn:
			workers = min(left, max(5, left/2))
		default:
			workers = min(left, n, max(2, left*2/3))
		}
		left -= workers
	} else {
		left -= chart
	}
	var lines []string
	if chart > 0 {
		lines = append(lines, m.chart(queue, width, chart)...)
	}
	lines = append(lines, legend...)
	lines = append(lines, table...)
	lines = append(lines, bars...)
	if rules {
		lines = append(lines, rule("workers", width))
	}
	lines = append(lines, m.workersPart(width, workers)...)
	if rules {
		lines = append(lines, rule("events", width))
	}
	lines = append(lines, m.logPart(width, left)...)
	return lines[:min(len(lines), height)]
}

// rule returns a line that begins a part.
func rule(name string, width int) string {
	return faintStyle.Render("── " + name + " " + strings.Repeat("─", max(0, width-len(name)-4)))
}

// legend returns the three counts by name, and beside them rates, age, requests and cost.
func (m *Model) legend(queue string, width int) []string {
	s := m.last(queue)
	stats := m.stats(s)
	names := func(l layer) string { return l.sqs }
	const columns = 2 + 9 + 6 + 2 // before SQS's names
	beside := 0
	switch {
	case width >= columns+len(layers[0].sqs)+24:
		beside = width - columns - len(layers[0].sqs) - 1
	case width >= columns+21+20:
		names = func(l layer) string { return "…" + strings.TrimPrefix(l.sqs, "ApproximateNumberOf") }
		beside = width - columns - 21 - 1
	default:
		names = func(l layer) string { return "…" + strings.TrimPrefix(l.sqs, "ApproximateNumberOf") }
	}
	var lines []string
	for i, l := range layers {
		glyph := l.glyph
		style := lipgloss.NewStyle()
		if !m.o.Plain {
			glyph, style = "█", style.Foreground(l.color)
		}
		line := style.Render(glyph) + " " + boldStyle.Render(fit(l.name, 9)+fmt.Sprintf("%6s", number(l.of(s.Counts)))) + "  " + faintStyle.Render(names(l))
		if beside > 0 {
			line = fit(line, width-beside) + fit(stats[i], beside)
		}
		lines = append(lines, fit(line, width))
	}
	if beside == 0 {
		lines = append(lines, fit(stats[0]+"  "+dollars(s.Dollars), width))
	}
	if of := m.series[queue]; of != nil && of.err != "" {
		lines[len(lines)-1] = badStyle.Render(fit("cannot be read: "+m.o.Visible(of.err), width))
	}
	return lines
}

// stats returns rates, age of the oldest message, requests and cost in three lines.
func (m *Model) stats(s watch.Sample) [3]string {
	speed := float64(m.o.Speed)
	in, out := m.rates(s.Name)
	rates := fmt.Sprintf("in %.1f/s  out %.1f/s", in/speed, out/speed)
	if !s.Exact {
		rates = fmt.Sprintf("%+.1f messages/s", (in-out)/speed)
	}
	oldest := "no message waits"
	switch {
	case s.Oldest > 0:
		oldest = "oldest " + short(s.Oldest*time.Duration(m.o.Speed))
	case s.Total() > 0:
		oldest = count(s.Total(), "message") + " in all"
	}
	requests := int64(0)
	for _, r := range s.Requests {
		requests += r.Count
	}
	return [3]string{rates, oldest, fmt.Sprintf("%s  %s", count(int(requests), "request"), dollars(s.Dollars))}
}

// rates returns how many messages came and went a second, on the average of the last ten
// samples.
func (m *Model) rates(queue string) (in, out float64) {
	const most = 10
	of := m.series[queue]
	if of == nil {
		return 0, 0
	}
	last := of.samples[max(0, len(of.samples)-most):]
	for _, s := range last {
		in += s.In
		out += s.Out
	}
	n := float64(max(1, len(last)))
	return in / n, out / n
}

// table returns a line for each queue, if there are several.
func (m *Model) table(width int) []string {
	if len(m.queues) < 2 {
		return nil
	}
	most := max(2, m.height/5)
	first := 0
	if m.current >= most {
		first = m.current - most + 1
	}
	var lines []string
	for i := first; i < len(m.queues) && len(lines) < most; i++ {
		q := m.queues[i]
		s := m.last(q)
		mark, style := "  ", faintStyle
		if i == m.current {
			mark, style = "▸ ", boldStyle
		}
		stats := m.stats(s)
		right := fmt.Sprintf("%6s %6s %6s", number(s.InFlight), number(s.Visible), number(s.Delayed))
		if width >= 76 {
			right = fmt.Sprintf("%4s in flight %4s visible %4s delayed  %9s", number(s.InFlight), number(s.Visible), number(s.Delayed), dollars(s.Dollars))
		}
		name := m.o.Visible(q)
		if width >= 110 {
			right = fmt.Sprintf("%5s in flight %5s visible %5s delayed  %24s", number(s.InFlight), number(s.Visible), number(s.Delayed), stats[2])
			if of := m.series[q]; of != nil {
				name = fitLeft(name, 28) + " " + m.sparkline(of.samples, width-106)
			}
		}
		lines = append(lines, style.Render(mark+fitLeft(name, width-len(right)-3)+" "+right))
	}
	return lines
}

// progress returns how far work is of which the end is known.
func (m *Model) progress(width int) string {
	half := width / 2
	part := func(name string, n, of, width int) string {
		text := fmt.Sprintf(" %d/%d", n, of)
		room := width - len(name) - len(text) - 2
		return fit(name+" "+bar(float64(n)/float64(of), room, goodStyle)+text, width)
	}
	return part("sent", m.sent, m.o.Sent, half) + part("handled", m.handled, m.o.Handled, width-half)
}

// footer returns the last line: a question, what came of a key, or the keys.
func (m *Model) footer(width int) string {
	switch {
	case m.ended:
		return ""
	case m.purging != "":
		n := m.last(m.purging).Total()
		return busyStyle.Bold(true).Render(fit(fmt.Sprintf("Delete all %s of %s? y deletes, any other key does not", count(n, "message"), m.o.Visible(m.purging)), width))
	case m.stopping:
		return faintStyle.Render(fit("stopping: messages in hand are finished; once more ends at once", width))
	case m.notice != "":
		return fit(m.notice, width)
	}
	var b strings.Builder
	for _, k := range m.keys() {
		item := k.key + " " + k.short
		if ansi.StringWidth(b.String())+len(item)+2 > width-1 && b.Len() > 0 {
			break
		}
		if b.Len() > 0 {
			b.WriteString("  ")
		}
		b.WriteString(item)
	}
	return faintStyle.Render(fit(b.String(), width))
}
