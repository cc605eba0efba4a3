package term_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"omnibus/bus"
	"omnibus/bus/membus"
	"omnibus/lab"
	"omnibus/view/term"
	"omnibus/watch"
)

var update = flag.Bool("update", false, "record the stories anew, and write the frames of testdata")

var sizes = []struct{ width, height int }{{40, 20}, {80, 24}, {120, 40}, {200, 60}}

// moments are the times of the stories' frames: when there is something to see.
var moments = map[string]time.Duration{
	"lab": 44 * time.Second, "visibility": 29 * time.Second, "deadletters": 22 * time.Second, "delay": 9 * time.Second,
	"polling": 47 * time.Second, "fifo": 7 * time.Second, "fanout": 21 * time.Second,
}

// An entry is a line of a recording: one of its fields is set.
type entry struct {
	Sample  *watch.Sample  `json:"sample,omitempty"`
	Event   *watch.Event   `json:"event,omitempty"`
	Workers []watch.Worker `json:"workers,omitempty"`
}

// record runs a story in virtual time and returns what its streams carried up to its
// moment and a second beyond.
func record(t *testing.T, story string) (entries []entry) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), moments[story]+time.Second)
		defer cancel()
		mux := new(bus.Mux)
		membus.New(nil).Register(mux)
		l := &lab.Lab{Mux: mux, URL: "mem://mynewq", Story: story, Samples: watch.NewStream[watch.Sample](1 << 14)}
		l.OnEvent = func(e lab.Event) {
			if ctx.Err() != nil {
				return
			}
			if e.Kind != lab.EventStatus {
				entries = append(entries, entry{Event: &e.Event})
				return
			}
			entries = append(entries, entry{Workers: l.Workers()})
		}
		if _, err := l.Run(ctx); err != nil {
			t.Fatal(err)
		}
		samples, _, _ := l.Samples.Follow(1 << 14).Next(t.Context())
		var merged []entry
		for _, s := range samples {
			for len(entries) > 0 && (entries[0].Event == nil || !entries[0].Event.Time.After(s.Time)) {
				merged, entries = append(merged, entries[0]), entries[1:]
			}
			merged = append(merged, entry{Sample: &s})
		}
		entries = merged
	})
	return entries
}

func recording(story string) string { return filepath.Join("testdata", "recordings", story+".jsonl") }

// load reads a recording.
func load(t *testing.T, story string) (entries []entry) {
	t.Helper()
	data, err := os.ReadFile(recording(story))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

// replayed is a stage of which only the workers are there.
type replayed struct{ workers []watch.Worker }

func (r *replayed) Workers() []watch.Worker                           { return r.workers }
func (*replayed) Pause(string) error                                  { return nil }
func (*replayed) Resume(string) error                                 { return nil }
func (*replayed) AddConsumer(context.Context, string) (string, error) { return "", nil }
func (*replayed) Remove(string) error                                 { return nil }
func (*replayed) Crash(string) error                                  { return nil }

// play returns the model of a story after a time of its recording.
func play(t *testing.T, name string, upTo time.Duration, plain bool) *term.Model {
	t.Helper()
	story, err := lab.FindStory(name)
	if err != nil {
		t.Fatal(err)
	}
	entries := load(t, name)
	first := slices.IndexFunc(entries, func(e entry) bool { return e.Sample != nil })
	start := entries[first].Sample.Time
	stage := new(replayed)
	m := term.New(t.Context(), term.Options{
		Title: "omnibus lab: " + story.Title, About: story.Look, Sent: story.Messages(), Handled: story.Deliveries(),
		Stage: stage, Purge: func(context.Context, string) (int, error) { return 0, nil },
		Visible: func(s string) string { return s }, Plain: plain,
	}, start, func() {})
	for _, e := range entries {
		switch {
		case e.Sample != nil:
			if e.Sample.Time.Sub(start) <= upTo {
				m.Update(term.Samples{*e.Sample})
			}
		case e.Event != nil:
			if e.Event.Time.Sub(start) <= upTo {
				m.Update(term.Events{*e.Event})
				continue
			}
			m.Update(term.Tick(start.Add(upTo)))
			return m
		default:
			stage.workers = e.Workers
		}
	}
	m.Update(term.Tick(start.Add(upTo)))
	return m
}

// The frames of testdata are those of each story at its moment, without colours. They
// are made anew with the flag -update.
func TestFramesAreAsTheyWere(t *testing.T) {
	for _, story := range lab.Stories() {
		if *update {
			var b bytes.Buffer
			w := bufio.NewWriter(&b)
			for _, e := range record(t, story.Name) {
				line, err := json.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(w, "%s\n", line)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(recording(story.Name), b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for _, size := range sizes {
			m := play(t, story.Name, moments[story.Name], true)
			m.Update(tea.WindowSizeMsg{Width: size.width, Height: size.height})
			got := ansi.Strip(m.Frame())
			checkSize(t, got, size.width, size.height)
			var trimmed strings.Builder
			for line := range strings.SplitSeq(got, "\n") {
				trimmed.WriteString(strings.TrimRight(line, " ") + "\n")
			}
			file := filepath.Join("testdata", "frames", fmt.Sprintf("%s-%dx%d.txt", story.Name, size.width, size.height))
			if *update {
				if err := os.WriteFile(file, []byte(trimmed.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if trimmed.String() != string(want) {
				t.Errorf("%s at %d×%d is\n%s\nwant\n%s", story.Name, size.width, size.height, trimmed.String(), want)
			}
		}
	}
}

// checkSize fails the test unless a frame fills a terminal exactly.
func checkSize(t *testing.T, frame string, width, height int) {
	t.Helper()
	lines := strings.Split(frame, "\n")
	if len(lines) != height {
		t.Errorf("at %d×%d there are %d lines", width, height, len(lines))
	}
	for i, line := range lines {
		if w := ansi.StringWidth(line); w != width {
			t.Errorf("at %d×%d line %d is %d columns wide: %q", width, height, i, w, line)
		}
	}
}

// Whatever the size, also after a resize, the picture fills the terminal and no more.
func TestEveryFrameFitsItsTerminal(t *testing.T) {
	for _, story := range lab.Stories() {
		for _, plain := range []bool{true, false} {
			m := play(t, story.Name, moments[story.Name], plain)
			for _, width := range []int{1, 19, 20, 33, 40, 59, 60, 79, 80, 81, 119, 200, 400} {
				for _, height := range []int{1, 4, 5, 8, 12, 20, 24, 60, 100} {
					m.Update(tea.WindowSizeMsg{Width: width, Height: height})
					checkSize(t, m.Frame(), width, height)
				}
			}
			m.Update(tea.KeyPressMsg{Code: '?', Text: "?"})
			for _, size := range sizes {
				m.Update(tea.WindowSizeMsg{Width: size.width, Height: size.height})
				checkSize(t, m.Frame(), size.width, size.height)
			}
		}
	}
}
