package sqsserver

import (
	"fmt"
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

// send gives the message to the queue. number is that of the entry in its batch,
// from 1, and 0 for a message by itself.
func (e *sendEntry) send(q *engine.Queue, number int) error {
	switch {
	case e.emptyGroup:
		return badID("", "MessageGroupId")
	case e.emptyDeduplication:
		return badID("", "MessageDeduplicationId")
	}
	var err error
	e.sent, err = q.Send(e.message)
	if err != nil {
		return e.inWordsOfAWS(q, number, err)
	}
	return nil
}

const wrongType = "The request include parameter that is not valid for this queue type."

// inWordsOfAWS returns the error for a message that the queue refused, with
// AWS's text where that is known.
func (e *sendEntry) inWordsOfAWS(q *engine.Queue, number int, err error) error {
	a, gerr := q.Attributes()
	if gerr != nil {
		return gone(gerr)
	}
	m := &e.message
	switch {
	case m.Body == "" && number > 0:
		return missing(fmt.Sprintf("SendMessageBatchRequestEntry.%d.MessageBody", number))
	case m.Body == "":
		return missing("MessageBody")
	case number > 0 && spec.MessageSize(m.Body, m.Attributes) > a.MaxMessageBytes:
		return spec.Errorf(spec.InvalidParameterValue, "One or more parameters cannot be validated. Reason: Message must be shorter than %d bytes.", a.MaxMessageBytes)
	case spec.MessageSize(m.Body, m.Attributes) > a.MaxMessageBytes:
		return messageTooLong(a.MaxMessageBytes)
	case len(m.Attributes) > spec.MaxAttributes:
		return spec.Errorf(spec.InvalidParameterValue, "Number of message attributes [%d] exceeds the allowed maximum [%d].", len(m.Attributes), spec.MaxAttributes)
	case m.Delay != nil && spec.CheckDelay(*m.Delay) != nil:
		return invalidParameter(int(*m.Delay/time.Second), "DelaySeconds", fmt.Sprintf("DelaySeconds must be >= 0 and <= %d.", int(spec.MaxDelay/time.Second)))
	case m.Delay != nil && a.FIFO && *m.Delay != 0:
		return invalidParameter(int(*m.Delay/time.Second), "DelaySeconds", wrongType)
	case m.Group != "" && spec.CheckGroup("", m.Group) != nil:
		return badID(m.Group, "MessageGroupId")
	case m.Deduplication != "" && !a.FIFO:
		return invalidParameter(m.Deduplication, "MessageDeduplicationId", wrongType)
	case m.Deduplication != "" && spec.CheckGroup("", m.Deduplication) != nil:
		return badID(m.Deduplication, "MessageDeduplicationId")
	case a.FIFO && m.Group == "":
		return missing("MessageGroupId")
	case a.FIFO && m.Deduplication == "" && !a.ContentBasedDeduplication:
		return errNoDeduplication
	}
	for _, attr := range m.Attributes {
		if attr.StringValue == "" && len(attr.BinaryValue) == 0 {
			return spec.Errorf(spec.InvalidParameterValue, "Message (user) attribute '%.256s' must contain a non-empty value of type '%.256s'.", attr.Name, attr.DataType)
		}
	}
	return err
}

func badID(id, parameter string) error {
	return invalidParameter(id, parameter, parameter+" can only include alphanumeric and punctuation characters. 1 to 128 in length.")
}

var errNoDeduplication = spec.Errorf(spec.InvalidParameterValue, "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")

func messageTooLong(most int) error {
	return spec.Errorf(spec.InvalidParameterValue, "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", most)
}

func batchTooLong(size int) error {
	return spec.Errorf(spec.BatchRequestTooLong, "Batch requests cannot be longer than %d bytes. You have sent %d bytes.", spec.MaxMessageBytes, size)
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
	return a.entry.send(q, 0)
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
		return batchTooLong(size)
	}
	for i := range a.entries {
		e := &a.entries[i]
		if err := e.send(q, i+1); err != nil {
			a.failures.add(c, e.id, err)
		}
	}
	return nil
}

// checkFIFO reports what AWS refuses a whole batch to a FIFO queue for.
func (a *sendMessageBatch) checkFIFO(q *engine.Queue) error {
	if !spec.IsFIFOName(q.Name()) {
		return nil
	}
	attrs, err := q.Attributes()
	if err != nil {
		return gone(err)
	}
	for i := range a.entries {
		e := &a.entries[i]
		if e.message.Group == "" {
			return spec.Errorf(spec.InvalidParameterValue, "The request must contain the parameter MessageGroupId.")
		}
		if e.message.Deduplication == "" && !attrs.ContentBasedDeduplication {
			return errNoDeduplication
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
