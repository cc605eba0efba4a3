package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"omnibus/bus"
	"omnibus/workers"
)

// flagSet is the flags of one command with the help around them.
type flagSet struct {
	*flag.FlagSet
	app     *app
	about   string // a sentence or two
	example string
	queue   string
	takes   string        // how the help writes the arguments after the flags; "" if there are none
	words   []string      // those arguments
	drain   time.Duration // of commands that open the queue
	beside  *bus.Queue    // if not nil, a queue to shut down with that one
	logging *logFlags     // of commands that log
}

// newFlags returns the flags of a command, -queue among them.
func newFlags(a *app, name, about, example string) *flagSet {
	f := &flagSet{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError), app: a, about: about, example: example}
	f.SetOutput(io.Discard)
	f.StringVar(&f.queue, "queue", "", "`URL` of the queue (default: the environment variable BUS_URL); its name or ARN\nwill do beside a URL in BUS_URL, AWS_ENDPOINT_URL_SQS or AWS_ENDPOINT_URL")
	return f
}

const defaultDrainTimeout = 10 * time.Second

// addDrainTimeout adds the flag -drain-timeout.
func (f *flagSet) addDrainTimeout() {
	f.DurationVar(&f.drain, "drain-timeout", defaultDrainTimeout, "how long the command may take to end, after Ctrl-C or by itself; what the queue\nhas not confirmed by then is an error; over 0s")
}

// parse reads the command line. It prints the help if that is asked for.
func (f *flagSet) parse(args []string) error {
	err := f.parseWords(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		f.help()
		return err
	case err != nil:
		return usageError{f.suggest(err)}
	case len(f.words) > 0 && f.takes == "":
		return usagef("unexpected argument %q; all settings are flags", bus.Redact(f.words[0]))
	case f.Lookup("drain-timeout") != nil && f.drain <= 0:
		return usagef("-drain-timeout %v must be over zero", f.drain)
	}
	if f.logging != nil {
		if err := f.logging.apply(); err != nil {
			return err
		}
	}
	if f.drain > 0 {
		f.app.out.patience = f.inHand()
	}
	f.queue, err = f.app.resolve(cmp.Or(f.queue, f.app.getenv("BUS_URL")))
	f.app.queue = f.queue
	return err
}

// parseWords parses flags before, between and after other arguments. After -- there
// are no flags.
func (f *flagSet) parseWords(args []string) error {
	for {
		if err := f.Parse(args); err != nil {
			return err
		}
		rest := f.Args()
		if n := len(args) - len(rest); len(rest) == 0 || n > 0 && args[n-1] == "--" {
			f.words = append(f.words, rest...)
			return nil
		}
		f.words, args = append(f.words, rest[0]), rest[1:]
	}
}

// suggest adds to the error of an unknown flag the one that was probably meant.
func (f *flagSet) suggest(err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return err
	}
	var names []string
	f.VisitAll(func(g *flag.Flag) { names = append(names, g.Name) })
	return fmt.Errorf("%w%s", err, didYouMean("-", name, names))
}

func (f *flagSet) help() {
	w := f.app.out
	fmt.Fprintf(w, "usage: omnibus %s\n\n%s\n\n", strings.TrimSpace(f.Name()+" [flags] "+f.takes), f.about)
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

// atLeast reports a flag whose value is below the least.
func atLeast[T int | time.Duration](name string, v, least T) error {
	if v < least {
		return usagef("-%s is %v; it must be %v or more", name, v, least)
	}
	return nil
}

// seconds reports a flag whose value is not 0s to most, or not in whole seconds.
func seconds(name string, v, most time.Duration, text string) error {
	switch {
	case v < 0 || v > most:
		return usagef("-%s is %v; allowed are 0s to %s", name, v, text)
	case v%time.Second != 0:
		return usagef("-%s is %v; SQS counts whole seconds", name, v)
	}
	return nil
}

// fifo reports whether the queue is a FIFO queue, as its name tells.
func (f *flagSet) fifo() bool {
	return strings.HasSuffix(withoutParams(f.queue), ".fifo")
}

// needQueue returns an error if no queue is named, or one that lives in a single
// process, where a command would have it to itself.
func (f *flagSet) needQueue() error {
	if f.queue == "" {
		return usagef("no queue is named: use -queue URL or set BUS_URL")
	}
	return f.needShared(f.queue)
}

// needShared returns an error if a URL names no queue that other processes see.
func (f *flagSet) needShared(rawURL string) error {
	local, err := f.app.mux.Local(rawURL)
	if err != nil {
		return usageError{err}
	}
	if local {
		return fmt.Errorf("%s lives inside one process, so %s on its own would have a queue that nobody shares; omnibus lab runs everything in one process", bus.Redact(rawURL), f.Name())
	}
	return nil
}

// open opens the queue, runs use on it, shuts it down, and then runs summary, which
// may be nil. When ctx ends, all that takes no longer than the drain timeout: in its
// first half use finishes what it has in hand (see [flagSet.inHand]), in the second
// the queue confirms what it was told.
func (f *flagSet) open(ctx context.Context, use func(*bus.Queue) error, summary func() error) error {
	q, err := f.app.mux.Open(ctx, f.queue)
	if err != nil {
		return err
	}
	stopping, stop := context.WithCancel(ctx)
	last, cancel := workers.Outlast(stopping, f.drain)
	defer cancel()
	err = use(q)
	stop()
	last, cancel = context.WithTimeout(last, f.drain) // without a deadline Shutdown would set one of its own
	defer cancel()
	err = errors.Join(err, q.Shutdown(last))
	if f.beside != nil {
		err = errors.Join(err, f.beside.Shutdown(last))
	}
	if summary != nil {
		err = errors.Join(err, summary())
	}
	return err
}

// inHand returns how long a worker that is stopping may work on what it has in hand.
func (f *flagSet) inHand() time.Duration { return f.drain / 2 }

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

// messages returns a number of messages in words.
func messages(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}
