package engine

import "time"

// A Batch makes several calls on a queue one: see [Queue.Batch].
type Batch struct{ queue *Queue }

// Batch calls do, which makes calls on a queue through its argument: each succeeds or
// fails by itself, as the methods of [Queue] of those names do. Nothing else happens in the
// engine meanwhile, so do must be quick and must not call it. With a directory ([Open])
// all are on the disk when Batch returns, at the cost of one; on a disk that fails it
// returns an error, and none may be taken to have succeeded.
func (q *Queue) Batch(do func(*Batch)) (err error) {
	if err := q.lockTo(changes); err != nil {
		return err
	}
	defer q.finish(&err)
	do(&Batch{q})
	return nil
}

// Send is [Queue.Send].
func (b *Batch) Send(m Message) (Sent, error) {
	if err := b.queue.engine.keeper.full(); err != nil {
		return Sent{}, err
	}
	p, err := b.queue.add(&m)
	if err != nil {
		return Sent{}, err
	}
	return b.queue.sent(p), nil
}

// Delete is [Queue.Delete].
func (b *Batch) Delete(receiptHandle string) (bool, error) { return b.queue.delete(receiptHandle) }

// ChangeVisibility is [Queue.ChangeVisibility].
func (b *Batch) ChangeVisibility(receiptHandle string, d time.Duration) error {
	return b.queue.state.changeVisibility(receiptHandle, d, false)
}
