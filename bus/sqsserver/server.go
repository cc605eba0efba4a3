package sqsserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// Options configure a server. The zero value is an empty engine, as strict as
// SQS, in us-east-1, with the account 000000000000.
type Options struct {
	Engine  *engine.Engine // holds the queues; nil means a new one
	Region  string         // of requests that are not signed; default us-east-1
	Account string         // of requests whose access key is not 12 digits; default 000000000000

	// ExternalURL is what queue URLs begin with, where clients reach the server
	// by another address than their requests say: scheme, host, and a path if
	// need be.
	ExternalURL string

	// Fault makes the server misbehave, for the tests of those who use it. It is
	// asked what is to go wrong with a request before that has any effect, in the
	// goroutine that serves it, so by many at a time. nil is for a server that does
	// what it can, and costs nothing.
	Fault func(*Call) Fault
}

// A Server is an SQS endpoint: an [http.Handler]. It is safe for concurrent use
// and starts no goroutine.
type Server struct {
	engine   *engine.Engine
	own      place      // of requests that say no other
	external string     // ExternalURL, without a final slash
	policies sync.Mutex // makes a change of a queue's Policy one step
	fault    func(*Call) Fault
	draining context.Context
	drain    context.CancelFunc
}

// CheckOptions reports a region that has other characters than a-z, 0-9 and
// hyphens, an account that is not 12 digits, and an external URL that is none.
func CheckOptions(o *Options) error {
	for _, c := range o.Region {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return fmt.Errorf("sqsserver: region %q has characters other than a-z, 0-9 and hyphens", o.Region)
		}
	}
	if o.Account != "" && !spec.IsAccount(o.Account) {
		return fmt.Errorf("sqsserver: account %q is not 12 digits", o.Account)
	}
	if o.ExternalURL != "" {
		return checkExternalURL(o.ExternalURL)
	}
	return nil
}

// New returns a server. opts may be nil. It panics when [CheckOptions] refuses
// them.
func New(opts *Options) *Server {
	if opts == nil {
		opts = &Options{}
	}
	if err := CheckOptions(opts); err != nil {
		panic(err)
	}
	s := &Server{engine: opts.Engine, own: place{account: opts.Account, region: opts.Region}, external: strings.TrimRight(opts.ExternalURL, "/"), fault: opts.Fault}
	if s.engine == nil {
		s.engine = engine.New(nil)
	}
	if s.own.region == "" {
		s.own.region = "us-east-1"
	}
	if s.own.account == "" {
		s.own.account = "000000000000"
	}
	s.draining, s.drain = context.WithCancel(context.Background())
	return s
}

// Engine returns the engine that holds the server's queues.
func (s *Server) Engine() *engine.Engine { return s.engine }

// Drain has the receives that wait for a message answer at once that there is
// none, and those to come not wait. Requests are answered as before, so
// [http.Server.Shutdown] after it does not wait for long polls.
func (s *Server) Drain() { s.drain() }

// ServeHTTP answers one request of either protocol.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := newCall(s, w, r)
	defer c.free()
	if target := r.Header["X-Amz-Target"]; len(target) > 0 {
		c.serveJSON(target[0])
	} else {
		c.serveQuery()
	}
}

// Content types, as values of a header. They are shared by all answers.
var (
	jsonType = []string{"application/x-amz-json-1.0"}
	xmlType  = []string{"text/xml"}
)

func (c *call) serveJSON(target string) {
	answer := &c.json
	answer.buf = answer.buf[:0]
	h := c.w.Header()
	h["Content-Type"] = jsonType
	status := http.StatusOK
	a, err := c.decodeJSON(target)
	if err == nil {
		err = c.carryOut(a)
	}
	c.describe()
	switch {
	case err == errClientGone:
		return
	case err != nil:
		status = c.refused(answer.writeError(h, asSpecError(err)))
	default:
		c.inParts = true
		answer.begin()
		if a, ok := a.(answerer); ok {
			a.answer(answer)
		}
		answer.end()
	}
	c.send(status, answer.buf)
}

const targetPrefix = "AmazonSQS."

func (c *call) decodeJSON(target string) (action, error) {
	if c.req.Method != http.MethodPost || len(target) < len(targetPrefix) || target[:len(targetPrefix)] != targetPrefix {
		return nil, spec.Errorf(codeUnknownOperation, "The requested operation is not a POST of AmazonSQS.")
	}
	name := target[len(targetPrefix):]
	newAction := actions[name]
	if newAction == nil {
		return nil, spec.Errorf(codeUnknownOperation, "The operation %.80q does not exist.", name)
	}
	c.action = name
	if err := c.misplaced(name); err != nil {
		return nil, err
	}
	if err := c.read(name); err != nil {
		return nil, err
	}
	a := newAction()
	return a, c.decode(a, c.body)
}

// decode reads a JSON document into an action. No document at all is an empty
// structure.
func (c *call) decode(a action, body []byte) error {
	if c.server.fault != nil && c.spoiled == nil {
		c.look(body)
	}
	if len(body) == 0 {
		return nil
	}
	c.reader = jsonReader{data: body}
	c.reader.object(func(name []byte) { a.member(name, &c.reader) })
	return c.reader.end()
}

const xmlNamespace = "http://queue.amazonaws.com/doc/2012-11-05/"

func (c *call) serveQuery() {
	c.query = true
	answer := &c.xml
	answer.buf = answer.buf[:0]
	h := c.w.Header()
	h["Content-Type"] = xmlType
	status := http.StatusOK
	name, a, err := c.decodeQuery()
	if err == nil {
		err = c.carryOut(a)
	}
	c.describe()
	switch {
	case err == errClientGone:
		return
	case err == errNoRequest:
		status = http.StatusNotFound
		answer.buf = append(answer.buf, "<UnknownOperationException/>\n"...)
	case err != nil:
		e := asSpecError(err)
		if e.Code == codeSerialization { // a code of the JSON protocol's only
			e = &spec.Error{Code: spec.InvalidParameterValue, Message: e.Message}
		}
		if c.acceptsJSON() {
			c.send(c.refused(c.writeQueryErrorInJSON(e)), c.json.buf)
			return
		}
		status = c.refused(answer.writeError(e, c.requestID))
	case c.acceptsJSON():
		c.writeQueryAnswerInJSON(name, a)
		c.send(status, c.json.buf)
		return
	default:
		c.inParts = true
		answer.buf = append(answer.buf, `<?xml version="1.0"?><`+name+`Response xmlns="`+xmlNamespace+`">`...)
		if a, ok := a.(answerer); ok {
			answer.open(name + "Result")
			a.answer(answer)
			answer.close(name + "Result")
		}
		answer.open("ResponseMetadata")
		answer.text("RequestId", c.requestID)
		answer.close("ResponseMetadata")
		answer.close(name + "Response")
	}
	c.send(status, answer.buf)
}

// errNoRequest is the error of a GET that names no action, as a browser's or a
// probe's. AWS takes it for none of its requests.
var errNoRequest = errors.New("sqsserver: not a request of SQS")

func (c *call) decodeQuery() (name string, a action, err error) {
	form, err := c.form()
	if err != nil {
		return "", nil, err
	}
	name = form.get("Action")
	switch {
	case name == "" && c.req.Method == http.MethodGet:
		return "", nil, errNoRequest
	case name == "":
		return "", nil, spec.Errorf("MissingAction", "The request must contain the parameter Action.")
	}
	newAction := actions[name]
	if newAction == nil {
		return "", nil, noAction(name)
	}
	c.action = name
	if err := c.misplaced(name); err != nil {
		return "", nil, err
	}
	body, err := form.document()
	if err != nil {
		return "", nil, err
	}
	a = newAction()
	return name, a, c.decode(a, body)
}

// Actions returns the names of the actions that the server has, sorted.
func Actions() []string {
	var names []string
	for name := range actions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
