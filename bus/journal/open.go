package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// File names: segments, and marks that say from which one on the log is to be read.
const (
	segmentSuffix = ".log"
	baseSuffix    = ".base"
)

func segmentName(n uint64) string { return fmt.Sprintf("%010d%s", n, segmentSuffix) }
func baseName(n uint64) string    { return fmt.Sprintf("%010d%s", n, baseSuffix) }

// Open reads a log from its base on, calls read with the content of each frame, which
// it must not keep, and returns the log with a new segment to append to. In a directory
// without one it begins one. It fails where the log has been damaged, or read fails; files
// that the log does not need are removed when all has been read.
func Open(fs FS, opts Options, read func(content []byte) error) (*Log, error) {
	if opts.Report == nil {
		opts.Report = func(string) {}
	}
	if opts.Reserve == 0 {
		opts.Reserve = DefaultReserve
	}
	names, err := fs.Names()
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	l := &Log{fs: fs, opts: opts, base: 1}
	r := &recovery{fs: fs, report: opts.Report, read: read, next: time.Now().Add(progressEvery)}
	for _, name := range names {
		if n, ok := numbered(name, baseSuffix); ok {
			l.base = max(l.base, n)
		}
		if n, ok := numbered(name, segmentSuffix); ok {
			r.last = max(r.last, n)
		}
	}
	if r.last >= l.base || l.base > 1 {
		if err := r.segments(l.base); err != nil {
			return nil, fmt.Errorf("journal: %w", err)
		}
	}
	if opts.Check != nil {
		if err := opts.Check(); err != nil {
			return nil, fmt.Errorf("journal: segment %s, where the log begins: %w%s", segmentName(l.base), err, damaged)
		}
	}
	if err := r.tidy(l.base); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	l.segment, l.total = r.last, r.bytes
	if err := l.create(true); err != nil {
		return nil, err
	}
	if err := l.Restock(); err != nil {
		l.low = true
		opts.Report("the disk is full: " + err.Error())
	}
	return l, nil
}

func numbered(name, suffix string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil
}

// removeBefore removes what a base has made superfluous.
func removeBefore(fs FS, base uint64) error {
	names, err := fs.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		for _, suffix := range []string{segmentSuffix, baseSuffix} {
			if n, ok := numbered(name, suffix); ok && n < base {
				err = errors.Join(err, fs.Remove(name))
			}
		}
	}
	return err
}

// recovery reads the segments of a log.
type recovery struct {
	fs     FS
	report func(string)
	read   func([]byte) error
	last   uint64 // the last segment
	end    uint64 // from here on segments do not belong to the log; 0 if all do
	heads  []head // of the segments, from the first on
	bytes  int64  // read so far
	frames int
	next   time.Time // when to report how far reading is
}

const (
	progressEvery = time.Second
	damaged       = "; restore the directory from a copy, or move it away to begin without it"
)

// segments reads all from the one numbered first on.
func (r *recovery) segments(first uint64) error {
	if err := r.readHeads(first); err != nil {
		return err
	}
	for i, h := range r.heads {
		if err := r.segment(h, i == len(r.heads)-1); err != nil {
			return fmt.Errorf("segment %s: %w", segmentName(h.number), err)
		}
	}
	if first > 1 && r.frames == 0 {
		return fmt.Errorf("segment %s is empty, where the log begins%s", segmentName(first), damaged)
	}
	return nil
}

// readHeads reads the heads of the segments, up to those that do not belong to the log:
// one that was being made, and those that were begun after a sync that failed and are not
// marked as the log's base.
func (r *recovery) readHeads(first uint64) error {
	if r.last < first {
		return fmt.Errorf("segment %s is missing, where the log begins%s", segmentName(first), damaged)
	}
	for n := first; n <= r.last; n++ {
		h, err := r.head(n)
		switch {
		case errors.Is(err, errTorn) && n == r.last && (n > first || n == 1):
			r.end = n
			return nil
		case err != nil:
			return fmt.Errorf("segment %s: its head: %w%s", segmentName(n), err, damaged)
		case !h.goesOn && n > first:
			r.end = n
			return nil
		}
		r.heads = append(r.heads, h)
	}
	return nil
}

func (r *recovery) head(n uint64) (head, error) {
	f, err := r.fs.Open(segmentName(n))
	if err != nil {
		return head{}, err
	}
	defer f.Close()
	var b [headSize + 1]byte
	k, err := io.ReadFull(f, b[:])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return head{}, err
	}
	h, err := parseHead(b[:min(k, headSize)], n)
	if errors.Is(err, errTorn) && k > headSize {
		err = errors.New("it is damaged") // frames follow only a head that is on the disk
	}
	return h, err
}

// tidy removes the segments that do not belong to the log, once that has been read: after
// its end from the last to the first, since the first is the one that tells so, and before
// its base when the base's mark is on the disk for sure.
func (r *recovery) tidy(base uint64) error {
	for ; r.end > 0 && r.last >= r.end; r.last-- {
		if err := errors.Join(r.fs.Remove(segmentName(r.last)), r.fs.SyncDir()); err != nil {
			return err
		}
	}
	if err := r.fs.SyncDir(); err != nil {
		return err
	}
	return removeBefore(r.fs, base)
}

// segment reads the frames of a segment. Of the last one it cuts off an end that is not
// whole.
func (r *recovery) segment(h head, last bool) (err error) {
	file, err := r.fs.Open(segmentName(h.number))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	in := bufio.NewReaderSize(file, 64<<10)
	if _, err := in.Discard(headSize); err != nil {
		return err
	}
	f := frames{r: in, salt: h.salt, offset: int64(headSize)}
	for {
		content, err := f.next()
		switch {
		case err == io.EOF && last:
			return file.Sync() // a killed process may not have, and others are to follow
		case err == io.EOF:
			return nil
		case errors.Is(err, errTorn):
			return r.torn(h, last, f.offset)
		case err != nil:
			return err
		}
		if err := r.read(content); err != nil {
			return fmt.Errorf("frame at byte %d: %w%s", f.offset-FrameHead-int64(len(content)), err, damaged)
		}
		r.frames++
		r.bytes += FrameHead + int64(len(content))
		if now := time.Now(); now.After(r.next) {
			r.next = now.Add(progressEvery)
			r.report(fmt.Sprintf("reading: %d MiB of the log so far, in segment %d of %d", r.bytes>>20, h.number-r.heads[0].number+1, len(r.heads)))
		}
	}
}

// torn deals with what stands from offset on, which begins with no whole frame.
func (r *recovery) torn(h head, last bool, offset int64) error {
	if !last {
		return fmt.Errorf("it is damaged at byte %d, and others follow it%s", offset, damaged)
	}
	file, err := r.fs.Open(segmentName(h.number))
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := io.CopyN(io.Discard, file, offset); err != nil {
		return err
	}
	rest, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	if reliedOn(rest, h.salt, offset) {
		return fmt.Errorf("it is damaged at byte %d, in what had been synced: whole frames follow%s", offset, damaged)
	}
	r.report(fmt.Sprintf("segment %s ends in %d bytes that are no whole frame, as a kill or a power cut leaves them; nothing of that was answered, and it is cut off", segmentName(h.number), len(rest)))
	return errors.Join(file.Truncate(offset), file.Sync())
}
