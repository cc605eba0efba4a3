package sqsserver

import (
	"net/http"
	"strings"
	"time"

	"omnibus/bus/spec"
)

// A Fault is what goes wrong with one request. The zero value is nothing. Several may
// go wrong with one: they do in the order of the fields.
//
// What a client cannot tell apart it must take to be either: after DropBefore the
// request has had no effect and after DropAfter it has, and both look the same.
type Fault struct {
	// Before is how long the request waits before it has its effect. One that is
	// longer than the client's patience makes a request that hangs and has none.
	// The wait ends with the request, and when the server drains.
	Before time.Duration

	// Refuse is the code of the error that is answered in the place of an effect, if
	// there is one: Throttled, Unavailable, or any other. Message is its text, and
	// Status the status of HTTP, 0 for the one that the code has on AWS.
	Refuse  spec.Code
	Message string
	Status  int

	// Fail has entries of a batch fail by themselves, with a code for each. Its keys
	// are their ids. The other entries have their effect.
	Fail map[string]spec.Code

	// Twice has the request have its effect twice, as a standard queue of SQS may:
	// it delivers at least once. A message is sent a second time, which a FIFO queue
	// deduplicates. One that is received from a standard queue becomes visible again
	// at once, so that the next receive gets it too. Other requests are repeated,
	// which makes no difference to most. The answer is that of the first time.
	Twice bool

	// After is how long the answer waits once there is an effect. One that is longer
	// than the client's patience makes a request that hangs and has had its effect.
	After time.Duration

	// Reverse has the entries of a batch answered last first: SQS promises no order,
	// and clients are to match them by their ids.
	Reverse bool

	// Drop has the connection end in the place of an answer.
	Drop Drop
}

// A Drop says when a connection ends.
type Drop int

// When a connection ends. The zero value is never.
const (
	DropBefore Drop = 1 + iota // before the effect, which there is none of
	DropAfter                  // after the effect, without an answer
	DropAmid                   // after the effect, in the middle of the answer
)

// Codes of faults that are AWS's own, and pass. A request or an entry that gets one
// may be tried again.
const (
	Throttled     spec.Code = "ThrottlingException"
	Unavailable   spec.Code = "ServiceUnavailable"
	InternalError spec.Code = "InternalError" // of entries; of requests it is InternalFailure
)

// A Call is a request that the server is about to carry out, as [Options].Fault sees
// it. It is read only, and its Request is not to be kept.
type Call struct {
	Action  string        // its name, such as SendMessageBatch
	Queue   string        // the name of its queue, "" of an action that names none
	Entries []Entry       // of a batch in order, ten at most; of an action on one message that alone
	Request *http.Request // as it came, with its body read
}

// An Entry is a message of a [Call].
type Entry struct {
	ID      string // in its batch; "" of a message by itself
	Body    string // of a message to be sent
	Receipt string // the receipt handle of one to be deleted or changed
}

// spoiled is a call that something may go wrong with.
type spoiled struct {
	Fault
	seen     seenCall
	document []byte // the request in JSON, until the call ends
}

// carryOut runs an action, with what is to go wrong with it.
func (c *call) carryOut(a action) error {
	if c.server.fault == nil {
		return a.run(c)
	}
	return c.misbehave(a)
}

func (c *call) misbehave(a action) error {
	f := c.spoiled
	f.Fault = c.server.fault(f.seen.call(c))
	if err := c.pass(f.Before); err != nil {
		return err
	}
	switch {
	case f.Drop == DropBefore:
		panic(http.ErrAbortHandler)
	case f.Refuse != "":
		return f.error(f.Refuse)
	}
	err := a.run(c)
	if err == nil && f.Twice {
		err = c.repeat(a)
	}
	if b, ok := a.(interface{ reverse() }); ok && f.Reverse {
		b.reverse()
	}
	if gone := c.pass(f.After); gone != nil {
		return gone
	}
	if f.Drop == DropAfter {
		panic(http.ErrAbortHandler)
	}
	return err
}

func (f *Fault) error(code spec.Code) *spec.Error {
	if f.Message == "" {
		return spec.Errorf(code, "A fault that was asked for.")
	}
	return &spec.Error{Code: code, Message: f.Message}
}

// refused returns the status of an error.
func (c *call) refused(status int) int {
	if c.spoiled != nil && c.spoiled.Refuse != "" && c.spoiled.Status != 0 {
		return c.spoiled.Status
	}
	return status
}

// fails returns the error that an entry of a batch is to fail with.
func (c *call) fails(id string) error {
	if c.spoiled == nil || c.spoiled.Fail[id] == "" {
		return nil
	}
	return c.spoiled.error(c.spoiled.Fail[id])
}

// pass lets time pass.
func (c *call) pass(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	ctx, cancel := c.waitContext()
	defer cancel()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	if c.req.Context().Err() != nil {
		return errClientGone
	}
	return nil
}

// repeat has the effect of an action a second time. What comes of that nobody is told.
func (c *call) repeat(a action) error {
	if r, ok := a.(*receiveMessage); ok {
		return r.deliverAgain(c)
	}
	again := actions[c.action]()
	if err := c.decode(again, c.spoiled.document); err != nil {
		return err
	}
	_ = again.run(c)
	return nil
}

// deliverAgain makes what was received from a standard queue visible again.
func (a *receiveMessage) deliverAgain(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil || spec.IsFIFOName(q.Name()) {
		return err
	}
	for i := range a.taken {
		_ = q.ChangeVisibility(a.taken[i].ReceiptHandle(), 0) // who has deleted it since got it first
	}
	return nil
}

// cut ends the connection in the middle of an answer, which is not all sent yet.
func (c *call) cut(answer []byte) {
	_, _ = c.w.Write(answer[:len(answer)/2])
	_ = http.NewResponseController(c.w).Flush() // a writer that cannot has sent nothing, which is as good
	panic(http.ErrAbortHandler)
}

// look reads from a request what a fault function is told.
func (c *call) look(document []byte) {
	c.spoiled = &spoiled{document: document}
	c.reader = jsonReader{data: document}
	c.reader.object(func(name []byte) { c.spoiled.seen.member(name, &c.reader) })
}

// seenCall has the members of requests that say what they are about.
type seenCall struct {
	queueURL, queueName, source string
	one                         Entry
	batch                       batch[Entry]
}

func (s *seenCall) member(name []byte, r *jsonReader) {
	switch string(name) {
	case "QueueUrl":
		s.queueURL = r.text()
	case "QueueName":
		s.queueName = r.text()
	case "SourceArn":
		s.source = r.text()
	case "Entries":
		s.batch.read(r, (*Entry).member)
	default:
		s.one.member(name, r)
	}
}

func (e Entry) entryID() string { return e.ID }

func (e *Entry) member(name []byte, r *jsonReader) {
	switch string(name) {
	case "Id":
		e.ID = r.text()
	case "MessageBody":
		e.Body = r.text()
	case "ReceiptHandle":
		e.Receipt = r.text()
	default:
		r.skip()
	}
}

// call returns the call as the fault function sees it.
func (s *seenCall) call(c *call) *Call {
	out := &Call{Action: c.action, Entries: s.batch.entries, Request: c.req}
	if s.one != (Entry{}) {
		out.Entries = []Entry{s.one}
	}
	switch {
	case s.queueName != "":
		out.Queue = s.queueName
	case s.source != "":
		out.Queue = s.source[strings.LastIndexByte(s.source, ':')+1:]
	case s.queueURL != "":
		_, out.Queue = splitQueueURL(s.queueURL)
	case c.action != "CreateQueue" && c.action != "ListQueues":
		_, out.Queue = splitQueueURL(c.req.URL.Path)
	}
	return out
}
