package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts in testdata/script play with the two programs as they are
// installed. Each script has a work directory, a home and an address, $ADDR, of
// its own. Besides testscript's own commands there are
//
//	status N PROGRAM ARG...            the program ends with that exit status
//	listening ADDR                     waits until something accepts connections
//	until TIMEOUT PATTERN PROGRAM ARG...  runs the program until it prints that
func TestScripts(t *testing.T) {
	t.Parallel()
	bin := programs(t)
	testscript.Run(t, testscript.Params{
		Dir:                "../../testdata/script",
		RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			addr, err := freeAddress()
			if err != nil {
				return err
			}
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("ADDR", addr)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":    scriptStatus,
			"listening": scriptListening,
			"until":     scriptUntil,
		},
	})
}

// programs returns the directory where the two programs are installed, for all tests:
// to link them takes longer than most of what is done with them.
func programs(t *testing.T) string {
	t.Helper()
	out, err := install()
	if err != nil {
		t.Fatalf("go install: %v\n%s", err, out)
	}
	return bin
}

var (
	bin     string // of the programs
	install = sync.OnceValues(func() ([]byte, error) {
		cmd := exec.Command("go", "install", ".", "../sqsd")
		cmd.Env = append(os.Environ(), "GOBIN="+bin)
		return cmd.CombinedOutput()
	})
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if bin, err = os.MkdirTemp("", "omnibus"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(bin)
		return m.Run()
	}())
}

// freeAddress returns a loopback address that was free just now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// scriptStatus is the command status.
func scriptStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// scriptListening is the command listening.
func scriptListening(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: listening ADDR")
	}
	ts.Check(poll(10*time.Second, func() error {
		c, err := net.Dial("tcp", args[0])
		if err != nil {
			return err
		}
		return c.Close()
	}))
}

// scriptUntil is the command until.
func scriptUntil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: until TIMEOUT PATTERN PROGRAM ARG...")
	}
	timeout, err := time.ParseDuration(args[0])
	ts.Check(err)
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	ts.Check(poll(timeout, func() error {
		if err := ts.Exec(args[2], args[3:]...); err != nil {
			return err
		}
		if out := ts.ReadFile("stdout"); !pattern.MatchString(out) {
			return fmt.Errorf("no match for %q in %q", args[1], out)
		}
		return nil
	}))
}

// poll calls f until it succeeds, and returns its error if that takes longer
// than timeout.
func poll(timeout time.Duration, f func() error) error {
	for end := time.Now().Add(timeout); ; time.Sleep(50 * time.Millisecond) {
		err := f()
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("after %v: %w", timeout, err)
		}
	}
}
