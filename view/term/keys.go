package term

import (
	"fmt"
	"slices"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"omnibus/watch"
)

// key is something that a person can press.
type key struct {
	key   string
	short string // for the last line
	long  string // for the help
}

// keys returns the keys that do something, the most needed first.
func (m *Model) keys() []key {
	ks := []key{{"?", "help", "shows this, and hides it"}, {"q", "quit", "ends, as Ctrl-C does; what is in hand is finished first"}}
	if len(m.queues) > 1 {
		ks = append(ks, key{"tab", "queue", "shows the next queue, shift+tab the one before"})
	}
	if m.o.Stage != nil {
		ks = append(ks,
			key{"←→", "worker", "selects a worker"},
			key{"p", "pause", "pauses the selected worker, or has it go on; the first producer if none is selected"},
			key{"+", "add", "adds a consumer like the selected one"},
			key{"-", "remove", "removes the selected consumer, when it has finished what it has"},
			key{"c", "crash", "crashes the selected consumer: what it has comes again when its lease is over"},
		)
	}
	if m.o.Purge != nil {
		ks = append(ks, key{"x", "purge", "deletes all messages of the queue; it asks first"})
	}
	return ks
}

// key does what a key says, and returns what is to be done beside.
func (m *Model) key(pressed string) tea.Cmd {
	if queue := m.purging; queue != "" && pressed != "ctrl+c" {
		m.purging = ""
		if pressed == "y" {
			return m.purge(queue)
		}
		return say("nothing was deleted")
	}
	m.notice = ""
	switch pressed {
	case "q", "ctrl+c":
		if m.stopping {
			return tea.Quit
		}
		m.stopping = true
		m.stop()
	case "?", "h":
		m.help = !m.help
	case "esc", "enter":
		m.help, m.selected = false, ""
	case "tab", "shift+tab":
		if n := len(m.queues); n > 0 {
			step := 1
			if pressed == "shift+tab" {
				step = n - 1
			}
			m.current = (m.current + step) % n
		}
	case "x":
		if m.o.Purge != nil {
			m.purging = m.queue()
		}
	case "left", "right":
		m.selectNext(pressed == "right")
	case "p", "space", "+", "-", "c":
		return m.act(pressed)
	}
	return nil
}

// selectNext selects the worker at the right or at the left of the selected one.
func (m *Model) selectNext(right bool) {
	n := len(m.workers)
	if n == 0 {
		return
	}
	at := slices.IndexFunc(m.workers, func(w watch.Worker) bool { return w.Name == m.selected })
	switch {
	case right:
		at = (at + 1) % n
	case at < 0:
		at = n - 1
	default:
		at = (at + n - 1) % n
	}
	m.selected = m.workers[at].Name
}

// chosen returns the selected worker, or else the first that is suitable.
func (m *Model) chosen(suitable func(watch.Worker) bool) (watch.Worker, bool) {
	for _, w := range m.workers {
		if w.Name == m.selected {
			return w, suitable(w)
		}
	}
	for _, w := range m.workers {
		if suitable(w) {
			return w, true
		}
	}
	return watch.Worker{}, false
}

// act does something to a worker.
func (m *Model) act(pressed string) tea.Cmd {
	stage := m.o.Stage
	if stage == nil {
		return nil
	}
	running := func(w watch.Worker) bool { return w.State == watch.StateRunning }
	consumes := func(w watch.Worker) bool { return !w.Producer }
	var suitable func(watch.Worker) bool
	var do func(watch.Worker) error
	verb := ""
	switch pressed {
	case "p", "space":
		suitable = func(w watch.Worker) bool {
			return (running(w) || w.State == watch.StatePaused) && (w.Producer || w.Name == m.selected)
		}
		verb = "pause"
		do = func(w watch.Worker) error {
			if w.State == watch.StatePaused {
				return stage.Resume(w.Name)
			}
			return stage.Pause(w.Name)
		}
	case "+":
		suitable, verb = consumes, "add one like"
		do = func(w watch.Worker) error {
			_, err := stage.AddConsumer(m.ctx, w.Name)
			return err
		}
	case "-":
		suitable, verb = consumes, "remove"
		do = func(w watch.Worker) error { return stage.Remove(w.Name) }
	case "c":
		suitable, verb = func(w watch.Worker) bool { return consumes(w) && (running(w) || w.State == watch.StatePaused) }, "crash"
		do = func(w watch.Worker) error { return stage.Crash(w.Name) }
	}
	w, ok := m.chosen(suitable)
	if !ok {
		if w.Name == "" {
			return say("there is no worker to " + verb)
		}
		return say("cannot " + verb + " " + w.Name + "; select another one with ← and →")
	}
	return func() tea.Msg {
		if err := do(w); err != nil {
			return notice(err.Error())
		}
		return nil
	}
}

func say(text string) tea.Cmd { return func() tea.Msg { return notice(text) } }

// purge purges a queue.
func (m *Model) purge(queue string) tea.Cmd {
	return func() tea.Msg {
		n, err := m.o.Purge(m.ctx, queue)
		if err != nil {
			return notice(err.Error())
		}
		return notice(fmt.Sprintf("%s of %s deleted", count(n, "message"), queue))
	}
}

// helpPart returns the help.
func (m *Model) helpPart(width int) []string {
	lines := []string{""}
	text := func(s string, indent int) {
		for i, line := range wrap(s, width-indent) {
			if i == 0 {
				lines = append(lines, line)
				continue
			}
			lines = append(lines, fit("", indent)+line)
		}
	}
	for _, k := range m.keys() {
		text(boldStyle.Render(fit(k.key, 5))+k.long, 5)
	}
	if m.o.Stage != nil {
		lines = append(lines, "")
		text("Each worker has its latest messages: → sent, ✓ deleted, ✗ failed, ! lease lost, † dead letter. The bar over the message in hand is its lease, which runs down.", 0)
	}
	lines = append(lines, "")
	text("The chart stacks the three counts on one scale; what is not zero is at least one step high.", 0)
	if len(m.o.About) > 0 {
		lines = append(lines, "", boldStyle.Render("Look for"))
		for _, s := range m.o.About {
			text("- "+s, 2)
		}
	}
	return lines
}

// wrap breaks a text into lines at spaces.
func wrap(s string, width int) []string {
	return splitLines(lipgloss.Wrap(s, max(1, width), ""))
}
