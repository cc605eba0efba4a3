//go:build strangers

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// report prints the table, and with each limit whether it is kept. The first endpoint
// is ours, the second theirs, and all others do nothing.
func report(w io.Writer, all []*figures, check bool) error {
	ours, theirs := all[0], all[1]
	row := func(what string, cell func(*figures) string) {
		fmt.Fprintf(w, "| %s |", what)
		for _, f := range all {
			fmt.Fprintf(w, " %s |", cell(f))
		}
		fmt.Fprintln(w)
	}
	row("", func(f *figures) string { return f.name })
	fmt.Fprintln(w, "|---"+strings.Repeat("|---", len(all))+"|")
	row("processor time a message, single sends", func(f *figures) string { return micros(f.single) })
	row("processor time a message, sends of ten", func(f *figures) string { return micros(f.batch) })
	row("processor time a message, received and deleted by ten", func(f *figures) string { return micros(f.drain) })
	row("messages filled", func(f *figures) string { return fmt.Sprint(f.fill.done) })
	row("messages a second while filling, first and last tenth", func(f *figures) string { return f.fill.String() })
	row("messages drained", func(f *figures) string { return fmt.Sprint(f.empty.done) })
	row("messages a second while draining, first and last tenth", func(f *figures) string { return f.empty.String() })
	row("a waiting long poll answered, median and worst", func(f *figures) string {
		if f.wakeWorst == 0 {
			return "–"
		}
		return fmt.Sprintf("%.2f ms, %.2f ms", millis(f.wakeMedian), millis(f.wakeWorst))
	})
	row("resident when idle", func(f *figures) string { return mebibytes(f.idle) })
	row("resident with the queue filled", func(f *figures) string { return mebibytes(f.full) })
	row("start to first answer", func(f *figures) string { return fmt.Sprintf("%.0f ms", millis(f.firstAnswer)) })

	var errs []error
	limit := func(what string, value, most float64) {
		verdict := "kept"
		if value > most {
			verdict = "NOT KEPT"
			errs = append(errs, fmt.Errorf("%s: %.2f, at most %.2f", what, value, most))
		}
		fmt.Fprintf(w, "| %s | %.2f | %.2f | %s |\n", what, value, most, verdict)
	}
	fmt.Fprintf(w, "\n| limit of %s | measured | at most | |\n|---|---|---|---|\n", ours.name)
	for _, c := range []struct {
		what string
		of   func(*figures) time.Duration
	}{
		{"single sends", func(f *figures) time.Duration { return f.single }},
		{"sends of ten", func(f *figures) time.Duration { return f.batch }},
		{"drain", func(f *figures) time.Duration { return f.drain }},
	} {
		limit(c.what+", processor time to that of "+theirs.name, ratio(c.of(ours), c.of(theirs)), 0.5)
		for _, nothing := range all[2:] {
			limit(c.what+", processor time to that of "+nothing.name, ratio(c.of(ours), c.of(nothing)), 1.3)
		}
	}
	// The server that does nothing has no queue to slow it down: when its rate falls,
	// the machine has slowed down.
	nothing := all[len(all)-1]
	limit("fall of the rate while filling, to that of "+nothing.name, ours.fill.fall()/nothing.fill.fall(), 1.25)
	limit("fall of the rate while draining, to that of "+nothing.name, ours.empty.fall()/nothing.empty.fall(), 1.25)
	limit("a waiting long poll, median ms", millis(ours.wakeMedian), 5)
	limit("resident when idle, MiB", float64(ours.idle)/(1<<20), 15)
	limit("resident with the queue filled, MiB", float64(ours.full)/(1<<20), 100)
	limit("start to first answer, ms", millis(ours.firstAnswer), 50)
	if !check {
		return nil
	}
	return errors.Join(errs...)
}

func (r rates) String() string { return fmt.Sprintf("%.0f, %.0f", r.first, r.last) }

// fall returns the rate of the first tenth, divided by that of the last.
func (r rates) fall() float64 { return r.first / r.last }

func micros(d time.Duration) string  { return fmt.Sprintf("%.1f µs", float64(d)/1e3) }
func millis(d time.Duration) float64 { return float64(d) / 1e6 }
func mebibytes(n int) string         { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }
