package sqsserver

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"omnibus/bus/spec"
)

// call is one request on its way through the server, with the memory that it
// takes. Nothing keeps a part of that after the request: what the engine stores
// are copies.
type call struct {
	server    *Server
	req       *http.Request
	query     bool // of the Query protocol
	requestID string
	place     place  // of the caller
	action    string // its name, once it is known
	queueName string // of the queue that it is for, once it is known
	body      []byte
	reader    jsonReader
	json      jsonWriter // the answer, in one of the two
	xml       xmlWriter
	w         http.ResponseWriter
	inParts   bool     // the answer is none of an error, so parts of it may be sent
	begun     bool     // one has been sent
	spoiled   *spoiled // nil unless something may go wrong
}

var calls = sync.Pool{New: func() any {
	c := &call{}
	c.json.to, c.xml.to = c, c
	return c
}}

// maxPooled keeps the memory of the rare large requests from staying. A batch of
// messages of 10 KiB is not rare: made anew for each, its memory is more garbage than
// what the messages take.
const maxPooled = 256 << 10

// firstRead is how much memory a large body gets before there are bytes to fill it.
const firstRead = 64 << 10

func newCall(s *Server, w http.ResponseWriter, r *http.Request) *call {
	c := calls.Get().(*call)
	c.server, c.w, c.req, c.query, c.requestID = s, w, r, false, newRequestID()
	c.action, c.queueName = "", ""
	c.place = s.caller(c)
	c.inParts, c.begun, c.spoiled = false, false, nil
	c.body = c.body[:0]
	return c
}

func (c *call) free() {
	if cap(c.body)+cap(c.json.buf)+cap(c.xml.buf) > maxPooled {
		return
	}
	c.server, c.w, c.req, c.reader = nil, nil, nil, jsonReader{}
	calls.Put(c)
}

// newRequestID returns a random UUID.
func newRequestID() string {
	var b [16]byte
	binary.NativeEndian.PutUint64(b[:8], rand.Uint64())
	binary.NativeEndian.PutUint64(b[8:], rand.Uint64())
	return spec.ID(b, 4)
}

// MaxRequestBytes is how much of a request's body the server reads. It is more
// than a full batch needs in the form in which its bytes take the most room that
// clients use: three for one, in both protocols.
const MaxRequestBytes = 3*spec.MaxMessageBytes + spec.MaxMessageBytes/4

// read reads the body. action is the action's name, if the protocol tells it
// before the body.
func (c *call) read(action string) error {
	if c.req.ContentLength > MaxRequestBytes {
		return c.tooLarge(action)
	}
	buf := c.body
	if n := int(c.req.ContentLength); n >= cap(buf) {
		// One more, so that the last read can find the end.
		buf = make([]byte, 0, min(n+1, firstRead))
	}
	for {
		if len(buf) == cap(buf) {
			more := max(512, len(buf))
			if missing := int(c.req.ContentLength) + 1 - len(buf); missing > 0 {
				more = min(more, missing) // a body in memory takes no more than it has
			}
			buf = slices.Grow(buf, more)
		}
		n, err := c.req.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		c.body = buf
		switch {
		case len(buf) > MaxRequestBytes:
			return c.tooLarge(action)
		case err == io.EOF:
			return nil
		case err != nil:
			return spec.Errorf(codeSerialization, "The request's body could not be read.")
		}
	}
}

// tooLarge is the error of a request that cannot but hold too large a message.
func (c *call) tooLarge(action string) error {
	if action == "SendMessageBatch" || bytes.Contains(c.body, []byte("Action=SendMessageBatch&")) {
		return spec.BatchTooLong(max(int(c.req.ContentLength), len(c.body)))
	}
	return spec.TooLong(spec.MaxMessageBytes)
}

// send sends the answer, or what of it has not been sent.
func (c *call) send(status int, answer []byte) {
	if !c.begun {
		h := c.w.Header()
		values := [...]string{c.requestID, strconv.Itoa(len(answer))} // one allocation for both
		h["X-Amzn-Requestid"] = values[0:1:1]
		h["Content-Length"] = values[1:2:2]
		c.w.WriteHeader(status)
	}
	if c.spoiled != nil && c.spoiled.Drop == DropAmid {
		c.cut(answer)
	}
	_, _ = c.w.Write(answer) // an error is that the client has gone; there is nobody to tell
}

// An action is one action of the API, for one request: it takes the request's
// members and runs. One that answers more than its success is an answerer.
type action interface {
	// member reads the value of a member of the request, or skips it when the
	// action has no such member. name is valid until it returns.
	member(name []byte, r *jsonReader)
	run(c *call) error
}

type answerer interface{ answer(w writer) }

// actions makes an action of each name.
var actions = map[string]func() action{
	"AddPermission":                func() action { return &addPermission{} },
	"CancelMessageMoveTask":        func() action { return &cancelMessageMoveTask{} },
	"ChangeMessageVisibility":      func() action { return &changeMessageVisibility{} },
	"ChangeMessageVisibilityBatch": func() action { return &changeMessageVisibilityBatch{} },
	"CreateQueue":                  func() action { return &createQueue{} },
	"DeleteMessage":                func() action { return &deleteMessage{} },
	"DeleteMessageBatch":           func() action { return &deleteMessageBatch{} },
	"DeleteQueue":                  func() action { return &deleteQueue{} },
	"GetQueueAttributes":           func() action { return &getQueueAttributes{} },
	"GetQueueUrl":                  func() action { return &getQueueURL{} },
	"ListDeadLetterSourceQueues":   func() action { return &listDeadLetterSourceQueues{} },
	"ListMessageMoveTasks":         func() action { return &listMessageMoveTasks{} },
	"ListQueueTags":                func() action { return &listQueueTags{} },
	"ListQueues":                   func() action { return &listQueues{} },
	"PurgeQueue":                   func() action { return &purgeQueue{} },
	"ReceiveMessage":               func() action { return &receiveMessage{} },
	"RemovePermission":             func() action { return &removePermission{} },
	"SendMessage":                  func() action { return &sendMessage{} },
	"SendMessageBatch":             func() action { return &sendMessageBatch{} },
	"SetQueueAttributes":           func() action { return &setQueueAttributes{} },
	"StartMessageMoveTask":         func() action { return &startMessageMoveTask{} },
	"TagQueue":                     func() action { return &tagQueue{} },
	"UntagQueue":                   func() action { return &untagQueue{} },
}

// waitContext returns a context that ends with the request or when the server
// drains.
func (c *call) waitContext() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(c.req.Context())
	stop := context.AfterFunc(c.server.draining, cancel)
	return ctx, func() { stop(); cancel() }
}

// errClientGone is the error of a request that nobody reads the answer of. It is
// not answered.
var errClientGone = errors.New("sqsserver: the client has gone")

// isContextError reports that a receive ended because its context did.
func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
