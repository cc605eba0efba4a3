package web

import (
	"context"
	"maps"
	"slices"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// Engine is the Source of an engine's queues. It looks at messages without receiving
// them. The function is called each time, for an engine that may be replaced.
type Engine func() *engine.Engine

// Queues returns the engine's queues, sorted by name.
func (e Engine) Queues(context.Context) ([]Queue, error) {
	en := e()
	var out []Queue
	for _, name := range en.List("") {
		q, err := en.Queue(name)
		if err != nil {
			continue // deleted meanwhile
		}
		a, err := q.Attributes()
		if err != nil {
			continue
		}
		out = append(out, Queue{ID: name, Name: name, FIFO: a.FIFO, DeadLetter: a.DeadLetter.Queue, MaxReceives: a.DeadLetter.MaxReceives, Counts: a.Counts})
	}
	return out, nil
}

// plainNames has policies name queues as the engine does.
type plainNames struct{}

func (plainNames) ARN(queue string) string           { return queue }
func (plainNames) QueueOf(arn string) (string, bool) { return arn, true }

// Attributes returns the attributes that SQS has, under SQS's names, and the tags.
func (e Engine) Attributes(_ context.Context, queue string) ([]Field, error) {
	q, err := e().Queue(queue)
	if err != nil {
		return nil, err
	}
	a, err := q.Attributes()
	if err != nil {
		return nil, err
	}
	tags, err := q.Tags()
	if err != nil {
		return nil, err
	}
	return Fields(a, tags), nil
}

// Fields returns a queue's attributes and tags as fields.
func Fields(a spec.QueueAttributes, tags map[string]string) []Field {
	var out []Field
	wire := a.Wire(plainNames{})
	for _, name := range spec.QueueAttributeNames() {
		if value, ok := wire[name]; ok {
			out = append(out, Field{name, value})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, Field{"tag " + key, tags[key]})
	}
	return out
}

// Look returns messages as [engine.Queue.Look] does.
func (e Engine) Look(_ context.Context, queue, state string, n int) ([]Message, error) {
	q, err := e().Queue(queue)
	if err != nil {
		return nil, err
	}
	ms, err := q.Look(engine.State(state), n)
	if err != nil {
		return nil, err
	}
	out := make([]Message, len(ms))
	for i, m := range ms {
		out[i] = Message{
			ID: m.ID, State: state, Body: m.Body, Attributes: m.Attributes, Sent: m.Sent, Since: m.Since, VisibleAt: m.VisibleAt,
			FirstReceived: m.FirstReceived, Receives: m.ReceiveCount, Group: m.Group, Deduplication: m.Deduplication,
			Sequence: m.SequenceNumber, TraceHeader: m.TraceHeader, Source: m.DeadLetterSource,
		}
	}
	return out, nil
}

// Send sends a message.
func (e Engine) Send(_ context.Context, queue string, m Outgoing) (string, error) {
	q, err := e().Queue(queue)
	if err != nil {
		return "", err
	}
	sent, err := q.Send(engine.Message{Body: m.Body, Attributes: m.Attributes, Delay: m.Delay, Group: m.Group, Deduplication: m.Deduplication})
	return sent.ID, err
}

// Purge deletes all messages, as [engine.Queue.Purge] does.
func (e Engine) Purge(_ context.Context, queue string) error {
	q, err := e().Queue(queue)
	if err != nil {
		return err
	}
	return q.Purge()
}

// Remove deletes messages in any state.
func (e Engine) Remove(_ context.Context, queue string, ids []string) (int, error) {
	q, err := e().Queue(queue)
	if err != nil {
		return 0, err
	}
	return q.Remove(ids)
}

// Redrive moves up to n dead letters.
func (e Engine) Redrive(_ context.Context, queue, to string, n int) (int, error) {
	q, err := e().Queue(queue)
	if err != nil {
		return 0, err
	}
	return q.Redrive(to, n)
}

// RedriveChosen moves the dead letters with the ids given.
func (e Engine) RedriveChosen(_ context.Context, queue, to string, ids []string) (int, error) {
	q, err := e().Queue(queue)
	if err != nil {
		return 0, err
	}
	return q.RedriveChosen(to, ids)
}
