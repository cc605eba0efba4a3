//go:build strangers

package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// server is sqsd, which is started and killed.
type server struct {
	program string
	address string // the same each time
	data    string
	sync    bool

	command  *exec.Cmd
	reading  sync.WaitGroup // what it reports
	starts   int
	starting time.Duration // all starts together

	mu   sync.Mutex // guards all below
	torn int        // ends that were cut off
}

// build builds sqsd, and chooses its address.
func (s *server) build(ctx context.Context, dir string) error {
	s.program = filepath.Join(dir, "sqsd")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", s.program, "omnibus/cmd/sqsd").CombinedOutput(); err != nil {
		return fmt.Errorf("build of sqsd: %w\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.address = l.Addr().String()
	return l.Close()
}

// start starts sqsd and returns when it listens.
func (s *server) start(ctx context.Context) error {
	began := time.Now()
	s.command = exec.CommandContext(ctx, s.program, "-addr", s.address, "-data", s.data, fmt.Sprintf("-sync=%t", s.sync))
	out, err := s.command.StdoutPipe()
	if err != nil {
		return err
	}
	reports, err := s.command.StderrPipe()
	if err != nil {
		return err
	}
	if err := s.command.Start(); err != nil {
		return err
	}
	s.reading.Go(func() { s.read(reports) })
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.Contains(lines.Text(), "listening on") {
		s.kill()
		return fmt.Errorf("sqsd did not start, but printed %q; its directory is %s", lines.Text(), s.data)
	}
	s.starts++
	s.starting += time.Since(began)
	return nil
}

// read reads what sqsd reports, which is much with so many starts.
func (s *server) read(reports interface{ Read([]byte) (int, error) }) {
	for lines := bufio.NewScanner(reports); lines.Scan(); {
		if strings.Contains(lines.Text(), "cut off") {
			s.mu.Lock()
			s.torn++
			s.mu.Unlock()
		}
	}
}

// kill ends sqsd without warning.
func (s *server) kill() {
	_ = s.command.Process.Kill()
	s.reading.Wait()
	_ = s.command.Wait()
}
