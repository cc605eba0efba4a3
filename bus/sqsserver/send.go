package sqsserver

import (
	"cmp"
	"errors"
	"time"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// SendMessage and SendMessageBatch.
//
// Supported: delays, typed attributes, the system attribute AWSTraceHeader,
// groups and deduplication of FIFO queues, groups of standard queues (fair
// queues), the MD5s of all that was sent, sizes of 1 MiB for a message and for a
// batch. A batch in which one message is bad sends the others, except where AWS
// refuses the batch as a whole: for FIFO queues, an entry without group or
// deduplication id.

type sendMessage struct {
	queueURL string
	entry    sendEntry
}

// sendEntry is a message to be sent, and what came of it.
type sendEntry struct {
	id      string
	message engine.Message
	sent    engine.Sent

	emptyGroup, emptyDeduplication bool // given, and empty
}

func (e sendEntry) entryID() string { return e.id }

func (e *sendEntry) member(name []byte, r *jsonReader) {
	switch string(name) {
	case "Id":
		e.id = r.text()
	case "MessageBody":
		e.message.Body = r.text()
	case "DelaySeconds":
		if n := r.number(); n != nil {
			e.message.Delay = new(time.Duration(*n) * time.Second)
		}
	case "MessageAttributes":
		e.message.Attributes = r.messageAttributes()
	case "MessageSystemAttributes":
		e.message.TraceHeader = r.traceHeader()
	case "MessageDeduplicationId":
		id, ok := r.given()
		e.message.Deduplication, e.emptyDeduplication = id, ok && id == ""
	case "MessageGroupId":
		id, ok := r.given()
		e.message.Group, e.emptyGroup = id, ok && id == ""
	default:
		r.skip()
	}
}

// sender is a queue, or a batch of one.
type sender interface {
	Send(engine.Message) (engine.Sent, error)
}

// send gives the message to the queue. number is that of the entry in its batch,
// from 1, and 0 for a message by itself.
func (e *sendEntry) send(c *call, q sender, number int) (err error) {
	switch {
	case e.emptyGroup:
		err = spec.CheckGroup("MessageGroupId", "")
	case e.emptyDeduplication:
		err = spec.CheckGroup("MessageDeduplicationId", "")
	default:
		m := e.message
		m.TraceHeader = cmp.Or(m.TraceHeader, c.traceID())
		e.sent, err = q.Send(m)
	}
	if refused, ok := errors.AsType[*spec.Error](err); ok && number > 0 {
		return refused.InEntry("SendMessageBatchRequestEntry", number)
	}
	return err
}

// traceID returns the trace header that the request itself came with: AWS was
// recorded (2025-06) to give it to a message that has none.
func (c *call) traceID() string {
	id := c.req.Header.Get("X-Amzn-Trace-Id")
	if spec.CheckCharacters(id) != nil {
		return ""
	}
	return id
}

// write writes what AWS tells of a message that was sent.
func (e *sendEntry) write(w writer) {
	w.digest("MD5OfMessageBody", md5OfBody(e.message.Body))
	if len(e.message.Attributes) > 0 {
		w.digest("MD5OfMessageAttributes", md5OfAttributes(e.message.Attributes))
	}
	if e.message.TraceHeader != "" {
		w.digest("MD5OfMessageSystemAttributes", md5OfAttributes([]spec.NamedAttribute{{
			Name: traceHeaderName, Attribute: spec.Attribute{DataType: "String", StringValue: e.message.TraceHeader},
		}}))
	}
	w.text("MessageId", e.sent.ID)
	if e.sent.SequenceNumber != "" {
		w.text("SequenceNumber", e.sent.SequenceNumber)
	}
}

func (a *sendMessage) member(name []byte, r *jsonReader) {
	if string(name) == "QueueUrl" {
		a.queueURL = r.text()
		return
	}
	a.entry.member(name, r)
}

func (a *sendMessage) run(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	return a.entry.send(c, q, 0)
}

func (a *sendMessage) answer(w writer) { a.entry.write(w) }

type sendMessageBatch struct {
	queueURL string
	batch[sendEntry]
	failures failures
}

func (a *sendMessageBatch) member(name []byte, r *jsonReader) {
	switch string(name) {
	case "QueueUrl":
		a.queueURL = r.text()
	case "Entries":
		a.read(r, (*sendEntry).member)
	default:
		r.skip()
	}
}

func (a *sendMessageBatch) run(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	if err := a.check("SendMessageBatchRequestEntry"); err != nil {
		return err
	}
	if err := a.checkFIFO(q); err != nil {
		return err
	}
	size := 0
	for i := range a.entries {
		e := &a.entries[i]
		size += spec.MessageSize(e.message.Body, e.message.Attributes)
	}
	if size > spec.MaxMessageBytes {
		return spec.BatchTooLong(size)
	}
	return q.Batch(func(q *engine.Batch) {
		for i := range a.entries {
			e := &a.entries[i]
			a.failures.try(c, e.id, func() error { return e.send(c, q, i+1) })
		}
	})
}

// checkFIFO reports what AWS refuses a whole batch to a FIFO queue for.
func (a *sendMessageBatch) checkFIFO(q *engine.Queue) error {
	if !spec.IsFIFOName(q.Name()) {
		return nil
	}
	attrs, err := q.Attributes()
	if err != nil {
		return err
	}
	for i := range a.entries {
		e := &a.entries[i]
		if e.message.Group == "" {
			return &spec.Error{Code: spec.InvalidParameterValue, Message: spec.Missing("MessageGroupId").Message} // recorded: with this code
		}
		if e.message.Deduplication == "" && !attrs.ContentBasedDeduplication {
			return spec.NoDeduplication()
		}
	}
	return nil
}

func (a *sendMessageBatch) answer(w writer) {
	w.beginList("Successful")
	for i := range a.entries {
		e := &a.entries[i]
		if e.sent.ID == "" {
			continue
		}
		w.beginItem("SendMessageBatchResultEntry")
		w.text("Id", e.id)
		e.write(w)
		w.endItem("SendMessageBatchResultEntry")
	}
	w.endList()
	a.failures.write(w)
}
