//go:build unix

package sqsserver

import "syscall"

// ended reports that the other side of a connection has ended it, which is what
// comes next on it.
func ended(c syscall.RawConn) bool {
	var n int
	var err error
	// Not Read, which would wait for net/http's own read.
	if c.Control(func(fd uintptr) { n, _, err = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK) }) != nil {
		return true // closed here
	}
	return n == 0 && err == nil || err == syscall.ECONNRESET
}
