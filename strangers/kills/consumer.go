//go:build strangers

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

// beConsumer handles messages until standard input ends, and writes a line for each,
// at once: what a pipe has been given outlives the process.
func beConsumer(ctx context.Context, url string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // it ends when the campaign says so, or dies
		stop()
	}()
	q, err := bus.Open(ctx, url)
	if err != nil {
		return err
	}
	defer q.Shutdown(context.WithoutCancel(ctx))
	c := &workers.Consumer{Queue: q, Concurrency: 16, Handler: func(_ context.Context, m *pubsub.Message) error {
		time.Sleep(rand.N(5 * time.Millisecond))
		_, err := fmt.Printf("%s %d\n", m.Body, time.Now().UnixNano())
		return err
	}}
	return c.Run(ctx)
}

// A process is a consumer process.
type process struct {
	command *exec.Cmd
	input   io.Closer
	killed  time.Time      // zero if it was not
	reading sync.WaitGroup // what it writes
}

// A handling is one time that a message was handled.
type handling struct {
	at time.Time
	by *process
}

// A record is who handled what. It may be read when all processes have ended.
type record struct {
	mu        sync.Mutex // guards all below
	handled   map[int][]handling
	processes []*process
}

// start starts a process.
func (r *record) start(url string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{command: exec.Command(self, "-consume", url)}
	p.command.Stderr = os.Stderr
	if p.input, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.processes = append(r.processes, p)
	r.mu.Unlock()
	p.reading.Go(func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			var number int
			var at int64
			if n, _ := fmt.Sscan(lines.Text(), &number, &at); n == 2 {
				r.add(number, handling{time.Unix(0, at), p})
			}
		}
	})
	return p, nil
}

func (r *record) add(number int, h handling) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.handled == nil {
		r.handled = map[int][]handling{}
	}
	r.handled[number] = append(r.handled[number], h)
}

// kill ends a process without warning.
func (p *process) kill() {
	p.killed = time.Now()
	_ = p.command.Process.Kill()
	p.wait()
}

// stop has a process end by itself.
func (p *process) stop() {
	p.input.Close()
	p.wait()
}

func (p *process) wait() {
	p.reading.Wait()
	_ = p.command.Wait()
	p.input.Close()
}
