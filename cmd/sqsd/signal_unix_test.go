//go:build unix

package main

import (
	"os"
	"syscall"
	"testing"
)

// timeout(1) sends its signal to the program and again to its process group, which
// the program is in.
func TestADoubledSignalIsOne(t *testing.T) {
	ctx, stop := untilSignal()
	defer stop()
	for range 2 {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	<-ctx.Done()
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil { // which would end the tests
		t.Fatal(err)
	}
}
