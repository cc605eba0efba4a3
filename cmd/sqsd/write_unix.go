//go:build unix

package main

import "syscall"

// writeSome writes what a socket takes without waiting, and returns how much that was.
func writeSome(fd uintptr, b []byte) int {
	n, err := syscall.Write(int(fd), b)
	if err != nil {
		return 0
	}
	return n
}
