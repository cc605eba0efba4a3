package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"omnibus/bus/sigv4"
)

// uiService returns the whole handler with the flags given, and what it prints.
func uiService(t *testing.T, remote bool, args ...string) (http.Handler, *config, string) {
	t.Helper()
	c, err := parse(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newService(t.Context(), c, true)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	s.ui = c.newUI(s, remote)
	c.printUI(&out, "http://a")
	return c.handler(s, remote, io.Discard), c, out.String()
}

func askUI(h http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	return send(h, "GET "+path, local, headers...)
}

func TestThePageIsThereWhenAskedFor(t *testing.T) {
	h, _, out := uiService(t, false)
	if w := askUI(h, "/ui/"); w.Code != http.StatusNotFound || out != "" {
		t.Errorf("without -ui: %d, %s, prints %q", w.Code, w.Body, out)
	}
	h, _, out = uiService(t, false, "-ui")
	if w := askUI(h, "/ui/"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<!DOCTYPE html>") || out != "sqsd: page at http://a/ui/\n" {
		t.Errorf("with -ui: %d, prints %q", w.Code, out)
	}
	// It shows the queues that the protocols make.
	if w := send(h, "POST / Action=CreateQueue&QueueName=donors", local); w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	if w := askUI(h, "/ui/api/queue?queue=donors"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "VisibilityTimeout") {
		t.Errorf("%d, %s", w.Code, w.Body)
	}
	// And after a reset those that there are then.
	if w := send(h, "POST /reset", local); w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	if w := askUI(h, "/ui/api/queue?queue=donors"); w.Code != http.StatusNotFound {
		t.Errorf("after a reset: %d, %s", w.Code, w.Body)
	}
}

// -cors lets other pages use the endpoint; it does not give them the page's powers.
func TestCORSDoesNotOpenThePage(t *testing.T) {
	h, _, _ := uiService(t, false, "-ui", "-cors", "*")
	w := askUI(h, "/ui/api/queue?queue=donors", "Origin: http://evil.example", "Sec-Fetch-Site: cross-site")
	if w.Code != http.StatusForbidden || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%d, %v", w.Code, w.Header())
	}
}

func TestThePageAsksForATokenWhereNotAllMayUseTheEndpoint(t *testing.T) {
	for _, remote := range []bool{false, true} {
		h, c, out := uiService(t, remote, "-ui")
		if (c.uiToken != "") != remote || strings.Contains(out, "#token="+c.uiToken) != remote {
			t.Errorf("other machines reach it: %t; token %q, prints %q", remote, c.uiToken, out)
		}
		if w := askUI(h, "/ui/api/queue?queue=none"); (w.Code == http.StatusUnauthorized) != remote {
			t.Errorf("other machines reach it: %t; without the token: %d", remote, w.Code)
		}
		if w := askUI(h, "/ui/api/queue?queue=none", "Authorization: Bearer "+c.uiToken); w.Code != http.StatusNotFound {
			t.Errorf("other machines reach it: %t; with the token: %d", remote, w.Code)
		}
	}
	c := &config{ui: true, keys: sigv4.Keys{}}
	if c.newUI(&service{}, false); c.uiToken == "" {
		t.Error("with -keys no token is asked for")
	}
}

func TestReadOnlyPage(t *testing.T) {
	h, _, _ := uiService(t, false, "-ui-read-only")
	w := send(h, `POST /ui/api/purge {"Queue":"donors"}`, local, "Content-Type: application/json")
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "looking only") {
		t.Errorf("%d, %s", w.Code, w.Body)
	}
}

// One who watches the page does not hold up the end.
func TestAWatcherDoesNotHoldUpTheEnd(t *testing.T) {
	d := start(t, "-ui")
	resp, err := http.Get(d.base + "/ui/api/live")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	d.stop()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	if status := <-d.done; status != 0 {
		t.Errorf("exit status %d", status)
	}
}
