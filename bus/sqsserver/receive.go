package sqsserver

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// ReceiveMessage.
//
// Supported: long polls, which take nothing when the client goes away; the
// request's own visibility timeout; system attributes by
// MessageSystemAttributeNames and by the older AttributeNames; message
// attributes by name, by prefix ("bar.*") and All; ReceiveRequestAttemptId on
// FIFO queues; at most 120,000 messages in flight, over which a short poll of a
// standard queue fails, and a long poll waits.
//
// Not as on AWS: there is no sampling, so a receive gets as many messages as are
// there and were asked for. Nobody signs in, so SenderId is always the account's
// id.

type receiveMessage struct {
	queueURL   string
	request    engine.ReceiveRequest
	max        *int
	visibility *int
	wait       *int
	system     systemAttributes
	badName    string   // the first that is not the name of a system attribute
	names      []string // of message attributes
	server     *Server
	account    string
	taken      []engine.Taken
	peeked     []engine.Delivery // instead
}

func (a *receiveMessage) member(name []byte, r *jsonReader) {
	switch string(name) {
	case "QueueUrl":
		a.queueURL = r.text()
	case "AttributeNames", "MessageSystemAttributeNames":
		r.array(func() { a.systemName(r) })
	case "MessageAttributeNames":
		a.names = r.texts()
	case "MaxNumberOfMessages":
		a.max = r.number()
	case "VisibilityTimeout":
		a.visibility = r.number()
	case "WaitTimeSeconds":
		a.wait = r.number()
	case "ReceiveRequestAttemptId":
		a.request.Attempt = r.text()
	default:
		r.skip()
	}
}

// systemName reads the name of a system attribute. AttributeNames was defined
// over the names of queue attributes too, which select nothing.
func (a *receiveMessage) systemName(r *jsonReader) {
	if !r.begins('"', "a String") {
		return
	}
	name := r.quoted()
	for _, s := range systemAttributeNames {
		if string(name) == s.name {
			a.system |= s.bit
			return
		}
	}
	if a.badName == "" && !slices.Contains(queueAttributeNames, string(name)) {
		a.badName = string(name)
	}
}

func (a *receiveMessage) run(c *call) error {
	a.server, a.account = c.server, c.place.account
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	if a.badName != "" {
		return spec.UnknownAttribute(a.badName)
	}
	if err := a.check(q); err != nil {
		return err
	}
	// Most receives find something, or do not wait: they need no context that
	// ends when the server drains.
	first := a.request
	first.Wait = new(time.Duration(0))
	a.taken, err = q.Take(c.req.Context(), first)
	short := c.server.draining.Err() != nil || a.wait != nil && *a.wait == 0
	if len(a.taken) > 0 || short || err != nil && !errors.Is(err, spec.OverLimit) { // for which a long poll waits
		return receiveError(c, err)
	}
	ctx, cancel := c.waitContext()
	defer cancel()
	a.request.Gone = hungUp(ctx)
	a.taken, err = q.Take(ctx, a.request)
	return receiveError(c, err)
}

// receiveError returns the error of a receive, which is none when the server
// drains.
func receiveError(c *call, err error) error {
	switch {
	case isContextError(err) && (c.req.Context().Err() != nil || c.server.draining.Err() == nil):
		return errClientGone
	case isContextError(err):
		return nil // the server drains
	}
	return err
}

// check takes the numbers into the request.
func (a *receiveMessage) check(q *engine.Queue) error {
	if a.max != nil {
		if err := spec.CheckMaxMessages(*a.max); err != nil { // 0 too, which to the engine is none given
			return err
		}
		a.request.Max = *a.max
	}
	if a.visibility != nil {
		a.request.Visibility = new(time.Duration(*a.visibility) * time.Second)
	}
	if a.wait != nil {
		a.request.Wait = new(time.Duration(*a.wait) * time.Second)
		if err := spec.CheckWait(*a.request.Wait); err != nil { // the first receive does not wait
			return err
		}
	}
	if a.request.Attempt != "" && !spec.IsFIFOName(q.Name()) {
		return spec.NotForType(a.request.Attempt, "ReceiveRequestAttemptId", q.Name())
	}
	return nil
}

func (a *receiveMessage) answer(w writer) {
	if len(a.taken)+len(a.peeked) == 0 {
		return
	}
	w.beginList("Messages")
	for i := range a.taken {
		d := a.taken[i].Delivery()
		a.write(w, &d)
	}
	for i := range a.peeked {
		a.write(w, &a.peeked[i])
	}
	w.endList()
}

func (a *receiveMessage) write(w writer, d *engine.Delivery) {
	w.beginItem("Message")
	w.text("MessageId", d.ID)
	w.text("ReceiptHandle", d.ReceiptHandle)
	w.digest("MD5OfBody", md5OfBody(d.Body))
	w.text("Body", d.Body)
	a.writeSystem(w, d)
	writeAttributes(w, selectAttributes(d.Attributes, a.names))
	w.endItem("Message")
}

// systemAttributes is a set of system attributes.
type systemAttributes uint16

const (
	senderID systemAttributes = 1 << iota
	sentTimestamp
	receiveCount
	firstReceived
	sequenceNumber
	deduplicationID
	groupID
	traceHeader
	deadLetterSource
	allSystem = 1<<iota - 1
)

var systemAttributeNames = []struct {
	name string
	bit  systemAttributes
}{
	{"All", allSystem},
	{"SenderId", senderID},
	{"SentTimestamp", sentTimestamp},
	{"ApproximateReceiveCount", receiveCount},
	{"ApproximateFirstReceiveTimestamp", firstReceived},
	{"SequenceNumber", sequenceNumber},
	{"MessageDeduplicationId", deduplicationID},
	{"MessageGroupId", groupID},
	{"AWSTraceHeader", traceHeader},
	{"DeadLetterQueueSourceArn", deadLetterSource},
}

// writeSystem writes the system attributes of a message that were asked for and
// that it has.
func (a *receiveMessage) writeSystem(w writer, d *engine.Delivery) {
	if a.system == 0 {
		return
	}
	w.beginMap("Attributes")
	write := func(bit systemAttributes, name, value string) {
		if a.system&bit != 0 && value != "" {
			w.textEntry("Attribute", "Name", name, value)
		}
	}
	write(senderID, "SenderId", a.account)
	if a.system&sentTimestamp != 0 {
		write(sentTimestamp, "SentTimestamp", strconv.FormatInt(d.Sent.UnixMilli(), 10))
	}
	if a.system&receiveCount != 0 {
		write(receiveCount, "ApproximateReceiveCount", strconv.Itoa(d.ReceiveCount))
	}
	if a.system&firstReceived != 0 {
		write(firstReceived, "ApproximateFirstReceiveTimestamp", strconv.FormatInt(d.FirstReceived.UnixMilli(), 10))
	}
	write(sequenceNumber, "SequenceNumber", d.SequenceNumber)
	write(deduplicationID, "MessageDeduplicationId", d.Deduplication)
	write(groupID, "MessageGroupId", d.Group)
	write(traceHeader, "AWSTraceHeader", d.TraceHeader)
	if d.DeadLetterSource != "" {
		write(deadLetterSource, "DeadLetterQueueSourceArn", a.server.ARN(d.DeadLetterSource))
	}
	w.endMap()
}
