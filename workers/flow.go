package workers

import (
	"context"
	"sync"
	"time"
)

// Pause has the consumer receive nothing more until Resume is called: it gives back
// what was fetched, and what waits of several Queues for a handler, and goes on with the
// messages that handlers have. It may be called at any time, also before Run.
func (c *Consumer) Pause() { c.gate.pause() }

// Resume has the consumer receive again after Pause. It may be called at any time.
func (c *Consumer) Resume() { c.gate.resume() }

// A gate lets the dispatcher receive, in phases that end when somebody pauses the
// consumer, or interrupts it since there is something else to begin with. The zero
// value is open.
type gate struct {
	mu      sync.Mutex         // guards all below
	resumed chan struct{}      // closed by resume; nil while open
	end     context.CancelFunc // of the phase under way, or nil
}

func (g *gate) pause() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.resumed == nil {
		g.resumed = make(chan struct{})
	}
	g.endPhase()
}

func (g *gate) resume() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.resumed != nil {
		close(g.resumed)
		g.resumed = nil
	}
}

func (g *gate) interrupt() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.endPhase()
}

// endPhase ends the phase under way. The caller holds mu.
func (g *gate) endPhase() {
	if g.end != nil {
		g.end()
	}
}

// paused returns a channel that is closed at the end of the pause, or nil if there is
// none.
func (g *gate) paused() chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.resumed
}

// open waits until the consumer is not paused, and returns the context of a phase and
// what ends it. It reports false if ctx ends before.
func (g *gate) open(ctx context.Context) (phase context.Context, end context.CancelFunc, ok bool) {
	for ctx.Err() == nil {
		g.mu.Lock()
		resumed := g.resumed
		if resumed == nil {
			phase, g.end = context.WithCancel(ctx)
			end = g.end
		}
		g.mu.Unlock()
		if resumed == nil {
			return phase, end, true
		}
		select {
		case <-resumed:
		case <-ctx.Done():
		}
	}
	return nil, nil, false
}

// slots are the handlers that may run at a time. Only the dispatcher takes them.
type slots struct {
	target time.Duration
	freed  chan struct{} // holds one: a slot was freed

	mu    sync.Mutex // guards all below
	most  int
	limit int // at present, 1 to most
	used  int

	handled int           // calls of handlers since limit was set
	time    time.Duration // that they took
	full    bool          // all slots were used meanwhile
}

func newSlots(most int, target time.Duration) *slots {
	return &slots{target: target, freed: make(chan struct{}, 1), most: most, limit: most}
}

// take waits for a slot, and reports false if ctx ends before.
func (s *slots) take(ctx context.Context) bool {
	for {
		s.mu.Lock()
		if s.used < s.limit {
			s.used++
			s.full = s.full || s.used == s.limit
			s.mu.Unlock()
			return true
		}
		s.mu.Unlock()
		select {
		case <-s.freed:
		case <-ctx.Done():
			return false
		}
	}
}

func (s *slots) free() {
	s.mu.Lock()
	s.used--
	s.mu.Unlock()
	select {
	case s.freed <- struct{}{}:
	default:
	}
}

// took says how long a handler took. When as many have ended as may run at a time, the
// limit is set: a quarter lower if they took longer than the target on the average, one
// higher if they did not and all slots were used.
func (s *slots) took(d time.Duration) {
	if s.target == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handled++
	s.time += d
	if s.handled < s.limit {
		return
	}
	switch {
	case s.time/time.Duration(s.handled) > s.target:
		s.limit = max(1, s.limit-(s.limit+3)/4)
	case s.full:
		s.limit = min(s.most, s.limit+1)
	}
	s.handled, s.time, s.full = 0, 0, false
}
