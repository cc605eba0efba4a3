package sqsbus

import (
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// A delivery is a message as it was received, with its lease: the time for which
// it is this process's alone. The lease begins when the message arrives, ends when
// its visibility timeout is over, and follows changes of that.
type delivery struct {
	message    types.Message
	handle     string        // receipt handle
	visibility time.Duration // timeout with which it was received

	// settling is the program's until it acknowledges the message.
	settling driver.Settling

	mu       sync.Mutex    // guards all below
	timeout  time.Duration // set last
	until    time.Time     // zero when the lease is lost, or the delivery settled
	settled  bool          // given back or buried: what follows changes nothing
	leaving  bool          // being given back: its lease is not renewed any more
	released bool          // handed out only to be given back
	taken    bool          // the program has looked at it, or settled it
}

// errLost is the error of a delivery whose lease is lost.
var errLost = driver.LeaseLost(spec.Errorf(spec.MessageNotInflight, "the message's visibility timeout is over, or it was settled"))

// end returns when the lease ends, or zero if it is lost.
func (d *delivery) end() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Now().Before(d.until) {
		return d.until
	}
	return time.Time{}
}

func (d *delivery) lost() bool { return d.end().IsZero() }

// begin starts the lease anew, for timeout from a time on.
func (d *delivery) begin(from time.Time, timeout time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.timeout, d.until = timeout, from.Add(timeout)
}

// drop marks the lease as lost.
func (d *delivery) drop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.until = time.Time{}
}

// settle marks the delivery as given back or buried.
func (d *delivery) settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.until, d.settled = time.Time{}, true
}

func (d *delivery) isSettled() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settled
}

// leave marks the delivery as one that is being given back, or that is not any more,
// since that has failed.
func (d *delivery) leave(leaving bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.leaving = leaving
}

func (d *delivery) isLeaving() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.leaving
}

// take marks the delivery as one that the program has.
func (d *delivery) take() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken = true
}

func (d *delivery) isTaken() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.taken
}

// release marks the delivery as handed out only to be given back.
func (d *delivery) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.released = true
}

func (d *delivery) isReleased() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.released
}

// half returns when half of the lease is over.
func (d *delivery) half() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.until.Add(-d.timeout / 2)
}

// deliveries are those of one queue that are not done with, by receipt handle.
type deliveries struct {
	mu      sync.Mutex // guards all below
	held    map[string]*delivery
	sweepAt int // how many there are when those whose leases ended are dropped
}

// minSweep is how many deliveries are kept without looking for leases that ended.
const minSweep = 1000

// begin starts the lease of a message that has arrived.
func (ds *deliveries) begin(m types.Message, visibility time.Duration) *delivery {
	d := &delivery{message: m, handle: *m.ReceiptHandle, visibility: visibility}
	d.begin(time.Now(), visibility)
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if ds.held == nil {
		ds.held = map[string]*delivery{}
	}
	if len(ds.held) >= max(ds.sweepAt, minSweep) {
		for handle, old := range ds.held {
			if old.lost() {
				delete(ds.held, handle)
			}
		}
		ds.sweepAt = 2 * len(ds.held)
	}
	ds.held[d.handle] = d
	return d
}

// find returns the delivery that a receipt handle names, or nil if it is not
// known: then it was received elsewhere, or is done with.
func (ds *deliveries) find(handle string) *delivery {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	return ds.held[handle]
}

// done forgets a delivery that was deleted, given back or buried.
func (ds *deliveries) done(d *delivery) {
	ds.mu.Lock()
	delete(ds.held, d.handle)
	ds.mu.Unlock()
	d.drop()
}
