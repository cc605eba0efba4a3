package engine

import (
	clist "container/list"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"omnibus/bus/spec"
)

// A Queue is a handle to one queue of an [Engine].
type Queue struct {
	engine *Engine
	closed atomic.Bool // deleted; set with engine.mu held

	// All below is guarded by engine.mu.
	state   *queue
	waiters *clist.List // of *waiter, the longest-waiting first
	timer   *time.Timer // wakes the waiters; nil while nothing is due or nobody waits
	moves   []*move     // message move tasks from this queue, the latest last
	tags    map[string]string
}

// waiter is a receive that found nothing and waits.
type waiter struct {
	n          int
	visibility time.Duration
	attempt    string
	long       bool           // it may wait
	gone       func() bool    // nil, or as in ReceiveRequest
	out        chan received  // holds one; sent to once, by whoever takes the waiter off the list
	place      *clist.Element // in the list
}

type received struct {
	taken []Taken
	err   error
}

func newHandle(e *Engine, name string, number uint64) *Queue {
	q := &Queue{
		engine:  e,
		state:   newQueue(name, number, e.seed, &e.clock),
		waiters: clist.New(),
	}
	q.state.keeper = e.keeper
	return q
}

// Name returns the queue's name.
func (q *Queue) Name() string { return q.state.name }

// Deleted reports whether the queue has been deleted. The handle stays so, also if a
// queue of that name is created again.
func (q *Queue) Deleted() bool { return q.closed.Load() }

// lock takes the engine's lock and brings the queue up to the present.
func (q *Queue) lock() error {
	q.engine.mu.Lock()
	if q.closed.Load() {
		q.engine.mu.Unlock()
		return spec.NoQueue(q.state.name)
	}
	q.advance()
	return nil
}

func (q *Queue) advance() { q.state.advance(q.engine.clock.tick()) }

// unlock serves the waiters and gives the lock back.
func (q *Queue) unlock() {
	q.serve()
	q.engine.mu.Unlock()
}

// lockTo is lock for those who change something, which a disk that fails refuses.
func (q *Queue) lockTo(kind changeKind) error {
	if err := q.engine.keeper.refuse(kind); err != nil {
		return err
	}
	return q.lock()
}

// finish is unlock for those who changed something: it returns when that is on the disk,
// or with an error in err if it cannot be put there. Those who have an error to return
// do not wait.
func (q *Queue) finish(err *error) {
	q.serve()
	q.engine.finish(err)
}

// Send adds one message. It fails with the errors of [spec.CheckMessage],
// [spec.CheckDelay] and [spec.CheckGroup], and on FIFO queues when a group or
// deduplication id is missing.
func (q *Queue) Send(m Message) (Sent, error) {
	p, err := q.post(&m)
	if err != nil {
		return Sent{}, err
	}
	return q.sent(p), nil
}

// sent puts into words what a queue answers to a sender.
func (q *Queue) sent(p posted) Sent {
	sent := Sent{ID: messageID(q.state.seed, p.id), Duplicate: p.duplicate}
	if p.fifo {
		sent.SequenceNumber = sequenceNumber(p.seq)
	}
	return sent
}

// Post is [Queue.Send] for a sender that does not ask what was sent.
func (q *Queue) Post(m Message) error {
	_, err := q.post(&m)
	return err
}

func (q *Queue) post(m *Message) (p posted, err error) {
	if err := q.lockTo(adds); err != nil {
		return posted{}, err
	}
	defer q.finish(&err)
	return q.add(m)
}

// add adds a message. The engine's lock is held.
func (q *Queue) add(m *Message) (posted, error) {
	p, err := q.state.send(m, q.engine.ids+1)
	if err == nil && !p.duplicate {
		q.engine.ids++
	}
	return p, err
}

// A ReceiveRequest says how to receive. The zero value takes one message, with
// the queue's own visibility timeout and wait.
type ReceiveRequest struct {
	Max        int            // messages at most: 1 to 10; 0 means 1
	Visibility *time.Duration // 0 to 12 h; nil means the queue's own
	Wait       *time.Duration // for the first message: 0 to 20 s; nil means the queue's own

	// Attempt is a ReceiveRequestAttemptId, on a FIFO queue. A receive with the
	// id of one within the last five minutes gets the same messages with the
	// same receipt handles again, their visibility timeout begun anew, if none
	// of them was deleted, changed or has become visible since.
	Attempt string

	// Gone, unless nil, reports that nobody is there any more to take the messages,
	// for where that can be known before the context ends. It is called when there
	// are messages, also after a wait, and must not block: the engine waits for it.
	// When it reports true the receive takes nothing, and fails with
	// [context.Canceled].
	Gone func() bool
}

// Take takes messages that are ready, or waits for one. It returns none and
// no error when the wait is over, and ctx's error when ctx ends first. When
// 120,000 messages of a standard queue are in flight, a receive that does not
// wait fails with OverLimit, and one that does waits for one to be deleted, as
// on SQS. A receive that ctx ends takes nothing: a message handed to it meanwhile
// is the next one to be received, as if it had never been taken.
func (q *Queue) Take(ctx context.Context, r ReceiveRequest) ([]Taken, error) {
	out, err := q.await(ctx, r)
	if err == nil && q.engine.keeper != nil { // also for dead letters that it met
		if err := q.engine.sync(); err != nil {
			return nil, err
		}
	}
	return out, err
}

func (q *Queue) await(ctx context.Context, r ReceiveRequest) ([]Taken, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := q.lockTo(changes); err != nil {
		return nil, err
	}
	q.serve() // those who wait come first
	w, wait := q.waiter(r)
	got := q.receive(w)
	if len(got.taken) > 0 || got.err != nil || wait == 0 {
		q.unlock()
		return got.taken, got.err
	}
	w.out = make(chan received, 1)
	w.place = q.waiters.PushBack(w)
	q.unlock()

	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	select {
	case got = <-w.out:
		if ctx.Err() == nil {
			return got.taken, got.err
		}
	case <-timeout.C:
	case <-ctx.Done():
	}
	q.engine.mu.Lock()
	defer q.unlock()
	q.waiters.Remove(w.place)
	select {
	case got = <-w.out: // it was handed messages before it could leave
		if ctx.Err() == nil {
			return got.taken, got.err
		}
	default:
	}
	if !q.closed.Load() { // else the messages went with the queue, and nothing more is written of it
		q.untake(got.taken)
		q.advance() // not before, or a short visibility timeout would be over
	}
	return nil, ctx.Err()
}

func (r *ReceiveRequest) check() error {
	if r.Max == 0 {
		r.Max = 1
	}
	if err := spec.CheckMaxMessages(r.Max); err != nil {
		return err
	}
	if r.Visibility != nil {
		if err := spec.CheckVisibility(*r.Visibility); err != nil {
			return err
		}
	}
	if r.Wait != nil {
		if err := spec.CheckWait(*r.Wait); err != nil {
			return err
		}
	}
	if r.Attempt != "" {
		return spec.CheckGroup("ReceiveRequestAttemptId", r.Attempt)
	}
	return nil
}

// waiter returns the receive that r asks for, and how long it may wait.
func (q *Queue) waiter(r ReceiveRequest) (*waiter, time.Duration) {
	w := &waiter{n: r.Max, visibility: q.state.attrs.Visibility, attempt: r.Attempt, gone: r.Gone}
	if r.Visibility != nil {
		w.visibility = *r.Visibility
	}
	wait := q.state.attrs.Wait
	if r.Wait != nil {
		wait = *r.Wait
	}
	w.long = wait > 0
	return w, wait
}

// receive takes what is ready, and moves dead letters to where they belong. It
// tries again when it met only those, since burying one makes another ready
// where two queues are each other's dead-letter queue.
func (q *Queue) receive(w *waiter) received {
	if out := q.state.repeat(w.attempt, w.visibility); out != nil {
		return received{taken: out}
	}
	for {
		out, dead, err := q.state.receive(w.n, w.visibility)
		q.bury(dead)
		if w.long && errors.Is(err, spec.OverLimit) {
			err = nil
		}
		if len(dead) == 0 || len(out) > 0 || err != nil {
			if len(out) > 0 && w.gone != nil && w.gone() {
				q.untake(out)
				return received{err: context.Canceled}
			}
			q.state.remember(w.attempt, out)
			return received{out, err}
		}
	}
}

// bury moves messages to the dead-letter queue. If that was deleted meanwhile
// they are lost, as on AWS. On standard queues they keep their time of sending,
// by which they can be too old for their new queue; on FIFO queues it begins
// anew (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html).
func (q *Queue) bury(dead []*message) {
	to := q.engine.queues[q.state.attrs.DeadLetter.Queue]
	if len(dead) == 0 || to == nil {
		return
	}
	to.advance()
	for _, m := range dead {
		x := m.extras()
		x.source, x.receivesThere = q.state.name, m.receives
		m.extra = &x
		if to.state.attrs.FIFO {
			m.sent = to.state.now
			to.state.add(m, int64(to.state.attrs.Delay))
		} else {
			to.state.add(m, 0)
		}
	}
	to.advance()
	to.serve()
}

// serve hands ready messages to the waiters in turn, and sets the timer for
// those that must go on waiting. A waiter is off the list while it is served,
// since burying a dead letter can lead back here.
func (q *Queue) serve() {
	for q.waiters.Len() > 0 {
		w := q.waiters.Remove(q.waiters.Front()).(*waiter)
		got := q.receive(w)
		if len(got.taken) == 0 && got.err == nil {
			w.place = q.waiters.PushFront(w)
			break
		}
		w.out <- got
	}
	q.setTimer()
}

// untake undoes a receive.
func (q *Queue) untake(taken []Taken) {
	for i := range slices.Backward(taken) {
		q.state.untake(&taken[i])
	}
}

// setTimer has the waiters woken when time does something next. A timer
// does not outlive the wait it is for, so that a queue can be used in one
// synctest bubble after the other.
func (q *Queue) setTimer() {
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	if q.waiters.Len() == 0 {
		return
	}
	m, at := q.state.next()
	if m == nil {
		return
	}
	if d := time.Duration(at - q.engine.clock.tick()); d <= spec.MaxWait { // else all who wait now will have left
		q.timer = time.AfterFunc(d, q.wake)
	}
}

// wake serves the waiters when the timer has run out.
func (q *Queue) wake() {
	if q.lock() == nil {
		q.unlock()
	}
}

// close ends all waits. engine.mu is held.
func (q *Queue) close() {
	q.closed.Store(true)
	for q.waiters.Len() > 0 {
		w := q.waiters.Remove(q.waiters.Front()).(*waiter)
		w.out <- received{err: spec.NoQueue(q.state.name)}
	}
	q.setTimer()
	q.stopMoves()
}

// Delete removes the message that a receipt handle names. It reports false, and
// no error, when the message is gone already, or when the handle is of an
// earlier delivery and a newer one holds the message, which then stays. On a
// FIFO queue a handle whose visibility timeout is over is refused.
func (q *Queue) Delete(receiptHandle string) (deleted bool, err error) {
	if err := q.lockTo(changes); err != nil {
		return false, err
	}
	defer q.finish(&err)
	return q.delete(receiptHandle)
}

// delete is Delete with the engine's lock held.
func (q *Queue) delete(receiptHandle string) (bool, error) {
	r, err := parseReceipt(receiptHandle, q.state.number)
	if err != nil {
		return false, err
	}
	return q.state.delete(r)
}

// ChangeVisibility makes the message that a receipt handle names visible again
// in d from now, 0 to 12 hours; 0 at once. It fails with InvalidParameterValue when
// the message is gone or would be hidden for over 12 hours since its latest receive.
//
// As on AWS, a receipt handle of a standard queue lives as long as its message: one
// whose timeout is over hides the message again, and one that a later receive has
// superseded changes that receive's timeout. On a FIFO queue both fail with
// MessageNotInflight.
func (q *Queue) ChangeVisibility(receiptHandle string, d time.Duration) error {
	return q.changeVisibility(receiptHandle, d, false)
}

// ChangeHeld is ChangeVisibility for those to whom a delivery is a lease: it fails
// with MessageNotInflight when the delivery does not hold its message any more.
func (q *Queue) ChangeHeld(receiptHandle string, d time.Duration) error {
	return q.changeVisibility(receiptHandle, d, true)
}

func (q *Queue) changeVisibility(receiptHandle string, d time.Duration, mustHold bool) (err error) {
	if err := q.lockTo(changes); err != nil {
		return err
	}
	defer q.finish(&err)
	return q.state.changeVisibility(receiptHandle, d, mustHold)
}

// VisibleAt returns when the visibility timeout of the delivery that a receipt
// handle names ends, and false when that delivery does not hold its message any
// more.
func (q *Queue) VisibleAt(receiptHandle string) (time.Time, bool) {
	if q.lock() != nil {
		return time.Time{}, false
	}
	defer q.unlock()
	m, holds, err := q.state.named(receiptHandle)
	if err != nil || !holds {
		return time.Time{}, false
	}
	return q.engine.clock.future(m.due), true
}

// Attributes returns the queue's attributes and counts. Kept and the names in
// DeadLetterSources are shared and not to be changed.
func (q *Queue) Attributes() (spec.QueueAttributes, error) {
	if err := q.lock(); err != nil {
		return spec.QueueAttributes{}, err
	}
	defer q.unlock()
	a := q.state.attrs
	a.Counts = q.state.counts()
	return a, nil
}

// SetAttributes changes the attributes given. A changed retention period holds
// for messages already sent, and on a FIFO queue a changed delay; on a standard
// queue that holds for those sent from now on.
func (q *Queue) SetAttributes(s spec.QueueSettings) (err error) {
	if err := s.CheckFor(q.Name()); err != nil {
		return err
	}
	if err := q.lockTo(adds); err != nil {
		return err
	}
	defer q.finish(&err)
	if err := q.engine.checkDeadLetter(q.state.name, s); err != nil {
		return err
	}
	err = q.state.set(s)
	q.engine.keeper.queue(q)
	q.advance() // to what the change has brought about
	return err
}

// Purge deletes all messages, those in flight and delayed ones too. It fails
// with PurgeQueueInProgress within a minute of the last purge, unless the engine
// is lenient.
func (q *Queue) Purge() (err error) {
	if err := q.lockTo(changes); err != nil {
		return err
	}
	defer q.finish(&err)
	err = q.state.purge(q.engine.opts.Lenient)
	q.engine.keeper.queue(q)
	return err
}

// Peek returns up to n ready messages, next to be received first, without
// receiving them. Their receipt handles are empty.
func (q *Queue) Peek(n int) ([]Delivery, error) {
	if err := q.lock(); err != nil {
		return nil, err
	}
	defer q.unlock()
	return q.state.peek(n), nil
}
