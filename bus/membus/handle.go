package membus

import (
	"sync/atomic"

	"omnibus/bus/engine"
)

// A handle is to the queue of a name: when that is deleted, and created again, to the
// new one. A program has a URL, and knows nothing of the one that was there before.
type handle struct {
	engine *engine.Engine
	latest atomic.Pointer[engine.Queue]
}

func newHandle(e *engine.Engine, q *engine.Queue) *handle {
	h := &handle{engine: e}
	h.latest.Store(q)
	return h
}

// get returns the queue, or the deleted one if there is none.
func (h *handle) get() *engine.Queue {
	q := h.latest.Load()
	if !q.Deleted() {
		return q
	}
	if again, err := h.engine.Queue(q.Name()); err == nil {
		h.latest.Store(again)
		return again
	}
	return q
}
