//go:build strangers

// Command outages shows that a producer and a consumer go on by themselves whatever
// becomes of their endpoint: an sqsd process that keeps its queues on disk is stopped and
// started again, killed, frozen, moved to another address, slow, and cut off in the
// middle of answers. It prints what the two log, which is one line for each change of
// state, and counts.
//
//	go run -tags strangers ./strangers/outages             # each outage 60 s: ten minutes
//	go run -tags strangers ./strangers/outages -away 3s    # half a minute
//
// It runs on loopback and ends its own processes only.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

func main() {
	away := flag.Duration("away", time.Minute, "how long each outage lasts")
	flag.Parse()
	if err := run(*away); err != nil {
		fmt.Fprintln(os.Stderr, "outages:", err)
		os.Exit(1)
	}
}

// An outage is one way for an endpoint to be away. It returns when that is over.
type outage struct {
	name  string
	lines int // that each end logs: 2, or -1 for as many as it likes, in pairs
	begin func(*endpoint, *way) error
	end   func(*endpoint, *way) error
}

var outages = []outage{
	{"stopped, and started again", 2, (*endpoint).stop, (*endpoint).start},
	{"killed, and started again", 2, (*endpoint).kill, (*endpoint).start},
	{"frozen, and continued", -1, (*endpoint).freeze, (*endpoint).thaw},
	{"moved to another address", 2, (*endpoint).stop, (*endpoint).move},
	{"slow: 2 s for each piece of an answer", 0,
		func(_ *endpoint, w *way) error { w.set(2*time.Second, 0); return nil },
		func(_ *endpoint, w *way) error { w.set(0, 0); return nil }},
	{"cut off in one of five answers", -1,
		func(_ *endpoint, w *way) error { w.set(0, 0.2); return nil },
		func(_ *endpoint, w *way) error { w.set(0, 0); return nil }},
}

func run(away time.Duration) error {
	dir, err := os.MkdirTemp("", "outages")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	e := &endpoint{binary: filepath.Join(dir, "sqsd"), data: filepath.Join(dir, "data")}
	build := exec.Command("go", "build", "-o", e.binary, "./cmd/sqsd")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("go build ./cmd/sqsd: %w", err)
	}
	w := &way{}
	if err := e.move(w); err != nil {
		return err
	}
	defer e.kill(w)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute+time.Duration(len(outages))*(away+2*time.Minute))
	defer cancel()
	l, err := begin(ctx, w)
	if err != nil {
		return err
	}
	pause := min(away, 10*time.Second)
	for _, o := range outages {
		time.Sleep(pause)
		l.print("endpoint " + o.name)
		before := l.mark()
		if err := o.begin(e, w); err != nil {
			return err
		}
		time.Sleep(away)
		if err := o.end(e, w); err != nil {
			return err
		}
		l.print("the endpoint is as it was")
		if err := l.goesOn(ctx); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		for range 300 { // a request that still waits for its next try may have to end first
			if err = l.check(before, o.lines); err == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
	}
	return l.finish(ctx)
}

// An endpoint is an sqsd process.
type endpoint struct {
	binary, data, address string
	process               *exec.Cmd
}

// move starts the endpoint at an address that was not its own.
func (e *endpoint) move(w *way) error {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	e.address = free.Addr().String()
	free.Close()
	return e.start(w)
}

func (e *endpoint) start(w *way) error {
	e.process = exec.Command(e.binary, "-addr", e.address, "-data", e.data)
	if err := e.process.Start(); err != nil {
		return err
	}
	w.to(e.address)
	for range 100 {
		if c, err := net.Dial("tcp", e.address); err == nil {
			return c.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("sqsd at %s does not listen after 10 s", e.address)
}
