package workers

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"

	"omnibus/bus"
)

// A run is what one call of Consumer.Run has. Its dispatcher, the goroutine that
// calls receive, waits for a free handler and then for a message, and passes each
// batch of messages to a goroutine that is done with another, or to a new one; without
// a BatchHandler a batch is of one.
type run struct {
	*Consumer
	handle  Handler
	log     *slog.Logger
	intakes []*intake
	quota   *quota

	slots    *slots
	keeper   keeper
	groups   groups
	held     held
	handlers sync.WaitGroup
	batches  chan []*delivery // to goroutines whose handlers are done

	stopping  context.Context // ends when the run is to end soon: with Run's context, or when a queue has failed
	receiving context.Context // ends with the dispatcher, or before
	handling  context.Context // of handlers: outlasts stopping by the DrainTimeout
	settling  context.Context // of requests that settle messages: outlasts handling

	noVisibility sync.Once // says that leases are over at once

	hurry, endReceiving context.CancelFunc
	free                func() // frees the contexts
}

func (c *Consumer) begin(ctx context.Context) (*run, error) {
	r := &run{Consumer: c, log: c.logger(), quota: newQuota(c.Max), slots: newSlots(max(1, c.Concurrency), c.TargetTime), batches: make(chan []*delivery)}
	if c.Handler != nil {
		r.handle = c.handler()
	}
	drain := cmp.Or(c.DrainTimeout, defaultDrain)
	var endHandling, endSettling context.CancelFunc
	r.stopping, r.hurry = context.WithCancel(ctx)
	r.receiving, r.endReceiving = context.WithCancel(r.stopping)
	r.handling, endHandling = Outlast(r.stopping, drain)
	r.settling, endSettling = Outlast(r.stopping, drain+settlingTime(drain))
	r.free = func() { endHandling(); endSettling(); r.hurry() }
	for _, share := range c.shares() {
		in, err := r.newIntake(share)
		if err != nil {
			r.shutdown(ctx)
			r.free()
			return nil, err
		}
		r.intakes = append(r.intakes, in)
	}
	r.keeper.start(r)
	return r, nil
}

// receive receives and starts handlers until ctx ends, Max is reached, or a
// subscription fails.
func (r *run) receive(ctx context.Context) error {
	for !r.quota.over(ctx) {
		phase, end, ok := r.gate.open(ctx)
		if !ok {
			return nil
		}
		err := r.dispatch(phase)
		end()
		if err != nil {
			return err
		}
		if r.gate.paused() != nil {
			r.release()
			r.giveBackOffers()
		}
	}
	return nil
}

// dispatch starts handlers until ctx ends, Max is reached, or a subscription fails.
func (r *run) dispatch(ctx context.Context) error {
	source, end := r.source(ctx)
	defer end()
	for !r.quota.over(ctx) {
		if !r.slots.take(ctx) {
			return nil
		}
		var batch []*delivery
		var err error
		if r.acks.wait(ctx, mostUnanswered) {
			batch, err = r.gather(ctx, source)
		}
		if len(batch) == 0 {
			r.slots.free()
			if err != nil || ctx.Err() != nil {
				return err
			}
			continue
		}
		select {
		case r.batches <- batch:
		default:
			r.handlers.Go(func() {
				for ok := true; ok; batch, ok = <-r.batches {
					r.work(batch)
				}
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// gather returns messages for one call of a handler. It returns none when ctx ends,
// or when Max is reached.
func (r *run) gather(ctx context.Context, s source) ([]*delivery, error) {
	d, err := r.next(ctx, s)
	if errors.Is(err, errNoToken) {
		<-ctx.Done()
		return nil, nil
	}
	if d == nil {
		return nil, err
	}
	batch := []*delivery{d}
	if r.BatchHandler == nil {
		return batch, nil
	}
	size := cmp.Or(r.BatchSize, defaultBatchSize)
	filling, cancel := context.WithTimeout(ctx, cmp.Or(r.BatchWait, defaultBatchWait))
	defer cancel()
	for len(batch) < size {
		if d, err = r.next(filling, s); errors.Is(err, errNoToken) {
			return batch, nil // there is nothing to wait for
		} else if d == nil {
			return batch, err
		}
		batch = append(batch, d)
	}
	return batch, nil
}

// errNoToken says that the Limiter has no token before ctx ends. The end may be to come.
var errNoToken = errors.New("no token before the end")

// next returns the next delivery that may be handled, or nil when ctx ends, when Max is
// reached, or with errNoToken.
func (r *run) next(ctx context.Context, s source) (*delivery, error) {
	for {
		if r.quota.spent() {
			return nil, nil
		}
		if d := r.held.next(); d != nil {
			return r.admit(d), nil
		}
		if ctx.Err() != nil {
			return nil, nil
		}
		if r.Limiter != nil {
			if err := r.Limiter.Wait(ctx); err != nil {
				if _, ends := ctx.Deadline(); ends || ctx.Err() != nil {
					return nil, errNoToken
				}
				return nil, err
			}
		}
		d, err := s.next(ctx)
		if d == nil {
			return nil, err
		}
		if r.groups.enter(d) {
			return r.admit(d), nil
		}
	}
}

// admit returns a delivery that is to be handled or, if Max was reached meanwhile,
// gives it back and returns nil.
func (r *run) admit(d *delivery) *delivery {
	if r.quota.take(d) {
		return d
	}
	r.giveBackAll(append([]*delivery{d}, r.groups.close(d)...))
	return nil
}

// work has messages handled, and then those that wait behind them in their groups.
func (r *run) work(batch []*delivery) {
	var next []*delivery
	defer func() { // also after runtime.Goexit in a handler, which runs nothing else
		if len(next) > 0 {
			r.handlers.Go(func() { r.work(next) })
		} else {
			r.slots.free()
		}
	}()
	batch = r.screen(batch, &next)
	if r.BatchHandler != nil && len(batch) > 0 {
		r.doBatch(batch, &next)
	} else if len(batch) > 0 {
		r.do(batch[0], &next)
	}
	sleep(r.receiving, r.Rest)
}

// A source is where the dispatcher gets deliveries from. next returns nil and no
// error when ctx ends.
type source interface {
	next(ctx context.Context) (*delivery, error)
}

// can says what a queue's backend can do.
type can struct {
	details, renew, giveBack, bury, delay, reopen, attributes bool
}

func supported(q *bus.Queue) can {
	return can{
		details:    q.Supports(bus.ControlDetails),
		renew:      q.Supports(bus.ControlRenew),
		giveBack:   q.Supports(bus.ControlGiveBack),
		bury:       q.Supports(bus.ControlBury),
		delay:      q.Supports(bus.ControlDelay) && q.Topic != nil,
		reopen:     q.Supports(bus.ControlReceivers),
		attributes: q.Supports(bus.ControlAttributes),
	}
}
