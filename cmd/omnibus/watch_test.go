package main

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charmbracelet/x/ansi"

	"omnibus/watch"
)

// In a pipe watch prints a line for each queue and second.
func TestWatchPrintsALineAQueueAndSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run("create", "-delay", "0s")
		w.run("create", "-delay", "0s", "-queue", "shared://other")
		w.run("produce", "-preset", "fast", "-count", "3", "-every", "0s", "-delay", "0s")
		watching := w.start("watch", "shared://mynewq", "shared://other")
		time.Sleep(2500 * time.Millisecond)
		r := watching(true)
		w.wantOK(r, "mynewq: 3 visible, 0 in flight, 0 delayed; oldest 2s; +0.0/s; $0.000000\n")
		if n := strings.Count(r.stdout, "  other: 0 visible"); n != 3 {
			t.Errorf("there are %d lines of the other queue in 2.5 s, want 3:\n%s", n, r.stdout)
		}
	})
}

func TestWatchJSONIsTheStreamOfSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run("create", "-delay", "0s")
		watching := w.start("watch", "-json")
		time.Sleep(1500 * time.Millisecond)
		w.run("produce", "-preset", "fast", "-count", "3", "-every", "0s", "-delay", "0s")
		time.Sleep(time.Second)
		r := watching(true)
		w.wantOK(r, "")
		var last watch.Sample
		for s := bufio.NewScanner(strings.NewReader(r.stdout)); s.Scan(); {
			if err := json.Unmarshal(s.Bytes(), &last); err != nil {
				t.Fatal(err)
			}
		}
		if last.Visible != 3 || last.In != 3 || last.Out != 0 || last.Exact || last.Name != "mynewq" {
			t.Errorf("the last sample is %+v; want three that came in the last second", last)
		}
	})
}

func TestWatchRefusesWhatCannotBeWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.wantFailure(w.run("watch", "mem://x"), exitFailed, "mem://x lives inside one process")
		w.wantFailure(w.run("watch", "shared://a", "nope://b"), exitUsage, `unknown scheme "nope"`)
		w.wantFailure(w.run("watch", "-every", "0s"), exitUsage, "-every 0s must be over zero")
	})
}

// An eye is a terminal at which somebody looks until a text appears.
type eye struct {
	syncBuffer
	text string
	seen chan struct{}
	once sync.Once
}

func (e *eye) Write(p []byte) (int, error) {
	n, err := e.syncBuffer.Write(p)
	if strings.Contains(e.String(), e.text) {
		e.once.Do(func() { close(e.seen) })
	}
	return n, err
}

// On a terminal status, watch and lab draw, and q ends them; the last picture stays.
func TestLiveViewsDrawAndEndWithQ(t *testing.T) {
	for _, test := range []struct {
		args       []string
		appears    string
		last, ends []string // of the picture, and of what comes after it
	}{
		{[]string{"status"}, "ApproximateNumberOfMessagesNotVisible", []string{"omnibus status  mynewq", "visible       3  Appr"}, nil},
		{[]string{"watch"}, "ApproximateNumberOfMessagesNotVisible", []string{"omnibus watch  mynewq", "visible       3  Appr"}, nil},
		{[]string{"lab", "-queue", "mem://lab"}, "consumer", []string{"omnibus lab: Two producers", "fast consumer"}, []string{"sent, "}},
	} {
		w := newWorld(t)
		w.tty = true
		w.env["TERM"], w.env["NO_COLOR"] = "xterm-256color", "1"
		w.run("create", "-delay", "0s")
		w.run("produce", "-preset", "fast", "-count", "3", "-every", "0s", "-delay", "0s")
		in, keys := io.Pipe()
		screen := &eye{text: test.appears, seen: make(chan struct{})}
		w.input, w.output = in, screen
		wait := w.start(test.args...)
		<-screen.seen
		if _, err := io.WriteString(keys, "q"); err != nil {
			t.Error(err)
		}
		r := wait()
		in.Close()
		if r.status != 0 || r.stderr != "" {
			t.Errorf("%q ends with %d and %q", test.args, r.status, r.stderr)
		}
		last := ansi.Strip(screen.String())
		last = last[strings.LastIndex(last, "omnibus "):]
		for _, want := range append(test.last, test.ends...) {
			if !strings.Contains(last, want) {
				t.Errorf("%q leaves\n%s\nwant %q", test.args, last, want)
			}
		}
	}
}

func TestATerminalThatCannotDrawGetsLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.tty = true
		w.env["TERM"] = "dumb"
		w.run("create", "-delay", "0s")
		watching := w.start("watch")
		time.Sleep(time.Second / 2)
		w.wantOK(watching(true), "  mynewq: 0 visible, 0 in flight, 0 delayed; ")
	})
}
