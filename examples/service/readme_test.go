package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The README's commands are typed into a shell one by one, as they stand there but for
// the addresses, which others may have, and must print what it says. What is asked of a
// process that goes on is asked until the answer is there.
func TestREADMEIsTrueWordByWord(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the README's commands are for bash")
	}
	if os.Getenv(inREADME) != "" {
		return // it is the README that runs the tests
	}
	sh := openShell(t)
	blocks := codeBlocks(t)
	if len(blocks) < 8 {
		t.Fatalf("the README has %d blocks of commands", len(blocks))
	}
	for _, b := range blocks {
		got := ""
		for i, line := range b.commands {
			deadline := time.Now().Add(time.Minute)
			for {
				out, status := sh.run(line)
				last := i == len(b.commands)-1
				if status == 0 && (!last || b.output == "" || got+out == b.output) {
					got += out
					break
				}
				asks := strings.HasPrefix(line, "curl -s http://") || strings.HasPrefix(line, "omnibus dlq peek")
				if !asks || time.Now().After(deadline) {
					t.Fatalf("%s: status %d, and the block has printed\n%s\nwant\n%s", line, status, got+out, b.output)
				}
				time.Sleep(50 * time.Millisecond)
			}
		}
	}
}

// A codeBlock is a block of commands, and what it prints, if the README says so.
type codeBlock struct {
	commands []string
	output   string
}

func codeBlocks(t *testing.T) (blocks []codeBlock) {
	text, err := os.ReadFile("README.md")
	must(t, err)
	fence := ""
	for line := range strings.Lines(string(text)) {
		switch mark, fenced := strings.CutPrefix(line, "```"); {
		case fenced && fence != "":
			fence = ""
		case fenced:
			if fence = "commands"; mark == "text\n" {
				fence = "output"
			} else {
				blocks = append(blocks, codeBlock{})
			}
		case fence == "commands":
			b := &blocks[len(blocks)-1]
			b.commands = append(b.commands, strings.TrimSpace(line))
		case fence == "output":
			blocks[len(blocks)-1].output += line
		}
	}
	return blocks
}

// A shell is a bash that runs commands one by one.
type shell struct {
	t      *testing.T
	stdin  *os.File
	lines  *bufio.Scanner
	places *strings.Replacer // from the README's addresses to free ones
	back   *strings.Replacer
	listen map[string]string // addresses of programs that go on
}

func openShell(t *testing.T) *shell {
	service, sqsd := freeAddress(t), freeAddress(t)
	const asService, asSQSD = "127.0.0.1:8080", "127.0.0.1:9324"
	dir := t.TempDir()
	bash := exec.Command("bash", "-c", "set -m; while IFS= read -r line; do eval \"$line\" </dev/null; echo \"status $?\"; done; kill $(jobs -p) 2>/dev/null; wait")
	bash.Env = append(os.Environ(), "GOBIN="+dir, "PATH="+dir+string(filepath.ListSeparator)+os.Getenv("PATH"),
		"DATABASE="+filepath.Join(dir, "orders.db"), "ADDR="+service, "SQSD_ADDR="+sqsd, "BUS_URL=", inREADME+"=1")
	bash.Stderr = os.Stderr
	in, stdin, err := os.Pipe()
	must(t, err)
	stdout, out, err := os.Pipe()
	must(t, err)
	bash.Stdin, bash.Stdout = in, out
	must(t, bash.Start())
	in.Close()
	out.Close()
	t.Cleanup(func() { stdin.Close(); _ = bash.Wait() }) // which ends the programs that still run
	return &shell{
		t: t, stdin: stdin, lines: bufio.NewScanner(stdout), listen: map[string]string{"service &": service, "sqsd &": sqsd},
		places: strings.NewReplacer(asService, service, asSQSD, sqsd), back: strings.NewReplacer(service, asService, sqsd, asSQSD),
	}
}

// inREADME says that the README's test runs the tests.
const inREADME = "SERVICE_README_TEST"

// run runs a command, and waits for one that goes on to listen.
func (s *shell) run(line string) (output string, status int) {
	s.t.Helper()
	fmt.Fprintln(s.stdin, s.places.Replace(line))
	for s.lines.Scan() {
		if _, err := fmt.Sscanf(s.lines.Text(), "status %d", &status); err == nil {
			break
		}
		output += s.back.Replace(s.lines.Text()) + "\n"
	}
	if address := s.listen[line]; address != "" {
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			if c, err := net.Dial("tcp", address); err == nil {
				c.Close()
				break
			}
			if time.Now().After(deadline) {
				s.t.Fatalf("%s does not listen on %s", line, address)
			}
		}
	}
	return output, status
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}
