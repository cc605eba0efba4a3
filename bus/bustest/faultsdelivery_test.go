package bustest

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	cdk "gocloud.dev/pubsub/driver"

	"omnibus/bus/driver"
	"omnibus/bus/engine"
)

var deliveryFaults = []fault{
	{name: "loses one message in a hundred", breaks: "concurrent-delivery",
		send: func(e *end, m *engine.Message) bool { return e.w.nth()%100 != 0 }},
	{name: "delivers one message in a hundred twice", breaks: "concurrent-delivery",
		send: func(e *end, m *engine.Message) bool {
			if e.w.nth()%100 == 0 {
				e.q.Send(*m)
			}
			return true
		}},
	{name: "ignores acks",
		breaks: "topics topic-filters delivery bad-message cancel change-visibility-batch concurrent-delivery content-deduplication send-batch-order " +
			"counts dead-letters deduplication delay group-lock group-order groups-parallel late-acks nack " +
			"purge queue-delay release shutdown-flush stale-ack visibility ack-results bury give-back " +
			"lost-lease queue-visibility receivers renew",
		ack: func(*end, engine.Delivery) error { return nil }},
	{name: "trims bodies", breaks: "delivery message-characters",
		message: func(m *cdk.Message) { m.Body = []byte(strings.TrimSpace(string(m.Body))) }},
	{name: "does not decode metadata values", breaks: "delivery typed-attributes bury topics",
		message: func(m *cdk.Message) {
			for k, v := range m.Metadata {
				m.Metadata[k] = url.PathEscape(v)
			}
		}},
	{name: "folds metadata keys", breaks: "delivery dead-letters typed-attributes bury",
		message: func(m *cdk.Message) {
			for k, v := range m.Metadata {
				delete(m.Metadata, k)
				m.Metadata[strings.ToLower(k)] = v
			}
		}},
	{name: "gives each consumer a queue of its own",
		breaks: "competing-consumers cancel-release create-again deleted-queue details group-lock " +
			"groups-parallel late-acks lost-lease nack-others queue-visibility release shutdown-flush " +
			"shutdown-release stale-ack stale-nack ack-results renew",
		opener: func(w *wrapper) driver.Opener {
			return opener{wrapper: w, open: func(ctx context.Context, u *url.URL) (driver.Queue, error) {
				w.mu.Lock()
				w.opened[u.Host]++
				if n := w.opened[u.Host]; n > 1 {
					u = &url.URL{Scheme: u.Scheme, Host: u.Host + strings.Repeat("x", n), RawQuery: u.RawQuery}
				}
				w.mu.Unlock()
				return w.OpenQueue(ctx, u)
			}}
		}},
	{name: "ignores nacks",
		breaks: "nack nack-others counts dead-letters redrive release shutdown-release bury-limits",
		nack:   func(*end, engine.Delivery) {}},
	{name: "nacks within a second",
		breaks: "nack nack-others counts dead-letters redrive release shutdown-release bury-limits",
		nack:   func(e *end, d engine.Delivery) { e.q.ChangeHeld(d.ReceiptHandle, time.Second) }},
}

var waitingFaults = []fault{
	{name: "polls and does not say so",
		breaks: "wake-up change-visibility change-visibility-batch dead-letters delay delay-range group-lock " +
			"lost-lease nack-others queue-delay queue-visibility redrive settings stale-ack stale-nack " +
			"visibility wake-up-many ack-results bury give-back late-acks receivers renew",
		may:     "nack release shutdown-release groups-parallel bury-limits",
		receive: poll},
	{name: "wakes one receiver a second",
		breaks: "wake-up-many cancel-release change-visibility change-visibility-batch groups-parallel nack " +
			"redrive release bury-limits give-back receivers renew",
		receive: func(e *end, ctx context.Context, r engine.ReceiveRequest) ([]engine.Delivery, error) {
			select {
			case <-time.After(time.Until(time.Unix(0, e.received.Load()).Add(time.Second))):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			return e.q.Receive(ctx, r)
		}},
	{name: "loses a message that comes to a fetch that has waited",
		breaks: "cancel change-visibility change-visibility-batch delay delay-range details group-lock " +
			"late-acks lost-lease queue-delay queue-visibility redrive settings stale-ack stale-nack " +
			"visibility wake-up wake-up-many ack-results give-back receivers renew",
		receive: func(e *end, ctx context.Context, r engine.ReceiveRequest) ([]engine.Delivery, error) {
			start := time.Now()
			r.Wait = new(19 * time.Second) // does not end at the instant that a message comes
			ds, err := e.q.Receive(ctx, r)
			if time.Since(start) == 0 {
				return ds, err
			}
			for _, d := range ds {
				e.q.Delete(d.ReceiptHandle)
			}
			return nil, err
		}},
	{name: "has an abandoned fetch take the next message", breaks: "cancel-release dead-letters group-lock purge",
		receive: func(e *end, ctx context.Context, r engine.ReceiveRequest) ([]engine.Delivery, error) {
			type result struct {
				ds  []engine.Delivery
				err error
			}
			got := make(chan result, 1)
			e.w.group.Go(func() {
				ds, err := e.q.Receive(context.WithoutCancel(ctx), r)
				got <- result{ds, err}
			})
			select {
			case r := <-got:
				return r.ds, r.err
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}},
	{name: "keeps what it has fetched",
		breaks: "release cancel-release counts group-lock group-order groups-parallel peek retention",
		may:    "shutdown shutdown-flush shutdown-release", ahead: 10,
		queue: replaces(func(e *end, c *controls) {
			c.Pauser = pauser(func(idle func()) func() {
				idle()
				return func() {}
			})
		})},
	{name: "keeps what it has fetched when shut down", breaks: "shutdown-release", may: "shutdown",
		queue: replaces(func(e *end, c *controls) {
			inner := c.Pauser
			c.Pauser = pauser(func(idle func()) func() {
				time.Sleep(time.Millisecond) // in which a shutdown closes the topic
				if !e.closed.Load() {
					return inner.Pause(idle)
				}
				idle()
				return func() {}
			})
		})},
	{name: "goes on fetching when shut down", breaks: "all", plain: true,
		receive: func(e *end, ctx context.Context, r engine.ReceiveRequest) ([]engine.Delivery, error) {
			return e.q.Receive(context.WithoutCancel(ctx), r)
		}},
	{name: "fails to close", breaks: "all",
		queue: replaces(func(e *end, c *controls) { c.Queue = closer{e, func() error { return errors.New("cannot") }} })},
	{name: "leaves a goroutine running", breaks: "all",
		queue: replaces(func(e *end, c *controls) {
			c.Queue = closer{e, func() error {
				go func() { time.Sleep(time.Hour) }()
				return nil
			}}
		})},
	{name: "acknowledges later, and forgets it when shut down", breaks: "shutdown-flush group-lock ack-results receivers",
		ack: func(e *end, d engine.Delivery) error {
			time.AfterFunc(10*time.Millisecond, func() {
				if !e.closed.Load() {
					e.ack(d)
				}
			})
			return nil
		}},
	{name: "sends later, and forgets it when shut down",
		breaks: "shutdown-flush attribute-limits bad-message cancel-release dead-letters delay delay-range send-batch " +
			"deleted-queue details fifo-rules groups-parallel message-characters message-size purge " +
			"queue-delay release retention shutdown-release visibility wake-up wake-up-many receivers " +
			"attribute-types",
		send: func(e *end, m *engine.Message) bool {
			in := 10*time.Millisecond + time.Duration(e.w.nth())*time.Microsecond // so that the order is kept
			time.AfterFunc(in, func() {
				if !e.closed.Load() {
					e.q.Send(*m)
				}
			})
			return false
		}},
}

// closer is a queue whose Close does something else.
type closer struct {
	driver.Queue
	f func() error
}

func (c closer) Close(context.Context) error { return c.f() }
