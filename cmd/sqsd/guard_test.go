package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
	"omnibus/bus/sqsserver"
	"omnibus/internal/origin"
)

// guarded is a guard before a server that has the queue donors with one message.
type guarded struct {
	guard
	t      *testing.T
	donors *engine.Queue
}

func newGuarded(t *testing.T, g guard) *guarded {
	t.Helper()
	server := sqsserver.New(&sqsserver.Options{Engine: engine.New(&engine.Options{Lenient: true})})
	donors, err := server.Engine().Create("donors", spec.QueueSettings{})
	if err == nil {
		_, err = donors.Send(engine.Message{Body: "a donor"})
	}
	if err != nil {
		t.Fatal(err)
	}
	g.next = server
	return &guarded{guard: g, t: t, donors: donors}
}

const (
	purgeByGet  = "GET /000000000000/donors?Action=PurgeQueue"
	purgeByForm = "POST /000000000000/donors Action=PurgeQueue"
)

func (g *guarded) send(request, host string, headers ...string) *httptest.ResponseRecorder {
	return send(&g.guard, request, host, headers...)
}

// send sends a request, a method, a path and a body, with these headers.
func send(h http.Handler, request, host string, headers ...string) *httptest.ResponseRecorder {
	method, rest, _ := strings.Cut(request, " ")
	path, body, _ := strings.Cut(rest, " ")
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = host
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// holds reports whether the message is still there.
func (g *guarded) holds() bool {
	g.t.Helper()
	a, err := g.donors.Attributes()
	if err != nil {
		g.t.Fatal(err)
	}
	return a.Visible == 1
}

const local = "127.0.0.1:9324"

func TestAPageOfAnotherSiteCannotPurge(t *testing.T) {
	const chromium = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36"
	for _, test := range []struct {
		what, request string
		headers       []string
	}{
		{"an image", purgeByGet, []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image", chromium}},
		{"a link", purgeByGet, []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", chromium}},
		{"a page on another port", purgeByGet, []string{"Sec-Fetch-Site: same-site", chromium}},
		{"an image in an old browser", purgeByGet, []string{chromium}},
		{"a form", purgeByForm, []string{"Origin: http://evil.example", "Sec-Fetch-Site: cross-site", chromium}},
		{"a form in an old browser", purgeByForm, []string{"Origin: http://evil.example", chromium}},
		{"a form of a file or a sandbox", purgeByForm, []string{"Origin: null", chromium}},
		{"a form that a proxy took the browser's name from", purgeByForm, []string{"Origin: http://evil.example"}},
		{"a page on another port of this machine", purgeByForm, []string{"Origin: http://127.0.0.1:3000", "Sec-Fetch-Site: same-site"}},
		{"a page by another scheme", purgeByForm, []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}},
		{"a text", purgeByForm, []string{"Content-Type: text/plain;charset=UTF-8"}},
		{"a form with files", purgeByForm, []string{"Content-Type: Multipart/Form-Data; boundary=x"}},
		{"an origin that begins like ours", purgeByForm, []string{"Origin: http://127.0.0.1:9324.evil.example"}},
	} {
		g := newGuarded(t, guard{})
		w := g.send(test.request, local, test.headers...)
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "<Code>AccessDenied</Code>") || !g.holds() {
			t.Errorf("%s: %d, %s; the message is there: %t", test.what, w.Code, w.Body, g.holds())
		}
	}
}

func TestDNSRebindingIsRefused(t *testing.T) {
	for _, host := range []string{
		"evil.example", "evil.example:9324", "localhost.evil.example:9324", "evillocalhost:9324", "127.0.0.1.evil.example",
		"10.0.0.7:9324", "[2001:db8::1]:9324", "sqsd:9324", "..localhost.example", "[::1].evil.example", "]", "docker.internal",
	} {
		g := newGuarded(t, guard{})
		w := g.send(purgeByGet, host, "Sec-Fetch-Site: same-origin", "User-Agent: Mozilla/5.0")
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "-host "+origin.Hostname(host)) || !g.holds() {
			t.Errorf("Host %s: %d, %s", host, w.Code, w.Body)
		}
	}
}

func TestProgramsPassByTheNamesOfThisMachine(t *testing.T) {
	for _, host := range []string{
		local, "127.0.0.1", "127.8.9.10:1", "localhost", "localhost:9324", "LocalHost:9324", "localhost.:9324", "[::1]:9324", "[::1]",
		"[::ffff:127.0.0.1]:80", "0.0.0.0:9324", "sqs.us-east-1.localhost:9324", "SQS.LOCALHOST", "host.docker.internal:9324",
		"host.containers.internal", "",
	} {
		for _, request := range []string{purgeByGet, purgeByForm} {
			g := newGuarded(t, guard{})
			if w := g.send(request, host, "User-Agent: aws-cli/2.9.19"); w.Code != http.StatusOK || g.holds() {
				t.Errorf("Host %q: %d, %s", host, w.Code, w.Body)
			}
		}
	}
}

func TestHostsGivenByFlagPass(t *testing.T) {
	g := newGuarded(t, guard{hosts: origin.Hosts{Names: []string{"sqsd", ".build.example"}}})
	for host, status := range map[string]int{
		"sqsd:9324": 200, "SQSD": 200, "a.build.example": 200, "b.A.Build.Example:80": 200,
		"sqsd.example": 403, "build.example": 403, "xbuild.example": 403, "10.0.0.7": 403,
	} {
		if w := g.send(purgeByGet, host); w.Code != status {
			t.Errorf("Host %s: %d, %s", host, w.Code, w.Body)
		}
	}
	g.hosts.Addresses = true
	if w := g.send(purgeByGet, "10.0.0.7:9324"); w.Code != http.StatusOK {
		t.Errorf("an address, in a network: %d, %s", w.Code, w.Body)
	}
}

// What a person types into the address bar is no other page's doing, nor is what
// a page of the endpoint's own does.
func TestAPersonPasses(t *testing.T) {
	for _, headers := range [][]string{
		{"Sec-Fetch-Site: none"},
		{"Sec-Fetch-Site: same-origin"},
		{"Origin: http://127.0.0.1:9324", "Sec-Fetch-Site: same-origin"},
	} {
		g := newGuarded(t, guard{})
		if w := g.send(purgeByGet, local, append(headers, "User-Agent: Mozilla/5.0")...); w.Code != http.StatusOK || g.holds() {
			t.Errorf("%s: %d, %s", headers, w.Code, w.Body)
		}
	}
}

func TestCORSLetsThePagesOfAnOriginIn(t *testing.T) {
	const page, other = "http://localhost:3000", "http://evil.example"
	for _, test := range []struct {
		cors, origin string
		status       int
	}{
		{page, page, 200}, {page, other, 403}, {"*", other, 200}, {page + "," + other, other, 200}, {"*", "null", 200},
	} {
		g := newGuarded(t, guard{cors: strings.Split(test.cors, ",")})
		w := g.send("OPTIONS /", local, "Origin: "+test.origin, "Access-Control-Request-Method: POST",
			"Access-Control-Request-Headers: authorization,x-amz-target", "Access-Control-Request-Private-Network: true")
		allowed := w.Header().Get("Access-Control-Allow-Origin") == test.origin
		if allowed != (test.status == 200) || allowed && (w.Code != http.StatusNoContent ||
			w.Header().Get("Access-Control-Allow-Headers") != "authorization,x-amz-target" || w.Header().Get("Access-Control-Allow-Private-Network") != "true") {
			t.Errorf("-cors %s, preflight of %s: %d, %v", test.cors, test.origin, w.Code, w.Header())
		}
		w = g.send(purgeByForm, local, "Origin: "+test.origin, "Sec-Fetch-Site: cross-site", "User-Agent: Mozilla/5.0")
		if w.Code != test.status || (w.Header().Get("Access-Control-Allow-Origin") == test.origin) != allowed || g.holds() != (test.status == 403) {
			t.Errorf("-cors %s, %s: %d, %s", test.cors, test.origin, w.Code, w.Body)
		}
		// An image has no origin to go by.
		if w := g.send(purgeByGet, local, "Sec-Fetch-Site: cross-site"); w.Code != http.StatusForbidden {
			t.Errorf("-cors %s, an image: %d, %s", test.cors, w.Code, w.Body)
		}
	}
}

// An SDK that is given a name that is not allowed says what to do.
func TestAnSDKPrintsWhichFlagIsMissing(t *testing.T) {
	d := start(t)
	u, err := url.Parse(d.base)
	if err != nil {
		t.Fatal(err)
	}
	client := sqs.New(sqs.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		BaseEndpoint: new("http://sqsd.example"),
		HTTPClient:   &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(u)}},
	})
	_, err = client.ListQueues(t.Context(), &sqs.ListQueuesInput{})
	if err == nil || !strings.Contains(err.Error(), "AccessDenied") || !strings.Contains(err.Error(), "sqsd -host sqsd.example allows it") {
		t.Error(err)
	}
}

func TestTheGuardAllocatesNothing(t *testing.T) {
	g := &guard{next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
	r.Host = "localhost:9324"
	r.Header.Set("X-Amz-Target", "AmazonSQS.SendMessage")
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("User-Agent", "aws-sdk-go-v2/1.46.0")
	if n := testing.AllocsPerRun(100, func() { g.ServeHTTP(nil, r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
