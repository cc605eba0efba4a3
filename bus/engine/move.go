package engine

import (
	"errors"
	"time"

	"omnibus/bus/spec"
)

// A MoveTask moves the messages of a dead-letter queue elsewhere, at a rate. Its
// messages are new ones there, as with [Queue.Redrive].
type MoveTask struct {
	ID            string
	Source        string // name of the dead-letter queue
	Destination   string // name; "" means back to where each message came from
	Rate          int    // messages a second; 0 means that the engine chooses
	Status        MoveStatus
	Moved         int
	ToMove        int // ready messages when it started
	Started       time.Time
	FailureReason string // with MoveFailed
}

// MoveStatus is what has become of a move task.
type MoveStatus string

// The states of a move task. SQS also has CANCELLING, for as long as its hosts
// need to stop; here a task stops at once.
const (
	MoveRunning   MoveStatus = "RUNNING"
	MoveCompleted MoveStatus = "COMPLETED"
	MoveCancelled MoveStatus = "CANCELLED"
	MoveFailed    MoveStatus = "FAILED"
)

// move is a MoveTask with what drives it.
type move struct {
	MoveTask
	begun int64 // on the engine's clock
	timer *time.Timer
}

// moveInterval is the least time between two steps of a task.
const moveInterval = 100 * time.Millisecond

// StartMove starts a task that moves the ready messages of a dead-letter queue
// to the queue named to or, if that is "", back to the queues they came from, at
// rate messages a second: 1 to 500, or 0 for the engine's own choice. The
// messages move one by one or, at high rates, ten times a second.
//
// It fails with InvalidParameterValue when no queue has this one as its
// dead-letter queue, when the two queues do not fit, and while another task of
// the queue runs; and with ResourceNotFound when there is no queue named to.
func (q *Queue) StartMove(to string, rate int) (task MoveTask, err error) {
	if err := q.lockTo(adds); err != nil {
		return MoveTask{}, err
	}
	defer q.finish(&err)
	if err := q.checkMove(to, rate); err != nil {
		return MoveTask{}, err
	}
	q.engine.ids++
	m := &move{
		MoveTask: MoveTask{
			ID: messageID(q.state.seed, q.engine.ids), Source: q.state.name, Destination: to, Rate: rate,
			Status: MoveRunning, ToMove: q.state.count[ready], Started: q.engine.clock.past(q.state.now),
		},
		begun: q.state.now,
	}
	if len(q.moves) == spec.MaxMoveTasks {
		q.moves = q.moves[1:]
	}
	q.moves = append(q.moves, m)
	q.schedule(m)
	q.engine.keeper.queue(q)
	return m.MoveTask, nil
}

func (q *Queue) checkMove(to string, rate int) error {
	if rate != 0 {
		if err := spec.CheckMoveRate(rate); err != nil {
			return err
		}
	}
	if len(q.engine.deadLetterSources(q.state.name)) == 0 {
		return spec.ErrNotDeadLetterQueue
	}
	if to != "" && q.engine.queues[to] == nil {
		return spec.NoResource("DestinationArn")
	}
	if to == q.state.name || to != "" && spec.IsFIFOName(to) != q.state.attrs.FIFO {
		return spec.ErrMoveDestination
	}
	for _, m := range q.moves {
		if m.Status == MoveRunning {
			return spec.ErrMoveRunning
		}
	}
	return nil
}

// schedule sets the timer for a task's next step.
func (q *Queue) schedule(m *move) {
	m.timer = time.AfterFunc(max(moveInterval, time.Second/time.Duration(m.rate())), func() { q.step(m) })
}

func (m *move) rate() int {
	if m.Rate == 0 {
		return spec.MaxMoveRate
	}
	return m.Rate
}

// begin has the task go on from a time at its rate.
func (m *move) begin(now int64) {
	m.begun = now - int64(float64(m.Moved)/float64(m.rate())*float64(time.Second))
}

// step moves on, and sets the timer for the next step when that is on the disk. A task
// pauses while the disk takes no changes, or no sends.
func (q *Queue) step(m *move) {
	err := q.moveOn(m)
	if errors.Is(err, errClosed) || q.lock() != nil {
		return
	}
	defer q.unlock()
	if m.Status != MoveRunning {
		return
	}
	if err != nil {
		m.begin(q.state.now) // the pause is not made up for
	}
	q.schedule(m)
}

// moveOn moves as many messages as the task's rate allows by now.
func (q *Queue) moveOn(m *move) (err error) {
	if err := q.lockTo(adds); err != nil {
		return err
	}
	defer q.finish(&err)
	if m.Status != MoveRunning {
		return nil
	}
	defer q.engine.keeper.queue(q)
	if m.Destination != "" && q.engine.queues[m.Destination] == nil {
		m.Status, m.FailureReason = MoveFailed, "AWS.SimpleQueueService.NonExistentQueue"
		return nil
	}
	elapsed := time.Duration(q.state.now - m.begun)
	n := int(elapsed.Seconds()*float64(m.rate())+0.5) - m.Moved
	moved, stuck, more := q.move(m.Destination, n, q.state.eachReady)
	m.Moved += moved
	switch {
	case moved == n || more:
	case stuck:
		m.Status, m.FailureReason = MoveFailed, "CouldNotDetermineMessageSource"
	default:
		m.Status = MoveCompleted
	}
	return nil
}

// CancelMove stops the running task with that id and returns how many messages
// it has moved; they stay where they are. It fails with ResourceNotFound when
// there is no such task, and with InvalidParameterValue when it has ended.
func (q *Queue) CancelMove(id string) (moved int, err error) {
	if err := q.lockTo(changes); err != nil {
		return 0, err
	}
	defer q.finish(&err)
	for _, m := range q.moves {
		if m.ID != id {
			continue
		}
		if m.Status != MoveRunning {
			return 0, spec.ErrMoveEnded
		}
		m.Status = MoveCancelled
		m.timer.Stop()
		q.engine.keeper.queue(q)
		return m.Moved, nil
	}
	return 0, spec.ErrNoMove
}

// Moves returns the queue's last ten move tasks, the latest first.
func (q *Queue) Moves() ([]MoveTask, error) {
	if err := q.lock(); err != nil {
		return nil, err
	}
	defer q.unlock()
	var out []MoveTask
	for i := len(q.moves) - 1; i >= 0; i-- {
		out = append(out, q.moves[i].MoveTask)
	}
	return out, nil
}

// stopMoves ends the tasks of a queue that is deleted.
func (q *Queue) stopMoves() {
	for _, m := range q.moves {
		if m.timer != nil { // else it had ended when the engine was opened
			m.timer.Stop()
		}
	}
}
