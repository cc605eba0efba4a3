package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"omnibus/bus"
)

func runPurge(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "purge",
		"Delete all messages of the queue, those in flight and delayed ones too. On a\nterminal it asks first. SQS allows it once in a minute.",
		"omnibus purge -yes -queue http://127.0.0.1:9324/000000000000/mynewq")
	yes := f.Bool("yes", false, "do not ask")
	f.addDrainTimeout()
	asJSON := f.Bool("json", false, "print one JSON object")
	if err := f.parse(args); err != nil {
		return err
	}
	if err := f.needQueue(); err != nil {
		return err
	}
	if a.terminal && !*yes && !a.agrees(ctx, "Delete all messages of %s?", bus.Redact(f.queue)) {
		return errors.New("nothing was deleted")
	}
	return f.open(ctx, func(q *bus.Queue) error {
		if err := q.Purge(ctx); err != nil {
			return err
		}
		return printer{a.out, *asJSON}.print(struct {
			Event string `json:"event"`
			URL   string `json:"url"`
		}{"purged", bus.Redact(f.queue)}, "purged %s", bus.Redact(f.queue))
	}, nil)
}

// answer returns the next line of standard input, or "" when ctx ends before it
// comes.
func (a *app) answer(ctx context.Context) string {
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.stdin).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case line := <-answer:
		return line
	case <-ctx.Done():
		return ""
	}
}

// agrees asks a question, and reports whether the answer is yes.
func (a *app) agrees(ctx context.Context, question string, args ...any) bool {
	fmt.Fprint(a.stderr, visible(fmt.Sprintf(question, args...))+" [y/N] ")
	s := strings.ToLower(a.answer(ctx))
	return s == "y" || s == "yes"
}
