package workers

import (
	"context"
	"errors"
	"fmt"
	"iter"
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

// A Producer sends the messages of a source at a steady pace.
type Producer struct {
	Queue *bus.Queue // required, with a Topic

	// Source yields the bodies. It is required; its error ends Run. [Documents],
	// [Lines] and [Repeat] make sources. It runs in a goroutine of its own, which
	// goes on after Run only if the source is waiting when Run stops, for a line
	// of a terminal say: it then ends with that wait, and what it yields is lost.
	Source iter.Seq2[[]byte, error]

	// Every is the time from the beginning of one Send to that of the next;
	// 0 means as fast as the queue takes them. A Send that takes longer delays
	// the next one; the pace does not make up for lost time.
	Every time.Duration

	// Count ends Run after so many messages; 0 means all the source has.
	Count int

	// Concurrency is how many Sends may be in progress; 0 means 1. With more
	// than one, messages may arrive in another order.
	Concurrency int

	// Metadata is sent with every message.
	Metadata map[string]string

	// Delay hides every message for so long after it is sent; nil means the
	// queue's own delay.
	Delay *time.Duration

	// Prepare, if not nil, may change a message of the source before it is sent,
	// for example set its group. The number counts from 1. Its error ends Run, and
	// the message is not sent. The context is that of the Send: it ends when
	// SendTimeout is over, or DrainTimeout after a stop. Calls may overlap if
	// Concurrency is over 1.
	Prepare func(ctx context.Context, number int, m *pubsub.Message) error

	// OnSent, if not nil, is called after every message sent. Calls do not
	// overlap.
	OnSent func(Sent)

	// SendTimeout bounds one Send, Prepare included; 0 means 30 s. The error of a
	// Send that it ends matches [ErrUnconfirmed], unless the message was not given
	// to the queue yet.
	SendTimeout time.Duration

	// DrainTimeout is how long Sends in progress may go on when Run is stopping;
	// 0 means 30 s.
	DrainTimeout time.Duration

	sent, unconfirmed atomic.Int64

	onSent sync.Mutex // one call of OnSent at a time
}

// Sent tells of a message that a producer has sent.
type Sent struct {
	Number int    // counted from 1, in the source's order
	ID     string // message id, "" if the backend does not tell
	Body   []byte
}

const defaultSendTimeout = 30 * time.Second

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
	if p.Source == nil {
		return errors.New("workers: Producer.Source is missing")
	}
	return errors.Join(
		notNegative("Producer", "Every", p.Every),
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
	for number := 1; p.Count == 0 || number <= p.Count; number++ {
		e, ok := source.next(ctx)
		if !ok {
			break
		}
		if e.err != nil {
			failed = fmt.Errorf("workers: read message %d: %w", number, e.err)
			break
		}
		if sleep(ctx, time.Until(next)); ctx.Err() != nil {
			break
		}
		if next = next.Add(p.Every); next.Before(time.Now()) {
			next = time.Now()
		}
		sends.Go(func() error { // waits until it may begin
			if ctx.Err() != nil && run.Err() == nil {
				return nil // another one has failed meanwhile
			}
			if err := p.send(sending, number, e.body); err != nil {
				return fmt.Errorf("workers: send message %d: %w", number, err)
			}
			return nil
		})
	}
	if err := sends.Wait(); err != nil {
		return err
	}
	return failed
}

// send sends one message of the source.
func (p *Producer) send(ctx context.Context, number int, body []byte) error {
	timeout := p.SendTimeout
	if timeout == 0 {
		timeout = defaultSendTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	m := &pubsub.Message{Body: body, Metadata: maps.Clone(p.Metadata)}
	if p.Delay != nil {
		bus.Delay(m, *p.Delay)
	}
	if p.Prepare != nil {
		if err := p.Prepare(ctx, number, m); err != nil {
			return fmt.Errorf("not sent: prepare: %w", err)
		}
	}
	var sent bus.SentMessage
	bus.StoreSent(m, &sent)
	if err := p.confirm(ctx, m); err != nil {
		return err
	}
	if p.OnSent != nil {
		p.onSent.Lock()
		defer p.onSent.Unlock()
		p.OnSent(Sent{Number: number, ID: sent.ID, Body: m.Body})
	}
	return nil
}

// confirm sends a message and waits for the queue's answer until ctx ends.
func (p *Producer) confirm(ctx context.Context, m *pubsub.Message) error {
	if err := checkAttributes(m.Metadata); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("not sent: %w", err)
	}
	err := p.Queue.Topic.Send(ctx, m)
	switch {
	case err == nil:
		p.sent.Add(1)
	case ctx.Err() != nil || gcerrors.Code(err) == gcerrors.Canceled || gcerrors.Code(err) == gcerrors.DeadlineExceeded:
		p.unconfirmed.Add(1)
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	}
	return err
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
