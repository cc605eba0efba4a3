package workers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/engine"
	"omnibus/bus/membus"
	"omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
	_ "omnibus/internal/cleanenv"
)

// A place is where a test has its queues: one backend, in virtual time.
type place struct {
	t    *testing.T
	mux  *bus.Mux
	base string
	wire *wire         // to the endpoint; nil on membus
	log  *bytes.Buffer // of sqsbus

	engine *engine.Engine // of membus
}

// onPlaces runs a test on each backend that has the controls that settle a delivery:
// membus, and sqsbus over sqsserver.
func onPlaces(t *testing.T, test func(t *testing.T, p *place)) {
	t.Run("membus", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := &place{t: t, mux: new(bus.Mux), base: "mem://", engine: engine.New(&engine.Options{Lenient: true})}
			p.mux.Register(membus.Scheme, membus.New(&membus.Options{Engine: p.engine}))
			test(t, p)
		})
	})
	t.Run("sqsbus", func(t *testing.T) { onSQS(t, test) })
}

// onSQS runs a test on sqsbus over sqsserver.
func onSQS(t *testing.T, test func(t *testing.T, p *place)) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{t: t, mux: new(bus.Mux), base: "http://127.0.0.1:9324/000000000000/", wire: newWire(), log: new(bytes.Buffer)}
		sqsbus.New(&sqsbus.Options{HTTPClient: p.wire, Logger: slog.New(slog.NewTextHandler(p.log, nil))}).Register(p.mux)
		test(t, p)
	})
}

func (p *place) create(name string, s bus.QueueSettings) {
	p.t.Helper()
	if _, err := p.mux.Create(p.t.Context(), p.base+name, s); err != nil {
		p.t.Fatal(err)
	}
}

// open opens a queue, which is shut down at the end of the test.
func (p *place) open(name string) *bus.Queue {
	p.t.Helper()
	return openQueue(p.t, p.mux, p.base+name)
}

// queue creates and opens a queue.
func (p *place) queue(name string, s bus.QueueSettings) *bus.Queue {
	p.t.Helper()
	p.create(name, s)
	return p.open(name)
}

// fill puts n messages into a queue, whose bodies are the numbers from 0 on.
func (p *place) fill(name string, n int) {
	p.t.Helper()
	e := p.engine
	if p.wire != nil {
		e = p.wire.server.Engine()
	}
	q, err := e.Queue(name)
	for i := range n {
		if err == nil {
			_, err = q.Send(engine.Message{Body: fmt.Sprint(i)})
		}
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// expect checks a queue's counts.
func expect(t *testing.T, q *bus.Queue, want bus.Counts) {
	t.Helper()
	a, err := q.Attributes(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	a.OldestAge = 0
	if a.Counts != want {
		t.Errorf("%s has %+v, want %+v", q.Name(), a.Counts, want)
	}
}

// receiveOne receives and acknowledges one message.
func receiveOne(t *testing.T, q *bus.Queue) *pubsub.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	m, err := q.Subscription.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	m.Ack()
	return m
}

// quiet is a logger for tests that fail handlers on purpose.
var quiet = slog.New(slog.DiscardHandler)

// A wire is the way to an SQS endpoint. It counts requests, and can be cut.
type wire struct {
	mu       sync.Mutex // guards all below
	server   *sqsserver.Server
	client   *http.Client
	cut      func(action string) bool // whether a request is lost on its way, or nil
	requests map[string]int           // by action
}

func newWire() *wire {
	w := &wire{requests: map[string]int{}}
	w.restart()
	return w
}

// restart puts another endpoint in the place of the one that is there, without queues.
func (w *wire) restart() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.server != nil {
		w.server.Drain()
	}
	w.server = sqsserver.New(&sqsserver.Options{Engine: engine.New(&engine.Options{Lenient: true})})
	w.client = w.server.Client()
}

// lose says which requests are lost from now on; nil means none.
func (w *wire) lose(cut func(action string) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
}

func (w *wire) count(action string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests[action]
}

var errCut = errors.New("connection refused")

// Do sends a request.
func (w *wire) Do(r *http.Request) (*http.Response, error) {
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	w.mu.Lock()
	w.requests[action]++
	lost := w.cut != nil && w.cut(action)
	client := w.client
	w.mu.Unlock()
	if lost {
		if r.Body != nil {
			io.Copy(io.Discard, r.Body)
			r.Body.Close()
		}
		return nil, errCut
	}
	return client.Do(r)
}

// all loses every request.
func all(string) bool { return true }
