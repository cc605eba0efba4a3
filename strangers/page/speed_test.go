//go:build strangers

package page

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
	"omnibus/view/web"
)

// TestManyQueuesAndMessages prints how long the page takes with 1,000 queues, all of
// which change with every sample, and a queue of 1,000,000 messages. It fails only where
// the page does not get there.
func TestManyQueuesAndMessages(t *testing.T) {
	e := engine.New(nil)
	var queues []*engine.Queue
	for i := range 1000 {
		q, err := e.Create(fmt.Sprintf("queue-%04d", i), spec.QueueSettings{})
		if err != nil {
			t.Fatal(err)
		}
		queues = append(queues, q)
	}
	for i := range 1_000_000 {
		if _, err := queues[500].Send(engine.Message{Body: fmt.Sprintf(`{"donor": %d}`, i)}); err != nil {
			t.Fatal(err)
		}
	}
	h := web.New(web.Options{Source: web.Engine(func() *engine.Engine { return e }), Title: "many"})
	server := httptest.NewServer(web.Mount("/ui/", h, http.NotFoundHandler()))
	defer server.Close()
	defer h.Close() // before, or the server would wait for those who watch
	stop := make(chan struct{})
	defer close(stop)
	go func() { // a message for each queue with every sample
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			for _, q := range queues {
				_, _ = q.Send(engine.Message{Body: "one more"}) // none is deleted
			}
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()

	begun := time.Now()
	p := open(t, server.URL+"/ui/")
	p.wait(`document.querySelector(".space .row:not([hidden]) .n")`)
	shown := time.Since(begun)
	rows := run[int](p, `document.querySelectorAll(".space .row").length`)
	if rows > 100 {
		t.Errorf("%d rows are elements; only those that are seen should be", rows)
	}
	fmt.Printf("1,000 queues: first contentful paint %.0f ms, all queues shown after %d ms, %d rows as elements\n",
		run[float64](p, `performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0`), shown.Milliseconds(), rows)

	const update = `(async () => {
		const { events } = await import(new URL("live.js", document.querySelector("script[type=module]").src));
		const took = [];
		while (took.length < 5) {
			await new Promise((done) => events.addEventListener("counts", done, { once: true }));
			const begun = performance.now();
			events.dispatchEvent(new CustomEvent("counts"));
			document.body.offsetHeight; // has the layout done
			took.push(performance.now() - begun);
		}
		return took.sort((a, b) => a - b)[2];
	})()`
	fmt.Printf("an update of the list, all of whose queues changed: %.1f ms\n", run[float64](p, update))
	fmt.Printf("scrolling from the first to the last queue: %.1f ms\n", run[float64](p, `(() => {
		const box = document.querySelector(".rows");
		const begun = performance.now();
		for (let y = 0; y < box.scrollHeight; y += 500) { box.scrollTop = y; box.dispatchEvent(new Event("scroll")); document.body.offsetHeight; }
		return (performance.now() - begun) / (box.scrollHeight / 500);
	})()`))
	run[any](p, `{ const s = document.querySelector("#search"); s.value = "queue-0500"; s.dispatchEvent(new Event("input")) }`)
	p.wait(`document.querySelectorAll(".space .row:not([hidden])").length === 1`)

	begun = time.Now()
	run[any](p, `location.hash = "#/q/queue-0500"`)
	p.wait(`document.querySelectorAll(".message").length === 50 && document.querySelector(".tiles b").textContent.startsWith("1,000,0")`)
	fmt.Printf("1,000,000 messages: 50 of them shown after %d ms\n", time.Since(begun).Milliseconds())
	fmt.Printf("an update of that queue: %.1f ms\n", run[float64](p, update))
	begun = time.Now()
	run[any](p, `{ const s = document.querySelector("#text"); s.value = "9999}"; s.dispatchEvent(new Event("input")) }`)
	p.wait(`document.querySelectorAll(".message").length === 1 && document.querySelector(".note").textContent.includes("among 10,000")`)
	fmt.Printf("a text found among the first 10,000 of them: %d ms, 200 of which the page waits for more typing\n", time.Since(begun).Milliseconds())
}
