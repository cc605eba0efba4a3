package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// FS is the directory that a log is kept in. [Dir] is one of the operating system;
// tests have one in memory that loses what was not synced. Names are of files in the
// directory itself. What Create, Remove and Truncate do to the directory is only sure
// to last after SyncDir.
type FS interface {
	// Names returns the names of the files, sorted.
	Names() ([]string, error)

	// Open opens a file for reading.
	Open(name string) (File, error)

	// Create makes an empty file for writing at its end, in the place of one that is
	// there.
	Create(name string) (File, error)

	Remove(name string) error

	// SyncDir has the creations and removals so far outlast a power cut.
	SyncDir() error
}

// File is a file of an [FS].
type File interface {
	io.Reader
	io.Writer
	io.Closer

	// Truncate cuts the file down to size bytes.
	Truncate(size int64) error

	// Sync has all that was written so far outlast a power cut.
	Sync() error
}

// A Dir is a directory of the operating system, which no other process has open as one.
type Dir struct {
	path string
	lock *os.File
}

const lockName = "lock"

// OpenDir opens a directory and makes it if need be. Where another process has it
// open, it fails.
func OpenDir(path string) (*Dir, error) {
	if path == "" {
		return nil, errors.New("journal: the name of the directory is empty")
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: directory %s is in use by another process (%w); end that one, or choose another directory", path, err), f.Close())
	}
	return &Dir{path, f}, nil
}

// Close lets others open the directory.
func (d *Dir) Close() error { return d.lock.Close() }

// String returns the directory's path.
func (d *Dir) String() string { return d.path }

func (d *Dir) Names() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names, nil
}

func (d *Dir) Open(name string) (File, error) { return open(d, name, os.O_RDWR) }

func (d *Dir) Create(name string) (File, error) {
	return open(d, name, os.O_CREATE|os.O_TRUNC|os.O_RDWR)
}

func open(d *Dir, name string, flag int) (File, error) {
	f, err := os.OpenFile(filepath.Join(d.path, name), flag, 0o600)
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

// file is a file that is written at its end, also when it has been cut down. Windows
// cuts down none that was opened for appending.
type file struct{ *os.File }

func (f file) Truncate(size int64) error {
	if err := f.File.Truncate(size); err != nil {
		return err
	}
	_, err := f.Seek(size, io.SeekStart)
	return err
}

func (d *Dir) Remove(name string) error { return os.Remove(filepath.Join(d.path, name)) }

func (d *Dir) SyncDir() error { return syncDir(d.path) }
