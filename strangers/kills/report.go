//go:build strangers

package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// report prints the counts. Its error says what must not be.
func (r *record) report(w io.Writer, messages int, took time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var killed, never, once, again, unexplained int
	for _, p := range r.processes {
		if !p.killed.IsZero() {
			killed++
		}
	}
	for number := range messages {
		handlings := r.handled[number]
		slices.SortFunc(handlings, func(a, b handling) int { return a.at.Compare(b.at) })
		switch len(handlings) {
		case 0:
			never++
		case 1:
			once++
		default:
			again++
			if !explained(handlings) {
				unexplained++
			}
		}
	}
	fmt.Fprintf(w, "%8d messages sent, in %v\n", messages, took.Round(time.Millisecond))
	fmt.Fprintf(w, "%8d processes killed, of %d\n", killed, len(r.processes))
	fmt.Fprintf(w, "%8d messages handled once\n", once)
	fmt.Fprintf(w, "%8d handled again, after the process that had them was killed\n", again-unexplained)
	fmt.Fprintf(w, "%8d handled again for no such reason\n", unexplained)
	fmt.Fprintf(w, "%8d never handled\n", never)
	switch {
	case never > 0 || unexplained > 0:
		return fmt.Errorf("%d messages were lost and %d handled twice for no reason", never, unexplained)
	case killed == 0:
		return fmt.Errorf("no process was killed in %v; send more messages, or kill more often", took)
	}
	return nil
}

// explained reports whether each handling but the last was in a process that was
// killed before the next one.
func explained(handlings []handling) bool {
	for i, h := range handlings[:len(handlings)-1] {
		if h.by.killed.IsZero() || handlings[i+1].at.Before(h.by.killed) {
			return false
		}
	}
	return true
}
