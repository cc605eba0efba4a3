package bustest

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"omnibus/bus"
	"omnibus/bus/driver"
	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

var nameFaults = []fault{
	{name: "supports less than it declares", breaks: "controls deleted-queue peek topics topic-filters",
		queue: func(_ *end, c *controls) driver.Queue {
			return struct {
				driver.Queue
				driver.MessageController
				driver.AttributesGetter
				driver.AttributesSetter
				driver.VisibilityChanger
				driver.Renewer
				driver.GiverBack
				driver.Burier
				driver.ReceiverOpener
				driver.Purger
				driver.Deleter
				driver.Redriver
				driver.AckCounter
				driver.Pauser
			}{c, c, c, c, c, c, c, c, c, c, c, c, c, c}
		}},
	{name: "supports more than it declares", breaks: "controls unsupported", plain: true,
		queue: func(e *end, _ *controls) driver.Queue {
			return struct {
				driver.Queue
				driver.Peeker
			}{e, e.inner.(driver.Peeker)}
		}},
	{name: "declares what travels on messages and ignores it",
		breaks: "delay bad-message delay-range typed-attributes attribute-types", plain: true, claims: []bus.Control{delays, types},
		queue: func(e *end, _ *controls) driver.Queue { return declares{e, []bus.Control{delays, types}} }},
	{name: "ignores what it does not support", breaks: "unsupported", plain: true,
		accepts: true},
	{name: "has no code for what it does not support", breaks: "unsupported", plain: true, uncoded: true},
	{name: "ignores unknown parameters", breaks: "unknown-parameter",
		opener: func(w *wrapper) driver.Opener {
			strip := func(u *url.URL) *url.URL { return &url.URL{Scheme: u.Scheme, Host: u.Host} }
			return opener{wrapper: w,
				open: func(ctx context.Context, u *url.URL) (driver.Queue, error) { return w.OpenQueue(ctx, strip(u)) },
				create: func(ctx context.Context, u *url.URL, s spec.QueueSettings) (string, error) {
					return w.CreateQueue(ctx, strip(u), s)
				},
			}
		}},
	{name: "creates a queue that exists with other settings", breaks: "create-again",
		opener: func(w *wrapper) driver.Opener {
			return opener{wrapper: w, create: func(ctx context.Context, u *url.URL, s spec.QueueSettings) (string, error) {
				created, err := w.CreateQueue(ctx, u, s)
				if errors.Is(err, spec.QueueNameExists) {
					return u.String(), nil
				}
				return created, err
			}}
		}},
	{name: "creates a queue once", breaks: "create-again",
		opener: func(w *wrapper) driver.Opener {
			return opener{wrapper: w, create: func(ctx context.Context, u *url.URL, s spec.QueueSettings) (string, error) {
				if urls, _ := w.ListQueues(ctx, u, u.Host); slices.Contains(urls, u.String()) {
					return "", spec.Errorf(spec.QueueNameExists, "exists")
				}
				return w.CreateQueue(ctx, u, s)
			}}
		}},
	{name: "takes any name for a queue", breaks: "queue-names",
		opener: func(w *wrapper) driver.Opener {
			return opener{wrapper: w, create: func(ctx context.Context, u *url.URL, s spec.QueueSettings) (string, error) {
				if name := u.Host; spec.CheckQueueName(name) != nil {
					return u.String(), nil
				}
				return w.CreateQueue(ctx, u, s)
			}}
		}},
	{name: "lists all queues", breaks: "list",
		opener: func(w *wrapper) driver.Opener {
			return opener{wrapper: w, list: func(ctx context.Context, u *url.URL, _ string) ([]string, error) {
				return w.ListQueues(ctx, u, "")
			}}
		}},
	{name: "lists deleted queues", breaks: "list",
		queue: replaces(func(e *end, c *controls) {
			inner := c.Deleter
			c.Deleter = deleter(func(ctx context.Context) error {
				e.w.mu.Lock()
				e.w.deleted = append(e.w.deleted, "mem://"+e.q.Name())
				e.w.mu.Unlock()
				return inner.Delete(ctx)
			})
		}),
		opener: func(w *wrapper) driver.Opener {
			return opener{wrapper: w, list: func(ctx context.Context, u *url.URL, prefix string) ([]string, error) {
				urls, err := w.ListQueues(ctx, u, prefix)
				return append(urls, w.deleted...), err
			}}
		}},
	{name: "deletes nothing", breaks: "deleted-queue list",
		queue: replaces(func(e *end, c *controls) {
			c.Deleter = deleter(func(context.Context) error { return nil })
		})},
	{name: "waits for messages of a deleted queue", breaks: "deleted-queue",
		receive: func(e *end, ctx context.Context, r engine.ReceiveRequest) ([]engine.Delivery, error) {
			ds, err := e.q.Receive(ctx, r)
			if errors.Is(err, spec.QueueDoesNotExist) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return ds, err
		}},
	{name: "has no codes for the errors of controls",
		breaks: "deleted-queue change-visibility change-visibility-batch lost-lease peek purge-interval " +
			"redrive-rules settings-range bury bury-limits give-back receivers topic-filters",
		queue: uncodes},
	{name: "has no codes for the errors of its ends",
		breaks: "deleted-queue attribute-limits bad-message delay-range fifo-rules message-characters " +
			"message-size attribute-types", uncoded: true},
}

// declares is a queue that declares controls that travel on messages.
type declares struct {
	*end
	controls []bus.Control
}

func (d declares) MessageControls() []bus.Control { return d.controls }
