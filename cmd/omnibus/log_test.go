package main

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
)

// logged produces and consumes one message, and returns what both log.
func logged(t *testing.T, args ...string) (log string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { log = logOf(t, args) })
	return log
}

func logOf(t *testing.T, args []string) string {
	w := newWorld(t)
	if r := w.run("create", "-delay", "0s"); r.status != 0 {
		t.Fatal(r.stderr)
	}
	w.stdin = `{"name": "Harper \u009b2J Pierce"}` + "\n"
	sent := w.run(append([]string{"produce", "-data", "-"}, args...)...)
	received := w.run(append([]string{"consume", "-max", "1"}, args...)...)
	if sent.status+received.status != 0 {
		t.Fatalf("%+v, %+v", sent, received)
	}
	return sent.stderr + received.stderr
}

func TestBodiesAreLoggedByDebugOnly(t *testing.T) {
	for _, level := range []string{"info", "warn", "error"} {
		if got := logged(t, "-log-level", level); strings.Contains(got, "Pierce") || got != "" {
			t.Errorf("at level %s it logs %s", level, got)
		}
	}
	got := logged(t, "-log-level", "debug")
	if strings.Count(got, "Pierce") != 2 || strings.Count(got, "\n") != 3 {
		t.Errorf("at level debug it logs\n%s\nwant that a message was sent, received and handled, the first two with its body", got)
	}
}

// Beside a terminal logs are JSON, a line each; on one they are text. Neither has what a
// terminal obeys.
func TestLogsAreJSONUnlessATerminalReadsThem(t *testing.T) {
	wantHarmless(t, logged(t, "-log-level", "debug", "-log-format", "text"))
	got := logged(t, "-log-level", "debug")
	wantHarmless(t, got)
	for line := range strings.Lines(got) {
		var fields struct{ Time, Level, Msg, ID string }
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields.Level != "DEBUG" || fields.Msg == "" || fields.ID == "" || fields.Time == "" {
			t.Errorf("line %s: %v", line, err)
		}
	}
	a := &app{errTerminal: true, stderr: new(strings.Builder)}
	f := newFlags(a, "consume", "", "")
	f.addLog()
	if err := f.logging.apply(); err != nil {
		t.Fatal(err)
	}
	a.log().Info("hello")
	if got := a.stderr.(*strings.Builder).String(); !strings.Contains(got, "level=INFO msg=hello\n") {
		t.Errorf("on a terminal it logs %s", got)
	}
}
