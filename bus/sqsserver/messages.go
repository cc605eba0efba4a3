package sqsserver

import (
	"net/http"
	"strconv"

	"omnibus/bus/spec"
)

const (
	defaultShown = 100
	maxShown     = 10_000
)

// ServeMessages answers with the messages of the queue in the parameter QueueUrl
// that are ready to be received, next first, and receives none of them: their
// visibility, counts and times stay as they are. It is meant for tests, and is no
// action of SQS. The answer is that of ReceiveMessage in JSON, with all attributes
// and an empty receipt handle. The parameter Max is how many, 1 to 10,000, 100
// unless it says otherwise.
func (s *Server) ServeMessages(w http.ResponseWriter, r *http.Request) {
	c := newCall(s, w, r)
	defer c.free()
	c.action = "messages"
	answer := &c.json
	answer.buf = answer.buf[:0]
	h := w.Header()
	h["Content-Type"] = []string{"application/json"}
	shown, err := c.peek()
	c.describe()
	status := http.StatusOK
	if err != nil {
		status = answer.writeError(h, asSpecError(err))
	} else {
		c.inParts = true
		answer.begin()
		shown.answer(answer)
		answer.end()
	}
	c.send(status, answer.buf)
}

// peek returns what a receive would, of as many messages as are asked for.
func (c *call) peek() (*receiveMessage, error) {
	query := c.req.URL.Query()
	url := query.Get("QueueUrl")
	if url == "" {
		return nil, spec.Missing("QueueUrl")
	}
	n := defaultShown
	if text := query.Get("Max"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 || n > maxShown {
			return nil, spec.InvalidParameter(text, "Max", "Must be between 1 and 10000, if provided.")
		}
	}
	q, err := c.queue(url)
	if err != nil {
		return nil, err
	}
	deliveries, err := q.Peek(n)
	if err != nil {
		return nil, err
	}
	return &receiveMessage{server: c.server, peeked: deliveries, system: allSystem, names: []string{"All"}}, nil
}
