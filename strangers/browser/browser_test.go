//go:build strangers

// Package browser plays pages of other sites, in headless Chromium, against sqsd: none of
// them purges a queue or reads of one. sqsd is OMNIBUS_BIN/sqsd.
package browser

import (
	"bufio"
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"omnibus/strangers/chromium"
	"omnibus/strangers/endpoint"
)

//go:embed attacks.html allowed.html
var pages embed.FS

// patience is how long Chromium may take on a busy machine.
const patience = 180 * time.Second

// log is what sqsd has logged.
type log struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// statuses returns those of all requests so far but the test's own, of which a line can
// come after the answer has.
func (l *log) statuses(t *testing.T) (out []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for lines := bufio.NewScanner(bytes.NewReader(l.text.Bytes())); lines.Scan(); {
		var line struct {
			Action string
			Status int
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		if line.Action != look {
			out = append(out, line.Status)
		}
	}
	return out
}

// look is the action with which the test looks at the queue, and no page does.
const look = "GetQueueAttributes"

// site is where the pages are, and sqsd, which -cors opens to that site under one name.
type site struct {
	t       *testing.T
	ctx     context.Context
	port    string
	allowed string // the origin that -cors names
	sqsd    *endpoint.Sqsd
	log     log
	browser *chromium.Browser
}

func newSite(t *testing.T) *site {
	t.Helper()
	server := httptest.NewServer(http.FileServerFS(pages))
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	s := &site{t: t, ctx: ctx, port: server.URL[strings.LastIndexByte(server.URL, ':'):]}
	s.allowed = "http://app.example" + s.port
	s.sqsd = endpoint.Start(t, &s.log, "-addr", "127.0.0.1:0", "-log", "json", "-lenient", "-cors", s.allowed)
	s.sqsd.Call("CreateQueue", map[string]any{"QueueName": "donors"})
	s.sqsd.Send("donors", "a donor")
	var err error
	if s.browser, err = chromium.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.browser.Close() })
	return s
}

// browse returns what a page shows.
func (s *site) browse(url, when string) (shown string) {
	s.t.Helper()
	p, err := s.browser.Open(s.ctx, chromium.Look{Width: 800, Height: 600}, url)
	if err == nil {
		err = p.Wait(s.ctx, when)
	}
	if err == nil {
		err = p.Run(s.ctx, `(document.querySelector("#outcomes") ?? document.documentElement).textContent`, &shown)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return shown
}

// page returns the outcomes that one of the pages shows, opened from an origin.
func (s *site) page(name, origin string) string {
	s.t.Helper()
	const outcomes = `document.querySelector("#outcomes")`
	return strings.TrimSpace(s.browse(fmt.Sprintf("%s/%s?target=%s", origin, name, url.QueryEscape(s.sqsd.Base)), outcomes))
}

func (s *site) holds() bool {
	s.t.Helper()
	out := s.sqsd.Call(look, map[string]any{"QueueUrl": s.sqsd.URL("donors"), "AttributeNames": []string{"All"}})
	return out["Attributes"].(map[string]any)["ApproximateNumberOfMessages"] == "1"
}

// Whatever a page of another site sends arrives, and is refused.
func TestAnotherSiteCannotPurge(t *testing.T) {
	s := newSite(t)
	for _, origin := range []string{"http://evil.example" + s.port, "http://127.0.0.1" + s.port} { // the other is same-site
		before := len(s.log.statuses(t))
		shown := s.page("attacks.html", origin)
		t.Log(origin, shown)
		var outcomes map[string]any
		if err := json.Unmarshal([]byte(shown), &outcomes); err != nil {
			t.Fatal(err)
		}
		statuses := s.log.statuses(t)[before:]
		for _, status := range statuses {
			if status != http.StatusForbidden {
				t.Errorf("%s: a request was answered with %d", origin, status)
			}
		}
		if len(statuses) < len(outcomes) {
			t.Errorf("%s: %d requests arrived of %d", origin, len(statuses), len(outcomes))
		}
		if !s.holds() {
			t.Errorf("%s: the message is gone", origin)
		}
	}
}

// A name that a stranger points here gets nothing by it, from its own page either.
func TestRebindingReadsNothing(t *testing.T) {
	s := newSite(t)
	const all = "true"
	messages := func(host string) string {
		return s.browse(strings.Replace(s.sqsd.Base, "127.0.0.1", host, 1)+"/messages?QueueUrl=donors", all)
	}
	if shown := messages("evil.example"); !strings.Contains(shown, "AccessDenied") || strings.Contains(shown, "a donor") {
		t.Errorf("a stranger's name: %s", shown)
	}
	for _, host := range []string{"127.0.0.1", "sqs.us-east-1.localhost"} {
		if shown := messages(host); !strings.Contains(shown, "a donor") {
			t.Errorf("%s: %s", host, shown)
		}
	}
}

// The pages of the origin that -cors names use the endpoint as an SDK does; those of
// others do not.
func TestCORS(t *testing.T) {
	s := newSite(t)
	if shown := s.page("allowed.html", s.allowed); !strings.HasPrefix(shown, `200 true {"QueueUrls":`) {
		t.Errorf("the origin that is allowed: %s", shown)
	}
	if shown := s.page("allowed.html", "http://evil.example"+s.port); !strings.HasPrefix(shown, "refused: TypeError") {
		t.Errorf("another: %s", shown)
	}
}
