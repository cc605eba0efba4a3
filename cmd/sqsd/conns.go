package main

import (
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// writeTimeout is how long a client may take to take up to 32 KiB of its
	// answer, which is all that is written at a time.
	writeTimeout = 5 * time.Second

	// drainWriteTimeout is how long the clients have, all in all, after a signal.
	drainWriteTimeout = 3 * time.Second

	// spareAfter is how long a connection must have been idle to be closed for a
	// new one. A client that sends one request after the other is back sooner.
	spareAfter = time.Second

	// maxConns is for machines that set no limit. A connection takes about 10 KiB.
	maxConns = 16 << 10
)

// connections is a listener with at most so many connections open. Where the
// operating system's limit of descriptors is reached instead, no client is
// accepted any more, for as long as the idle ones stay. Here a new connection
// takes the place of the one that has been idle the longest, and waits while there
// is none; and one whose client does not read is closed.
type connections struct {
	net.Listener
	most int

	freed  chan struct{} // has an element when a connection has been closed
	closed chan struct{}
	once   sync.Once
	end    atomic.Int64 // when writing ends, in nanoseconds since 1970; 0 before a drain

	mu   sync.Mutex // guards open
	open map[*conn]struct{}
}

func newConnections(l net.Listener, most int) *connections {
	return &connections{
		Listener: l, most: most,
		freed: make(chan struct{}, 1), closed: make(chan struct{}),
		open: map[*conn]struct{}{},
	}
}

// conn is a connection of a connections.
type conn struct {
	net.Conn
	of   *connections
	raw  syscall.RawConn // nil if it is no socket's
	idle atomic.Int64    // since when, in nanoseconds since 1970; 0 while it is not
}

// Accept waits for a connection, and then for room for it.
func (l *connections) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if !l.makeRoom() {
		_ = raw.Close()
		return nil, net.ErrClosed
	}
	c := &conn{Conn: raw, of: l}
	if socket, err := c.SyscallConn(); err == nil {
		c.raw = socket
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[c] = struct{}{}
	return c, nil
}

// Close ends the accepting of connections.
func (l *connections) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// makeRoom returns when there is room for one more connection. It reports false
// when the listener has been closed.
func (l *connections) makeRoom() bool {
	for {
		full, spare := l.spare()
		if !full {
			return true
		}
		if spare != nil {
			_ = spare.Close() // of what fails, nothing is left to be closed
			continue
		}
		select {
		case <-l.freed:
		case <-time.After(spareAfter / 10): // then another may have been idle long enough
		case <-l.closed:
			return false
		}
	}
}

// spare reports whether there is no room, and returns the connection that has been
// idle the longest, if it has been for long enough.
func (l *connections) spare() (full bool, longest *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) < l.most {
		return false, nil
	}
	before := time.Now().Add(-spareAfter).UnixNano()
	for c := range l.open {
		if since := c.idle.Load(); since != 0 && since <= before {
			before, longest = since, c
		}
	}
	return true, longest
}

// drain ends all writing soon, that of answers in progress too.
func (l *connections) drain() {
	end := time.Now().Add(drainWriteTimeout)
	l.end.Store(end.UnixNano())
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		_ = c.SetWriteDeadline(end) // an error is that it has been closed
	}
}

// changed is the http.Server's ConnState.
func (l *connections) changed(c net.Conn, state http.ConnState) {
	switch c := c.(*conn); state {
	case http.StateIdle:
		c.idle.Store(time.Now().UnixNano())
	case http.StateActive:
		c.idle.Store(0)
	}
}

// Write writes, if the client reads. What the system takes at once needs no deadline,
// and that is nearly all: one for each write costs 5 µs, for the timers it moves.
func (c *conn) Write(b []byte) (int, error) {
	n := c.writeNow(b)
	if n == len(b) {
		return n, nil
	}
	deadline := time.Now().Add(writeTimeout)
	if end := c.of.end.Load(); end != 0 && end < deadline.UnixNano() {
		deadline = time.Unix(0, end)
	}
	if err := c.SetWriteDeadline(deadline); err != nil {
		return n, err
	}
	more, err := c.Conn.Write(b[n:])
	return n + more, err
}

// writeNow writes what the system takes at once, and returns how much that was. An
// error comes again with the write after it. A deadline that has passed, of an earlier
// write, has it write nothing.
func (c *conn) writeNow(b []byte) (n int) {
	if c.raw == nil {
		return 0
	}
	_ = c.raw.Write(func(fd uintptr) bool {
		n = writeSome(fd, b)
		return true
	})
	return n
}

// SyscallConn is for sqsserver.ConnContext.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	socket, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return socket.SyscallConn()
}

func (c *conn) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	select {
	case c.of.freed <- struct{}{}:
	default:
	}
	return c.Conn.Close()
}
