package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
	"omnibus/internal/origin"
)

// site is a page over an engine with the queues donors and dead, its dead letters.
type site struct {
	*Handler
	t      *testing.T
	engine *engine.Engine
	donors *engine.Queue
	dead   *engine.Queue
}

func newSite(t *testing.T, o Options) *site {
	t.Helper()
	e := engine.New(&engine.Options{Lenient: true})
	dead, err := e.Create("dead", spec.QueueSettings{})
	if err != nil {
		t.Fatal(err)
	}
	donors, err := e.Create("donors", spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 1}})
	if err != nil {
		t.Fatal(err)
	}
	o.Source = Engine(func() *engine.Engine { return e })
	s := &site{New(o), t, e, donors, dead}
	t.Cleanup(s.Close)
	return s
}

// ask sends a request, a method, a path and a body, with these headers.
func (s *site) ask(request string, headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, newRequest(request, headers...))
	return w
}

func newRequest(request string, headers ...string) *http.Request {
	method, rest, _ := strings.Cut(request, " ")
	path, body, _ := strings.Cut(rest, " ")
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:9324"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	return r
}

// get asks for something that is there.
func get[T any](s *site, request string) (out T) {
	s.t.Helper()
	w := s.ask(request)
	if w.Code != http.StatusOK {
		s.t.Fatalf("%s: %d, %s", request, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		s.t.Fatalf("%s: %v, %s", request, err, w.Body)
	}
	return out
}

func (s *site) send(q *engine.Queue, bodies ...string) {
	s.t.Helper()
	for _, body := range bodies {
		if _, err := q.Send(engine.Message{Body: body}); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *site) counts(q *engine.Queue) spec.Counts {
	s.t.Helper()
	a, err := q.Attributes()
	if err != nil {
		s.t.Fatal(err)
	}
	a.OldestAge = 0
	return a.Counts
}

// bury sends messages and has them end as dead letters.
func (s *site) bury(bodies ...string) {
	s.t.Helper()
	s.send(s.donors, bodies...)
	for range 2 {
		for {
			got, err := s.donors.Receive(s.t.Context(), engine.ReceiveRequest{Max: 10, Visibility: new(time.Duration(0)), Wait: new(time.Duration(0))})
			if err != nil {
				s.t.Fatal(err)
			}
			if len(got) == 0 || s.counts(s.dead).Visible >= len(bodies) {
				break
			}
		}
	}
	if n := s.counts(s.dead).Visible; n != len(bodies) {
		s.t.Fatalf("%d dead letters", n)
	}
}

func TestEveryFileOfThePageComesWithAStrictPolicy(t *testing.T) {
	s := newSite(t, Options{})
	files, err := page.ReadDir("page")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		path := "/" + f.Name()
		if path == "/index.html" {
			path = "/"
		}
		w := s.ask("GET " + path)
		policy := w.Header().Get("Content-Security-Policy")
		if w.Code != http.StatusOK || w.Body.Len() == 0 || !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") ||
			w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d, %v", path, w.Code, w.Header())
		}
		text := w.Body.String()
		if strings.Contains(text, "https://") || strings.Contains(strings.ReplaceAll(text, "http://www.w3.org/2000/svg", ""), "http://") {
			t.Errorf("%s names another site", path)
		}
		for _, markup := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "eval(", " style=", " onclick="} {
			if strings.Contains(text, markup) {
				t.Errorf("%s has %s", path, markup)
			}
		}
	}
	if w := s.ask("GET /none"); w.Code != http.StatusNotFound {
		t.Errorf("a file that is not there: %d", w.Code)
	}
}

func TestMountLeavesTheRestToTheNext(t *testing.T) {
	s := newSite(t, Options{})
	h := Mount("/ui/", s.Handler, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "next ", r.URL.Path) }))
	for path, want := range map[string]string{"/": "next /", "/uix": "next /uix", "/000000000000/ui/": "next /000000000000/ui/", "/ui": "Moved", "/ui/": "<!DOCTYPE html>", "/ui/api/queue?queue=donors": "VisibilityTimeout"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, newRequest("GET "+path))
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d, %s", path, w.Code, w.Body)
		}
	}
}

const send = `POST /api/send {"Queue":"donors","Body":"x"}`

// changing are calls that change something, as the page sends them.
var changing = []string{
	send,
	`POST /api/purge {"Queue":"donors"}`,
	`POST /api/delete {"Queue":"donors","IDs":["x"]}`,
	`POST /api/redrive {"Queue":"dead","To":""}`,
	`POST /api/cancel {"ID":1}`,
	`POST /api/work {"Worker":"slow producer","Action":"pause"}`,
}

var reading = []string{"GET /api/live", "GET /api/history?queue=donors", "GET /api/queue?queue=donors", "GET /api/messages?queue=donors&state=visible", "GET /api/message?queue=donors&state=visible&id=x"}

func TestPagesOfOtherSitesGetAndChangeNothing(t *testing.T) {
	const browser = "User-Agent: Mozilla/5.0 (X11; Linux x86_64)"
	for _, headers := range [][]string{
		{"Origin: http://evil.example", "Sec-Fetch-Site: cross-site", browser},
		{"Origin: http://evil.example"},
		{"Origin: null", browser},
		{"Origin: http://127.0.0.1:3000", "Sec-Fetch-Site: same-site"},
		{"Origin: http://127.0.0.1:9324.evil.example"},
		{"Sec-Fetch-Site: cross-site", browser},
		{"Sec-Fetch-Site: same-site"},
		{browser}, // an old one, which does not say
		{"Host: evil.example"},
		{"Host: evil.example:9324", "Sec-Fetch-Site: same-origin", "Origin: http://evil.example:9324", browser}, // after a rebinding
		{"Host: 10.0.0.7:9324"},
	} {
		s := newSite(t, Options{})
		s.send(s.donors, "a donor")
		for _, request := range append(reading, changing...) {
			w := s.ask(request, headers...)
			if w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "a donor") || strings.Contains(w.Body.String(), "hello") || s.counts(s.donors).Visible != 1 {
				t.Errorf("%s with %q: %d, %s", request, headers, w.Code, w.Body)
			}
		}
	}
}

// A form, or a script that does not ask first, sends only these types.
func TestOnlyJSONIsPosted(t *testing.T) {
	s := newSite(t, Options{})
	for _, contentType := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "text/plain; application/json"} {
		for _, request := range changing {
			if w := s.ask(request, "Content-Type: "+contentType); w.Code != http.StatusUnsupportedMediaType {
				t.Errorf("%s as %q: %d", request, contentType, w.Code)
			}
		}
	}
	for _, request := range changing {
		if w := s.ask(strings.Replace(request, "POST", "GET", 1)); w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s by GET: %d", request, w.Code)
		}
	}
	if c := s.counts(s.donors); c != (spec.Counts{}) {
		t.Errorf("%+v", c)
	}
}

func TestThePageItselfAndProgramsPass(t *testing.T) {
	for _, headers := range [][]string{
		nil,
		{"User-Agent: curl/8"},
		{"Origin: http://127.0.0.1:9324", "Sec-Fetch-Site: same-origin", "User-Agent: Mozilla/5.0"},
		{"Host: localhost:9324", "Origin: http://localhost:9324", "Sec-Fetch-Site: same-origin"},
	} {
		s := newSite(t, Options{})
		if w := s.ask(send, headers...); w.Code != http.StatusOK || s.counts(s.donors).Visible != 1 {
			t.Errorf("%q: %d, %s", headers, w.Code, w.Body)
		}
	}
	// A link of another site may open the page, which tells nothing.
	if w := newSite(t, Options{}).ask("GET /", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"); w.Code != http.StatusOK {
		t.Errorf("a link: %d", w.Code)
	}
}

func TestATokenIsAskedForByAllButTheFiles(t *testing.T) {
	s := newSite(t, Options{Token: "secret", Hosts: origin.Hosts{Addresses: true}})
	for _, request := range append(reading, changing...) {
		for _, given := range []string{"", "Bearer ", "Bearer secre", "Bearer secrets", "secret", "Basic secret"} {
			if w := s.ask(request, "Authorization: "+given); w.Code != http.StatusUnauthorized {
				t.Errorf("%s with %q: %d", request, given, w.Code)
			}
		}
	}
	if w := s.ask("GET /"); w.Code != http.StatusOK {
		t.Errorf("the page: %d", w.Code)
	}
	// By plain http from another machine, browsers do not tell of the page.
	if w := s.ask(send, "Authorization: Bearer secret", "Host: 10.0.0.7", "Origin: http://10.0.0.7", "User-Agent: Mozilla/5.0"); w.Code != http.StatusOK {
		t.Errorf("with the token: %d, %s", w.Code, w.Body)
	}
	if w := s.ask("GET /api/queue?queue=donors", "Authorization: Bearer secret", "Host: 10.0.0.7", "User-Agent: Mozilla/5.0"); w.Code != http.StatusOK {
		t.Errorf("a look with the token: %d, %s", w.Code, w.Body)
	}
	// And the token of a page is no leave for others.
	if w := s.ask(send, "Authorization: Bearer secret", "Origin: http://evil.example"); w.Code != http.StatusForbidden {
		t.Errorf("another page with the token: %d", w.Code)
	}
}

func TestReadOnlyChangesNothing(t *testing.T) {
	s := newSite(t, Options{ReadOnly: true})
	s.send(s.donors, "a donor")
	for _, request := range changing {
		if w := s.ask(request); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d, %s", request, w.Code, w.Body)
		}
	}
	if can := s.hello().Can; len(can) != 0 || !s.hello().ReadOnly || s.counts(s.donors).Visible != 1 {
		t.Errorf("%q, %+v", can, s.counts(s.donors))
	}
	if got := get[looked](s, "GET /api/messages?queue=donors&state=visible"); len(got.Messages) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestCallsThatMakeNoSenseAreRefused(t *testing.T) {
	s := newSite(t, Options{})
	s.send(s.donors, "a donor")
	for request, status := range map[string]int{
		`POST /api/send {`: 400,
		`POST /api/send {"Queue":"donors","Body":"x"}{}`:                                                       400,
		`POST /api/send {"Queue":"donors","Bodi":"x"}`:                                                         400,
		`POST /api/send {"Queue":"none","Body":"x"}`:                                                           404,
		`POST /api/send {"Queue":"donors","Body":""}`:                                                          422,
		`POST /api/send {"Queue":"donors","Body":"x","Delay":-1}`:                                              422,
		`POST /api/send {"Queue":"donors","Body":"x","Delay":901}`:                                             422,
		`POST /api/send {"Queue":"donors","Body":"x","Delay":1e300}`:                                           400,
		`POST /api/send {"Queue":"donors","Body":"x","Attributes":[{"name":"a","type":"None","value":"1"}]}`:   422,
		`POST /api/send {"Queue":"donors","Body":"x","Attributes":[{"name":"a","type":"Binary","value":"&"}]}`: 400,
		`POST /api/send {"Queue":"donors","Body":"` + strings.Repeat("x", spec.MaxMessageBytes+1) + `"}`:       422,
		`POST /api/send {"Queue":"donors","Body":"` + strings.Repeat("x", maxBody) + `"}`:                      400,
		`POST /api/purge {"Queue":"none"}`:                                                                     404,
		`POST /api/delete {"Queue":"donors","IDs":[]}`:                                                         400,
		`POST /api/delete {"Queue":"donors","IDs":[` + strings.Repeat(`"x",`, maxChosen) + `"x"]}`:             400,
		`POST /api/redrive {"Queue":"donors","To":"","IDs":["x"]}`:                                             422,
		`POST /api/redrive {"Queue":"none","To":""}`:                                                           404,
		`POST /api/work {"Worker":"x","Action":"pause"}`:                                                       400,
		`POST /api/cancel {"ID":7}`:                                                                            422,
		`GET /api/queue?queue=none`:                                                                            404,
		`GET /api/history?queue=none`:                                                                          404,
		`GET /api/messages?queue=none&state=visible`:                                                           404,
		`GET /api/messages?queue=donors&state=nowhere`:                                                         422,
		`GET /api/messages?queue=donors&state=visible&max=201`:                                                 400,
		`GET /api/messages?queue=donors&state=visible&max=99999999999999999999`:                                400,
		`GET /api/messages?queue=donors&state=visible&skip=-1`:                                                 400,
		`GET /api/messages?queue=donors&state=visible&skip=10001`:                                              400,
		`GET /api/message?queue=donors&state=visible&id=none`:                                                  404,
	} {
		if w := s.ask(request); w.Code != status {
			t.Errorf("%.120s: %d, %s; want %d", request, w.Code, w.Body, status)
		}
	}
	if c := s.counts(s.donors); c != (spec.Counts{Visible: 1}) {
		t.Errorf("%+v", c)
	}
}

// stream is the answer to a call of live.
type stream struct {
	header http.Header
	*io.PipeWriter
}

func (s stream) Header() http.Header { return s.header }
func (s stream) WriteHeader(int)     {}
func (s stream) Flush()              {}

// watch returns the events that one who watches gets; in a bubble.
func (s *site) watch() (next func() (name, data string), stop func()) {
	r, w := io.Pipe()
	events := make(chan string, 100)
	go func() {
		s.ServeHTTP(stream{http.Header{}, w}, newRequest("GET /api/live").WithContext(s.t.Context()))
		_ = w.Close()
	}()
	go func() {
		defer close(events)
		var text []byte
		b := make([]byte, 64<<10)
		for {
			n, err := r.Read(b)
			text = append(text, b[:n]...)
			for {
				event, rest, found := strings.Cut(string(text), "\n\n")
				if !found {
					break
				}
				events <- event
				text = []byte(rest)
			}
			if err != nil {
				return
			}
		}
	}()
	return func() (string, string) {
		event, open := <-events
		if !open {
			return "end", ""
		}
		name, data, _ := strings.Cut(strings.TrimPrefix(event, "event: "), "\ndata: ")
		return name, data
	}, func() { _ = r.Close() }
}

func TestThoseWhoWatchGetAllQueuesAndThenWhatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Options{Title: "here"})
		next, stop := s.watch()
		defer stop()
		if name, data := next(); name != "hello" || !strings.Contains(data, `"title":"here"`) {
			t.Fatal(name, data)
		}
		if name, data := next(); name != "queues" || !strings.Contains(data, `"id":"donors"`) || !strings.Contains(data, `"dead":"dead"`) {
			t.Fatal(name, data)
		}
		begun := time.Now()
		s.send(s.donors, "a donor", "another")
		if name, data := next(); name != "counts" || !strings.Contains(data, `"changed":[[1,2,0,0,`) || time.Since(begun) != time.Second {
			t.Error(name, data, time.Since(begun))
		}
		if name, data := next(); name != "counts" || !strings.Contains(data, `"changed":[]`) {
			t.Error(name, data)
		}
		if _, err := s.engine.Create("new", spec.QueueSettings{}); err != nil {
			t.Fatal(err)
		}
		if name, data := next(); name != "queues" || !strings.Contains(data, `"id":"new"`) {
			t.Error(name, data)
		}
		if got := get[[][4]int64](s, "GET /api/history?queue=donors"); len(got) != 2 || got[1][1] != 2 || got[1][0] != begun.Add(time.Second).UnixMilli() {
			t.Errorf("history %v", got)
		}
		s.Close()
		if name, data := next(); name != "end" {
			t.Error("the stream goes on:", name, data)
		}
	})
}

// One who comes later sees what has been, and what is kept is bounded.
func TestHistoryIsKeptWhileSomebodyWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Options{})
		next, stop := s.watch()
		time.Sleep(time.Second / 2) // so that there is one message between two samples
		for range 2 * kept {
			s.send(s.donors, "a donor")
			time.Sleep(time.Second)
			next()
		}
		stop()
		synctest.Wait()
		if n := len(get[[][4]int64](s, "GET /api/history?queue=donors")); n < kept || n > kept+kept/4 {
			t.Errorf("%d points are kept", n)
		}
		time.Sleep(forgetAfter + time.Second)
		next, stop = s.watch()
		defer stop()
		next()
		if name, data := next(); name != "queues" || strings.Count(data, `"points":[[`) != 2 || strings.Count(data, "],[") != 0 {
			t.Errorf("%s: %s", name, data)
		}
	})
}

// With Sample, one who comes sees what was before anybody came.
func TestSamplesAreTakenBeforeAnybodyWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Options{})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go s.Sample(ctx)
		time.Sleep(time.Second / 2)
		s.send(s.donors, "a donor")
		time.Sleep(10 * time.Second)
		if got := get[[][4]int64](s, "GET /api/history?queue=donors"); len(got) != 2 || got[1][1] != 1 {
			t.Errorf("%v", got)
		}
	})
}
