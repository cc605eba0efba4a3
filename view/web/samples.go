package web

import (
	"context"
	"slices"
	"sync"
	"time"

	"omnibus/bus/spec"
)

const (
	// kept is how many samples of a queue are kept, so that one who comes later, or
	// again, sees what has been.
	kept = 600

	// spanOfAll is how far back each queue's samples go when those of all are sent.
	spanOfAll = time.Minute

	// forgetAfter is after how long without anybody watching what was kept is dropped.
	forgetAfter = time.Minute
)

// samples are the counts of all queues over time. Whoever watches asks for the latest
// once in a while, and the first to ask takes them for all.
type samples struct {
	source Source
	every  time.Duration

	mu      sync.Mutex // guards all below
	at      time.Time  // of the latest sample
	version int64      // of the latest sample
	shape   int64      // the version at which the list of queues changed
	queues  []*series
	byID    map[string]*series
	err     error
}

// series is a queue's counts over time.
type series struct {
	Queue
	oldest  int64 // when the oldest message was sent, in milliseconds; 0 without messages
	changed int64 // the version at which something in it changed
	points  []point
}

// point is a queue's counts from a time on, until the next point.
type point struct {
	at                         int64 // milliseconds
	visible, inFlight, delayed int32
}

// Sample takes samples until ctx ends also while nobody watches, so that those who come
// see what has been from the beginning.
func (h *Handler) Sample(ctx context.Context) {
	tick := time.NewTicker(h.o.Every)
	defer tick.Stop()
	for {
		h.samples.take(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// take takes a sample unless the latest is new enough.
func (s *samples) take(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.at) < s.every/2 {
		return
	}
	if now.Sub(s.at) > forgetAfter {
		s.queues, s.byID = nil, map[string]*series{}
	}
	queues, err := s.source.Queues(ctx)
	if ctx.Err() != nil {
		return // one who watched has gone; the next one samples
	}
	s.at = now
	s.version++
	s.err = err
	if err != nil {
		return
	}
	known := s.queues
	s.queues = make([]*series, len(queues))
	same := len(known) == len(queues)
	for i, q := range queues {
		one := s.byID[q.ID]
		if one == nil {
			one = &series{Queue: q}
			s.byID[q.ID] = one
			same = false
		}
		same = same && known[i] == one && one.FIFO == q.FIFO && one.DeadLetter == q.DeadLetter && one.MaxReceives == q.MaxReceives
		one.add(q, now, s)
		s.queues[i] = one
	}
	if !same {
		s.shape = s.version
		s.byID = map[string]*series{}
		for _, one := range s.queues {
			s.byID[one.ID] = one
		}
	}
}

// add adds a sample. A point is kept of changes only.
func (q *series) add(now Queue, at time.Time, s *samples) {
	var oldest int64
	if now.Counts.OldestAge > 0 {
		oldest = at.Add(-now.Counts.OldestAge).UnixMilli()
	}
	const jitter = 100 // the age was read a little later than the time
	if d := oldest - q.oldest; d > jitter || d < -jitter {
		q.oldest, q.changed = oldest, s.version
	}
	q.Queue = now
	p := point{at.UnixMilli(), int32(now.Counts.Visible), int32(now.Counts.InFlight), int32(now.Counts.Delayed)}
	if last := len(q.points) - 1; last < 0 || q.points[last].visible != p.visible || q.points[last].inFlight != p.inFlight || q.points[last].delayed != p.delayed {
		q.points = append(q.points, p)
		q.changed = s.version
	}
	window := kept * s.every.Milliseconds()
	if len(q.points) > 1 && q.points[1].at < p.at-window-window/8 {
		q.points = slices.Clone(q.since(p.at - window))
	}
}

// history returns all that is kept of a queue.
func (s *samples) history(id string) ([]point, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.byID[id]
	if q == nil {
		return nil, spec.NoQueue(id)
	}
	return slices.Clone(q.points), nil
}

// since returns the points that say what was from a time on.
func (q *series) since(from int64) []point {
	i := len(q.points) - 1
	for i > 0 && q.points[i].at > from {
		i--
	}
	return q.points[max(i, 0):]
}

// rows returns points as the page takes them.
func rows(points []point) [][4]int64 {
	out := make([][4]int64, len(points))
	for i, p := range points {
		out[i] = [4]int64{p.at, int64(p.visible), int64(p.inFlight), int64(p.delayed)}
	}
	return out
}
