// Package journal is a log on disk: what was appended and synced is read back after a
// kill or a power cut, in the same order, and nothing else is.
//
// A [Log] is a sequence of frames in files of about [SegmentSize], which are its
// segments. So that it does not grow with history, its user now and then appends all
// that is needed to do without what came before, a base, among whatever else there is
// to append; then earlier segments are removed.
//
// # Recovery
//
// A power cut can leave the end of the last segment cut short, or with holes. What
// stands behind the last whole frame is cut off then, and reported. Where a later
// frame shows that the damage is in what had been synced, [Open] refuses the log.
//
// # Failures
//
// A write that fails, as on a full disk, is undone and may be tried again. Some room
// is held in reserve, so that the first such failure is none: [Log.Low] tells that the
// reserve is in use. After a sync that failed nobody knows what is on the disk, so the
// log takes no more until [Log.Anew] has begun another segment, that holds a base of
// its own. That begins the log when a file that marks it is on the disk; a mark that could
// not be synced may be there or not, so that the log can begin in either place after a power
// cut, and nothing is removed of either until a later mark is on the disk.
//
// A Log must be used by one goroutine at a time.
package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
)

// SegmentSize is the size past which a segment is followed by another.
const SegmentSize = 64 << 20

// DefaultReserve is how many bytes are held in reserve for when the disk is full.
const DefaultReserve = 4 << 20

const reserveName = "reserve"

// Options configure a [Log].
type Options struct {
	// NoSync leaves out the sync of each Append, so that what was appended survives the
	// end of the process, but not that of the machine.
	NoSync bool

	// Reserve is how many bytes are held in reserve; 0 means DefaultReserve.
	Reserve int

	// Check, unless nil, is called when Open has read all, and can refuse the log before
	// what came before its base is removed.
	Check func() error

	// Report gets a line for what Open finds that one should know, and now and then how
	// far it is. nil means that nobody is told.
	Report func(string)
}

// A Log is an open log.
type Log struct {
	fs   FS
	opts Options

	segment uint64 // the number of the one that is written
	base    uint64 // the number of the one where the log begins
	file    File
	salt    uint32
	size    int64  // of the segment, up to the last whole frame
	synced  int64  // how much of that is on the disk for sure
	total   int64  // bytes appended since base
	marked  uint64 // the latest segment that may have a mark on the disk
	broken  error  // why nothing can be appended
	low     bool
}

// Append writes a frame, whose first FrameHead bytes are room for its head, and syncs it.
// When it fails, what was appended before is as it was; what happened to the frame
// itself is unknown, until it has been appended again. It refuses a frame whose content
// is longer than MaxFrame, which would not be read again.
func (l *Log) Append(frame []byte) error {
	if n := len(frame) - FrameHead; n > MaxFrame {
		return fmt.Errorf("journal: a frame of %d bytes is longer than %d", n, MaxFrame)
	}
	if l.broken != nil {
		return l.broken
	}
	if l.size >= SegmentSize {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	putFrameHead(frame, l.salt, l.synced)
	if err := l.write(frame); err != nil {
		return err
	}
	if !l.opts.NoSync {
		return l.sync()
	}
	return nil
}

// write writes all of b or nothing.
func (l *Log) write(b []byte) error {
	n, err := l.file.Write(b)
	if err == nil {
		l.size += int64(n)
		l.total += int64(n)
		return nil
	}
	if n > 0 {
		if e := l.file.Truncate(l.size); e != nil {
			l.broken = fmt.Errorf("journal: segment %d: what a failed write left cannot be cut off: %w", l.segment, e)
			return l.broken
		}
	}
	if !l.low {
		l.low = true
		if l.fs.Remove(reserveName) == nil {
			return l.write(b)
		}
	}
	return fmt.Errorf("journal: write to segment %d: %w", l.segment, err)
}

// sync has what was written outlast a power cut.
func (l *Log) sync() error {
	if l.synced == l.size {
		return nil
	}
	if err := l.file.Sync(); err != nil {
		l.broken = fmt.Errorf("journal: sync of segment %d: %w", l.segment, err)
		return l.broken
	}
	l.synced = l.size
	return nil
}

// rotate goes on in another segment. Where that cannot be made, the log goes on in the
// one it is in.
func (l *Log) rotate() error {
	if err := l.sync(); err != nil {
		return err
	}
	old := l.file
	if err := l.create(true); err != nil {
		return l.broken
	}
	_ = old.Close() // all of it is on the disk
	return nil
}

// create begins the next segment.
func (l *Log) create(goesOn bool) error {
	h := head{number: l.segment + 1, goesOn: goesOn, salt: rand.Uint32()}
	f, err := l.fs.Create(segmentName(h.number))
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if _, err = f.Write(h.bytes()); err == nil {
		err = errors.Join(f.Sync(), l.fs.SyncDir())
	}
	if err != nil {
		// A power cut may bring it back, and must not have it follow a segment that is
		// written to after all.
		if e := errors.Join(f.Truncate(0), f.Sync()); e != nil {
			l.broken = fmt.Errorf("journal: segment %d, which could not be made, is there: %w", h.number, e)
		}
		_ = f.Close()
		_ = l.fs.Remove(segmentName(h.number))
		return fmt.Errorf("journal: segment %d: %w", h.number, err)
	}
	l.segment, l.file, l.salt = h.number, f, h.salt
	l.size, l.synced = int64(headSize), int64(headSize)
	return nil
}

// A Mark is a place in the log where a base begins.
type Mark struct {
	segment uint64
	total   int64
}

// Mark begins another segment and returns the place where it begins. Whoever has
// appended a base since then may call [Log.Cut].
func (l *Log) Mark() (Mark, error) {
	if l.broken != nil {
		return Mark{}, l.broken
	}
	if err := l.sync(); err != nil {
		return Mark{}, err
	}
	old := l.file
	if err := l.create(true); err != nil {
		return Mark{}, err
	}
	_ = old.Close()
	return Mark{l.segment, l.total}, nil
}

// Anew begins another segment that does without what came before, as after a sync that
// failed. Its user appends a base and calls
// [Log.Cut]; until then the log is what it was before.
func (l *Log) Anew() (Mark, error) {
	old := l.file
	if err := l.create(false); err != nil {
		return Mark{}, err
	}
	_ = old.Close()
	l.broken = nil
	return Mark{l.segment, l.total}, nil
}

// Abandon gives up what has been appended since [Log.Anew], because of err; another
// Anew must follow. Its segments keep their numbers until the next Cut, since a power cut
// could bring them back among others. Where no mark says that the log begins with them,
// they give their room back.
func (l *Log) Abandon(m Mark, err error) {
	l.broken = err
	l.total = m.total
	_ = l.file.Close()
	if l.marked >= m.segment {
		return
	}
	for n := m.segment; n <= l.segment; n++ {
		if f, err := l.fs.Open(segmentName(n)); err == nil {
			_ = errors.Join(f.Truncate(int64(headSize)), f.Close()) // else it takes room, and that is all
		}
	}
}

// Cut has the log begin at a mark, and removes what came before.
func (l *Log) Cut(m Mark) error {
	if l.broken != nil {
		return l.broken
	}
	if err := l.sync(); err != nil {
		return err
	}
	if err := l.mark(m.segment); err != nil {
		return err
	}
	l.total -= m.total
	l.base = m.segment
	// What cannot be removed now is when the log is opened next.
	_ = removeBefore(l.fs, l.base)
	return nil
}

// mark says on the disk that the log begins at a segment.
func (l *Log) mark(segment uint64) error {
	l.marked = segment
	f, err := l.fs.Create(baseName(segment))
	if err == nil {
		err = errors.Join(f.Close(), l.fs.SyncDir())
	}
	if err != nil {
		return fmt.Errorf("journal: mark of segment %d: %w", segment, err)
	}
	return nil
}

// Size returns how many bytes the log has had appended since its base began.
func (l *Log) Size() int64 { return l.total }

// Broken reports whether the log needs [Log.Anew].
func (l *Log) Broken() bool { return l.broken != nil }

// Low reports whether the reserve is in use: the disk is full.
func (l *Log) Low() bool { return l.low }

// Reserve returns how many bytes are held in reserve, when there is room.
func (l *Log) Reserve() int { return l.opts.Reserve }

// Restock fills the reserve again, when there is room for twice of it.
func (l *Log) Restock() error {
	f, err := l.fs.Create(reserveName)
	if err != nil {
		return fmt.Errorf("journal: reserve: %w", err)
	}
	zeros := make([]byte, min(l.opts.Reserve, 64<<10))
	for n := 0; n < 2*l.opts.Reserve && err == nil; n += len(zeros) {
		_, err = f.Write(zeros)
	}
	if err == nil {
		err = f.Truncate(int64(l.opts.Reserve))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = l.fs.Remove(reserveName)
		return fmt.Errorf("journal: reserve: %w", err)
	}
	l.low = false
	return nil
}

// Close syncs the log and closes its file.
func (l *Log) Close() error {
	var err error
	if l.broken == nil {
		err = l.sync()
	}
	return errors.Join(err, l.file.Close())
}
