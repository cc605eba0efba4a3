package term

import (
	"fmt"
	"image/color"
	"math"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"omnibus/watch"
)

// The chart stacks the three counts, with in flight below, visible on it and delayed on
// top, so that its height is all that the queue holds. One scale is for all three. What is
// not zero is seen, be it ever so little beside the others.

// gutter is how many columns the scale takes.
const gutter = 6

// layer is one of the three counts.
type layer struct {
	name  string // in plain words
	sqs   string // what SQS calls it
	glyph string // without colours
	color color.Color
	of    func(watch.Counts) int
}

var layers = []layer{
	{"in flight", "ApproximateNumberOfMessagesNotVisible", "█", inFlightColor, func(c watch.Counts) int { return c.InFlight }},
	{"visible", "ApproximateNumberOfMessages", "▒", visibleColor, func(c watch.Counts) int { return c.Visible }},
	{"delayed", "ApproximateNumberOfMessagesDelayed", "░", delayedColor, func(c watch.Counts) int { return c.Delayed }},
}

// chart returns the chart of a queue with its scale and its axis of time, as lines.
func (m *Model) chart(queue string, width, height int) []string {
	plot := max(1, height-1)
	columns := max(1, width-gutter)
	var samples []watch.Sample
	if s := m.series[queue]; s != nil {
		samples = s.samples
	}
	span := m.span(samples)
	counts := m.columnsOf(samples, span, columns)
	top := 4
	for _, c := range counts {
		top = max(top, c.Total())
	}
	top = roundUp(top)
	cells := make([][]string, len(counts))
	for i, c := range counts {
		if m.o.Plain {
			cells[i] = glyphs(c, top, plot)
		} else {
			cells[i] = colours(c, top, plot)
		}
	}
	var lines []string
	for row := plot - 1; row >= 0; row-- {
		label, edge := "", "│"
		switch {
		case row == plot-1:
			label, edge = number(top), "┤"
		case row == (plot-1)/2 && plot >= 5 && top%2 == 0:
			label, edge = number(top/2), "┤"
		}
		var b strings.Builder
		b.WriteString(faintStyle.Render(fmt.Sprintf("%*s%s", gutter-1, label, edge)))
		for i := range cells {
			b.WriteString(cells[i][row])
		}
		lines = append(lines, fit(b.String(), width))
	}
	return append(lines, faintStyle.Render(m.axis(samples, span, width)))
}

// spans are how much time the whole chart shows: it is drawn on another scale when the
// time for one is over, and not all the time.
var spans = []time.Duration{
	30 * time.Second, time.Minute, 2 * time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute,
	30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 24 * time.Hour,
}

// span returns how much of the stage's time the chart shows.
func (m *Model) span(samples []watch.Sample) time.Duration {
	if len(samples) == 0 {
		return spans[0]
	}
	all := m.elapsed(samples[len(samples)-1].Time) - m.elapsed(samples[0].Time)
	for _, span := range spans {
		if all <= span {
			return span
		}
	}
	return all
}

// axis returns the axis of time, from the first sample on.
func (m *Model) axis(samples []watch.Sample, span time.Duration, width int) string {
	line := fmt.Sprintf("%*s└", gutter-1, "0")
	if len(samples) == 0 {
		return fit(line+" no sample yet", width)
	}
	first := samples[0].Time
	label := func(part time.Duration) string {
		at := first.Add(part / time.Duration(m.o.Speed))
		if m.o.Window > 0 {
			return at.Format("15:04:05")
		}
		return clock(m.elapsed(at))
	}
	columns := width - gutter
	axis := []rune(strings.Repeat("─", columns))
	marks := 1 + min(6, columns/24)
	for i := range marks {
		text := []rune(label(span * time.Duration(i) / time.Duration(marks)))
		if at := columns * i / marks; at+len(text) <= columns {
			copy(axis[at:], text)
		}
	}
	end := []rune(label(span))
	if len(end) < columns/2 {
		copy(axis[columns-len(end):], end)
	}
	return line + string(axis)
}

// columnsOf returns the counts of the columns that there are samples for, of so many for
// the whole span. A column of several samples has the greatest counts among them, so that
// no peak is lost; one of none has those of the sample before.
func (m *Model) columnsOf(samples []watch.Sample, span time.Duration, columns int) []watch.Counts {
	var counts []watch.Counts
	for _, s := range samples {
		at := int(int64(m.elapsed(s.Time)-m.elapsed(samples[0].Time)) * int64(columns-1) / int64(span))
		at = max(0, min(at, columns-1))
		if at < len(counts) {
			counts[at] = most(counts[at], s.Counts)
			continue
		}
		for len(counts) < at {
			counts = append(counts, counts[len(counts)-1])
		}
		counts = append(counts, s.Counts)
	}
	return counts
}

// roundUp returns the least number that is easy to read and not less than n: one, two,
// four or six times a power of ten, of which all but one have halves.
func roundUp(n int) int {
	for power := 1; ; power *= 10 {
		for _, digit := range []int{1, 2, 4, 6, 8} {
			if digit*power >= n {
				return digit * power
			}
		}
		if power > math.MaxInt/100 {
			return n
		}
	}
}

// levels returns how high each layer is, in parts of which the whole height has so
// many: at least one if its count is not zero.
func levels(c watch.Counts, top, parts int) (high [3]int) {
	left := parts
	for i, l := range layers {
		n := l.of(c)
		if n <= 0 {
			continue
		}
		high[i] = max(1, int(math.Round(float64(n)*float64(parts)/float64(top))))
		high[i] = min(high[i], left)
		left -= high[i]
	}
	return high
}

// glyphs returns a column from its lowest row up, in glyphs that need no colours.
func glyphs(c watch.Counts, top, rows int) []string {
	cells := make([]string, rows)
	high := levels(c, top, rows)
	row := 0
	for i, l := range layers {
		for range high[i] {
			cells[row] = l.glyph
			row++
		}
	}
	for ; row < rows; row++ {
		cells[row] = " "
	}
	return cells
}

var eighthsUp = []rune(" ▁▂▃▄▅▆▇█")

// colours returns a column from its lowest row up, in colours and to an eighth of a row.
// A row has two colours at most: that of the lowest layer in it, and that of the layer
// that fills most of the rest.
func colours(c watch.Counts, top, rows int) []string {
	high := levels(c, top, rows*8)
	cells := make([]string, rows)
	for row := range cells {
		var parts [3]int // eighths of each layer in the row
		low := 0
		for i := range layers {
			parts[i] = max(0, min(low+high[i], row*8+8)-max(low, row*8))
			low += high[i]
		}
		cells[row] = cell(parts)
	}
	return cells
}

func cell(parts [3]int) string {
	empty := 8 - parts[0] - parts[1] - parts[2]
	first := -1
	for i, p := range parts {
		if p > 0 {
			first = i
			break
		}
	}
	if first < 0 {
		return " "
	}
	second := -1 // the layer above, or none if most of the rest is empty
	for i := first + 1; i < len(parts); i++ {
		if parts[i] > empty && (second < 0 || parts[i] > parts[second]) {
			second = i
		}
	}
	style := lipgloss.NewStyle().Foreground(layers[first].color)
	if second < 0 {
		full := 8 - empty
		if full-parts[first] < parts[first] || full == parts[first] {
			return style.Render(string(eighthsUp[full]))
		}
		return style.Render(string(eighthsUp[parts[first]]))
	}
	return style.Background(layers[second].color).Render(string(eighthsUp[parts[first]]))
}

// sparkline returns the past of all that a queue holds in a few columns.
func (m *Model) sparkline(samples []watch.Sample, width int) string {
	counts := m.columnsOf(samples, m.span(samples), width)
	top := 1
	for _, c := range counts {
		top = max(top, c.Total())
	}
	var b strings.Builder
	for _, c := range counts {
		b.WriteRune(eighthsUp[max(0, min(8, (c.Total()*8+top-1)/top))])
	}
	return b.String()
}
