package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"omnibus/bus"
)

// flagSet is the flags of one command with the help around them.
type flagSet struct {
	*flag.FlagSet
	app     *app
	about   string // a sentence or two
	example string
	queue   string
}

// newFlags returns the flags of a command, -queue among them.
func newFlags(a *app, name, about, example string) *flagSet {
	f := &flagSet{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError), app: a, about: about, example: example}
	f.SetOutput(io.Discard)
	f.StringVar(&f.queue, "queue", "", "`URL` of the queue (default: the environment variable BUS_URL)")
	return f
}

// parse reads the command line. It prints the help if that is asked for.
func (f *flagSet) parse(args []string) error {
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		f.help()
		return err
	case err != nil:
		return usageError{err}
	case f.NArg() > 0:
		return usagef("unexpected argument %q; all settings are flags", f.Arg(0))
	}
	if f.queue == "" {
		f.queue = f.app.getenv("BUS_URL")
	}
	return nil
}

func (f *flagSet) help() {
	w := f.app.stdout
	fmt.Fprintf(w, "usage: omnibus %s [flags]\n\n%s\n\n", f.Name(), f.about)
	f.SetOutput(w)
	f.PrintDefaults()
	f.SetOutput(io.Discard)
	fmt.Fprintf(w, "\nExample:\n  %s\n", strings.ReplaceAll(f.example, "\n", "\n  "))
}

// given reports whether a flag was on the command line.
func (f *flagSet) given(name string) bool {
	found := false
	f.Visit(func(g *flag.Flag) { found = found || g.Name == name })
	return found
}

// needQueue reports that no queue is named, or one that a command of its own
// cannot share with others.
func (f *flagSet) needQueue() error {
	if f.queue == "" {
		return usagef("no queue is named: use -queue URL or set BUS_URL")
	}
	local, err := f.app.mux.Local(f.queue)
	if err != nil {
		return usageError{err}
	}
	if local {
		return fmt.Errorf("%s lives inside one process, so %s on its own would have a queue that nobody shares; omnibus lab runs everything in one process", f.queue, f.Name())
	}
	return nil
}

// open opens the queue, runs use on it and shuts it down.
func (f *flagSet) open(ctx context.Context, use func(*bus.Queue) error) error {
	q, err := f.app.mux.Open(ctx, f.queue)
	if err != nil {
		return err
	}
	return errors.Join(use(q), q.Shutdown(context.WithoutCancel(ctx)))
}

// attributes is a flag that can be given many times, each KEY=VALUE.
type attributes map[string]string

func (a attributes) String() string {
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(a)) {
		pairs = append(pairs, k+"="+a[k])
	}
	return strings.Join(pairs, ",")
}

func (a attributes) Set(s string) error {
	k, v, ok := strings.Cut(s, "=")
	if !ok || k == "" || v == "" {
		return fmt.Errorf("want KEY=VALUE, both not empty")
	}
	a[k] = v
	return nil
}

// printer writes a command's output, either for people or as one JSON object a
// line.
type printer struct {
	w    io.Writer
	json bool
}

// print writes the line for people, or v.
func (p printer) print(v any, format string, args ...any) {
	if !p.json {
		fmt.Fprintf(p.w, format+"\n", args...)
		return
	}
	line, err := json.Marshal(v)
	if err != nil {
		panic(err) // all values are structs of plain fields
	}
	fmt.Fprintf(p.w, "%s\n", line)
}

// body returns a message's body for a JSON line: itself if it is JSON, else as a
// string.
func body(b []byte) json.RawMessage {
	if json.Valid(b) {
		return b
	}
	s, _ := json.Marshal(string(b)) // a string always marshals
	return s
}

// messages is a number of messages in words.
func messages(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}
