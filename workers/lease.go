package workers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
)

// A keeper keeps the leases of a consumer's deliveries: of those in handlers and of
// those that wait for one. One goroutine has them renewed, those of a queue that are due
// with one call. That is when half of a lease is over, or up to an eighth later if that
// saves a call; so a handler that ends before costs no renewal. Each call has a goroutine
// of its own, so that one that gets no answer delays nothing else.
type keeper struct {
	run      *run
	quit     context.CancelFunc
	ended    chan struct{}
	sooner   chan struct{}  // holds one: there is something to do before at
	renewals sync.WaitGroup // calls under way

	mu   sync.Mutex // guards all below, and the leases
	kept *delivery  // the first of a list
	at   time.Time  // when the goroutine wakes; zero if it waits for sooner
}

// A lease is the time for which a delivery holds its message.
type lease struct {
	before, after *delivery // in the keeper's list
	kept          bool      // in that list

	until time.Time // when it ends
	from  time.Time // from then on it may be renewed; zero if it is not to be, or is being renewed
	by    time.Time // by then it is to be renewed, or else it ends
	limit time.Time // it is not renewed beyond that

	lost   error // why it is lost, or nil
	cancel context.CancelCauseFunc
	others *int // how many messages of the handler have not lost their leases; nil if it has one message
}

func (k *keeper) start(r *run) {
	ctx, quit := context.WithCancel(context.WithoutCancel(r.stopping))
	k.run, k.quit, k.ended, k.sooner = r, quit, make(chan struct{}), make(chan struct{}, 1)
	go func() {
		defer close(k.ended)
		k.work(ctx)
	}()
}

// stop ends the goroutine, and the calls under way.
func (k *keeper) stop() {
	k.quit()
	<-k.ended
}

// keep begins to keep the lease of a delivery, which ends at until unless it is
// renewed; zero says that it is lost.
func (k *keeper) keep(d *delivery, until time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if until.IsZero() {
		d.lease.lost = fmt.Errorf("workers: the visibility timeout was over before the message could be handled: %w", bus.ErrLeaseLost)
		return
	}
	l := &d.lease
	l.limit = d.received.Add(min(cmp.Or(k.run.MaxLease, defaultMaxLease), mostLease))
	l.kept, l.after = true, k.kept
	if k.kept != nil {
		k.kept.lease.before = d
	}
	k.kept = d
	k.schedule(d, d.received, until)
}

// schedule says what to do about a lease that has begun, or was found to go on, at
// now. The caller holds mu.
func (k *keeper) schedule(d *delivery, now, until time.Time) {
	l := &d.lease
	length := until.Sub(now)
	last := l.limit.Add(-length) // when a renewal ends at the limit
	l.until, l.from, l.by = until, now.Add(length/2), now.Add(length/2+length/8)
	switch {
	case !d.intake.can.renew || l.from.After(last):
		l.from, l.by = time.Time{}, until
	case l.by.After(last):
		l.by = last
	}
	if k.at.IsZero() || l.by.Before(k.at) {
		select {
		case k.sooner <- struct{}{}:
		default:
		}
	}
}

// hold keeps the lease of a delivery for as long as SQS allows, and has lost called if
// it is lost.
func (k *keeper) hold(d *delivery, lost func(error)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d.lease.cancel = lost
	if d.lease.kept {
		d.lease.limit = d.received.Add(mostLease)
		k.schedule(d, time.Now(), d.lease.until)
	} else if d.lease.lost != nil {
		lost(d.lease.lost)
	}
}

// cancels has cancel called when the leases of all ds are lost.
func (k *keeper) cancels(cancel context.CancelCauseFunc, ds ...*delivery) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var others *int
	if len(ds) > 1 {
		others = new(len(ds))
	}
	for _, d := range ds {
		d.lease.cancel, d.lease.others = cancel, others
		if d.lease.lost != nil {
			k.cancel(d)
		}
	}
}

// cancel cancels the handler of a delivery whose lease is lost, unless it has others.
// The caller holds mu.
func (k *keeper) cancel(d *delivery) {
	l := &d.lease
	if l.others != nil {
		if *l.others--; *l.others > 0 {
			return
		}
	}
	if l.cancel != nil {
		l.cancel(l.lost)
	}
}

// lost reports whether the lease of a delivery is lost.
func (k *keeper) lost(d *delivery) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return d.lease.lost != nil
}

// end has a delivery kept no more, and returns the reason if its lease is lost.
func (k *keeper) end(d *delivery) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.remove(d)
	return d.lease.lost
}

// remove takes a delivery off the list. The caller holds mu.
func (k *keeper) remove(d *delivery) {
	l := &d.lease
	if !l.kept {
		return
	}
	l.kept = false
	if l.before != nil {
		l.before.lease.after = l.after
	} else {
		k.kept = l.after
	}
	if l.after != nil {
		l.after.lease.before = l.before
	}
	l.before, l.after = nil, nil
}

// drop marks the lease of a delivery as lost.
func (k *keeper) drop(d *delivery, why error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !d.lease.kept {
		return
	}
	k.remove(d)
	d.lease.lost = why
	k.run.log.Warn("workers: a lease was lost", d.with("error", why)...)
	k.cancel(d)
}

// work has leases renewed until ctx ends, and waits for the calls under way then.
func (k *keeper) work(ctx context.Context) {
	defer k.renewals.Wait()
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			k.renewDue(ctx)
		case <-k.sooner:
		case <-ctx.Done():
			return
		}
		if at := k.next(); at.IsZero() {
			t.Stop()
		} else {
			t.Reset(time.Until(at))
		}
	}
}

// next returns when there is something to do next, or zero.
func (k *keeper) next() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at = time.Time{}
	for d := k.kept; d != nil; d = d.lease.after {
		if k.at.IsZero() || d.lease.by.Before(k.at) {
			k.at = d.lease.by
		}
	}
	return k.at
}

// renewDue begins to renew the leases of which half is over.
func (k *keeper) renewDue(ctx context.Context) {
	now := time.Now()
	due := map[*bus.Queue][]*delivery{}
	k.mu.Lock()
	for d := k.kept; d != nil; d = d.lease.after {
		if l := &d.lease; !now.Before(l.by) || !l.from.IsZero() && !now.Before(l.from) {
			due[d.intake.queue] = append(due[d.intake.queue], d)
		}
	}
	k.mu.Unlock()
	for q, ds := range due {
		if ds = k.unchanged(ds); len(ds) > 0 {
			k.renewals.Go(func() { k.renew(ctx, q, ds) })
		}
	}
}

// unchanged returns the deliveries whose leases are as the keeper knows them. A
// handler may have changed its message's visibility timeout; one that is over, and was
// not changed, is lost.
func (k *keeper) unchanged(ds []*delivery) []*delivery {
	var same []*delivery
	for _, d := range ds {
		until := bus.Details(d.message).VisibleAt
		now := time.Now()
		switch {
		case until.IsZero() || !now.Before(until):
			k.drop(d, fmt.Errorf("workers: the visibility timeout is over: %w", bus.ErrLeaseLost))
		case k.begin(d, now, until):
			same = append(same, d)
		}
	}
	return same
}

// begin takes note of a lease that was changed, and else reports whether it is to be
// renewed now. It is not renewed again then until renewed has said what came of that; if
// its end comes first, it is lost.
func (k *keeper) begin(d *delivery, now, until time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !d.lease.kept {
		return false
	}
	if !until.Equal(d.lease.until) {
		k.schedule(d, now, until)
		return false
	}
	if d.lease.from.IsZero() {
		return false
	}
	d.lease.from, d.lease.by = time.Time{}, until
	return true
}

// renew renews leases in one queue. What cannot be renewed is tried again when half
// of the rest is over.
func (k *keeper) renew(ctx context.Context, q *bus.Queue, ds []*delivery) {
	ms := make([]*pubsub.Message, len(ds))
	for i, d := range ds {
		ms[i] = d.message
	}
	ctx, cancel := context.WithDeadline(ctx, k.first(ds))
	defer cancel()
	errs := q.Renew(ctx, ms...)
	for i, d := range ds {
		var err error
		if errs != nil {
			err = errs[i]
		}
		until := bus.Details(d.message).VisibleAt
		if until.IsZero() || errors.Is(err, bus.ErrLeaseLost) {
			k.drop(d, lostLease(err))
			continue
		}
		if err == nil {
			k.run.stats.renewed.Add(1)
		}
		k.renewed(d, until, err)
	}
}

// first returns when the first of the leases ends.
func (k *keeper) first(ds []*delivery) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	first := ds[0].lease.until
	for _, d := range ds {
		if d.lease.until.Before(first) {
			first = d.lease.until
		}
	}
	return first
}

// lastTry is how much of a lease is left at least when a renewal that failed is tried
// again.
const lastTry = time.Second

// renewed says what to do next about a lease that was renewed, or was not.
func (k *keeper) renewed(d *delivery, until time.Time, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !d.lease.kept {
		return
	}
	now := time.Now()
	k.schedule(d, now, until)
	if err != nil && until.Sub(now) < lastTry {
		d.lease.from, d.lease.by = time.Time{}, until
	}
}

// lostLease returns an error that matches bus.ErrLeaseLost, for a renewal that failed
// with err.
func lostLease(err error) error {
	if err == nil {
		return bus.ErrLeaseLost
	}
	return fmt.Errorf("workers: renew: %w (%w)", err, bus.ErrLeaseLost)
}
