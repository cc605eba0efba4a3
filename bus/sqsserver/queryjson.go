package sqsserver

import (
	"strings"

	"omnibus/bus/spec"
)

// A client of the Query protocol gets its answer as JSON if its header Accept asks
// for that, as AWS was recorded (2024-05) to answer ListQueues: the elements of the
// XML as members, by their names in the JSON protocol.

func (c *call) acceptsJSON() bool {
	return strings.Contains(c.req.Header.Get("Accept"), "application/json")
}

// startJSON makes the answer one in JSON.
func (c *call) startJSON() *jsonWriter {
	c.w.Header()["Content-Type"] = []string{"application/json"}
	c.json.buf = c.json.buf[:0]
	return &c.json
}

func (c *call) writeQueryAnswerInJSON(action string, a action) {
	w := c.startJSON()
	c.inParts = true
	w.begin()
	w.name(action + "Response")
	w.begin()
	if a, ok := a.(answerer); ok {
		w.name(action + "Result")
		w.begin()
		a.answer(w)
		w.end()
	}
	w.name("ResponseMetadata")
	w.begin()
	w.text("RequestId", c.requestID)
	w.end()
	w.end()
	w.end()
}

func (c *call) writeQueryErrorInJSON(e *spec.Error) (status int) {
	w := c.startJSON()
	w.begin()
	w.name("Error")
	w.begin()
	w.text("Type", fault(e.Code))
	w.text("Code", queryCode(e.Code))
	w.text("Message", queryMessage(e))
	w.end()
	w.text("RequestId", c.requestID)
	w.end()
	return errorNames[e.Code].statusCode()
}
