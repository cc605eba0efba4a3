package membus

import (
	"net/url"
	"path/filepath"
	"sync"

	"omnibus/bus/engine"
)

// directories are the directories that queues are kept in, while one of those is open.
type directories struct {
	mu    sync.Mutex // guards all below, and is held while a directory is opened or closed
	inUse map[string]*directory
}

// directory is a backend whose queues are kept in one.
type directory struct {
	*Backend
	users int
}

// in returns the backend whose queues are kept in a directory, or for "" this one, and
// a function that says that it is not used any more. The last user closes it.
func (b *Backend) in(dir string) (*Backend, func() error, error) {
	if dir == "" {
		return b, func() error { return nil }, nil
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, nil, err
	}
	ds := &b.directories
	ds.mu.Lock()
	defer ds.mu.Unlock()
	d := ds.inUse[path]
	if d == nil {
		e, err := engine.Open(path, &engine.Options{Report: b.report})
		if err != nil {
			return nil, nil, err
		}
		d = &directory{Backend: New(&Options{Engine: e})}
		if ds.inUse == nil {
			ds.inUse = map[string]*directory{}
		}
		ds.inUse[path] = d
	}
	d.users++
	return d.Backend, sync.OnceValue(func() error {
		ds.mu.Lock()
		defer ds.mu.Unlock()
		if d.users--; d.users > 0 {
			return nil
		}
		delete(ds.inUse, path)
		return d.engine.Close()
	}), nil
}

// urlOf returns the URL of a queue.
func urlOf(name, dir string) string {
	u := Scheme + "://" + name
	if dir != "" {
		u += "?dir=" + url.QueryEscape(dir)
	}
	return u
}
