package engine

import (
	"errors"
	"sync"
	"time"

	"omnibus/bus/journal"
	"omnibus/bus/spec"
)

// keeper writes down what changes in an engine. Whoever changes something adds records
// with the engine's lock held, and answers when they are on the disk. One of those who
// wait for that writes what all have added meanwhile, and syncs it for all; nobody holds
// the engine's lock then, and no goroutine is there but theirs. Without a directory an
// engine has no keeper.
type keeper struct {
	engine *Engine
	log    *journal.Log
	report func(string)
	slack  int64 // how much the log may grow beyond what is held before a base is begun
	chunk  int   // about how much of a base is written with each frame
	part   int   // about how long a frame becomes by what is moved in parts
	most   int   // how long a frame can be

	// Guarded by the engine's lock.
	buf  []byte    // the next frame
	end  uint64    // records added so far
	base *baseWalk // changed by whoever writes only
	step step      // of the clock, the latest that was written down

	mu      sync.Mutex // guards all below
	written *sync.Cond // of mu: a write has ended
	writing bool       // somebody writes, and has the log and what follows for himself
	done    uint64     // records that are on the disk
	failed  error      // why the last write failed
	low     bool       // the disk is full, but for the reserve
	tried   time.Time  // when that was found, or found again
	closed  bool

	// Of whoever writes.
	spare     []byte       // the frame before, for its memory
	pending   []byte       // a frame that could not be written
	last      uint64       // the last record in it
	mark      journal.Mark // where the base began that is being written
	baseSize  int64        // about the size of the latest base
	restocked time.Time
}

const (
	// defaultChunk is written in about a millisecond.
	defaultChunk = 128 << 10

	// retryEvery is how often the disk is tried again after a failure.
	retryEvery = time.Second

	// keptBuffer is the size of a buffer that is kept for the next frame.
	keptBuffer = 1 << 20

	// defaultPart is more than a move task moves in a step.
	defaultPart = 64 << 20

	// defaultSlack has the log hold some 64 MiB of history.
	defaultSlack = 64 << 20
)

func newKeeper(e *Engine, report func(string)) *keeper {
	k := &keeper{
		engine: e, report: report, buf: make([]byte, journal.FrameHead),
		slack: defaultSlack, chunk: defaultChunk, part: defaultPart, most: journal.FrameHead + journal.MaxFrame,
	}
	k.written = sync.NewCond(&k.mu)
	return k
}

// message, and the methods below, add a record. The engine's lock is held. k may be nil.
func (k *keeper) message(q *queue, m *message) {
	if k != nil {
		k.buf = appendMessage(k.buf, q.number, m)
		k.end++
	}
}

func (k *keeper) state(q *queue, m *message) {
	if k != nil {
		k.buf = append(k.buf, byte(recordState))
		k.buf = appendState(k.buf, q.number, m)
		k.end++
	}
}

func (k *keeper) noMessage(q *queue, m *message) {
	if k != nil {
		k.buf = appendNoMessage(k.buf, q.number, m.seq)
		k.end++
	}
}

func (k *keeper) clear(q *queue) {
	if k != nil {
		k.buf = appendClear(k.buf, q.number)
		k.end++
	}
}

func (k *keeper) dedup(q *queue, key string, e dedupEntry, at int64) {
	if k != nil {
		k.buf = appendDedup(k.buf, q.number, key, e, at)
		k.end++
	}
}

func (k *keeper) attempt(q *queue, id string, a attempt) {
	if k != nil {
		k.buf = appendJSON(k.buf, recordAttempt, attemptRecord{q.number, id, a.at, a.taken})
		k.end++
	}
}

func (k *keeper) queue(q *Queue) {
	if k != nil {
		k.buf = appendJSON(k.buf, recordQueue, q.record())
		k.end++
	}
}

func (k *keeper) noQueue(q *Queue, at int64) {
	if k != nil {
		k.buf = appendJSON(k.buf, recordNoQueue, noQueueRecord{q.state.name, q.state.number, at})
		k.end++
	}
}

// clock notes that the wall clock was set.
func (k *keeper) clock() {
	steps := k.engine.clock.steps
	if len(steps) > 0 && steps[len(steps)-1] != k.step {
		k.step = steps[len(steps)-1]
		k.buf = appendJSON(k.buf, recordClock, stepRecords(steps))
		k.end++
	}
}

// large reports that the next frame is to be written before more is moved. k may be nil.
func (k *keeper) large() bool { return k != nil && len(k.buf) >= k.part }

// Kinds of changes, by what a failing disk still lets happen.
type changeKind int

const (
	changes changeKind = iota // what is there
	adds                      // what needs room that is not given back
)

// refuse reports why a change cannot be made now. It must be called without the
// engine's lock. k may be nil.
func (k *keeper) refuse(kind changeKind) error {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return errClosed
	}
	if (k.failed != nil || k.low) && !k.writing && time.Since(k.tried) >= retryEvery {
		k.write()
	}
	switch {
	case k.failed != nil:
		return unavailable(k.failed)
	case k.low && kind == adds:
		return errFull
	}
	return nil
}

// full reports that nothing can be added. k may be nil.
func (k *keeper) full() error {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.low {
		return errFull
	}
	return nil
}

var errFull = unavailable(errors.New("the disk is full"))

var errClosed = spec.Errorf(spec.ServiceUnavailable, "The service is shutting down.")

func unavailable(cause error) error {
	return spec.Errorf(spec.ServiceUnavailable, "The data directory cannot take changes now: %v. Free some space or mend the disk; the request may then be made again.", cause)
}

// finish gives the engine's lock back and returns when all that has been changed is on
// the disk, or with an error in err if it cannot be put there. With an error in err
// already it does not wait.
func (e *Engine) finish(err *error) {
	k := e.keeper
	if k == nil {
		e.mu.Unlock()
		return
	}
	end := k.end
	e.mu.Unlock()
	if *err == nil {
		*err = k.wait(end)
	}
}

// sync returns when all that has been changed by now is on the disk.
func (e *Engine) sync() (err error) {
	e.mu.Lock()
	e.finish(&err)
	return err
}

// wait returns when all that was added until end is on the disk, or could not be put
// there. It must be called without the engine's lock.
func (k *keeper) wait(end uint64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.done < end {
		switch {
		case k.failed != nil:
			return unavailable(k.failed)
		case k.closed:
			return errClosed
		case k.writing:
			k.written.Wait()
		default:
			k.write()
		}
	}
	return nil
}

// write writes what has been added. mu is held, and given up meanwhile.
func (k *keeper) write() {
	k.writing = true
	k.mu.Unlock()
	done, err := k.writeOut()
	k.mu.Lock()
	k.writing = false
	k.done = max(k.done, done)
	was, wasLow := k.failed, k.low
	k.failed, k.low = err, k.log.Low()
	if err != nil || k.low {
		k.tried = time.Now()
	}
	k.tell(was, wasLow)
	k.written.Broadcast()
}

// close writes what is left.
func (k *keeper) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.writing {
		k.written.Wait()
	}
	if k.closed {
		return nil
	}
	k.write()
	k.closed = true
	k.written.Broadcast()
	return errors.Join(k.failed, k.log.Close())
}
