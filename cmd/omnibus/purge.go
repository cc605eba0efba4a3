package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"omnibus/bus"
)

func runPurge(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "purge",
		"Delete all messages of the queue, those in flight and delayed ones too. On a\nterminal it asks first. SQS allows it once in a minute.",
		"omnibus purge -yes -queue http://127.0.0.1:9324/000000000000/mynewq")
	yes := f.Bool("yes", false, "do not ask")
	asJSON := f.Bool("json", false, "print one JSON object")
	if err := f.parse(args); err != nil {
		return err
	}
	if err := f.needQueue(); err != nil {
		return err
	}
	if a.terminal && !*yes {
		fmt.Fprintf(a.stderr, "Delete all messages of %s? [y/N] ", f.queue)
		answer, _ := bufio.NewReader(a.stdin).ReadString('\n')
		if s := strings.ToLower(strings.TrimSpace(answer)); s != "y" && s != "yes" {
			return fmt.Errorf("nothing was deleted")
		}
	}
	return f.open(ctx, func(q *bus.Queue) error {
		if err := q.Purge(ctx); err != nil {
			return err
		}
		printer{a.stdout, *asJSON}.print(struct {
			Event string `json:"event"`
			URL   string `json:"url"`
		}{"purged", f.queue}, "purged %s", f.queue)
		return nil
	})
}
