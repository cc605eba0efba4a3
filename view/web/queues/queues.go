// Package queues shows queues of package bus on the page of package view/web: those of
// any backend, by what its controls allow.
//
// Where the backend has the control "peek", looking at messages changes nothing and is
// free. Elsewhere a look receives up to ten of them, each once, and gives them back: they
// are hidden for a moment, the requests are some that SQS bills, and their receive counts
// rise, by which a redrive policy gives messages up. (With a visibility timeout of 0 they
// would not be hidden, and be received again and again by one look.) The page says so, and
// looks only when told to. Messages that are in flight or delayed cannot be looked at.
package queues

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/view/web"
)

// Source is the web.Source of some open queues. The queues must have the control
// "attributes" and are shut down by the caller.
type Source struct {
	ids    []string
	queues map[string]*bus.Queue
}

// New returns the source of queues.
func New(qs ...*bus.Queue) *Source {
	s := &Source{queues: map[string]*bus.Queue{}}
	for _, q := range qs {
		id := q.Name()
		if _, taken := s.queues[id]; taken || id == "" {
			id = bus.Redact(q.URL()) // another place has a queue of that name
		}
		if _, taken := s.queues[id]; !taken {
			s.ids = append(s.ids, id)
			s.queues[id] = q
		}
	}
	return s
}

// maxAsked is how many queues are asked for their counts at a time.
const maxAsked = 16

// Queues asks each queue for its counts.
func (s *Source) Queues(ctx context.Context) ([]web.Queue, error) {
	out := make([]web.Queue, len(s.ids))
	errs := make([]error, len(s.ids))
	places := make(chan struct{}, maxAsked)
	var wg sync.WaitGroup
	for i, id := range s.ids {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			a, err := s.queues[id].Attributes(ctx)
			errs[i] = err
			out[i] = web.Queue{ID: id, Name: id, FIFO: a.FIFO, DeadLetter: a.DeadLetter.Queue, MaxReceives: a.DeadLetter.MaxReceives, Counts: a.Counts}
		})
	}
	wg.Wait()
	return out, errors.Join(errs...)
}

func (s *Source) queue(id string) (*bus.Queue, error) {
	if q := s.queues[id]; q != nil {
		return q, nil
	}
	return nil, web.NoQueue(id)
}

// Attributes returns the queue's attributes under SQS's names.
func (s *Source) Attributes(ctx context.Context, id string) ([]web.Field, error) {
	q, err := s.queue(id)
	if err != nil {
		return nil, err
	}
	a, err := q.Attributes(ctx)
	if err != nil {
		return nil, err
	}
	return append([]web.Field{{Name: "URL", Value: bus.Redact(q.URL())}}, web.Fields(a, nil)...), nil
}

// LookCost says what a look costs, "" if all queues have the control "peek".
func (s *Source) LookCost() string {
	for _, q := range s.queues {
		if !q.Supports(bus.ControlPeek) {
			return fmt.Sprintf("To look at messages here is to receive them, up to %d, and to give them back: they are hidden for a moment, SQS bills the requests, and their receive counts rise, by which a redrive policy gives messages up.", maxReceived)
		}
	}
	return ""
}

// Look peeks into the queue, or receives from it.
func (s *Source) Look(ctx context.Context, id, state string, n int) ([]web.Message, error) {
	q, err := s.queue(id)
	if err != nil {
		return nil, err
	}
	if state != web.Visible {
		return nil, fmt.Errorf("messages that are %s cannot be looked at here: %w", state, errors.ErrUnsupported)
	}
	if !q.Supports(bus.ControlPeek) {
		return receive(ctx, q, min(n, maxReceived))
	}
	ms, err := q.Peek(ctx, n)
	if err != nil {
		return nil, err
	}
	out := make([]web.Message, len(ms))
	for i, m := range ms {
		out[i] = message(m.Body, m.Details)
	}
	return out, nil
}

func message(body []byte, d bus.MessageDetails) web.Message {
	m := web.Message{
		ID: d.ID, State: web.Visible, Body: string(body), Sent: d.Sent, FirstReceived: d.FirstReceived, Receives: d.ReceiveCount,
		Group: d.Group, Deduplication: d.Deduplication, Sequence: d.SequenceNumber, TraceHeader: d.TraceHeader, Source: d.DeadLetterSource,
	}
	for _, name := range slices.Sorted(maps.Keys(d.Attributes)) {
		m.Attributes = append(m.Attributes, web.NamedAttribute{Name: name, Attribute: d.Attributes[name]})
	}
	return m
}

const (
	// maxReceived is how many messages a look receives at most.
	maxReceived = 10

	// firstTime and nextTime are how long a look waits for the first message, and for
	// each after it.
	firstTime = 3 * time.Second
	nextTime  = 300 * time.Millisecond

	// hidden is how long messages are hidden that a look cannot give back.
	hidden = 20 * time.Second

	// backTime is how long it may take to give them back.
	backTime = 5 * time.Second
)

// receive receives up to n messages and gives them back.
func receive(ctx context.Context, q *bus.Queue, n int) ([]web.Message, error) {
	r, err := q.OpenReceiver(bus.ReceiverOptions{Visibility: new(hidden)})
	if err != nil {
		return nil, err
	}
	var got []*pubsub.Message
	for wait := firstTime; len(got) < n; wait = nextTime {
		m, err2 := next(ctx, r, wait)
		if m == nil {
			err = err2
			break
		}
		got = append(got, m)
	}
	out := make([]web.Message, len(got))
	for i, m := range got {
		out[i] = message(m.Body, bus.Details(m))
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), backTime)
	defer cancel()
	err = errors.Join(err, errors.Join(r.GiveBackBatch(last, got, 0)...))
	for _, m := range got {
		if m.Nackable() {
			m.Nack() // changes nothing any more, and the Go CDK asks for it
		}
	}
	return out, errors.Join(err, r.Shutdown(last))
}

// next receives a message, nil if none comes in time.
func next(ctx context.Context, r *bus.Queue, wait time.Duration) (*pubsub.Message, error) {
	soon, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	m, err := r.Subscription.Receive(soon)
	if err != nil && soon.Err() != nil && ctx.Err() == nil {
		return nil, nil
	}
	return m, err
}

// Send sends a message.
func (s *Source) Send(ctx context.Context, id string, out web.Outgoing) (string, error) {
	q, err := s.queue(id)
	if err != nil {
		return "", err
	}
	m := &pubsub.Message{Body: []byte(out.Body)}
	if out.Delay != nil {
		bus.Delay(m, *out.Delay)
	}
	if out.Group != "" {
		bus.Group(m, out.Group)
	}
	if out.Deduplication != "" {
		bus.Deduplicate(m, out.Deduplication)
	}
	for _, a := range out.Attributes {
		bus.SetAttribute(m, a.Name, a.Attribute)
	}
	var sent bus.SentMessage
	bus.StoreSent(m, &sent)
	err = q.Topic.Send(ctx, m)
	return cmp.Or(sent.ID, "a message"), err
}

// Purge deletes all messages.
func (s *Source) Purge(ctx context.Context, id string) error {
	q, err := s.queue(id)
	if err != nil {
		return err
	}
	return q.Purge(ctx)
}

// Redrive moves up to n dead letters. On SQS they are moved one by one.
func (s *Source) Redrive(ctx context.Context, id, to string, n int) (int, error) {
	q, err := s.queue(id)
	if err != nil {
		return 0, err
	}
	if to != "" && s.queues[to] != nil {
		to = s.queues[to].Name()
	}
	return q.Redrive(ctx, to, n)
}

var _ interface {
	web.Source
	web.Redriver
	web.Pricer
} = (*Source)(nil)
