package engine

import (
	"fmt"
	"time"

	"omnibus/bus/journal"
	"omnibus/bus/spec"
)

// writeOut writes what has been added, and returns up to which record all is on the
// disk. The caller has the log for itself.
func (k *keeper) writeOut() (done uint64, err error) {
	if k.log.Broken() || len(k.pending) > k.most {
		return k.beginAnew()
	}
	begin, chunk := k.baseIsDue()
	if k.pending != nil {
		if err := k.log.Append(k.pending); err != nil {
			return 0, err
		}
		done, k.pending = k.last, nil
	}
	if begin {
		if k.mark, err = k.log.Mark(); k.log.Broken() {
			return done, err
		}
		begin = err == nil // else there is no room for one now
	}
	frame, end, based := k.take(begin, chunk)
	if len(frame) > k.most { // as when a receive meets very many dead letters at once
		k.pending, k.last = frame, end
		return k.beginAnew()
	}
	if len(frame) > journal.FrameHead {
		if err := k.log.Append(frame); err != nil {
			k.pending, k.last = frame, end
			return done, err
		}
	}
	k.give(frame)
	if based {
		if err := k.log.Cut(k.mark); k.log.Broken() {
			return end, err
		}
		if k.log.Low() {
			_ = k.log.Restock() // an error is that the disk is full of something else
		}
		k.baseSize = k.log.Size() // also where it could not be cut: not to begin another at once
	}
	return end, nil
}

// baseIsDue reports whether a base is to begin, and how much of one to write with each
// frame. On a full disk, one that the reserve has room for is written at once, to get rid of
// what came before; whether there is room for more is tried now and then.
func (k *keeper) baseIsDue() (due bool, chunk int) {
	now := time.Now()
	switch {
	case k.base != nil && k.log.Low(): // it would use up the reserve
		k.engine.mu.Lock()
		k.dropBase()
		k.engine.mu.Unlock()
		return false, k.chunk
	case k.base != nil:
		return false, k.chunk
	case !k.log.Low():
		return k.log.Size() > k.slack+2*k.baseSize, k.chunk
	case now.Sub(k.restocked) < retryEvery:
		return false, k.chunk
	}
	k.restocked = now
	if k.log.Restock() == nil {
		return false, k.chunk
	}
	room := int64(k.log.Reserve() / 2)
	size := k.engine.size(room)
	return size < room && k.log.Size() > 2*size+room, int(2 * room)
}

// size returns about how many bytes a base takes, at least if it is less than most.
func (e *Engine) size(most int64) (n int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, q := range e.queues {
		n += 1000 + 100*int64(len(q.state.dedup.ids))
		for _, l := range q.state.age.byKey {
			for m := l.head; m != nil && n < most; m = m.links[bySent].next {
				n += m.recordSize()
			}
		}
	}
	return n
}

// recordSize returns about how many bytes a message takes in the journal.
func (m *message) recordSize() int64 {
	x := m.extras()
	return int64(spec.MessageSize(m.body, m.attrs) + len(x.group) + len(x.dedup) + len(x.trace) + len(x.source) + 64)
}

// take returns the next frame and the last record in it. While a base is being
// written, some of it is in there; based is whether that was the last.
func (k *keeper) take(begin bool, chunk int) (frame []byte, end uint64, based bool) {
	e := k.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	k.clock()
	if begin {
		k.base = k.newBase()
	}
	if k.base != nil && k.base.walk(k, chunk) {
		k.base, based = nil, true
	}
	frame, end = k.buf, k.end
	if k.spare == nil {
		k.spare = make([]byte, 0, 4<<10)
	}
	k.buf, k.spare = k.spare[:journal.FrameHead], nil
	return frame, end, based
}

// give keeps the memory of a frame for another.
func (k *keeper) give(frame []byte) {
	if cap(frame) <= keptBuffer {
		k.spare = frame[:0]
	}
}

// beginAnew writes a base to a new segment: instead of a frame that is too long, or since
// nobody knows what is in the segment whose sync failed.
func (k *keeper) beginAnew() (done uint64, err error) {
	mark, err := k.log.Anew()
	if err != nil {
		return 0, err
	}
	k.engine.mu.Lock()
	k.dropBase()
	k.buf, k.pending = k.buf[:journal.FrameHead], nil
	k.engine.mu.Unlock()
	for begin, based := true, false; !based; begin = false {
		var frame []byte
		frame, done, based = k.take(begin, keptBuffer)
		if err = k.log.Append(frame); err != nil {
			break
		}
		k.give(frame)
	}
	if err == nil {
		err = k.log.Cut(mark)
	}
	if err != nil {
		k.engine.mu.Lock()
		k.dropBase()
		k.engine.mu.Unlock()
		k.log.Abandon(mark, err)
		return 0, err
	}
	k.baseSize = k.log.Size()
	return done, nil
}

// tell reports that writing has begun to fail or to work. mu is held.
func (k *keeper) tell(was error, wasLow bool) {
	switch {
	case k.failed != nil && was == nil:
		k.report(fmt.Sprintf("changes are refused, since they cannot be written: %v; it is tried again with the next ones", k.failed))
	case k.failed == nil && was != nil:
		k.report("changes are written again")
	}
	switch {
	case k.low && !wasLow:
		k.report("the disk is full: what needs room is refused, such as sends; receives, deletes and what else fits the reserve are not")
	case !k.low && wasLow:
		k.report("the disk has room again")
	}
}
