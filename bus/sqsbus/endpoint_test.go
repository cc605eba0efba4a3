package sqsbus

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"omnibus/bus"
	"omnibus/bus/engine"
	"omnibus/bus/spec"
	"omnibus/bus/sqsserver"
)

// An endpoint is the local SQS endpoint, called directly as an HTTP client. It
// records what it is asked, misbehaves as a test says, and is odd in ways that no SQS
// is.
type endpoint struct {
	engine  *engine.Engine
	server  *http.Client
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

	// move answers the actions of move tasks, or is nil.
	move func(action string) any

	hooks sync.Mutex // guards those above

	mu    sync.Mutex // guards all below
	calls []*call
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
	fault  fault
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

const (
	testOrigin = "http://127.0.0.1:9324"
	testQueue  = testOrigin + "/000000000000/donors"
)

func newEndpoint() *endpoint {
	e := &endpoint{engine: engine.New(nil)}
	e.server = sqsserver.New(&sqsserver.Options{Engine: e.engine, ExternalURL: "http://sqs.internal:9324", Fault: e.misbehave}).Client()
	return e
}

// set calls f, which says how to misbehave from now on.
func (e *endpoint) set(f func()) {
	e.hooks.Lock()
	defer e.hooks.Unlock()
	f()
}

type callKey struct{}

// misbehave returns what goes wrong with a call.
func (e *endpoint) misbehave(served *sqsserver.Call) sqsserver.Fault {
	c := served.Request.Context().Value(callKey{}).(*call)
	out := sqsserver.Fault{Before: e.latency / 2, After: e.latency / 2, Reverse: true, Fail: map[string]spec.Code{}}
	e.hooks.Lock()
	defer e.hooks.Unlock()
	if e.fault != nil {
		if f := e.fault(c); f != nil {
			c.fault = *f
		}
	}
	switch f := &c.fault; {
	case f.drop, f.lost != nil:
		out.Drop = sqsserver.DropBefore
	case f.hang:
		out.Before = math.MaxInt64
	case f.garbled:
		out.Drop = sqsserver.DropAmid
	case f.status != 0:
		out.Refuse, out.Message, out.Status = spec.Code(f.code), f.message, f.status
		return out
	}
	for _, in := range served.Entries {
		if e.entry != nil && in.ID != "" {
			out.Fail[in.ID] = spec.Code(e.entry(c, in.Body+in.Receipt))
		}
	}
	return out
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
	req = req.WithContext(context.WithValue(req.Context(), callKey{}, c))
	req.Body = io.NopCloser(bytes.NewReader(body))
	if out := e.moved(c); out != nil {
		return respond(http.StatusOK, out), nil
	}
	answer, err := e.server.Do(req)
	switch {
	case c.fault.lost != nil:
		return nil, &url.Error{Op: "Post", URL: req.URL.String(), Err: c.fault.lost}
	case err != nil || c.fault.garbled:
		return answer, err
	case c.fault.status != 0 && !c.fault.query:
		answer.Header.Del("X-Amzn-Query-Error")
	case answer.StatusCode == http.StatusOK:
		return e.distort(c, answer)
	}
	return answer, nil
}

func respond(status int, out any) *http.Response {
	body, _ := json.Marshal(out)
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// moved returns the test's own answer to an action of move tasks.
func (e *endpoint) moved(c *call) (out any) {
	e.set(func() {
		if e.move != nil && strings.Contains(c.action, "MessageMoveTask") {
			out = e.move(c.action)
		}
	})
	return out
}

type object = map[string]any

// distort makes an answer as odd as the test says.
func (e *endpoint) distort(c *call, answer *http.Response) (*http.Response, error) {
	e.hooks.Lock()
	defer e.hooks.Unlock()
	if e.entry == nil && e.damage == nil && e.odd == nil {
		return answer, nil
	}
	var out object
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		return nil, err
	}
	if attrs, ok := out["Attributes"].(object); ok {
		for name, value := range e.odd {
			attrs[name] = value
		}
	}
	var failed []any
	for _, f := range elements(out, "Failed") {
		switch f := f.(object); f["Code"] {
		case unmentioned:
			continue
		case somethingNew:
			f["SenderFault"] = false
		}
		failed = append(failed, f)
	}
	out["Failed"] = failed
	if e.damage != nil {
		e.damaged(c, out)
	}
	return respond(http.StatusOK, out), nil
}

func elements(out object, name string) []any {
	list, _ := out[name].([]any)
	return list
}

// damaged has bodies be damaged on their way.
func (e *endpoint) damaged(c *call, out object) {
	for _, m := range elements(out, "Messages") {
		m := m.(object)
		if body := m["Body"].(string); e.damage(body) {
			m["Body"] = body + "?"
		}
	}
	for _, sent := range elements(out, "Successful") {
		for _, in := range c.in.Entries {
			if sent := sent.(object); in.Id == sent["Id"] && c.action == "SendMessageBatch" && e.damage(in.MessageBody) {
				sent["MD5OfMessageBody"] = fmt.Sprintf("%x", md5.Sum([]byte(in.MessageBody+"?")))
			}
		}
	}
}

// request has those members of requests that tests look at.
type request struct {
	MaxNumberOfMessages                int
	VisibilityTimeout, WaitTimeSeconds *int
	Entries                            []wireEntry
	ReceiveRequestAttemptId            string
}

type wireMessage struct {
	MessageBody                            string
	DelaySeconds                           *int
	MessageAttributes                      map[string]wireAttribute
	MessageGroupId, MessageDeduplicationId string
}

type wireEntry struct {
	wireMessage
	Id, ReceiptHandle string
	VisibilityTimeout int
}

type wireAttribute struct {
	DataType    string
	StringValue string `json:",omitempty"`
	BinaryValue []byte `json:",omitempty"`
}

// engineSend sends a message past the protocol.
func (e *endpoint) engineSend(t testing.TB, m wireMessage) {
	t.Helper()
	q, err := e.engine.Queue("donors")
	if err != nil {
		t.Error(err)
		return
	}
	sendTo(t, q, m)
}

func sendTo(t testing.TB, q *engine.Queue, m wireMessage) {
	t.Helper()
	in := engine.Message{Body: m.MessageBody, Group: m.MessageGroupId, Deduplication: m.MessageDeduplicationId}
	for name, a := range m.MessageAttributes {
		in.Attributes = append(in.Attributes, spec.NamedAttribute{Name: name, Attribute: spec.Attribute(a)})
	}
	if m.DelaySeconds != nil {
		in.Delay = new(time.Duration(*m.DelaySeconds) * time.Second)
	}
	if _, err := q.Send(in); err != nil {
		t.Error(err)
	}
}
