package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"omnibus/bus"
	"omnibus/lab"
)

// labView runs the lab behind a live view: the three counts with their history,
// and the latest line of each worker. Ctrl-C and q stop the lab as they stop it
// elsewhere, and the last picture stays.
func labView(ctx context.Context, a *app, l *lab.Lab) (lab.Summary, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	program := tea.NewProgram(newView(l, stop), tea.WithInput(a.stdin), tea.WithOutput(a.stdout), tea.WithoutSignalHandler())
	l.OnEvent = func(e lab.Event) { program.Send(e) }

	var s lab.Summary
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		s, err = l.Run(ctx)
		program.Quit()
	}()
	_, viewErr := program.Run()
	stop() // if the view ended first, the lab must too
	<-done
	if err == nil {
		err = viewErr
	}
	return s, err
}

// view is the picture of a lab.
type view struct {
	lab      *lab.Lab
	stop     func()
	stopping bool
	start    time.Time
	now      time.Time
	width    int
	history  []lab.Counts
	latest   map[string]string // by worker
	done     map[string]bool   // by worker
}

// viewWorkers are the workers in the order in which they are shown.
var viewWorkers = []string{"slow producer", "fast producer", "slow consumer", "fast consumer"}

func newView(l *lab.Lab, stop func()) *view {
	now := time.Now()
	return &view{lab: l, stop: stop, start: now, now: now, width: 80, latest: map[string]string{}, done: map[string]bool{}}
}

// Init implements tea.Model.
func (v *view) Init() tea.Cmd { return nil }

// Update implements tea.Model.
func (v *view) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		v.width = msg.Width
	case tea.KeyPressMsg:
		if k := msg.String(); k == "ctrl+c" || k == "q" {
			v.stopping = true
			v.stop()
		}
	case lab.Event:
		v.now = msg.Time
		switch msg.Event {
		case lab.EventStatus:
			v.history = append(v.history, *msg.Counts)
		case lab.EventDone:
			v.done[msg.Worker] = true
		case lab.EventSent, lab.EventHandled, lab.EventFailed:
			v.latest[msg.Worker] = visible(workerLine(msg))
		}
	}
	return v, nil
}

var (
	titleStyle = lipgloss.NewStyle().Bold(true)
	faintStyle = lipgloss.NewStyle().Faint(true)
	countStyle = []lipgloss.Style{
		lipgloss.NewStyle().Foreground(lipgloss.Green),
		lipgloss.NewStyle().Foreground(lipgloss.Yellow),
		lipgloss.NewStyle().Foreground(lipgloss.Cyan),
	}
)

// View implements tea.Model.
func (v *view) View() tea.View {
	var b strings.Builder
	line := func(s string) { b.WriteString(ansi.Truncate(s, max(20, v.width), "…") + "\n") }
	elapsed := v.now.Sub(v.start).Truncate(time.Second / 10)
	line(titleStyle.Render("omnibus lab") + faintStyle.Render(fmt.Sprintf("  %s  speed %d  %v", visible(bus.Redact(v.lab.URL)), v.lab.Speed, elapsed)))
	line("")
	for i, count := range []struct {
		name string
		of   func(lab.Counts) int
	}{
		{"ApproximateNumberOfMessages", func(c lab.Counts) int { return c.Visible }},
		{"ApproximateNumberOfMessagesNotVisible", func(c lab.Counts) int { return c.InFlight }},
		{"ApproximateNumberOfMessagesDelayed", func(c lab.Counts) int { return c.Delayed }},
	} {
		values := make([]int, len(v.history))
		for j, c := range v.history {
			values[j] = count.of(c)
		}
		now := 0
		if len(values) > 0 {
			now = values[len(values)-1]
		}
		line(fmt.Sprintf("%5d %-38s %s", now, count.name, countStyle[i].Render(sparkline(values, v.width-46))))
	}
	line("")
	for _, w := range viewWorkers {
		latest := v.latest[w]
		if v.done[w] {
			latest = faintStyle.Render("done, " + latest)
		}
		line(fmt.Sprintf("%-14s %s", w, latest))
	}
	line("")
	if v.stopping {
		line(faintStyle.Render("stopping: messages in hand are finished"))
	} else {
		line(faintStyle.Render("q or Ctrl-C stops"))
	}
	return tea.NewView(b.String())
}

var bars = []rune("▁▂▃▄▅▆▇█")

// sparkline draws the history of a count in at most width columns. When there
// are more values than columns, each column is the largest of its share, so that
// the whole history is seen and no peak is lost.
func sparkline(values []int, width int) string {
	if width < 1 || len(values) == 0 {
		return ""
	}
	columns := values
	if len(values) > width {
		columns = make([]int, width)
		for i, v := range values {
			at := i * width / len(values)
			columns[at] = max(columns[at], v)
		}
	}
	top := 1
	for _, v := range columns {
		top = max(top, v)
	}
	var b strings.Builder
	for _, v := range columns {
		if v == 0 {
			b.WriteRune(' ')
		} else {
			b.WriteRune(bars[(v*len(bars)-1)/top])
		}
	}
	return b.String()
}
