package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
)

// A scan receives every visible message of a queue once, as far as SQS shows them:
// those that are to stay are held, hidden, until all have been seen, and given back
// then. It costs each of them a receive.
type scan struct {
	queue *bus.Queue

	mu   sync.Mutex // guards held
	held map[string]*pubsub.Message
}

// The visibility timeout of a scan is short enough that what a killed process held
// comes back soon, and long enough that to renew it costs little.
const (
	scanVisibility = 2 * time.Minute
	scanRenewal    = scanVisibility / 3
)

// How a scan knows that it has seen all: nothing comes for a while, and the queue says
// that nothing is visible. If it says something else for long, the rest is out of
// reach: in a FIFO queue, behind a message of its group that is held.
const (
	scanWait  = time.Second
	scanQuiet = 5 * time.Second
)

// scanURL returns the URL with which a queue is opened to be scanned.
func scanURL(url string) string {
	return withParam(withParam(url, "wait", scanWait.String()), "visibility", scanVisibility.String())
}

// run calls each for every message, in the order in which they come, until each
// returns false or an error, or ctx ends. What each keeps it holds, or settles.
func (s *scan) run(ctx context.Context, each func(*pubsub.Message) (more bool, err error)) error {
	s.held = map[string]*pubsub.Message{}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var renewals sync.WaitGroup
	renewals.Go(func() { s.renew(renewing) })
	defer renewals.Wait()
	defer stop()
	for {
		m, err := s.next(ctx)
		if m == nil {
			return err
		}
		if more, err := each(m); !more || err != nil {
			return err
		}
	}
}

// next returns the next message, or nil when there is none left.
func (s *scan) next(ctx context.Context) (*pubsub.Message, error) {
	for begin := time.Now(); ; {
		wait, cancel := context.WithTimeout(ctx, scanWait)
		m, err := s.queue.Subscription.Receive(wait)
		cancel()
		switch {
		case err == nil:
			return m, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !errors.Is(err, context.DeadlineExceeded):
			return nil, err
		}
		attributes, err := s.queue.Attributes(ctx)
		if err != nil {
			return nil, err
		}
		if attributes.Visible == 0 || time.Since(begin) > scanQuiet {
			return nil, nil
		}
	}
}

// hold keeps a message hidden until the scan ends, and reports whether it was not
// held before, when its lease has been lost since.
func (s *scan) hold(m *pubsub.Message) bool {
	id := bus.Details(m).ID
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.held[id]
	s.held[id] = m
	if old != nil {
		old.Nack() // of a lease that is lost, this is nothing but the end
	}
	return old == nil
}

// letGo ends the holding of a message that is to be settled otherwise.
func (s *scan) letGo(m *pubsub.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, bus.Details(m).ID)
}

// holding returns what is held.
func (s *scan) holding() []*pubsub.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ms []*pubsub.Message
	for _, m := range s.held {
		ms = append(ms, m)
	}
	return ms
}

// renew keeps what is held hidden until ctx ends. Of one that fails the lease runs out,
// and it is received once more.
func (s *scan) renew(ctx context.Context) {
	tick := time.NewTicker(scanRenewal)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if ms := s.holding(); len(ms) > 0 {
				s.queue.Renew(ctx, ms...)
			}
		case <-ctx.Done():
			return
		}
	}
}

// giveBack makes all that is held visible again. One that cannot be told so becomes
// visible by itself. Before that the scan's own receives end: one of them would take
// what is given back.
func (s *scan) giveBack(ctx context.Context) {
	ms := s.holding()
	if len(ms) == 0 {
		return
	}
	_, _ = s.queue.Release(ctx) // its error is of a subscription that has failed, as the scan has told
	s.queue.GiveBackBatch(ctx, ms, 0)
	for _, m := range ms {
		m.Nack()
	}
}
