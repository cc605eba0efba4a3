package sqsbus

import (
	"runtime"
	"sync"
	"time"
	"weak"
)

// A lease is the time for which a delivery is this process's alone: it begins when
// a message arrives, ends when its visibility timeout is over, and follows
// changes of that.
type lease struct {
	handle string

	mu       sync.Mutex    // guards all below
	timeout  time.Duration // set last
	until    time.Time     // zero when the delivery is done with, or lost
	released bool          // handed out only to be given back
}

// end returns when the lease ends, or zero if it has.
func (l *lease) end() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().Before(l.until) {
		return l.until
	}
	return time.Time{}
}

func (l *lease) lost() bool { return l.end().IsZero() }

// begin has the lease last for d from now.
func (l *lease) begin(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timeout, l.until = d, time.Now().Add(d)
}

// drop has the lease be lost.
func (l *lease) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = time.Time{}
}

// release marks a delivery as handed out only to be given back.
func (l *lease) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.released = true
}

func (l *lease) isReleased() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.released
}

// setting returns the timeout that was set last.
func (l *lease) setting() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.timeout
}

// half returns when half of the lease is over.
func (l *lease) half() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until.Add(-l.timeout / 2)
}

// leases are those of one queue, by receipt handle.
type leases struct {
	mu      sync.Mutex // guards all below
	held    map[string]*lease
	sweepAt int // how many there are when those that have ended are dropped
}

// minSweep is how many leases are kept without looking for those that ended.
const minSweep = 1000

// begin starts the lease of a delivery.
func (ls *leases) begin(handle *string, d time.Duration) *lease {
	l := &lease{handle: *handle}
	l.begin(d)
	track(handle, l)
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.held == nil {
		ls.held = map[string]*lease{}
	}
	if len(ls.held) >= max(ls.sweepAt, minSweep) {
		for handle, old := range ls.held {
			if old.lost() {
				delete(ls.held, handle)
			}
		}
		ls.sweepAt = 2 * len(ls.held)
	}
	ls.held[l.handle] = l
	return l
}

// find returns the lease of a delivery, or nil if it is not known: then it was
// received elsewhere, or has been over for long.
func (ls *leases) find(handle string) *lease {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.held[handle]
}

// done ends the lease of a delivery that was deleted or given back.
func (ls *leases) done(handle string) {
	ls.mu.Lock()
	l := ls.held[handle]
	delete(ls.held, handle)
	ls.mu.Unlock()
	if l != nil {
		l.drop()
	}
}

// tracked are the leases of all messages that a program still holds, by the
// address of the receipt handle, which copies of the SDK's message share. So the
// lease of a message is found without knowing its queue.
var tracked sync.Map // weak.Pointer[string] → *lease

func track(handle *string, l *lease) {
	key := weak.Make(handle)
	tracked.Store(key, l)
	runtime.AddCleanup(handle, func(key weak.Pointer[string]) { tracked.Delete(key) }, key)
}

// leaseOf returns the lease of a received message, or nil if the message is not
// of this package.
func leaseOf(handle *string) *lease {
	if handle == nil {
		return nil
	}
	l, ok := tracked.Load(weak.Make(handle))
	if !ok {
		return nil
	}
	return l.(*lease)
}
