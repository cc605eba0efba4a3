package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// A process is one of the campaign's.
type process struct {
	role    string
	part    int
	command *exec.Cmd
	input   io.Closer
	reading sync.WaitGroup // what it writes
}

// A record is what processes have written. It may be read when all have ended.
type record struct {
	mu         sync.Mutex // guards all below
	started    int
	killed     map[string]int  // by role
	rolled     map[string]bool // attempts that were rolled back
	deliveries int
	messages   map[string]map[string]bool // ids of messages that were delivered, by attempt
}

// start starts a process.
func (r *record) start(role string, part int, args []string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{role: role, part: part, command: exec.Command(self, args...)}
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
	r.started++
	r.mu.Unlock()
	p.reading.Go(func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			r.add(strings.Fields(lines.Text()))
		}
	})
	return p, nil
}

// add adds a line that a process wrote.
func (r *record) add(words []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case len(words) == 2 && words[0] == "rolled":
		if r.rolled == nil {
			r.rolled = map[string]bool{}
		}
		r.rolled[words[1]] = true
	case len(words) == 3 && words[0] == "delivered":
		if r.messages == nil {
			r.messages = map[string]map[string]bool{}
		}
		if r.messages[words[1]] == nil {
			r.messages[words[1]] = map[string]bool{}
		}
		r.deliveries++
		r.messages[words[1]][words[2]] = true
	}
}

// kill ends a process without warning.
func (p *process) kill(r *record) {
	r.mu.Lock()
	if r.killed == nil {
		r.killed = map[string]int{}
	}
	r.killed[p.role]++
	r.mu.Unlock()
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

func (r *record) String() string {
	return fmt.Sprintf("%d writers, %d relays and %d consumers killed, of %d processes", r.killed["writer"], r.killed["relay"], r.killed["consumer"], r.started)
}
