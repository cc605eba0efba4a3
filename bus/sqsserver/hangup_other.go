//go:build !unix

package sqsserver

import "syscall"

func ended(syscall.RawConn) bool { return false }
