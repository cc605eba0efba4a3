package workers

import (
	"context"
	"sync"
)

// A quota counts deliveries up to Consumer.Max: those that are handled, or have been
// received too often, or too late. One that turns out not to be due yet, or is given
// back unhandled, is counted off again. With most 0 nothing is counted.
type quota struct {
	most    int
	changed chan struct{} // holds one: a delivery is open no more

	mu    sync.Mutex // guards all below, and the open of deliveries
	taken int
	open  int // of those, ones that may be counted off
}

func newQuota(most int) *quota { return &quota{most: most, changed: make(chan struct{}, 1)} }

// take counts a delivery that may be handled. It reports false if there are as many as
// there may be.
func (q *quota) take(d *delivery) bool {
	if q.most == 0 {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.taken >= q.most {
		return false
	}
	q.taken++
	q.open++
	d.open = true
	return true
}

// decide says of a delivery whether it counts.
func (q *quota) decide(d *delivery, counts bool) {
	if q.most == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !d.open {
		return
	}
	d.open = false
	q.open--
	if !counts {
		q.taken--
	}
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// spent reports whether as many are counted as there may be.
func (q *quota) spent() bool {
	if q.most == 0 {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.taken >= q.most
}

// over reports whether as many are counted as there may be, and none will be counted
// off. It waits until that is known, or ctx ends.
func (q *quota) over(ctx context.Context) bool {
	for q.spent() {
		q.mu.Lock()
		open := q.open
		q.mu.Unlock()
		if open == 0 {
			return true
		}
		select {
		case <-q.changed:
		case <-ctx.Done():
			return false
		}
	}
	return false
}
