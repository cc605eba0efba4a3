// Package memdisk is a disk in memory for tests of what is kept on one: it forgets at a
// power cut what was not synced, or some of it, in any order, and cut short; it is full
// on request, and its syncs fail on request.
package memdisk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"

	"omnibus/bus/journal"
)

// ErrPower is the error of all that is done after a power cut.
var ErrPower = errors.New("memdisk: the power is off")

// ErrSync is the error of a sync that was made to fail.
var ErrSync = errors.New("memdisk: input/output error")

// A Disk is a [journal.FS]. The zero value is an empty one of unlimited size. It is safe
// for concurrent use.
type Disk struct {
	mu      sync.Mutex // guards all below, and the files
	now     map[string]*content
	synced  map[string]*content
	limited bool
	room    int // what is free, if limited
	left    int // calls until the power is cut; 0 is never
	off     bool
	bad     int // syncs to fail
	badDir  int // syncs of the directory until one fails; 0 is never
	syncs   int
}

// content is what a file holds.
type content struct {
	now    []byte
	synced []byte
	since  []change // since the latest sync
}

// change is a write at an offset, or if data is nil a truncation to it.
type change struct {
	offset int
	data   []byte
}

// SetRoom has the disk be full when n more bytes have been written.
func (d *Disk) SetRoom(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limited, d.room = true, n
}

// FailSyncs has the next n syncs of files fail. What was to be synced by them may never
// be, whatever later ones say.
func (d *Disk) FailSyncs(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bad = n
}

// FailDirSync has the n-th sync of the directory from now fail. Of what it was to sync,
// some is on the disk by chance.
func (d *Disk) FailDirSync(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.badDir = n
}

// CutPower cuts the power in the middle of the n-th call from now that changes
// something.
func (d *Disk) CutPower(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = n
}

// Syncs returns how often files were synced.
func (d *Disk) Syncs() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.syncs
}

// Restart returns the disk after a power cut: what random says of what was not synced is
// there.
func (d *Disk) Restart(random *rand.Rand) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
	after := &Disk{now: d.names(random), synced: map[string]*content{}}
	for _, name := range slices.Sorted(maps.Keys(after.now)) {
		c := &content{synced: after.now[name].survivor(random)}
		c.now = slices.Clone(c.synced)
		after.now[name], after.synced[name] = c, c
	}
	return after
}

// names returns what is in the directory when each creation and removal that was not synced
// is on the disk or not, as random says.
func (d *Disk) names(random *rand.Rand) map[string]*content {
	names := maps.Clone(d.synced)
	if names == nil {
		names = map[string]*content{}
	}
	for _, name := range slices.Sorted(maps.Keys(d.now)) {
		if d.synced[name] != d.now[name] && random.IntN(2) == 0 {
			names[name] = d.now[name]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.synced)) {
		if d.now[name] == nil && random.IntN(2) == 0 {
			delete(names, name)
		}
	}
	return names
}

// Kill returns the disk after the end of the process: all that was written is there, and
// what was not synced can still be lost by a power cut.
func (d *Disk) Kill() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
	after := &Disk{now: map[string]*content{}, synced: map[string]*content{}}
	copies := map[*content]*content{}
	for _, names := range []struct{ from, to map[string]*content }{{d.now, after.now}, {d.synced, after.synced}} {
		for name, c := range names.from {
			if copies[c] == nil {
				copies[c] = &content{slices.Clone(c.now), slices.Clone(c.synced), slices.Clone(c.since)}
			}
			names.to[name] = copies[c]
		}
	}
	return after
}

// Damage changes one byte of a file, as a disk that has gone bad does.
func (d *Disk) Damage(name string, offset int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now[name].now[offset] ^= 0x55
}

// Size returns how many bytes a file has.
func (d *Disk) Size(name string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.now[name].now)
}

// survivor returns what a power cut leaves of a file.
func (c *content) survivor(random *rand.Rand) []byte {
	b := slices.Clone(c.synced)
	for _, ch := range c.since {
		switch random.IntN(4) {
		case 0: // it never reached the disk
		case 1:
			if len(ch.data) > 0 {
				ch.data = ch.data[:random.IntN(len(ch.data))]
				b = ch.apply(b)
			}
		default:
			b = ch.apply(b)
		}
	}
	return b
}

func (ch change) apply(b []byte) []byte {
	if ch.data == nil {
		if ch.offset < len(b) {
			b = b[:ch.offset]
		}
		return b
	}
	if end := ch.offset + len(ch.data); end > len(b) {
		b = append(b, make([]byte, end-len(b))...)
	}
	copy(b[ch.offset:], ch.data)
	return b
}

// change is called for each call that changes something. d.mu is held.
func (d *Disk) change() error {
	if d.off {
		return ErrPower
	}
	if d.left > 0 {
		if d.left--; d.left == 0 {
			d.off = true
		}
	}
	return nil
}

func (d *Disk) Names() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.now)), nil
}

func (d *Disk) Open(name string) (journal.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return nil, ErrPower
	}
	c := d.now[name]
	if c == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &file{disk: d, content: c}, nil
}

func (d *Disk) Create(name string) (journal.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.change(); err != nil {
		return nil, err
	}
	if d.now == nil {
		d.now = map[string]*content{}
	}
	if old := d.now[name]; old != nil {
		d.room += len(old.now)
	}
	c := &content{}
	d.now[name] = c
	return &file{disk: d, content: c}, nil
}

func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.change(); err != nil {
		return err
	}
	c := d.now[name]
	if c == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	d.room += len(c.now)
	delete(d.now, name)
	return nil
}

func (d *Disk) SyncDir() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.change(); err != nil {
		return err
	}
	if d.badDir > 0 {
		if d.badDir--; d.badDir == 0 {
			d.synced = d.names(rand.New(rand.NewPCG(uint64(d.syncs), uint64(len(d.now)))))
			return ErrSync
		}
	}
	d.synced = maps.Clone(d.now)
	return nil
}

// file is an open file. It is written at its end.
type file struct {
	disk    *Disk
	content *content
	read    int
}

func (f *file) Read(p []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.read >= len(f.content.now) {
		return 0, io.EOF
	}
	n := copy(p, f.content.now[f.read:])
	f.read += n
	return n, nil
}

func (f *file) Write(p []byte) (int, error) {
	d, c := f.disk, f.content
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.change(); err != nil {
		return 0, err
	}
	var err error
	if d.limited && len(p) > d.room {
		p, err = p[:max(0, d.room)], fmt.Errorf("memdisk: %w", syscall.ENOSPC)
	}
	if len(p) == 0 {
		return 0, err
	}
	d.room -= len(p)
	c.since = append(c.since, change{len(c.now), slices.Clone(p)})
	c.now = append(c.now, p...)
	return len(p), err
}

func (f *file) Truncate(size int64) error {
	d, c := f.disk, f.content
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.change(); err != nil {
		return err
	}
	if int(size) < len(c.now) {
		d.room += len(c.now) - int(size)
		c.now = c.now[:size]
		c.since = append(c.since, change{offset: int(size)})
	}
	return nil
}

func (f *file) Sync() error {
	d, c := f.disk, f.content
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.change(); err != nil {
		return err
	}
	d.syncs++
	if d.off { // the power goes while it syncs: what was written may or may not be there
		return ErrPower
	}
	if d.bad > 0 {
		d.bad--
		// The system holds what it could not write for clean: what there is now on the
		// disk is what is lost or not by chance.
		c.synced = c.survivor(rand.New(rand.NewPCG(uint64(d.syncs), uint64(len(c.now)))))
		c.since = nil
		return ErrSync
	}
	for _, ch := range c.since {
		c.synced = ch.apply(c.synced)
	}
	c.since = nil
	return nil
}

func (f *file) Close() error { return nil }
