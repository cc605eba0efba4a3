package term_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"omnibus/view/term"
	"omnibus/watch"
)

// acting is a stage that notes what is done to it.
type acting struct {
	workers []watch.Worker
	did     []string
}

func (a *acting) note(what string, args ...any) error {
	a.did = append(a.did, fmt.Sprintf(what, args...))
	return nil
}

func (a *acting) Workers() []watch.Worker      { return a.workers }
func (a *acting) Pause(worker string) error    { return a.note("pause %s", worker) }
func (a *acting) Resume(worker string) error   { return a.note("resume %s", worker) }
func (a *acting) Remove(consumer string) error { return a.note("remove %s", consumer) }
func (a *acting) Crash(consumer string) error  { return errors.New("no: " + consumer) }
func (a *acting) AddConsumer(_ context.Context, like string) (string, error) {
	return "", a.note("add like %s", like)
}

func newActing() *acting {
	return &acting{workers: []watch.Worker{
		{Name: "p1", Producer: true, State: watch.StateRunning, Of: 5},
		{Name: "p2", Producer: true, State: watch.StatePaused, Of: 5},
		{Name: "c1", State: watch.StateRunning},
		{Name: "c2", State: watch.StateEnded},
	}}
}

// press presses keys, and does what they lead to.
func press(m *term.Model, keys ...string) {
	for _, k := range keys {
		msg := tea.KeyPressMsg{Text: k}
		switch k {
		case "left":
			msg = tea.KeyPressMsg{Code: tea.KeyLeft}
		case "right":
			msg = tea.KeyPressMsg{Code: tea.KeyRight}
		case "tab":
			msg = tea.KeyPressMsg{Code: tea.KeyTab}
		default:
			msg.Code = []rune(k)[0]
		}
		if _, cmd := m.Update(msg); cmd != nil {
			if done := cmd(); done != nil {
				m.Update(done)
			}
		}
	}
}

func footer(m *term.Model) string {
	lines := strings.Split(ansi.Strip(m.Frame()), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

func TestKeysActOnTheSelectedWorker(t *testing.T) {
	for _, test := range []struct {
		keys []string
		want []string
	}{
		{[]string{"p"}, []string{"pause p1"}},
		{[]string{"right", "right", "p"}, []string{"resume p2"}},
		{[]string{"left", "left", "p"}, []string{"pause c1"}},
		{[]string{"+"}, []string{"add like c1"}},
		{[]string{"left", "+"}, []string{"add like c2"}},
		{[]string{"-"}, []string{"remove c1"}},
		{[]string{"right", "-"}, nil}, // a producer
		{[]string{"?", "?", "tab", "z"}, nil},
	} {
		stage := newActing()
		m := term.New(t.Context(), term.Options{Title: "t", Stage: stage, Visible: ansi.Strip}, time.Now(), func() {})
		m.Update(term.Tick(time.Now()))
		press(m, test.keys...)
		if !slices.Equal(stage.did, test.want) {
			t.Errorf("%q did %q, want %q", test.keys, stage.did, test.want)
		}
	}
}

func TestWhatCannotBeDoneIsSaid(t *testing.T) {
	m := term.New(t.Context(), term.Options{Title: "t", Stage: newActing(), Visible: ansi.Strip}, time.Now(), func() {})
	m.Update(term.Tick(time.Now()))
	if press(m, "c"); footer(m) != "no: c1" {
		t.Errorf("the last line is %q", footer(m))
	}
	if press(m, "right", "-"); footer(m) != "cannot remove p1; select another one with ← and →" {
		t.Errorf("the last line is %q", footer(m))
	}
}

func TestPurgeAsksAndSaysHowMany(t *testing.T) {
	purged := ""
	m := term.New(t.Context(), term.Options{Title: "t", Queues: []string{"a", "b"}, Visible: ansi.Strip, Purge: func(_ context.Context, queue string) (int, error) {
		purged += queue
		return 42, nil
	}}, time.Now(), func() {})
	m.Update(term.Samples{{Name: "b", Counts: watch.Counts{Visible: 40, InFlight: 2}, Time: time.Now()}})
	press(m, "tab", "x")
	if got := footer(m); !strings.HasPrefix(got, "Delete all 42 messages of b? y deletes") {
		t.Errorf("it asks %q", got)
	}
	if press(m, "n"); purged != "" || footer(m) != "nothing was deleted" {
		t.Errorf("after n it purged %q and says %q", purged, footer(m))
	}
	if press(m, "x", "y"); purged != "b" || footer(m) != "42 messages of b deleted" {
		t.Errorf("after y it purged %q and says %q", purged, footer(m))
	}
}

func TestQuitFinishesWhatIsInHandAndThenEndsAtOnce(t *testing.T) {
	stopped := 0
	m := term.New(t.Context(), term.Options{Title: "t", Visible: ansi.Strip}, time.Now(), func() { stopped++ })
	if press(m, "q"); stopped != 1 || !strings.HasPrefix(footer(m), "stopping") {
		t.Errorf("stopped %d times, and it says %q", stopped, footer(m))
	}
	if _, cmd := m.Update(tea.KeyPressMsg{Code: 'q', Text: "q"}); cmd == nil || cmd() != tea.Quit() {
		t.Error("a second q does not end the program")
	}
}

// All that queues, workers, messages and errors say is made visible.
func TestTextFromOutsideIsMadeVisible(t *testing.T) {
	const hostile = "forged\u009b2J\u202e"
	visible := func(s string) string { return strings.NewReplacer("\u009b", `\u009b`, "\u202e", `\u202e`).Replace(s) }
	stage := &acting{workers: []watch.Worker{{Name: hostile, State: watch.StateRunning}}}
	now := time.Now()
	for _, width := range []int{40, 80, 200} {
		m := term.New(t.Context(), term.Options{Title: hostile, About: []string{"x"}, Queues: []string{hostile, "b"}, Stage: stage, Visible: visible}, now, func() {})
		m.Update(tea.WindowSizeMsg{Width: width, Height: 40})
		m.Update(term.Samples{{Name: hostile, Time: now}, {Name: hostile, Time: now, Error: hostile}})
		for _, kind := range []watch.Kind{watch.Sent, watch.Received, watch.Failed, watch.Note, watch.Purged, hostile} {
			m.Update(term.Events{{Kind: kind, Time: now, Worker: hostile, Words: hostile, Group: hostile, Error: hostile}, {Kind: kind, Time: now, Queue: hostile, Words: hostile}})
			m.Update(term.Tick(now))
			press(m, "right", "c")
			frame := m.Frame()
			for _, c := range []string{"\u009b", "\u202e"} {
				if strings.Contains(frame, c) {
					t.Errorf("at %d columns, after %q, the frame has %q", width, kind, c)
				}
			}
			if !strings.Contains(frame, "forged") {
				t.Error("the frame lacks the text")
			}
		}
	}
}

// A queue that is watched for long keeps its past in bounded memory.
func TestLongPastsGetCoarser(t *testing.T) {
	m := term.New(t.Context(), term.Options{Title: "t", Visible: ansi.Strip, Plain: true}, time.Now(), func() {})
	now := time.Now()
	for i := range 100_000 {
		visible := 0
		if i == 31_415 {
			visible = 1000
		}
		m.Update(term.Samples{{Name: "q", Time: now.Add(time.Duration(i) * time.Second), Counts: watch.Counts{Visible: visible}}})
	}
	if frame := m.Frame(); !strings.Contains(frame, " 1000┤") || !strings.Contains(frame, "▒") {
		t.Errorf("the peak is lost:\n%s", frame)
	}
}
