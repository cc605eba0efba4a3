package sqsbus

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// An outage tells the log when requests to one queue begin to fail and are tried again,
// whatever the reason is, and when they are answered again: one line each, however
// many requests are under way. A request that fails once and not again is no outage.
type outage struct {
	log   *slog.Logger
	queue string // URL, or a topic's ARN

	trouble atomic.Bool // a request has failed, or an outage is on: there is something to do

	mu       sync.Mutex // guards all below
	retrying int        // requests, and entries of requests, that failed and are tried again
	since    time.Time  // the first of those failures
	last     time.Time  // the latest
	told     bool       // the log knows
}

// steady is for how long nothing must have failed for an outage to be over. Without it
// a queue that throttles every other request would be away and there again all the time.
const steady = time.Second

// failed says that a request, or an entry of one, has failed so many times, and will be
// tried again.
func (o *outage) failed(action string, tries int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.trouble.Store(true)
	o.last = time.Now()
	if tries == 1 {
		if o.retrying == 0 && !o.told {
			o.since = o.last
		}
		o.retrying++
		return
	}
	if !o.told {
		o.told = true
		o.log.Warn("sqsbus: the queue does not answer; requests are tried until it does", "queue", o.queue, "action", action, "error", err.Error())
	}
}

// ended says that a request, or an entry of one, is not tried any more: it was answered,
// or given up. If it had failed before, retried is true.
func (o *outage) ended(retried, answered bool) {
	if !o.trouble.Load() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if retried {
		o.retrying--
	}
	if o.retrying > 0 || o.told && (!answered || time.Since(o.last) < steady) {
		return
	}
	if o.told {
		o.log.Info("sqsbus: the queue answers again", "queue", o.queue, "away", time.Since(o.since).Round(time.Millisecond))
	}
	o.told = false
	o.trouble.Store(false)
}
