package sqsbus

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"omnibus/bus"
	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// An endpoint is an SQS endpoint for tests: the JSON protocol over the engine,
// as far as this package uses it, called directly as an HTTP client. It records
// what it is asked, and misbehaves as a test says.
type endpoint struct {
	engine  *engine.Engine
	latency time.Duration     // of every request
	odd     map[string]string // attributes that it answers in the place of SQS's

	// What follows is set with set, and called by one goroutine at a time.

	// fault says how to misbehave at a call, or nil.
	fault func(*call) *fault
	// entry says with what code an entry of a batch fails, or "". One that fails
	// with unmentioned is left out of the answer.
	entry func(c *call, body string) string
	// damage says that a body is to be damaged on its way.
	damage func(body string) bool

	// move serves the actions of move tasks, or nil.
	move func(action string) any

	hooks sync.Mutex // guards those above

	mu    sync.Mutex // guards all below
	calls []*call
	moved int64 // by the latest move task
	tags  map[string]string
}

// Codes that SQS has not.
const (
	unmentioned  = "Unmentioned"
	somethingNew = "SomethingNew" // a fault of AWS's own
)

// A call is a request that was made.
type call struct {
	action string
	at     time.Time
	body   []byte
	in     request
}

// A fault is a way to misbehave.
type fault struct {
	status  int
	code    string
	message string
	query   bool  // the code goes in the header for users of the Query protocol
	drop    bool  // the connection breaks
	lost    error // why the request does not get there
	hang    bool  // no answer comes
	garbled bool  // the answer is cut off
}

func newEndpoint() *endpoint { return &endpoint{engine: engine.New(nil)} }

const (
	testOrigin = "http://127.0.0.1:9324"
	testQueue  = testOrigin + "/000000000000/donors"
)

// set calls f, which says how to misbehave from now on.
func (e *endpoint) set(f func()) {
	e.hooks.Lock()
	defer e.hooks.Unlock()
	f()
}

// misbehave returns the fault of a call.
func (e *endpoint) misbehave(c *call) *fault {
	e.hooks.Lock()
	defer e.hooks.Unlock()
	if e.fault != nil {
		if f := e.fault(c); f != nil {
			return f
		}
	}
	return &fault{}
}

// backend returns a backend that sends everything to the endpoint.
func (e *endpoint) backend() *Backend { return New(&Options{HTTPClient: e}) }

// create makes a queue.
func (e *endpoint) create(t testing.TB, name string, s spec.QueueSettings) *engine.Queue {
	t.Helper()
	q, err := e.engine.Create(name, s)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// open opens the queue donors, with parameters, and shuts it down at the end.
func (e *endpoint) open(t testing.TB, params string) *bus.Queue {
	t.Helper()
	var mux bus.Mux
	e.backend().Register(&mux)
	q, err := mux.Open(t.Context(), testQueue+params)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// shutDown shuts a queue down and checks that it went well.
func shutDown(t testing.TB, q *bus.Queue) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := q.Shutdown(ctx); err != nil {
		t.Errorf("shut down: %v", err)
	}
}

// count returns how many calls of an action there were.
func (e *endpoint) count(action string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, c := range e.calls {
		if action == "" || c.action == action {
			n++
		}
	}
	return n
}

// all returns the calls of an action.
func (e *endpoint) all(action string) []*call {
	e.mu.Lock()
	defer e.mu.Unlock()
	var cs []*call
	for _, c := range e.calls {
		if c.action == action {
			cs = append(cs, c)
		}
	}
	return cs
}

// Do makes the endpoint an HTTP client.
func (e *endpoint) Do(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	_, action, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	c := &call{action: action, at: time.Now(), body: body}
	if err := json.Unmarshal(body, &c.in); err != nil {
		return nil, fmt.Errorf("the request does not parse: %w: %s", err, body)
	}
	e.mu.Lock()
	e.calls = append(e.calls, c)
	e.mu.Unlock()
	broken := &url.Error{Op: "Post", URL: req.URL.String(), Err: io.EOF}
	if !sleep(ctx, e.latency/2) {
		return nil, ctx.Err()
	}
	f := e.misbehave(c)
	switch {
	case f.drop:
		return nil, broken
	case f.lost != nil:
		return nil, &url.Error{Op: "Post", URL: req.URL.String(), Err: f.lost}
	case f.hang:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	out, err := any(nil), error(nil)
	if f.status == 0 {
		out, err = e.serve(ctx, c)
	} else {
		err = &spec.Error{Code: spec.Code(f.code), Message: f.message}
	}
	if !sleep(ctx, e.latency/2) {
		return nil, ctx.Err()
	}
	return respond(out, err, f), nil
}

func respond(out any, err error, f *fault) *http.Response {
	header := http.Header{"Content-Type": {"application/x-amz-json-1.0"}}
	status := http.StatusOK
	var refused *spec.Error
	if errors.As(err, &refused) {
		status = http.StatusBadRequest
		if f.status != 0 {
			status = f.status
		}
		if f.query {
			header.Set("X-Amzn-Query-Error", string(refused.Code)+";Sender")
		}
		out = map[string]string{"__type": "com.amazonaws.sqs#" + strings.TrimPrefix(string(refused.Code), queryPrefix), "message": refused.Message}
	} else if err != nil {
		status, out = http.StatusInternalServerError, map[string]string{"__type": "InternalFailure", "message": err.Error()}
	}
	body, _ := json.Marshal(out)
	var r io.Reader = bytes.NewReader(body)
	if f.garbled {
		r = io.MultiReader(bytes.NewReader(body[:len(body)/2]), cutOff{})
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(r), ContentLength: int64(len(body))}
}

// cutOff is the rest of an answer whose connection broke.
type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// queue returns the queue that a URL or an ARN names.
func (e *endpoint) queue(where string) (*engine.Queue, error) {
	return e.engine.Queue(where[strings.LastIndexAny(where, "/:")+1:])
}

func queueURL(name string) string { return "http://sqs.internal:9324/000000000000/" + name }
func queueARN(name string) string { return "arn:aws:sqs:us-east-1:000000000000:" + name }

func sum(s string) string { return fmt.Sprintf("%x", md5.Sum([]byte(s))) }

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
