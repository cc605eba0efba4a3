package bustest

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	cdk "gocloud.dev/pubsub/driver"

	"omnibus/bus"
	"omnibus/bus/driver"
	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

var queueFaults = []fault{
	{name: "counts as of the last receive", breaks: "counts redrive",
		queue: replaces(func(e *end, c *controls) {
			var seen int64 = -1
			var old spec.Counts
			inner := c.AttributesGetter
			c.AttributesGetter = getter(func(ctx context.Context) (spec.QueueAttributes, error) {
				a, err := inner.Attributes(ctx)
				if at := e.received.Load(); at != seen {
					seen, old = at, a.Counts
				}
				a.Counts = old
				return a, err
			})
		})},
	{name: "counts delayed messages as visible", breaks: "counts peek",
		queue: attributesAs(func(a *spec.QueueAttributes) { a.Visible, a.Delayed = a.Visible+a.Delayed, 0 })},
	{name: "counts messages in flight as visible", breaks: "counts peek",
		queue: attributesAs(func(a *spec.QueueAttributes) { a.Visible, a.InFlight = a.Visible+a.InFlight, 0 })},
	{name: "drops a setting at creation", breaks: "settings-kept",
		opener: creates(func(s *spec.QueueSettings) { s.GroupDeduplication = nil })},
	{name: "drops what is kept for the owner", breaks: "settings-kept",
		opener: creates(func(s *spec.QueueSettings) { s.Kept = nil })},
	{name: "drops a setting that is changed", breaks: "settings-kept",
		queue: replaces(func(e *end, c *controls) {
			inner := c.AttributesSetter
			c.AttributesSetter = setter(func(ctx context.Context, s spec.QueueSettings) error {
				s.DeadLetterSources = nil
				return inner.SetAttributes(ctx, s)
			})
		})},
	{name: "refuses a setting and does not say that it lacks it", breaks: "settings-kept",
		opener: func(w *wrapper) driver.Opener {
			return opener{wrapper: w, create: func(ctx context.Context, u *url.URL, s spec.QueueSettings) (string, error) {
				if s.GroupDeduplication != nil {
					return "", errors.New("no")
				}
				return w.CreateQueue(ctx, u, s)
			}}
		}},
	{name: "forgets the retention period", breaks: "settings settings-kept",
		queue: attributesAs(func(a *spec.QueueAttributes) { a.Retention = spec.DefaultRetention })},
	{name: "sets what is not given to the default", breaks: "settings",
		queue: replaces(func(e *end, c *controls) {
			inner := c.AttributesSetter
			c.AttributesSetter = setter(func(ctx context.Context, s spec.QueueSettings) error {
				if s.Delay == nil {
					s.Delay = new(time.Duration(0))
				}
				return inner.SetAttributes(ctx, s)
			})
		})},
	{name: "keeps a redrive policy for ever", breaks: "settings settings-range settings-kept",
		queue: replaces(func(e *end, c *controls) {
			inner := c.AttributesSetter
			c.AttributesSetter = setter(func(ctx context.Context, s spec.QueueSettings) error {
				s.DeadLetter = nil
				return inner.SetAttributes(ctx, s)
			})
		})},
	{name: "cuts settings that are changed to what is allowed", breaks: "settings-range",
		queue: replaces(func(e *end, c *controls) {
			inner := c.AttributesSetter
			c.AttributesSetter = setter(func(ctx context.Context, s spec.QueueSettings) error {
				if s.Delay != nil {
					s.Delay = new(min(*s.Delay, spec.MaxDelay))
				}
				return inner.SetAttributes(ctx, s)
			})
		})},
	{name: "receives with any visibility timeout", breaks: "receivers",
		queue: replaces(func(e *end, c *controls) {
			c.ReceiverOpener = receiver(func(o driver.ReceiverOptions) (driver.Queue, error) {
				if o.Visibility != nil {
					o.Visibility = new(min(max(*o.Visibility, 0), spec.MaxVisibility))
				}
				return own{e}.OpenReceiver(o)
			})
		})},
	{name: "cuts settings to what is allowed", breaks: "settings-range",
		opener: creates(func(s *spec.QueueSettings) {
			for _, d := range []**time.Duration{&s.Delay, &s.Visibility, &s.Retention, &s.Wait} {
				if *d != nil {
					*d = new(max(0, **d))
				}
			}
		})},
	{name: "applies no retention period", breaks: "retention",
		opener: creates(func(s *spec.QueueSettings) {
			if s.Retention != nil && *s.Retention == spec.MinRetention {
				s.Retention = nil
			}
		})},
	{name: "keeps delayed messages when purged", breaks: "purge",
		send: func(e *end, m *engine.Message) bool {
			if m.Delay != nil && *m.Delay > 0 {
				e.w.mu.Lock()
				e.w.later = append(e.w.later, *m)
				e.w.mu.Unlock()
			}
			return true
		},
		queue: replaces(func(e *end, c *controls) {
			c.Purger = purger(func(context.Context) error {
				err := e.q.Purge()
				for _, m := range e.w.later {
					e.q.Send(m)
				}
				return err
			})
		})},
	{name: "purges what is visible only", breaks: "purge purge-interval",
		queue: replaces(func(e *end, c *controls) {
			c.Purger = purger(func(context.Context) error {
				for {
					ds, err := e.q.Receive(context.Background(), engine.ReceiveRequest{Wait: new(time.Duration(0))})
					if len(ds) == 0 {
						return err
					}
					e.q.Delete(ds[0].ReceiptHandle)
				}
			})
		})},
	{name: "purges for a second", breaks: "purge purge-interval",
		send: func(e *end, _ *engine.Message) bool {
			return time.Since(time.Unix(0, e.w.purged.Load())) >= 10*time.Second
		},
		queue: replaces(func(e *end, c *controls) {
			c.Purger = purger(func(context.Context) error {
				err := e.q.Purge()
				if err == nil {
					e.w.purged.Store(time.Now().UnixNano())
				}
				return err
			})
		})},
	{name: "purges whenever asked", breaks: "purge-interval", lenient: true},
	{name: "receives to peek", breaks: "peek",
		queue: replaces(func(e *end, c *controls) {
			inner := c.Peeker
			c.Peeker = peeker(func(ctx context.Context, n int) ([]driver.Peeked, error) {
				ps, err := inner.Peek(ctx, n)
				for range ps {
					e.q.Receive(ctx, engine.ReceiveRequest{Wait: new(time.Duration(0)), Visibility: new(time.Duration(0))})
				}
				return ps, err
			})
		})},
	{name: "peeks at one message", breaks: "peek",
		queue: replaces(func(e *end, c *controls) {
			inner := c.Peeker
			c.Peeker = peeker(func(ctx context.Context, n int) ([]driver.Peeked, error) { return inner.Peek(ctx, min(n, 1)) })
		})},
	{name: "delivers once more before a message is dead", breaks: "dead-letters",
		opener: creates(func(s *spec.QueueSettings) {
			if s.DeadLetter != nil && s.DeadLetter.MaxReceives == 2 {
				s.DeadLetter = &bus.DeadLetter{Queue: s.DeadLetter.Queue, MaxReceives: 3}
			}
		})},
	{name: "sends dead letters anew", breaks: "dead-letters",
		details: func(e *engine.Delivery, d *driver.Details) {
			if d.DeadLetterSource != "" {
				d.Sent = e.FirstReceived.Add(time.Hour)
			}
		}},
	{name: "strips dead letters of their metadata", breaks: "dead-letters bury",
		message: func(m *cdk.Message) {
			if m.AckID.(*held).delivery.DeadLetterSource != "" {
				m.Metadata = nil
			}
		}},
	{name: "names the wrong source of dead letters", breaks: "dead-letters",
		details: func(_ *engine.Delivery, d *driver.Details) {
			if d.DeadLetterSource != "" {
				d.DeadLetterSource = "elsewhere"
			}
		}},
	{name: "redrives all, however many are asked for", breaks: "redrive redrive-rules",
		queue: redrives(func(r driver.Redriver, ctx context.Context, to string, n int) (int, error) {
			return r.Redrive(ctx, to, max(0, n*1000))
		})},
	{name: "redrives to the source, whatever is asked for", breaks: "redrive",
		queue: redrives(func(r driver.Redriver, ctx context.Context, to string, n int) (int, error) {
			if strings.HasSuffix(to, "-other") {
				to = ""
			}
			return r.Redrive(ctx, to, n)
		})},
	{name: "subscribes without the filter", breaks: "topics topic-filters",
		queue: subscribes(func(s driver.TopicSubscriber, ctx context.Context, topic *url.URL, _ spec.SubscriptionSettings) error {
			return s.SubscribeTo(ctx, topic, spec.SubscriptionSettings{})
		})},
	{name: "keeps the first filter", breaks: "topic-filters",
		queue: subscribes(func(s driver.TopicSubscriber, ctx context.Context, topic *url.URL, o spec.SubscriptionSettings) error {
			if o.FilterBody {
				return nil
			}
			return s.SubscribeTo(ctx, topic, o)
		})},
	{name: "drops the filter when one is refused", breaks: "topic-filters",
		queue: subscribes(func(s driver.TopicSubscriber, ctx context.Context, topic *url.URL, o spec.SubscriptionSettings) error {
			err := s.SubscribeTo(ctx, topic, o)
			if err != nil {
				s.SubscribeTo(ctx, topic, spec.SubscriptionSettings{})
			}
			return err
		})},
	{name: "redrives any queue", breaks: "redrive-rules",
		queue: redrives(func(r driver.Redriver, ctx context.Context, to string, n int) (int, error) {
			moved, err := r.Redrive(ctx, to, n)
			if errors.Is(err, spec.UnsupportedOperation) {
				err = nil
			}
			return moved, err
		})},
}

func subscribes(f func(driver.TopicSubscriber, context.Context, *url.URL, spec.SubscriptionSettings) error) func(*end, *controls) driver.Queue {
	return replaces(func(e *end, c *controls) {
		inner := c.TopicSubscriber
		c.TopicSubscriber = subscriber(func(ctx context.Context, topic *url.URL, s spec.SubscriptionSettings) error {
			return f(inner, ctx, topic, s)
		})
	})
}

func redrives(f func(driver.Redriver, context.Context, string, int) (int, error)) func(*end, *controls) driver.Queue {
	return replaces(func(e *end, c *controls) {
		inner := c.Redriver
		c.Redriver = redriver(func(ctx context.Context, to string, n int) (int, error) { return f(inner, ctx, to, n) })
	})
}

// attributesAs makes a fault of what the attributes say.
func attributesAs(change func(*spec.QueueAttributes)) func(*end, *controls) driver.Queue {
	return replaces(func(e *end, c *controls) {
		inner := c.AttributesGetter
		c.AttributesGetter = getter(func(ctx context.Context) (spec.QueueAttributes, error) {
			a, err := inner.Attributes(ctx)
			change(&a)
			return a, err
		})
	})
}
