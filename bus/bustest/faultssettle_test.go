package bustest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"omnibus/bus/driver"
	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

var settleFaults = []fault{
	{name: "renews for a minute", breaks: "renew bury",
		queue: renews(func(e *end, h string, _ error) error { return e.q.ChangeHeld(h, time.Minute) })},
	{name: "renews nothing", breaks: "renew bury deleted-queue give-back lost-lease",
		queue: replaces(func(_ *end, c *controls) {
			c.Renewer = renewer(func(context.Context, []string) []error { return nil })
		})},
	{name: "says that a lost lease was renewed", breaks: "renew lost-lease bury give-back",
		queue: renews(func(_ *end, _ string, err error) error {
			if errors.Is(err, driver.ErrLeaseLost) {
				return nil
			}
			return err
		})},
	{name: "fails to renew all when one is lost", breaks: "renew",
		queue: replaces(func(e *end, c *controls) {
			inner := c.Renewer
			c.Renewer = renewer(func(ctx context.Context, hs []string) []error {
				errs := inner.Renew(ctx, hs)
				if err := errors.Join(errs...); err != nil {
					return slices.Repeat([]error{err}, len(hs))
				}
				return nil
			})
		})},
	{name: "lets a nack undo what was given back", breaks: "give-back ack-results",
		queue: gives(func(e *end, h string, after time.Duration) error { return e.q.ChangeHeld(h, after) })},
	{name: "gives back at once", breaks: "give-back",
		queue: gives(func(e *end, h string, after time.Duration) error {
			if err := spec.CheckVisibility(after); err != nil {
				return err
			}
			return e.q.GiveBack(h, 0)
		})},
	{name: "cuts the delay of what is given back", breaks: "give-back",
		queue: gives(func(e *end, h string, after time.Duration) error {
			return e.q.GiveBack(h, min(max(after, 0), spec.MaxVisibility-time.Hour))
		})},
	{name: "settles what it refuses to give back", breaks: "give-back",
		queue: gives(func(e *end, h string, after time.Duration) error {
			err := e.q.GiveBack(h, after)
			if err != nil && !errors.Is(err, spec.QueueDoesNotExist) {
				e.q.GiveBack(h, 0)
			}
			return err
		})},
	{name: "buries with no reason", breaks: "bury bury-limits",
		queue: buries(func(e *end, h, _ string) error { return e.q.Bury(h, asItIs) })},
	{name: "buries without attributes", breaks: "bury bury-limits",
		queue: buries(func(e *end, h, reason string) error {
			return e.q.Bury(h, func(d engine.Delivery, most int) []spec.NamedAttribute {
				return driver.BurialAttributes(d.Body, nil, driver.Burial{Reason: reason, Source: e.q.Name(), ReceiveCount: 1, Sent: d.Sent}, most)
			})
		})},
	{name: "makes room for the reason", breaks: "bury-limits",
		queue: buries(func(e *end, h, reason string) error {
			return e.q.Bury(h, func(d engine.Delivery, most int) []spec.NamedAttribute {
				own := d.Attributes[:min(len(d.Attributes), 6)]
				return driver.BurialAttributes(d.Body, own, driver.Burial{Reason: reason, Source: e.q.Name(), ReceiveCount: 1, Sent: d.Sent}, most)
			})
		})},
	{name: "keeps what it buries", breaks: "bury bury-limits",
		queue: replaces(func(e *end, c *controls) {
			inner := c.Burier
			c.Burier = burier(func(ctx context.Context, h, reason string) error {
				err := inner.Bury(ctx, h, reason)
				if err == nil {
					e.q.Send(engine.Message{Body: "hopeless"})
				}
				return err
			})
		})},
	{name: "has what it buries come again", breaks: "bury bury-limits",
		queue: replaces(func(e *end, c *controls) {
			c.Burier = burier(func(_ context.Context, h, _ string) error { return e.q.GiveBack(h, 0) })
		})},
	{name: "gives back what it cannot bury", breaks: "bury-limits",
		queue: replaces(func(e *end, c *controls) {
			inner := c.Burier
			c.Burier = burier(func(ctx context.Context, h, reason string) error {
				err := inner.Bury(ctx, h, reason)
				if errors.Is(err, spec.UnsupportedOperation) {
					return e.q.GiveBack(h, time.Minute)
				}
				return err
			})
		})},
	{name: "tells that every acknowledgement was in time", breaks: "ack-results",
		tell: func(s *driver.Settling, _ error) { s.Tell(nil) }},
	{name: "tells of late acknowledgements only", breaks: "ack-results",
		tell: func(s *driver.Settling, err error) {
			if err != nil {
				s.Tell(err)
			}
		}},
	{name: "tells twice", breaks: "ack-results",
		tell: func(s *driver.Settling, err error) {
			s.Tell(err)
			s.Tell(err)
		}},
	{name: "tells that a late acknowledgement failed", breaks: "ack-results",
		tell: func(s *driver.Settling, err error) {
			if err != nil {
				err = fmt.Errorf("failed: %v", err)
			}
			s.Tell(err)
		}},
	{name: "gives receivers the queue's visibility timeout", breaks: "receivers queue-visibility",
		queue: replaces(func(e *end, c *controls) {
			c.ReceiverOpener = receiver(func(o driver.ReceiverOptions) (driver.Queue, error) {
				if _, err := (own{e}).OpenReceiver(o); err != nil {
					return nil, err
				}
				return own{e}.OpenReceiver(driver.ReceiverOptions{})
			})
		})},
	{name: "closes the topic with a receiver", breaks: "receivers queue-visibility",
		queue: replaces(func(e *end, c *controls) {
			c.ReceiverOpener = receiver(func(o driver.ReceiverOptions) (driver.Queue, error) {
				q, err := own{e}.OpenReceiver(o)
				if err != nil {
					return nil, err
				}
				r := *q.(*controls)
				r.Queue = closer{r.Queue, func() error { return e.topic.Shutdown(context.Background()) }}
				return &r, nil
			})
		})},
}

// asItIs marks a buried message with nothing.
func asItIs(d engine.Delivery, _ int) []spec.NamedAttribute { return d.Attributes }

// each makes a fault of what is done with each delivery.
func each(hs []string, f func(h string) error) []error {
	errs := make([]error, len(hs))
	for i, h := range hs {
		errs[i] = f(h)
	}
	if errors.Join(errs...) == nil {
		return nil
	}
	return errs
}

// renews makes a fault of each renewal; err is what renewing it gave.
func renews(f func(e *end, h string, err error) error) func(*end, *controls) driver.Queue {
	return replaces(func(e *end, c *controls) {
		inner := c.Renewer
		c.Renewer = renewer(func(ctx context.Context, hs []string) []error {
			return each(hs, func(h string) error {
				var err error
				if errs := inner.Renew(ctx, []string{h}); errs != nil {
					err = errs[0]
				}
				if err != nil && !errors.Is(err, driver.ErrLeaseLost) {
					return err
				}
				return f(e, h, err)
			})
		})
	})
}

// gives makes a fault of each message given back.
func gives(f func(e *end, h string, after time.Duration) error) func(*end, *controls) driver.Queue {
	return replaces(func(e *end, c *controls) {
		c.GiverBack = giver(func(_ context.Context, hs []string, after time.Duration) []error {
			return each(hs, func(h string) error { return lost(e, h, f(e, h, after)) })
		})
	})
}

// buries makes a fault of each message buried.
func buries(f func(e *end, h, reason string) error) func(*end, *controls) driver.Queue {
	return replaces(func(e *end, c *controls) {
		c.Burier = burier(func(_ context.Context, h, reason string) error { return lost(e, h, f(e, h, reason)) })
	})
}

// lost makes the error of a delivery that is lost the one that it is to be.
func lost(e *end, h string, err error) error {
	if err == nil || errors.Is(err, spec.QueueDoesNotExist) {
		return err
	}
	if _, held := e.q.VisibleAt(h); held {
		return err
	}
	return driver.LeaseLost(err)
}
