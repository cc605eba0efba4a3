package sqsserver

import (
	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// DeleteMessage and DeleteMessageBatch.
//
// Supported: deleting with the latest receipt handle of a message, and on a
// standard queue with one whose visibility timeout is over, as long as nobody
// else has received the message. An older handle succeeds and deletes nothing
// while a newer delivery holds the message; on a FIFO queue an expired one is
// refused.

type deleteMessage struct {
	queueURL string
	receipt  string
}

func (a *deleteMessage) member(name []byte, r *jsonReader) {
	switch string(name) {
	case "QueueUrl":
		a.queueURL = r.text()
	case "ReceiptHandle":
		a.receipt = r.text()
	default:
		r.skip()
	}
}

func (a *deleteMessage) run(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	return deleteReceipt(q, a.receipt)
}

// deleter is a queue, or a batch of one.
type deleter interface {
	Delete(receiptHandle string) (bool, error)
}

func deleteReceipt(q deleter, receipt string) error {
	if receipt == "" {
		return spec.Missing("ReceiptHandle")
	}
	_, err := q.Delete(receipt)
	return err
}

type deleteMessageBatch struct {
	queueURL string
	batch[deleteEntry]
	failures failures
}

type deleteEntry struct{ id, receipt string }

func (e deleteEntry) entryID() string { return e.id }

func (e *deleteEntry) member(name []byte, r *jsonReader) {
	switch string(name) {
	case "Id":
		e.id = r.text()
	case "ReceiptHandle":
		e.receipt = r.text()
	default:
		r.skip()
	}
}

func (a *deleteMessageBatch) member(name []byte, r *jsonReader) {
	switch string(name) {
	case "QueueUrl":
		a.queueURL = r.text()
	case "Entries":
		a.read(r, (*deleteEntry).member)
	default:
		r.skip()
	}
}

func (a *deleteMessageBatch) run(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	if err := a.check("DeleteMessageBatchRequestEntry"); err != nil {
		return err
	}
	return q.Batch(func(q *engine.Batch) {
		for _, e := range a.entries {
			a.failures.try(c, e.id, func() error { return deleteReceipt(q, e.receipt) })
		}
	})
}

func (a *deleteMessageBatch) answer(w writer) {
	writeIDs(w, "DeleteMessageBatchResultEntry", a.entries, &a.failures)
	a.failures.write(w)
}
