package engine

import (
	"time"

	"omnibus/bus/spec"
)

// SQS has one action for all that can be done with a delivery besides deleting its
// message: ChangeMessageVisibility. What follows is what brokers have in common
// instead. Errors are those of [Queue.ChangeHeld].

// Renew begins the visibility timeout of a delivery anew: it ends as long from now
// as the receive hid the message for.
func (q *Queue) Renew(receiptHandle string) (err error) {
	if err := q.lockTo(changes); err != nil {
		return err
	}
	defer q.finish(&err)
	r, err := parseReceipt(receiptHandle, q.state.number)
	if err != nil {
		return err
	}
	return q.state.changeVisibility(receiptHandle, r.visibility, true)
}

// GiveBack makes the message visible again in after from now, as ChangeVisibility
// does, and ends the delivery: its receipt handle changes and deletes nothing any
// more.
func (q *Queue) GiveBack(receiptHandle string, after time.Duration) (err error) {
	if err := q.lockTo(changes); err != nil {
		return err
	}
	defer q.finish(&err)
	m, err := q.state.held(receiptHandle)
	if err != nil {
		return err
	}
	if err := q.state.changeVisibility(receiptHandle, after, true); err != nil {
		return err
	}
	m.settled = true
	q.state.keeper.state(q.state, m)
	return nil
}

// Bury moves the message of a delivery to the dead-letter queue at once, with the
// attributes that mark returns for it; mark gets the delivery and the greatest
// size of a message of the dead-letter queue, and must not call the engine. All
// else is as if the redrive policy had given the message up. It fails with
// UnsupportedOperation on a queue without a redrive policy, and with
// QueueDoesNotExist when the dead-letter queue was deleted.
func (q *Queue) Bury(receiptHandle string, mark func(d Delivery, maxBytes int) []spec.NamedAttribute) (err error) {
	if err := q.lockTo(adds); err != nil {
		return err
	}
	defer q.finish(&err)
	m, err := q.state.held(receiptHandle)
	if err != nil {
		return err
	}
	name := q.state.attrs.DeadLetter.Queue
	if name == "" {
		return spec.Errorf(spec.UnsupportedOperation, "queue %s has no dead-letter queue; a redrive policy gives it one", q.state.name)
	}
	to := q.engine.queues[name]
	if to == nil {
		return spec.NoQueue(name)
	}
	attrs := mark(q.state.delivery(m), to.state.attrs.MaxMessageBytes)
	q.state.drop(m)
	m.attrs = attrs
	q.bury([]*message{m})
	return nil
}
