//go:build unix

package main

import (
	"bufio"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv("RUN_AS_SQSD") != "" {
		main()
	}
	os.Exit(m.Run())
}

// timeout(1) sends its signal to the program and again to its process group, which
// the program is in.
func TestADoubledSignalDrains(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-addr", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "RUN_AS_SQSD=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil { // it listens
		t.Error(err)
	}
	for range 2 {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by the second
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}
