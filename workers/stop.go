package workers

import (
	"cmp"
	"context"
	"time"

	"omnibus/bus"
)

// settlingTime returns for how long requests that settle messages may go on when the
// handlers' time is over.
func settlingTime(drain time.Duration) time.Duration { return max(time.Second, drain/6) }

// stop ends the run after the dispatcher has returned: it gives back what was received
// and not begun, waits for the handlers, and then for the answers to their
// acknowledgements. Unless Max was reached, it limits the time for that.
func (r *run) stop(hurry bool) {
	defer r.free()
	if hurry {
		r.hurry()
	}
	r.endReceiving()
	close(r.batches)
	r.release()
	r.giveBackUnbegun(hurry)
	r.handlers.Wait()
	r.giveBackUnbegun(true) // what was put off meanwhile
	flush, cancel := r.flushing()
	defer cancel()
	r.acks.wait(flush, 0)
	r.keeper.stop()
	r.shutdown(flush)
}

// flushing returns a context for the answers to acknowledgements. It ends with settling,
// but leaves those of handlers that took longer than they may some time too.
func (r *run) flushing() (context.Context, context.CancelFunc) {
	flush, end := context.WithTimeout(context.WithoutCancel(r.settling), bus.ShutdownTimeout)
	least := time.Now().Add(settlingTime(cmp.Or(r.DrainTimeout, defaultDrain)))
	stop := context.AfterFunc(r.settling, func() {
		sleep(flush, time.Until(least))
		end()
	})
	return flush, func() { stop(); end() }
}

// giveBackUnbegun gives back what was received and not begun. What waits in its group
// behind a message that a handler has is begun all the same unless the run is in a
// hurry.
func (r *run) giveBackUnbegun(hurry bool) {
	r.giveBackOffers()
	early, due := r.held.drain()
	for _, d := range early {
		r.giveBackEarly(d, dueTime(d.message))
	}
	for _, d := range due {
		r.giveBackAll(append([]*delivery{d}, r.groups.close(d)...))
	}
	if hurry {
		r.giveBackAll(r.groups.drain())
	}
}

// giveBackOffers gives back what the intakes offered and nobody chose. Nothing must be
// received any more.
func (r *run) giveBackOffers() {
	for _, in := range r.intakes {
		if d := in.offered(); d != nil {
			r.giveBackAll([]*delivery{d})
		}
	}
}

// release gives back what the queues' subscriptions have fetched.
func (r *run) release() {
	for _, in := range r.intakes {
		in.release(r.settling)
	}
}

// shutdown ends the receivers that were opened for the run.
func (r *run) shutdown(ctx context.Context) {
	for _, in := range r.intakes {
		in.close(ctx)
	}
}
