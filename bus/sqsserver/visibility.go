package sqsserver

import (
	"time"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// ChangeMessageVisibility and ChangeMessageVisibilityBatch.
//
// Supported: timeouts of 0 to 12 hours from now, as long as the message is
// hidden for no more than 12 hours since its receive in all.
//
// On a standard queue a receipt handle lives as long as its message, as AWS was
// recorded: one whose timeout is over hides the message again, and one that a later
// receive has superseded changes that receive's timeout. On a FIFO queue, of which
// there is no recording, both get MessageNotInflight, as the documentation says.

type changeMessageVisibility struct {
	queueURL string
	entry    visibilityEntry
}

type visibilityEntry struct {
	id, receipt string
	timeout     *int
}

func (e visibilityEntry) entryID() string { return e.id }

func (e *visibilityEntry) member(name []byte, r *jsonReader) {
	switch string(name) {
	case "Id":
		e.id = r.text()
	case "ReceiptHandle":
		e.receipt = r.text()
	case "VisibilityTimeout":
		e.timeout = r.number()
	default:
		r.skip()
	}
}

// changer is a queue, or a batch of one.
type changer interface {
	ChangeVisibility(receiptHandle string, d time.Duration) error
}

func (e *visibilityEntry) change(q changer) error {
	if e.receipt == "" {
		return spec.Missing("ReceiptHandle")
	}
	if e.timeout == nil {
		return spec.Missing("VisibilityTimeout")
	}
	return q.ChangeVisibility(e.receipt, time.Duration(*e.timeout)*time.Second)
}

func (a *changeMessageVisibility) member(name []byte, r *jsonReader) {
	if string(name) == "QueueUrl" {
		a.queueURL = r.text()
		return
	}
	a.entry.member(name, r)
}

func (a *changeMessageVisibility) run(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	return a.entry.change(q)
}

type changeMessageVisibilityBatch struct {
	queueURL string
	batch[visibilityEntry]
	failures failures
}

func (a *changeMessageVisibilityBatch) member(name []byte, r *jsonReader) {
	switch string(name) {
	case "QueueUrl":
		a.queueURL = r.text()
	case "Entries":
		a.read(r, (*visibilityEntry).member)
	default:
		r.skip()
	}
}

func (a *changeMessageVisibilityBatch) run(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	if err := a.check("ChangeMessageVisibilityBatchRequestEntry"); err != nil {
		return err
	}
	return q.Batch(func(q *engine.Batch) {
		for i := range a.entries {
			e := &a.entries[i]
			a.failures.try(c, e.id, func() error { return e.change(q) })
		}
	})
}

func (a *changeMessageVisibilityBatch) answer(w writer) {
	writeIDs(w, "ChangeMessageVisibilityBatchResultEntry", a.entries, &a.failures)
	a.failures.write(w)
}
