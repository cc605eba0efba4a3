package lab

import (
	"bytes"
	"context"
	"iter"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/watch"
	"omnibus/workers"
)

// A producer is one of the story's, under way.
type producer struct {
	producing
	queue  *bus.Queue // or the topic
	opened bool       // for it alone
	*workers.Producer

	gate  gate
	state string // guarded by run.mu
}

// addProducer opens a producer's queue.
func (r *run) addProducer(ctx context.Context, s producing) error {
	p := &producer{producing: s, queue: r.topic, state: watch.StateRunning}
	if r.topic == nil {
		q, err := r.lab.Mux.Open(ctx, r.stage(s.queue).url)
		if err != nil {
			return err
		}
		p.queue, p.opened = q, true
	}
	p.Producer = &workers.Producer{
		Queue: p.queue, Metadata: s.Metadata, Count: s.count, DrainTimeout: r.lab.DrainTimeout / 2,
		Prepare: func(_ context.Context, number int, m *pubsub.Message) error {
			if s.prepare != nil {
				s.prepare(r.id, number, m)
			}
			return nil
		},
		OnSent: func(sent workers.Sent) { r.sent(p, sent) },
	}
	if !s.ownDelay {
		p.Delay = new(s.ProducerPreset.Delay / time.Duration(r.lab.Speed))
	}
	r.producers = append(r.producers, p)
	return nil
}

// produce runs a producer to its end.
func (r *run) produce(ctx context.Context, p *producer) error {
	p.Source = r.paced(ctx, p)
	if err := p.Run(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	r.sending--
	p.state = watch.StateEnded
	r.mu.Unlock()
	r.note(watch.Finished, p.queue.Name(), p.Name, "", p.Sent())
	r.check()
	return nil
}

// paced returns what a producer sends, at its pace, and not while it is paused.
func (r *run) paced(ctx context.Context, p *producer) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if !r.sleep(ctx, p.start) {
			return
		}
		next := time.Now()
		for body, err := range workers.Documents(p.DataName, bytes.NewReader(p.Data)) {
			wait := time.NewTimer(time.Until(next))
			select {
			case <-wait.C:
			case <-ctx.Done():
				wait.Stop()
				return
			}
			if !p.gate.pass(ctx) || !yield(body, err) {
				return
			}
			if next = next.Add(p.ProducerPreset.Every / time.Duration(r.lab.Speed)); next.Before(time.Now()) {
				next = time.Now()
			}
		}
	}
}

// sent counts a message that was sent, and tells of it.
func (r *run) sent(p *producer, s workers.Sent) {
	owed := 1
	if r.story.owes != nil {
		owed = r.story.owes(s.Number, s.Body)
	}
	r.mu.Lock()
	r.owed += owed
	r.mu.Unlock()
	if r.topic == nil {
		r.ledger.Request(p.queue.Name(), "SendMessage", 1, len(s.Body))
		r.ledger.Flow(p.queue.Name(), owed, 0)
	}
	r.emit(Event{
		Event: watch.Event{
			Kind: watch.Sent, Queue: p.queue.Name(), Worker: p.Name, Number: s.Number, ID: s.ID, Words: watch.Words(s.Body),
		},
		Producer: p.Producer.Metadata["Producer"], JobType: p.Producer.Metadata["JobType"], Body: NewBody(s.Body),
	})
}
