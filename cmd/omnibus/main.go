// Command omnibus runs the hands-on lab on message queues, the lab's programs one by
// one on any queue that can be named by a URL, and is a desk for queues and their
// dead letters.
//
//	omnibus lab                                       all of it in one process, nothing installed
//	omnibus tour                                      the same in stories, with questions and answers
//	omnibus list|create|delete|attributes|tag         queues
//	omnibus status|purge|peek|send                    what is in one
//	omnibus watch                                     the counts of many
//	omnibus produce|consume                           the workers
//	omnibus dlq list|peek|redrive|purge               dead letters
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
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"omnibus/bus"
	_ "omnibus/bus/membus"
	_ "omnibus/bus/plainbus"
	"omnibus/bus/sqsbus"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() { time.AfterFunc(signalTime, stop) }) // a second signal ends the process at once
	signal.Ignore(syscall.SIGPIPE)                                      // when nobody reads the output any more, a write fails, and messages in hand are given back
	a := &app{
		mux:      bus.DefaultMux(),
		sqs:      sqsbus.Default(),
		exit:     os.Exit,
		getenv:   os.Getenv,
		stdin:    os.Stdin,
		stdout:   os.Stdout,
		stderr:   os.Stderr,
		terminal: term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())),

		errTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		setLogger:   slog.SetDefault,
	}
	os.Exit(a.run(ctx, os.Args[1:]))
}

// signalTime is how long signals after the first are taken for the same: timeout(1)
// sends each of its own twice, to the command and to its process group.
const signalTime = time.Second / 2

// app holds what the commands use of the world around them.
type app struct {
	mux      *bus.Mux
	sqs      *sqsbus.Backend  // for what SQS alone has: tags
	exit     func(status int) // ends the process at once
	getenv   func(string) string
	stdin    io.Reader
	stdout   io.Writer // for the live view; all else goes to out
	stderr   io.Writer
	terminal bool // standard input and output are a person's terminal

	errTerminal bool               // and standard error is one
	setLogger   func(*slog.Logger) // if not nil, is told where packages are to log
	logger      *slog.Logger       // set by commands that log

	out   *output // set by run
	queue string  // set by a command: the URL of the queue that it is for
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
		{"tour", "walk through the lab's stories, with questions and answers", runTour},
		{"create", "create a queue", runCreate},
		{"status", "show a queue's three counts every second", runStatus},
		{"watch", "watch queues: counts, rates, age and cost", runWatch},
		{"produce", "send messages", runProduce},
		{"consume", "receive, print and delete messages", runConsume},
		{"purge", "delete all messages of a queue", runPurge},
		{"list", "list the queues of an endpoint", runList},
		{"delete", "delete a queue", runDelete},
		{"attributes", "show or set the attributes of a queue", runAttributes},
		{"tag", "list, set or remove the tags of a queue", runTag},
		{"peek", "print messages and leave them in the queue", runPeek},
		{"send", "send one message and print its id", runSend},
		{"dlq list", "list dead-letter queues and whose they are", runDLQList},
		{"dlq peek", "print dead letters and leave them where they are", runDLQPeek},
		{"dlq redrive", "move dead letters back to their queues", runDLQRedrive},
		{"dlq purge", "delete dead letters", runDLQPurge},
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
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	a.out = &output{w: a.stdout, stopping: ctx.Done(), stop: stop, patience: defaultDrainTimeout / 2}
	if len(args) == 0 {
		a.usage(a.stderr)
		return exitUsage
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		a.usage(a.out)
		return a.status("omnibus", nil)
	case "-version", "--version", "version":
		return a.status("omnibus", printVersion(a.out))
	}
	c, rest, err := find(args)
	if err != nil && len(args) > 1 && slices.Contains([]string{"-h", "-help", "--help"}, args[1]) {
		a.usage(a.out)
		return a.status("omnibus", nil)
	}
	if err != nil {
		fmt.Fprintf(a.stderr, "omnibus: %v\n", err)
		a.usage(a.stderr)
		return exitUsage
	}
	return a.status("omnibus "+c.name, c.run(ctx, a, rest))
}

// find returns the command that args name, with its own arguments. A name may have two
// words.
func find(args []string) (command, []string, error) {
	var names, firsts []string
	for _, c := range commands() {
		words := strings.Fields(c.name)
		if len(args) >= len(words) && slices.Equal(args[:len(words)], words) {
			return c, args[len(words):], nil
		}
		if words[0] == args[0] {
			names = append(names, words[1])
		}
		firsts = append(firsts, words[0])
	}
	switch {
	case names == nil:
		return command{}, nil, fmt.Errorf("unknown command %q%s", args[0], didYouMean("", args[0], firsts))
	case len(args) == 1:
		return command{}, nil, fmt.Errorf("%s what? It has %s", args[0], strings.Join(names, ", "))
	}
	return command{}, nil, fmt.Errorf("unknown command %q%s; %s has %s", args[0]+" "+args[1], didYouMean(args[0]+" ", args[1], names), args[0], strings.Join(names, ", "))
}

// status prints what came of a command, or of its output, if that is an error,
// and returns the exit status.
func (a *app) status(command string, err error) int {
	if errors.Is(err, flag.ErrHelp) {
		err = nil
	}
	if failed := a.out.failure(); failed != nil && !errors.Is(err, failed) {
		err = errors.Join(err, failed)
	}
	if err == nil {
		return 0
	}
	// The text may be a server's own. Its lines are indented, so that none of
	// them looks like another program's.
	text := strings.Split(err.Error(), "\n")
	for i, line := range text {
		text[i] = visible(line)
	}
	fmt.Fprintf(a.stderr, "%s: %s\n", command, strings.Join(text, "\n  "))
	if step := a.nextStep(err); step != "" {
		fmt.Fprintln(a.stderr, visible(step))
	}
	if errors.As(err, new(usageError)) {
		fmt.Fprintf(a.stderr, "%s -h tells more\n", command)
		return exitUsage
	}
	return exitFailed
}

func (a *app) usage(w io.Writer) {
	fmt.Fprint(w, "usage: omnibus COMMAND [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-11s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, `
omnibus COMMAND -h shows the flags of a command and an example.
The queue is named by -queue or by the environment variable BUS_URL; beside a URL
in BUS_URL or AWS_ENDPOINT_URL_SQS its name or its ARN will do. omnibus -version
tells the version.

To begin:
  omnibus lab -speed 10
`)
}
