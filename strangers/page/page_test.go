//go:build strangers

// Package page plays the page of sqsd -ui in headless Chromium: what people do with it,
// and what other sites and messages may not. sqsd is OMNIBUS_BIN/sqsd.
package page

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"omnibus/strangers/chromium"
	"omnibus/strangers/endpoint"
)

// patience is how long a step may take on a busy machine.
const patience = 60 * time.Second

var browser *chromium.Browser

func TestMain(m *testing.M) {
	var err error
	if browser, err = chromium.Start(context.Background()); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	status := m.Run()
	if err := browser.Close(); err != nil {
		fmt.Println(err)
	}
	os.Exit(status)
}

// sqsd is an endpoint with the page.
type sqsd struct{ *endpoint.Sqsd }

// start starts sqsd with the page, and the queue donors with the dead-letter queue dead.
func start(t *testing.T, args ...string) *sqsd {
	t.Helper()
	queues := filepath.Join(t.TempDir(), "queues.yaml")
	if err := os.WriteFile(queues, []byte("dead: {}\ndonors: {dlq: dead, maxReceiveCount: 1}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return &sqsd{endpoint.Start(t, os.Stderr, append([]string{"-addr", "127.0.0.1:0", "-lenient", "-ui", "-queues", queues}, args...)...)}
}

// bury has so many messages end as dead letters.
func (s *sqsd) bury(n int) {
	for i := range n {
		s.Send("donors", fmt.Sprint("dead letter ", i))
	}
	for range 2 * n { // the second time gives one up
		s.Call("ReceiveMessage", map[string]any{"QueueUrl": s.URL("donors"), "VisibilityTimeout": 0, "MaxNumberOfMessages": 10})
	}
}

// tab is a page that is open.
type tab struct {
	*chromium.Page
	t   *testing.T
	ctx context.Context
}

var desktop = chromium.Look{Width: 1280, Height: 900}

func open(t *testing.T, url string) *tab {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	t.Cleanup(cancel)
	p, err := browser.Open(ctx, desktop, url)
	if err != nil {
		t.Fatal(err)
	}
	return &tab{p, t, ctx}
}

func (p *tab) wait(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := p.Wait(ctx, expression); err != nil {
		var shown string
		_ = p.Page.Run(p.ctx, "document.body.innerText", &shown)
		p.t.Fatalf("%v; the page shows:\n%s", err, shown)
	}
}

func run[T any](p *tab, script string) (out T) {
	p.t.Helper()
	if err := p.Page.Run(p.ctx, script, &out); err != nil {
		p.t.Fatal(err)
	}
	return out
}

func (p *tab) press(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		if err := p.Press(p.ctx, key); err != nil {
			p.t.Fatal(err)
		}
	}
}

// click clicks the first element of a selector that has a text.
func (p *tab) click(selector, text string) {
	p.t.Helper()
	find := fmt.Sprintf("[...document.querySelectorAll(%q)].find((e) => e.checkVisibility() && e.textContent.includes(%q))", selector, text)
	p.wait(find)
	run[any](p, find+".click()")
}

// shows waits until the tiles of a queue show these counts.
func (p *tab) shows(waiting, inFlight, delayed int) {
	p.t.Helper()
	p.wait(fmt.Sprintf(`[...document.querySelectorAll(".tiles b")].slice(0, 3).map((e) => e.textContent).join() === "%d,%d,%d"`, waiting, inFlight, delayed))
}

const live = `document.querySelector("#connection").dataset.state === "live"`

// A message is sent with a delay by the form, and all three counts rise and fall.
func TestAMessageIsSeenToMove(t *testing.T) {
	s := start(t)
	p := open(t, s.Page)
	p.wait(live)
	p.wait(`document.querySelectorAll(".space .row:not([hidden])").length === 2`)
	p.click(".row .name", "donors")
	p.shows(0, 0, 0)
	p.press("s")
	p.wait(`document.activeElement.matches("dialog textarea")`)
	if err := p.Type(p.ctx, `{"name": "Harper Pierce"}`); err != nil {
		t.Fatal(err)
	}
	run[any](p, `document.querySelector("[data-name=delay]").value = "4"`)
	p.click("dialog button", "Send")
	p.shows(0, 0, 1)
	p.press("3")
	p.wait(`document.querySelector(".messages").textContent.includes("Harper Pierce")`)
	p.shows(1, 0, 0)
	got := s.Call("ReceiveMessage", map[string]any{"QueueUrl": s.URL("donors")})
	p.shows(0, 1, 0)
	p.press("2")
	p.wait(`document.querySelector(".lease i") && document.querySelector(".left").textContent.includes("left")`)
	handle := got["Messages"].([]any)[0].(map[string]any)["ReceiptHandle"]
	s.Call("DeleteMessage", map[string]any{"QueueUrl": s.URL("donors"), "ReceiptHandle": handle})
	p.shows(0, 0, 0)
	p.wait(`document.querySelector(".plot .line.delayed").getAttribute("d").includes("V")`) // the line rose and fell
	p.press("Escape")
	p.wait(`document.querySelector(".space .row")`)
}

func TestMarkupInMessagesIsInert(t *testing.T) {
	s := start(t)
	const body = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script><b>bold</b> &amp; javascript:alert(1)`
	s.Call("SendMessage", map[string]any{"QueueUrl": s.URL("donors"), "MessageBody": body, "MessageAttributes": map[string]any{
		"kind": map[string]string{"DataType": "String.<u>", "StringValue": "<svg onload=window.hacked=1>"}}})
	s.Send("donors", `{"<b>": "<img src=x onerror=window.hacked=1>", "n": 12345678901234567890}`)
	p := open(t, s.Page+"#/q/donors")
	p.click(".line", "onerror")
	p.wait(`document.querySelector("pre.body")`)
	p.click(".line", "12345678901234567890")
	p.wait(`document.querySelectorAll("pre.body").length === 2`)
	if shown := run[string](p, `document.querySelector("pre.body").textContent`); shown != body {
		t.Errorf("the body is shown as %s", shown)
	}
	if laidOut := run[string](p, `document.querySelectorAll("pre.body")[1].textContent`); !strings.Contains(laidOut, "\n  \"n\": 12345678901234567890\n") {
		t.Errorf("JSON is laid out as %s", laidOut)
	}
	if n := run[int](p, `document.querySelectorAll("main img, main script, main b:not(.tile b):not(.tip b), main u, main svg:not(.plot)").length`); n != 0 {
		t.Errorf("%d elements were made of it", n)
	}
	if hacked := run[bool](p, `window.hacked !== undefined`); hacked {
		t.Error("a script in a message ran")
	}
	// And if the page had a fault, the policy would stand before it.
	if refused := run[bool](p, `(() => { try { document.body.innerHTML = "<i></i>"; return false } catch { return true } })()`); !refused {
		t.Error("the policy lets the page make markup of texts")
	}
	if connects := run[string](p, `fetch("http://other.example/").then(() => "connected", () => "refused")`); connects != "refused" {
		t.Error("the policy lets the page send what it knows elsewhere")
	}
}

func TestDeadLettersAreRedriven(t *testing.T) {
	s := start(t)
	s.bury(12)
	p := open(t, s.Page)
	p.wait(`document.querySelector(".dead.some")?.textContent.includes("12")`)
	p.click(".dead.some", "dead")
	p.shows(12, 0, 0)
	// One that is chosen,
	p.wait(`document.querySelectorAll(".message").length === 12`)
	run[any](p, `document.querySelector(".message input").click()`)
	p.click(".chosen button", "Redrive")
	p.shows(11, 0, 0)
	// and all the rest, with how far it is.
	p.press("r")
	p.click("dialog button", "Move 11 messages")
	p.wait(`document.querySelector(".task")?.textContent.includes("Moved: 11 of 11")`)
	p.shows(0, 0, 0)
	p.click(".source", "donors")
	p.shows(12, 0, 0)
}

func TestPurgeAndDeleteAskWithTheNumber(t *testing.T) {
	s := start(t)
	for i := range 1234 {
		s.Send("donors", fmt.Sprint(i))
	}
	p := open(t, s.Page+"#/q/donors")
	p.wait(`document.querySelectorAll(".message").length === 50`)
	run[any](p, `[...document.querySelectorAll(".message input")].slice(0, 2).forEach((e) => e.click())`)
	p.click(".chosen button", "Delete")
	p.wait(`document.querySelector("dialog p").textContent.includes("2 messages")`)
	p.click("dialog button", "Delete 2 messages")
	p.wait(`document.querySelector(".tiles b").textContent === "1,232"`)
	p.press("p")
	p.wait(`document.querySelector("dialog p").textContent.includes("all 1,232 messages")`)
	s.Send("donors", "one more")
	p.click("dialog button", "Delete 1,233 messages") // the question keeps up
	p.shows(0, 0, 0)
}

func TestMessagesAreFound(t *testing.T) {
	s := start(t)
	for i := range 60 {
		s.Send("donors", fmt.Sprint("donor ", i))
	}
	p := open(t, s.Page+"#/q/donors")
	p.wait(`document.querySelectorAll(".message").length === 50`)
	p.click(".foot button", "Later")
	p.wait(`document.querySelectorAll(".message").length === 10`)
	p.press("/")
	if err := p.Type(p.ctx, "donor 5"); err != nil {
		t.Fatal(err)
	}
	p.wait(`document.querySelectorAll(".message").length === 11 && document.querySelector(".note").textContent.includes("11 found")`)
}

func TestALostConnectionShowsAndComesBack(t *testing.T) {
	s := start(t)
	p := open(t, s.Page)
	p.wait(live)
	s.Stop()
	p.wait(`document.querySelector("#connection").dataset.state === "lost" && document.body.classList.contains("stale")`)
	s.Run("-addr", strings.TrimPrefix(s.Base, "http://"), "-ui")
	p.wait(live + ` && !document.body.classList.contains("stale")`)
	s.Call("CreateQueue", map[string]any{"QueueName": "new"})
	p.wait(`document.querySelector(".space .row .name").textContent === "new"`)
}

// What a page of another site can send, from its own name and from one that its owner
// pointed here.
const attack = `<!DOCTYPE html><title>another site</title><script>
const api = (new URLSearchParams(location.search)).get('api');
const purge = { Queue: 'donors' };
const answer = (p) => p.then((r) => r.type === 'opaque' ? 'sent' : r.text().then((t) => r.status + ' ' + t), () => 'refused');
const element = (name, src) => new Promise((done) => {
  const e = Object.assign(document.createElement(name), { src, onload: () => done('loaded'), onerror: () => done('refused') });
  document.documentElement.append(e);
});
(async () => { window.outcomes = {
  json: await answer(fetch(api + 'purge', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(purge) })),
  text: await answer(fetch(api + 'purge', { method: 'POST', mode: 'no-cors', body: JSON.stringify(purge) })),
  beacon: String(navigator.sendBeacon(api + 'purge', JSON.stringify(purge))),
  read: await answer(fetch(api + 'messages?queue=donors&state=visible')),
  stream: await answer(fetch(api + 'live', { mode: 'no-cors' })),
  image: await element('img', api + 'queue?queue=donors'),
  script: await element('script', api + '../live.js'),
}; })();
</script>`

func TestOtherSitesAreRefused(t *testing.T) {
	s := start(t, "-cors", "*") // which lets them use the endpoint, and not the page
	s.Send("donors", "a donor")
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, attack)
	}))
	defer evil.Close()
	port := evil.URL[strings.LastIndexByte(evil.URL, ':'):]
	for _, origin := range []string{"http://evil.example" + port, "http://127.0.0.1" + port} {
		p := open(t, origin+"/?api="+s.Base+"/ui/api/")
		p.wait("window.outcomes")
		outcomes := run[map[string]string](p, "window.outcomes")
		t.Log(origin, outcomes)
		for attack, outcome := range outcomes {
			if strings.Contains(outcome, "donor") || outcome == "loaded" {
				t.Errorf("%s, %s: %s", origin, attack, outcome)
			}
		}
	}
	// A name that somebody points here gets nothing, of the page's own address either.
	p := open(t, strings.Replace(s.Page, "127.0.0.1", "evil.example", 1)+"api/messages?queue=donors&state=visible")
	if shown := run[string](p, "document.body.innerText"); !strings.Contains(shown, "is not a name of this machine") || strings.Contains(shown, "a donor") {
		t.Errorf("a foreign Host: %s", shown)
	}
	// Nor can it frame the page.
	p = open(t, evil.URL+"/?api=none")
	run[any](p, fmt.Sprintf(`{ const f = document.createElement("iframe"); f.src = %q; f.onload = () => { window.framed = true }; document.documentElement.append(f) }`, s.Page))
	p.wait("window.framed")
	if inside := run[int](p, `frames.length && (() => { try { return frames[0].document.querySelectorAll("#main").length } catch { return 0 } })()`); inside != 0 {
		t.Error("another site frames the page")
	}
	p = open(t, s.Page+"#/q/donors")
	p.shows(1, 0, 0)
}

func TestATokenAndLookingOnly(t *testing.T) {
	s := start(t, "-ui-token", "open sesame", "-ui-read-only")
	s.Send("donors", "a donor")
	p := open(t, s.Page) // with the token in it
	p.wait(live)
	if address := run[string](p, "location.href"); strings.Contains(address, "sesame") {
		t.Errorf("the token stays in the address: %s", address)
	}
	p.click(".row .name", "donors")
	p.shows(1, 0, 0)
	p.wait(`document.querySelector(".message")`)
	if n := run[int](p, `[...document.querySelectorAll(".title button, .chosen button, .message input")].filter((e) => e.checkVisibility()).length`); n != 0 {
		t.Errorf("%d controls are offered for looking only", n)
	}
	p = open(t, strings.Split(s.Page, "#")[0])
	p.wait(`document.querySelector("dialog")?.textContent.includes("token")`)
	run[any](p, `document.querySelector("dialog input").focus()`)
	if err := p.Type(p.ctx, "open sesame"); err != nil {
		t.Fatal(err)
	}
	p.click("dialog button", "Open")
	p.wait(live)
}
