package workers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	"golang.org/x/sync/errgroup"

	"omnibus/bus"
)

// A Producer sends the messages of a source at a steady pace, with Run, and messages
// that a program has at hand, with Send and SendBatch. Run is to be called once; Send
// and SendBatch are safe for concurrent use.
type Producer struct {
	Queue *bus.Queue // required, with a Topic

	// Source yields the bodies that Run sends, which requires it; its error ends Run.
	// A body is copied, and its memory may be used again for the next. [Documents],
	// [Lines], [Values] and [Repeat] make sources. It runs in a goroutine of its own,
	// which goes on after Run only if the source is waiting when Run stops, for a line
	// of a terminal say: it then ends with that wait, and what it yields is lost.
	Source iter.Seq2[[]byte, error]

	// Every is the least time from the beginning of one Send of Run to that of the
	// next; 0 means as fast as the queue takes them. What takes longer, Sends or the
	// source, delays the next one; the pace does not make up for lost time.
	Every time.Duration

	// Batch is how many messages Run sends at a time, as SendBatch does; 0 means 1.
	// A batch goes out when it is full, or when the source has made it wait for a
	// tenth of a second.
	Batch int

	// Count ends Run after so many messages; 0 means all the source has.
	Count int

	// Concurrency is how many Sends of Run, or batches, may be in progress; 0 means
	// 1. With more than one, messages may arrive in another order.
	Concurrency int

	// Metadata is sent with every message, but for keys that the message has itself.
	Metadata map[string]string

	// Delay hides every message for so long after it is sent, unless the message
	// has a delay itself; nil means the queue's own delay. One of more than 15
	// minutes, and any on a FIFO queue, is kept by a Consumer: see [Delay].
	Delay *time.Duration

	// Prepare, if not nil, may change a message of the source before it is sent,
	// for example set its group. The number counts from 1. Its error ends Run, and
	// the message is not sent. The context is that of the Send: it ends when
	// SendTimeout is over, or DrainTimeout after a stop. Calls may overlap if
	// Concurrency is over 1.
	Prepare func(ctx context.Context, number int, m *pubsub.Message) error

	// OnSent, if not nil, is called after every message that Run has sent. Calls do
	// not overlap.
	OnSent func(Sent)

	// SendTimeout bounds one Send, Prepare included, or one batch. 0 means 30 s for
	// what a program sends, and no bound for Run, which nobody waits for: it outlasts
	// an outage, with Concurrency messages or batches in hand and one that waits. The
	// error of a Send that it ends matches [ErrUnconfirmed], unless the message was not
	// given to the queue, or the queue did not exist.
	SendTimeout time.Duration

	// WaitForQueue has a queue that does not exist, or not any more, waited for, within
	// SendTimeout. Without it a Send fails with the code NotFound, and ends Run.
	WaitForQueue bool

	// DrainTimeout is how long Sends in progress may go on when Run is stopping;
	// 0 means 30 s.
	DrainTimeout time.Duration

	// Telemetry says where spans and metrics go; nil means the global providers.
	Telemetry *Telemetry

	// Logger is told when WaitForQueue begins to wait, and when the queue is there;
	// nil means slog.Default().
	Logger *slog.Logger

	absence absence

	sent, unconfirmed atomic.Int64

	onSent sync.Mutex // one call of OnSent at a time
	once   sync.Once  // guards the making of spans
	spans  *sending
}

// Sent tells of a message that a producer has sent.
type Sent struct {
	Number int    // counted from 1, in the source's order
	ID     string // message id, "" if the backend does not tell
	Body   []byte
}

const (
	defaultSendTimeout = 30 * time.Second
	batchWait          = 100 * time.Millisecond // how long a batch waits for the source
)

// ErrUnconfirmed is in the chain of every error that leaves it open whether a
// message was sent: the wait for the queue's answer was given up. The message may
// have been sent, or may be yet; who sends it again may send it twice. After any
// other error of a Send the message was not sent, as far as the backend tells.
var ErrUnconfirmed = errors.New("no answer yet, so the message may have been sent")

// Sent returns how many messages have been sent. It may be called at any time.
func (p *Producer) Sent() int { return int(p.sent.Load()) }

// Unconfirmed returns how many Sends were given up before they were answered, at
// the end of SendTimeout or DrainTimeout: their messages may have been sent, or
// may be yet. It may be called at any time.
func (p *Producer) Unconfirmed() int { return int(p.unconfirmed.Load()) }

func (p *Producer) validate() error {
	if p.Queue == nil || p.Queue.Topic == nil {
		return errors.New("workers: Producer.Queue has no topic to send to")
	}
	return errors.Join(
		notNegative("Producer", "Every", p.Every),
		notNegative("Producer", "Batch", p.Batch),
		notNegative("Producer", "Count", p.Count),
		notNegative("Producer", "Concurrency", p.Concurrency),
		notNegative("Producer", "SendTimeout", p.SendTimeout),
		notNegative("Producer", "DrainTimeout", p.DrainTimeout),
	)
}

// Run sends until the source ends, Count is reached, ctx ends (all three return
// nil) or something fails. After the first failure nothing new is sent. A stop is
// no success while Sends are unconfirmed: Run then returns the error of one.
func (p *Producer) Run(ctx context.Context) error {
	if err := p.validate(); err != nil {
		return err
	}
	if p.Source == nil {
		return errors.New("workers: Producer.Source is missing")
	}
	run := ctx
	sends, ctx := errgroup.WithContext(run)
	sends.SetLimit(max(1, p.Concurrency))
	timeout := p.DrainTimeout
	if timeout == 0 {
		timeout = defaultDrainTimeout
	}
	sending, endSending := Outlast(ctx, timeout)
	defer endSending()
	source := newFeed(p.Source)
	defer source.stop()
	var failed error
	next := time.Now()
	for number := 1; failed == nil && (p.Count == 0 || number <= p.Count); {
		var bodies [][]byte
		bodies, failed = p.gather(ctx, source, number)
		if len(bodies) == 0 {
			break
		}
		if sleep(ctx, time.Until(next)); ctx.Err() != nil {
			break
		}
		first := number
		sends.Go(func() error { // waits until it may begin
			if ctx.Err() != nil && run.Err() == nil {
				return nil // another one has failed meanwhile
			}
			return p.sendSource(sending, first, bodies)
		})
		next = time.Now().Add(p.Every)
		number += len(bodies)
	}
	if err := sends.Wait(); err != nil {
		return err
	}
	return failed
}

// gather returns the bodies that are sent next, of which the first has the number
// given: none if the source or ctx has ended. What comes before an error of the source
// is returned with it.
func (p *Producer) gather(ctx context.Context, source *feed, number int) (bodies [][]byte, err error) {
	most := max(1, p.Batch)
	if p.Count > 0 {
		most = min(most, p.Count-number+1)
	}
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	for len(bodies) < most {
		e, ok := source.next(waiting)
		if !ok {
			break
		}
		if e.err != nil {
			return bodies, fmt.Errorf("workers: read message %d: %w", number+len(bodies), e.err)
		}
		if bodies = append(bodies, e.body); len(bodies) == 1 && most > 1 {
			defer time.AfterFunc(batchWait, cancel).Stop()
		}
	}
	return bodies, nil
}

// sendSource sends bodies of the source, of which the first has the number given.
func (p *Producer) sendSource(ctx context.Context, first int, bodies [][]byte) error {
	if p.SendTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.SendTimeout)
		defer cancel()
	}
	fail := func(i int, err error) error { return fmt.Errorf("workers: send message %d: %w", first+i, err) }
	var failed []error
	var ms []*pubsub.Message
	sent := make([]bus.SentMessage, len(bodies))
	for i, body := range bodies {
		m := p.outgoing(&pubsub.Message{Body: body})
		if p.Prepare != nil {
			if err := p.Prepare(ctx, first+i, m); err != nil {
				failed = append(failed, fail(i, fmt.Errorf("not sent: prepare: %w", err)))
				break // those before it are sent
			}
		}
		bus.StoreSent(m, &sent[i])
		ms = append(ms, m)
	}
	errs := p.confirm(ctx, ms)
	for i, m := range ms {
		if errs != nil && errs[i] != nil {
			failed = append(failed, fail(i, errs[i]))
			continue
		}
		p.tell(Sent{Number: first + i, ID: sent[i].ID, Body: m.Body})
	}
	return errors.Join(failed...)
}

func (p *Producer) tell(s Sent) {
	if p.OnSent != nil {
		p.onSent.Lock()
		defer p.onSent.Unlock()
		p.OnSent(s)
	}
}

// Send sends one message, within SendTimeout and until ctx ends. It leaves m as it
// is. After an error that matches [ErrUnconfirmed] m may have been sent.
func (p *Producer) Send(ctx context.Context, m *pubsub.Message) error {
	if errs := p.SendBatch(ctx, []*pubsub.Message{m}); errs != nil {
		return errs[0]
	}
	return nil
}

// SendBatch sends messages in as few requests as the queue's backend can, within
// SendTimeout and until ctx ends. It returns nil if all were sent, or one error for
// each message, nil for those that were, as [Producer.Send] does. A FIFO queue gets
// them in their order.
func (p *Producer) SendBatch(ctx context.Context, ms []*pubsub.Message) []error {
	errs := make([]error, len(ms))
	err := p.validate()
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, cmp.Or(p.SendTimeout, defaultSendTimeout))
		defer cancel()
		out := make([]*pubsub.Message, len(ms))
		for i, m := range ms {
			out[i] = p.outgoing(m)
		}
		if errs = p.confirm(ctx, out); errs == nil {
			return nil
		}
	}
	for i := range errs {
		switch {
		case err != nil:
			errs[i] = err
		case errs[i] != nil:
			errs[i] = fmt.Errorf("workers: send: %w", errs[i])
		}
	}
	return errs
}

// outgoing returns a message as it is sent: m with what the Producer sets.
func (p *Producer) outgoing(m *pubsub.Message) *pubsub.Message {
	out := &pubsub.Message{Body: m.Body, LoggableID: m.LoggableID, Metadata: maps.Clone(p.Metadata), AfterSend: m.AfterSend}
	if out.Metadata == nil {
		out.Metadata = map[string]string{}
	}
	maps.Copy(out.Metadata, m.Metadata)
	if p.Delay != nil {
		Delay(p.Queue, out, *p.Delay)
	}
	out.BeforeSend = inTurn(out.BeforeSend, m.BeforeSend)
	return out
}

// inTurn returns a BeforeSend that calls two, of which the second has the last word.
// Either may be nil.
func inTurn(first, second func(as func(any) bool) error) func(as func(any) bool) error {
	if first == nil {
		return second
	}
	if second == nil {
		return first
	}
	return func(as func(any) bool) error {
		if err := first(as); err != nil {
			return err
		}
		return second(as)
	}
}

// confirm gives messages to the queue and waits for its answers until ctx ends. It
// returns nil if all were sent, or one error for each, nil for those that were.
func (p *Producer) confirm(ctx context.Context, ms []*pubsub.Message) []error {
	errs := make([]error, len(ms))
	var good []*pubsub.Message
	var places []int
	for i, m := range ms {
		if errs[i] = checkAttributes(m.Metadata); errs[i] == nil {
			good, places = append(good, m), append(places, i)
		}
	}
	if err := context.Cause(ctx); err != nil {
		for _, at := range places {
			errs[at] = fmt.Errorf("not sent: %w", err)
		}
	} else {
		p.hand(ctx, good, func(i int, err error) { errs[places[i]] = p.count(ctx, err) })
	}
	if !slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
		return nil
	}
	return errs
}

// hand gives messages to the queue, and calls done with what came of each.
func (p *Producer) hand(ctx context.Context, ms []*pubsub.Message, done func(i int, err error)) {
	p.once.Do(func() { p.spans = p.Telemetry.sending(p.Queue) })
	if len(ms) == 1 {
		ctx, end := p.spans.one(ctx, ms[0])
		err := p.deliver(ctx, ms)[0]
		end(err)
		done(0, err)
		return
	}
	ctx, end := p.spans.batch(ctx, ms)
	errs := p.deliver(ctx, ms)
	end(errs)
	for i, err := range errs {
		done(i, err)
	}
}

// count counts what came of a message that was given to the queue, and says whether
// it may have been sent nevertheless.
func (p *Producer) count(ctx context.Context, err error) error {
	if err == nil {
		p.sent.Add(1)
		return nil
	}
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		return fmt.Errorf("not sent: %w", err)
	case gcerrors.Canceled, gcerrors.DeadlineExceeded:
	default:
		if ctx.Err() == nil {
			return err
		}
	}
	p.unconfirmed.Add(1)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("%w: %w", ErrUnconfirmed, err)
}

// maxAttributes is how many attributes a message may have, on SQS and so anywhere.
const maxAttributes = 10

// checkAttributes reports more metadata than a message can carry. Backends check
// it together with typed attributes, but not those that have no such limit.
func checkAttributes(metadata map[string]string) error {
	if len(metadata) <= maxAttributes {
		return nil
	}
	return fmt.Errorf("not sent: the message has %d attributes, %q; at most %d are allowed",
		len(metadata), slices.Sorted(maps.Keys(metadata)), maxAttributes)
}
