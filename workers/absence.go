package workers

import (
	"cmp"
	"context"
	"log/slog"
	"sync"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
)

// deliver gives messages to the queue and returns what came of each. With WaitForQueue
// those that found no queue are given to it again, until there is one or ctx ends: such
// an answer says that they were not sent.
func (p *Producer) deliver(ctx context.Context, ms []*pubsub.Message) []error {
	errs := p.give(ctx, ms)
	places := missed(errs)
	if len(places) == 0 || !p.WaitForQueue {
		return errs
	}
	log := cmp.Or(p.Logger, slog.Default()).With("queue", p.Queue.Name())
	p.absence.begin(log, errs[places[0]])
	for pause := firstLook; len(places) > 0 && ctx.Err() == nil; pause = min(2*pause, mostLook) {
		if sleep(ctx, pause); ctx.Err() != nil {
			break
		}
		again := make([]*pubsub.Message, len(places))
		for i, at := range places {
			again[i] = ms[at]
		}
		for i, err := range p.give(ctx, again) {
			errs[places[i]] = err
		}
		places = missed(errs)
	}
	p.absence.end(log, len(places) == 0)
	return errs
}

// give gives messages to the queue once, and returns what came of each.
func (p *Producer) give(ctx context.Context, ms []*pubsub.Message) []error {
	if len(ms) == 1 { // through the portable type, with its own spans and metrics
		return []error{p.Queue.Topic.Send(ctx, ms[0])}
	}
	if errs := p.Queue.SendBatch(ctx, ms); errs != nil {
		return errs
	}
	return make([]error, len(ms))
}

// missed returns the places of errors that say that there is no queue.
func missed(errs []error) (places []int) {
	for i, err := range errs {
		if gcerrors.Code(err) == gcerrors.NotFound {
			places = append(places, i)
		}
	}
	return places
}

// An absence tells the log when a queue is gone, and when it is there again: one line
// each, however many sends wait for it.
type absence struct {
	mu      sync.Mutex // guards waiting
	waiting int        // sends
}

func (a *absence) begin(log *slog.Logger, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting++; a.waiting == 1 {
		log.Warn("workers: the queue does not exist; waiting for it", "error", err.Error())
	}
}

// end ends the wait of one send, and says whether the queue was there in the end.
func (a *absence) end(log *slog.Logger, there bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting--; a.waiting == 0 && there {
		log.Info("workers: the queue exists again")
	}
}
