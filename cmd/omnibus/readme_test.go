package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Every command line in the README is run as it is written, but for the address,
// which others may have, and for commands that go on: those are interrupted when
// each of them has printed something.
func TestREADMECommandLinesWork(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no interrupts to send on Windows")
	}
	t.Parallel()
	addr, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	p := &play{t: t, addr: addr, bin: programs(t)} // which go install leaves as they are
	lines := readmeCommandLines(t)
	take := func(pattern string) (found []string) {
		lines = slices.DeleteFunc(lines, func(line string) bool {
			matches := regexp.MustCompile("^(" + pattern + ")$").MatchString(line)
			if matches {
				found = append(found, line)
			}
			return matches
		})
		if len(found) == 0 {
			t.Errorf("README.md has no command line like %s any more", pattern)
		}
		return found
	}
	for _, line := range take(`go install .*`) {
		p.finish(p.command(line))
	}
	for _, line := range take(`go run ./cmd/omnibus .*`) {
		p.start(line)
	}
	for _, line := range take(`export BUS_URL=.*`) {
		_, p.url, _ = strings.Cut(strings.ReplaceAll(line, "127.0.0.1:9324", addr), "=")
	}
	for _, line := range take(`sqsd`) {
		p.start(line + " -addr " + addr)
	}
	for _, line := range take(`sqsd -ui`) {
		p.start(line + " -addr 127.0.0.1:0")
	}
	p.awaitOutput()
	for _, line := range take(`omnibus create.*`) {
		p.finish(p.command(line))
	}
	for _, line := range take(`omnibus (list|attributes|tag|dlq list|-version)`) {
		p.finish(p.command(line))
	}
	take(`omnibus (produce|delete|peek|send|dlq (peek|redrive|purge))`) // names of commands that need to be told more, or leave nothing for others
	for _, line := range take(`omnibus (status|produce|consume|lab|tour|watch).*`) {
		p.start(line)
	}
	p.awaitOutput()
	for _, line := range take(`omnibus purge|go doc .*|BUS_URL=mem://\S+ go run .*`) {
		p.finish(p.command(line))
	}
	p.stop()

	// What takes long or changes the module is left to .ci; of a benchmark it is
	// enough that there is one.
	for _, line := range take(`go test -run '\^\$' -bench \w+ (-benchtime 1x -v )?\./\S+`) {
		fields := strings.Fields(line)
		if !hasFunction(t, fields[len(fields)-1], `Benchmark\w*`+fields[5]) {
			t.Errorf("%s finds no benchmark", line)
		}
	}
	ci := ""
	for _, script := range []string{"run", "module"} {
		text, err := os.ReadFile(filepath.Join(root, ".ci", script))
		if err != nil {
			t.Fatal(err)
		}
		ci += string(text)
	}
	for _, line := range take(`go test ./\.\.\.|bash \.ci/\S+|go mod .*|go work .*|go run ./internal/rename .*`) {
		if !strings.Contains(ci, "\n"+line+"\n") {
			t.Errorf(".ci does not run %s", line)
		}
	}
	for _, line := range take(`bash deploy/\S+`) { // .ci says where to
		if !strings.Contains(ci, "\n"+line+" ") {
			t.Errorf(".ci does not run %s", line)
		}
	}
	for _, line := range take(`go run -tags strangers ./strangers/.*`) { // a longer form
		if !strings.Contains(ci, line) {
			t.Errorf(".ci does not run %s in any form", line)
		}
	}
	// The longer forms of tests that go test runs.
	for _, line := range take(`go test -run '?(\w+)\$?'? -v .*`) {
		m := regexp.MustCompile(`-run '?(\w+)\$?'? .*(\./\S+)`).FindStringSubmatch(line)
		if m == nil || !hasFunction(t, m[2], `Test\w*`+strings.TrimPrefix(m[1], "Test")) {
			t.Errorf("%s finds no test", line)
		}
	}
	if len(lines) > 0 {
		t.Errorf("README.md has command lines that no test runs: %q", lines)
	}
}

// hasFunction reports whether the tests of a package have a function of that name.
func hasFunction(t *testing.T, pkg, name string) bool {
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return regexp.MustCompile(`(?m)^func ` + name).Match(code)
	})
}

const root = "../.."

// readmeCommandLines returns the command lines in the README: the lines of its
// code without a language, and what is code in its text and begins like a command.
func readmeCommandLines(t *testing.T) (lines []string) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	add := func(line string) {
		line, _, _ = strings.Cut(line, "#")
		for part := range strings.SplitSeq(strings.ReplaceAll(line, "&&", "&"), "&") {
			if part = strings.TrimSpace(part); part != "" && !slices.Contains(lines, part) {
				lines = append(lines, part)
			}
		}
	}
	code, shell := false, false
	for line := range strings.Lines(string(text)) {
		if language, fence := strings.CutPrefix(line, "```"); fence {
			code = !code
			shell = code && language == "\n"
			continue
		}
		if shell {
			add(line)
		}
		if code {
			continue
		}
		for _, span := range regexp.MustCompile("`((?:omnibus|go \\w+|bash|[A-Z_]+=\\S+) [^`]+)`").FindAllStringSubmatch(line, -1) {
			add(span[1])
		}
	}
	return lines
}

// play runs command lines.
type play struct {
	t    *testing.T
	addr string
	bin  string
	url  string // BUS_URL, "" if there is none yet

	mu      sync.Mutex // guards what is in running
	running []*running
}

type running struct {
	line    string
	cmd     *exec.Cmd
	output  bytes.Buffer
	printed chan struct{} // closed at the first line, or when there will be none
	done    chan error
}

// command returns the command of a line, with what it says of its environment.
func (p *play) command(line string) *exec.Cmd {
	url := p.url
	if strings.Contains(line, "-fifo") || strings.Contains(line, "-group") {
		url += ".fifo" // as the README says beside them
	}
	env := append(os.Environ(), "GOBIN="+p.bin, "BUS_URL="+url)                           // an empty BUS_URL is none
	fields := strings.Fields(strings.Replace(line, "go run ./cmd/omnibus", "omnibus", 1)) // go run passes no signal on
	for strings.Contains(fields[0], "=") {
		env, fields = append(env, fields[0]), fields[1:]
	}
	if fields[0] == "omnibus" || fields[0] == "sqsd" {
		fields[0] = filepath.Join(p.bin, fields[0])
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	p.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, fields[0], fields[1:]...)
	cmd.Dir, cmd.Env = root, env
	return cmd
}

// finish runs a command to its end.
func (p *play) finish(cmd *exec.Cmd) {
	p.t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Errorf("%s: %v\n%s", cmd, err, out)
	}
}

// start starts a command that goes on.
func (p *play) start(line string) {
	p.t.Helper()
	r := &running{line: line, cmd: p.command(line), printed: make(chan struct{}), done: make(chan error, 1)}
	r.cmd.Stderr = os.Stderr
	out, err := r.cmd.StdoutPipe()
	if err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		p.t.Fatalf("%s: %v", line, err)
	}
	p.running = append(p.running, r)
	go func() {
		s := bufio.NewScanner(out)
		printed := sync.OnceFunc(func() { close(r.printed) })
		for s.Scan() {
			p.mu.Lock()
			r.output.WriteString(s.Text() + "\n")
			p.mu.Unlock()
			printed()
		}
		printed()
		r.done <- r.cmd.Wait()
	}()
}

// awaitOutput waits until everything that was started has printed something.
func (p *play) awaitOutput() {
	for _, r := range p.running {
		<-r.printed
	}
}

// stop interrupts what was started: endpoints when all that use them have ended.
func (p *play) stop() {
	for _, endpoints := range []bool{false, true} {
		for _, interrupt := range []bool{true, false} { // all of them, before it waits for one
			for _, r := range p.running {
				switch {
				case strings.HasPrefix(r.line, "sqsd") != endpoints:
				case interrupt:
					_ = r.cmd.Process.Signal(os.Interrupt) // it may have ended by itself
				default:
					if err := <-r.done; err != nil || r.output.Len() == 0 {
						p.t.Errorf("%s: %v after the output\n%s", r.line, err, &r.output)
					}
				}
			}
		}
	}
}
