//go:build strangers

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// report prints the table, and with each limit whether it is kept. The first is sqsd that
// syncs, the second fauxqs, the third sqsd that does not sync, the last is in memory.
func report(w io.Writer, all []*figures, check bool) error {
	row := func(what string, cell func(*figures) string) {
		fmt.Fprintf(w, "| %s |", what)
		for _, f := range all {
			fmt.Fprintf(w, " %s |", cell(f))
		}
		fmt.Fprintln(w)
	}
	row("", func(f *figures) string { return f.name })
	fmt.Fprintln(w, "|---"+strings.Repeat("|---", len(all))+"|")
	row("messages", func(f *figures) string { return fmt.Sprint(f.send.messages) })
	row("messages a second, sent by ten", func(f *figures) string { return fmt.Sprintf("%.0f", f.send.rate()) })
	row("messages a second, received and deleted by ten", func(f *figures) string { return fmt.Sprintf("%.0f", f.drain.rate()) })
	row("processor time a message, sent by ten", func(f *figures) string { return fmt.Sprintf("%.1f µs", f.send.perMessage()) })
	row("processor time a message, received and deleted by ten", func(f *figures) string { return fmt.Sprintf("%.1f µs", f.drain.perMessage()) })

	var errs []error
	limit := func(what string, value, wanted float64, kept bool) {
		verdict := "kept"
		if !kept {
			verdict = "NOT KEPT"
			errs = append(errs, fmt.Errorf("%s: %.2f, wanted %.2f", what, value, wanted))
		}
		fmt.Fprintf(w, "| %s | %.2f | %.2f | %s |\n", what, value, wanted, verdict)
	}
	fmt.Fprint(w, "\n| limit | measured | wanted | |\n|---|---|---|---|\n")
	ours, theirs, written, memory := all[0], all[1], all[2], all[3]
	faster := func(what string, a, b phase) { limit(what, a.rate()/b.rate(), 10, a.rate() >= 10*b.rate()) }
	faster("durable sends, times fauxqs, at least", ours.send, theirs.send)
	faster("durable drain, times fauxqs, at least", ours.drain, theirs.drain)
	costs := func(what string, a, b phase) {
		limit(what, a.perMessage()/b.perMessage(), 1.3, a.perMessage() <= 1.3*b.perMessage())
	}
	costs("processor time without syncs to that in memory, sends, at most", written.send, memory.send)
	costs("processor time without syncs to that in memory, drain, at most", written.drain, memory.drain)
	if !check {
		return nil
	}
	return errors.Join(errs...)
}
