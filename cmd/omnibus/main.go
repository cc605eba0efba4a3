// Command omnibus runs the hands-on lab on message queues, and the lab's programs
// one by one on any queue that can be named by a URL.
//
//	omnibus lab                      all of it in one process, nothing installed
//	omnibus create|status|purge      the queue
//	omnibus produce|consume          the workers
//
// Every command has -h. The queue is named by -queue or by the environment
// variable BUS_URL. The exit status is 0, 1 when something failed, and 2 for a
// command line that makes no sense.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"omnibus/bus"
	_ "omnibus/bus/membus"
	_ "omnibus/bus/plainbus"
	_ "omnibus/bus/sqsbus"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	a := &app{
		mux:      bus.DefaultMux(),
		getenv:   os.Getenv,
		stdin:    os.Stdin,
		stdout:   os.Stdout,
		stderr:   os.Stderr,
		terminal: term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())),
	}
	os.Exit(a.run(ctx, os.Args[1:]))
}

// app is what the commands have of the world around them.
type app struct {
	mux      *bus.Mux
	getenv   func(string) string
	stdin    io.Reader
	stdout   io.Writer
	stderr   io.Writer
	terminal bool // standard input and output are a person's terminal
}

// command is a subcommand.
type command struct {
	name    string
	summary string
	run     func(ctx context.Context, a *app, args []string) error
}

// commands are all subcommands, in the order in which the help lists them.
func commands() []command {
	return []command{
		{"lab", "run the whole lab in one process", runLab},
		{"create", "create a queue", runCreate},
		{"status", "show a queue's three counts every second", runStatus},
		{"produce", "send messages", runProduce},
		{"consume", "receive, print and delete messages", runConsume},
		{"purge", "delete all messages of a queue", runPurge},
	}
}

const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a command line that makes no sense.
type usageError struct{ error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// run runs the command that args name and returns the exit status.
func (a *app) run(ctx context.Context, args []string) int {
	if len(args) == 0 {
		a.usage(a.stderr)
		return exitUsage
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		a.usage(a.stdout)
		return 0
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		err := c.run(ctx, a, args[1:])
		switch {
		case err == nil, errors.Is(err, flag.ErrHelp):
			return 0
		case errors.As(err, new(usageError)):
			fmt.Fprintf(a.stderr, "omnibus %s: %v\nomnibus %s -h tells more\n", c.name, err, c.name)
			return exitUsage
		}
		fmt.Fprintf(a.stderr, "omnibus %s: %v\n", c.name, err)
		return exitFailed
	}
	fmt.Fprintf(a.stderr, "omnibus: unknown command %q\n", args[0])
	a.usage(a.stderr)
	return exitUsage
}

func (a *app) usage(w io.Writer) {
	fmt.Fprint(w, "usage: omnibus COMMAND [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, `
omnibus COMMAND -h shows the flags of a command and an example.
The queue is named by -queue or by the environment variable BUS_URL.

To begin:
  omnibus lab -speed 10
`)
}
