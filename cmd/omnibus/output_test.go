package main

import (
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// full is an output that takes some lines and no more, as a full disk does.
type full struct{ room atomic.Int64 }

func newFull(room int64) *full {
	f := new(full)
	f.room.Store(room)
	return f
}

func (f *full) Write(p []byte) (int, error) {
	if f.room.Add(-1) < 0 {
		return 0, errors.New("no space left")
	}
	return len(p), nil
}

func TestWhatCannotBePrintedIsNotDeleted(t *testing.T) {
	for _, concurrency := range []string{"1", "16"} {
		t.Run(concurrency, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.run("create", "-delay", "0s")
				w.run("produce", "-preset", "fast", "-count", "30", "-every", "0s", "-delay", "0s")
				w.output = newFull(5)
				w.wantFailure(w.run("consume", "-max", "30", "-concurrency", concurrency), exitFailed, "no space left")
				w.output = nil
				w.wantOK(w.run("status", "-once"), "25 ApproximateNumberOfMessages\n0 ApproximateNumberOfMessagesNotVisible\n")
			})
		})
	}
}

func TestOutputThatFailsFailsEveryCommand(t *testing.T) {
	commandLines := []string{"-h", "create -delay 0s", "status", "status -once", "produce -preset fast", "consume", "purge", "lab -speed 60 -queue mem://lab", "lab -json -speed 60 -queue mem://lab", "list", "list -counts", "attributes", "attributes delay=1s", "delete", "peek", "send hello", "dlq list -queue shared://dead", "dlq redrive -queue shared://dead", "dlq redrive -rate 100 -queue shared://dead", "dlq purge -queue shared://dead", "dlq purge -body x -queue shared://dead"}
	for _, c := range commands() {
		commandLines = append(commandLines, c.name+" -h")
	}
	for _, line := range commandLines {
		t.Run(line, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.run("create", "-queue", "dead")
				w.run("create", "-delay", "0s", "-dlq", "dead", "-max-receives", "9")
				w.run("produce", "-preset", "fast", "-every", "0s", "-delay", "0s")
				w.output = newFull(0)
				begin := time.Now()
				w.wantFailure(w.run(strings.Fields(line)...), exitFailed, "no space left")
				if took := time.Since(begin); took > time.Second {
					t.Errorf("the command went on for %v", took)
				}
			})
		})
	}
}

// unread is an output that takes nothing, as a pipe does whose reader rests.
type unread struct {
	begin   func() // closes begun
	begun   chan struct{}
	release chan struct{}
}

func newUnread(t *testing.T) *unread {
	u := &unread{begun: make(chan struct{}), release: make(chan struct{})}
	u.begin = sync.OnceFunc(func() { close(u.begun) })
	t.Cleanup(func() { close(u.release) })
	return u
}

func (u *unread) Write([]byte) (int, error) {
	u.begin()
	<-u.release
	return 0, io.ErrClosedPipe
}

// In real time, since a goroutine that waits for a mutex stops virtual time.
func TestStoppedCommandsEndThoughTheirOutputIsNotRead(t *testing.T) {
	for _, line := range []string{"consume", "consume -concurrency 16", "status", "produce -preset fast", "produce -preset fast -every 0s -concurrency 16", "lab -queue mem://lab"} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.run("create", "-delay", "0s")
			w.run("produce", "-preset", "fast", "-every", "0s", "-delay", "0s")
			output := newUnread(t)
			w.output = output
			wait := w.start(append(strings.Fields(line), "-drain-timeout", "1s")...)
			<-output.begun
			w.wantFailure(wait(true), exitFailed, "the output is not read")
			w.output = nil
			w.wantOK(w.run("status", "-once"), "\n0 ApproximateNumberOfMessagesNotVisible\n")
		})
	}
}
