package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"omnibus/bus"
	"omnibus/watch"
)

// page asks for something of a page until it is served.
func page(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			text, _ := io.ReadAll(resp.Body) // what is there is compared
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return string(text)
			}
			err = io.ErrUnexpectedEOF
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", url, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// The page of the lab is there while it runs, and after it until Ctrl-C.
func TestLabServesAPage(t *testing.T) {
	addr, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	wait := w.start("lab", "-queue", "mem://mynewq", "-speed", "500", "-json", "-http", addr)
	if text := page(t, "http://"+addr+"/"); !strings.Contains(text, "<!DOCTYPE html>") {
		t.Error(text)
	}
	page(t, "http://"+addr+"/api/queue?queue=mynewq")
	var points [][4]int64
	for len(points) < 3 { // it is seen from its beginning
		if err := json.Unmarshal([]byte(page(t, "http://"+addr+"/api/history?queue=mynewq")), &points); err != nil {
			t.Fatal(err)
		}
	}
	r := wait(true)
	if r.status != 0 || !strings.Contains(r.stderr, "page at http://"+addr+"/\n") {
		t.Errorf("%+v", r)
	}
}

func TestWatchServesAPage(t *testing.T) {
	addr, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	for _, url := range []string{sharedURL, sharedURL + "-2"} {
		if r := w.run("create", "-queue", url); r.status != 0 {
			t.Fatal(r)
		}
	}
	wait := w.start("watch", "-http", addr, sharedURL, sharedURL+"-2")
	for _, name := range []string{bus.Redact(sharedURL), bus.Redact(sharedURL) + "-2"} {
		name = name[strings.LastIndexByte(name, '/')+1:]
		if text := page(t, "http://"+addr+"/api/queue?queue="+name); !strings.Contains(text, "VisibilityTimeout") {
			t.Errorf("%s: %s", name, text)
		}
	}
	if r := wait(true); r.status != 0 || r.stdout != "" || r.stderr != "page at http://"+addr+"/\n" {
		t.Errorf("%+v", r)
	}
}

func TestPageFlagsAreChecked(t *testing.T) {
	w := newWorld(t)
	w.wantFailure(w.run("lab", "-http", "8080"), exitUsage, "-http 8080 is not an address")
	w.wantFailure(w.run("lab", "-http-read-only"), exitUsage, "-http ADDRESS serves one")
	w.wantFailure(w.run("lab", "-http", ":0", "-queue", "shared://mynewq"), exitUsage, "omnibus watch -http shows others")
}

func TestWorkersAreOfferedWhatTheyCan(t *testing.T) {
	for _, test := range []struct {
		worker watch.Worker
		want   string
	}{
		{watch.Worker{Producer: true, State: watch.StateRunning}, "pause"},
		{watch.Worker{Producer: true, State: watch.StatePaused}, "resume"},
		{watch.Worker{Producer: true, State: watch.StateEnded}, ""},
		{watch.Worker{State: watch.StateRunning}, "pause,crash,remove,add another"},
		{watch.Worker{State: watch.StatePaused}, "resume,crash,remove,add another"},
		{watch.Worker{State: watch.StateCrashed}, ""},
	} {
		if got := strings.Join(workerActions(test.worker), ","); got != test.want {
			t.Errorf("%+v: %s, want %s", test.worker, got, test.want)
		}
	}
}
