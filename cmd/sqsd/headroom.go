package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
)

// headroom keeps memory close to what the messages take. By itself the runtime lets
// the heap grow to twice of what is in use before it looks for what is not, since
// the time that takes is in proportion to what is in use. Here it is not: most of
// the heap can be message bodies, which hold no pointers and are not looked at. So
// the heap may grow by what has to be looked at, or by little where that is less.
//
// GOGC in the environment sets a percentage of its own.
type headroom struct {
	received atomic.Int64 // bytes since the last look

	mu      sync.Mutex // guards percent
	percent int        // in force; 0 before the first look
}

const (
	lookEach     = 1 << 20  // bytes of requests from one look at the heap to the next
	leastGrowth  = 32 << 20 // by which the heap may always grow
	growthOfHeap = 16       // the part of the heap by which it may always grow
)

// note notes a request of n bytes.
func (h *headroom) note(n int64) {
	if h.received.Add(max(n, 0)) < lookEach {
		return
	}
	h.received.Store(0)
	h.look()
}

// look sets the growth that the heap as it is now may have.
func (h *headroom) look() {
	if os.Getenv("GOGC") != "" {
		return
	}
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/heap:bytes"}}
	metrics.Read(samples)
	percent := growth(samples[0].Value.Uint64(), samples[1].Value.Uint64())
	h.mu.Lock()
	defer h.mu.Unlock()
	if percent*8 > h.percent*9 || percent*8 < h.percent*7 { // a change stops the program for some microseconds
		h.percent = percent
		debug.SetGCPercent(percent)
	}
}

// growth returns by how many percent a heap with so many bytes in use, of which
// so many have to be looked at, may grow.
func growth(live, scanned uint64) int {
	room := max(leastGrowth, scanned, live/growthOfHeap)
	if room >= live {
		return 100
	}
	return max(int(100*room/live), 1)
}
