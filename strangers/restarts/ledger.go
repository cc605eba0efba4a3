//go:build strangers

package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// A ledger is what the clients were answered, message by message.
type ledger struct {
	mu       sync.Mutex // guards all below
	messages map[string]*entry
	unsure   int // sends without an answer
	received int
}

// entry is what is known of a message. A time is zero for what has not been answered.
type entry struct {
	sent, deleted, hidden          bool
	deletedAt, hiddenAt            time.Time
	mayBeDeleted, mayBeHidden      bool // asked for
	backAfterDelete, backAfterHide int
	received                       int
}

// of returns a message's entry. mu is held.
func (l *ledger) of(name string) *entry {
	if l.messages == nil {
		l.messages = map[string]*entry{}
	}
	e := l.messages[name]
	if e == nil {
		e = &entry{}
		l.messages[name] = e
	}
	return e
}

func (l *ledger) change(name string, f func(*entry)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l.of(name))
}

func (l *ledger) noteSent(name string) { l.change(name, func(e *entry) { e.sent = true }) }

func (l *ledger) unsureSends(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unsure += n
}

func (l *ledger) unsureHidden(name string) { l.change(name, func(e *entry) { e.mayBeHidden = true }) }

func (l *ledger) noteHidden(name string) {
	l.change(name, func(e *entry) { e.hidden, e.hiddenAt = true, time.Now() })
}

func (l *ledger) unsureDeleted(names []string) {
	for _, name := range names {
		l.change(name, func(e *entry) { e.mayBeDeleted = true })
	}
}

func (l *ledger) noteDeleted(name string) {
	l.change(name, func(e *entry) { e.deleted, e.deletedAt = true, time.Now() })
}

// noteReceived notes a message that came with a receive which began at a time, and
// returns its name.
func (l *ledger) noteReceived(m types.Message, began time.Time) string {
	name, _, _ := strings.Cut(*m.Body, " ")
	l.change(name, func(e *entry) {
		l.received++
		e.received++
		if e.deleted && e.deletedAt.Before(began) {
			e.backAfterDelete++
		}
		if e.hidden && e.hiddenAt.Before(began) {
			e.backAfterHide++
		}
	})
	return name
}

// report prints the counts. Its error says what must not be.
func (l *ledger) report(w io.Writer, c *campaign, s *server, left int, took time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var sent, deleted, hidden, maybe, lost, back, forgotten int
	for _, e := range l.messages {
		if e.sent {
			sent++
		}
		if e.deleted {
			deleted++
		}
		switch {
		case e.hidden && !e.mayBeDeleted:
			hidden++
		case e.mayBeHidden:
			maybe++
		}
		if e.sent && !e.mayBeDeleted && !e.mayBeHidden {
			lost++ // drain has deleted what was there
		}
		back += e.backAfterDelete
		forgotten += e.backAfterHide
	}
	s.mu.Lock()
	torn := s.torn
	s.mu.Unlock()
	if left < hidden {
		lost += hidden - left
	}
	fmt.Fprintf(w, "%8d times sqsd was killed, in %v; a start took %v in the mean\n", c.kills, took.Round(time.Second), (s.starting / time.Duration(s.starts)).Round(time.Millisecond))
	fmt.Fprintf(w, "%8d ends of its log were not whole and cut off\n", torn)
	fmt.Fprintf(w, "%8d sends were answered, and %d were not\n", sent, l.unsure)
	fmt.Fprintf(w, "%8d messages were received\n", l.received)
	fmt.Fprintf(w, "%8d deletes were answered\n", deleted)
	fmt.Fprintf(w, "%8d messages were hidden to the end, and %d may have been; %d are\n", hidden, maybe, left)
	fmt.Fprintf(w, "%8d messages whose send was answered are lost\n", lost)
	fmt.Fprintf(w, "%8d messages whose delete was answered came back\n", back)
	fmt.Fprintf(w, "%8d messages that were hidden, and that was answered, came early\n", forgotten)
	switch {
	case lost+back+forgotten > 0 || left > hidden+maybe:
		return fmt.Errorf("%d messages were lost, %d deleted ones and %d hidden ones came back, and %d are left that should not be", lost, back, forgotten, max(0, left-hidden-maybe))
	case sent == 0 || deleted == 0 || hidden == 0:
		return fmt.Errorf("nothing was sent, deleted or hidden; kill less often")
	}
	return nil
}
