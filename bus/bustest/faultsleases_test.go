package bustest

import (
	"context"
	"errors"
	"slices"
	"time"

	"omnibus/bus/driver"
	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

var timeFaults = []fault{
	{name: "ignores delays", breaks: "delay counts delay-range fifo-rules peek queue-delay",
		send: func(e *end, m *engine.Message) bool { m.Delay = nil; return true }},
	{name: "adds a second to delays", breaks: "delay counts delay-range queue-delay",
		send: func(e *end, m *engine.Message) bool {
			if m.Delay != nil && *m.Delay > 0 {
				m.Delay = new(*m.Delay + time.Second)
			}
			return true
		}},
	{name: "cuts delays to what is allowed", breaks: "delay-range",
		send: func(e *end, m *engine.Message) bool {
			if m.Delay != nil {
				m.Delay = new(min(max(*m.Delay, 0), spec.MaxDelay))
			}
			return true
		}},
	{name: "ignores the queue's delay", breaks: "queue-delay",
		send: func(e *end, m *engine.Message) bool {
			if a, err := e.q.Attributes(); err == nil && m.Delay == nil && !a.FIFO {
				m.Delay = new(time.Duration(0))
			}
			return true
		}},
	{name: "takes a delay of 0 for none given", breaks: "queue-delay",
		send: func(e *end, m *engine.Message) bool {
			if m.Delay != nil && *m.Delay == 0 {
				m.Delay = nil
			}
			return true
		}},
	{name: "never delivers again",
		breaks: "visibility counts details group-lock late-acks lost-lease queue-visibility settings stale-ack " +
			"stale-nack visible-at ack-results receivers renew",
		receive: hides(func(time.Duration) time.Duration { return spec.MaxVisibility })},
	{name: "delivers again at once",
		breaks: "visibility change-visibility counts group-lock late-acks lost-lease queue-visibility settings " +
			"stale-ack stale-nack visible-at ack-results receivers renew", // nearly: acks are not to have to hurry
		receive: hides(func(d time.Duration) time.Duration { return min(d, time.Millisecond) })},
	{name: "delivers again a second early",
		breaks: "visibility group-lock lost-lease queue-visibility settings stale-ack stale-nack visible-at " +
			"ack-results late-acks receivers renew",
		may:     "details", // whose lease of a second is over at once: a third delivery may come before the ack
		receive: hides(func(d time.Duration) time.Duration { return max(0, d-time.Second) })},
	{name: "delivers again a second late",
		breaks: "visibility counts group-lock lost-lease queue-visibility settings stale-ack stale-nack " +
			"visible-at ack-results late-acks receivers renew",
		receive: hides(func(d time.Duration) time.Duration { return min(d+time.Second, spec.MaxVisibility) })},
	{name: "sets the visibility timeout for all receivers", breaks: "receivers",
		queue: replaces(func(e *end, c *controls) {
			c.ReceiverOpener = receiver(func(o driver.ReceiverOptions) (driver.Queue, error) {
				if err := e.q.SetAttributes(spec.QueueSettings{Visibility: o.Visibility}); err != nil {
					return nil, err
				}
				return own{e}.OpenReceiver(driver.ReceiverOptions{})
			})
		})},
	{name: "ignores the queue's visibility timeout",
		breaks: "queue-visibility settings ack-results counts group-lock late-acks lost-lease renew stale-ack " +
			"stale-nack visibility visible-at",
		receive: func(e *end, ctx context.Context, r engine.ReceiveRequest) ([]engine.Delivery, error) {
			if r.Visibility == nil {
				r.Visibility = new(spec.DefaultVisibility)
			}
			return e.q.Receive(ctx, r)
		}},
}

var receiptFaults = []fault{
	{name: "ignores changes of visibility", breaks: "change-visibility change-visibility-batch visible-at receivers",
		queue: changes(func(e *end, c driver.VisibilityChange) error {
			if _, ok := e.q.VisibleAt(c.ReceiptHandle); ok {
				return spec.CheckVisibility(c.Timeout)
			}
			return e.q.ChangeHeld(c.ReceiptHandle, c.Timeout)
		})},
	{name: "adds extensions to what is left", breaks: "change-visibility change-visibility-batch visible-at receivers",
		queue: changes(func(e *end, c driver.VisibilityChange) error {
			if at, ok := e.q.VisibleAt(c.ReceiptHandle); ok && c.Timeout > 0 && spec.CheckVisibility(c.Timeout) == nil {
				c.Timeout = min(c.Timeout+time.Until(at), spec.MaxVisibility-time.Hour)
			}
			return e.q.ChangeHeld(c.ReceiptHandle, c.Timeout)
		})},
	{name: "cuts visibility timeouts to what is allowed", breaks: "change-visibility change-visibility-batch",
		queue: changes(func(e *end, c driver.VisibilityChange) error {
			return e.q.ChangeHeld(c.ReceiptHandle, min(max(c.Timeout, 0), spec.MaxVisibility-time.Hour))
		})},
	{name: "gives no errors of a batch", breaks: "change-visibility-batch",
		queue: replaces(func(e *end, c *controls) {
			inner := c.VisibilityChanger
			c.VisibilityChanger = changer(func(ctx context.Context, cs []driver.VisibilityChange) []error {
				errs := inner.ChangeVisibility(ctx, cs)
				if len(cs) > 1 {
					return nil
				}
				return errs
			})
		})},
	{name: "fails a batch as a whole", breaks: "change-visibility-batch",
		queue: replaces(func(e *end, c *controls) {
			inner := c.VisibilityChanger
			c.VisibilityChanger = changer(func(ctx context.Context, cs []driver.VisibilityChange) []error {
				for _, change := range cs {
					if err := spec.CheckVisibility(change.Timeout); err != nil {
						return slices.Repeat([]error{err}, len(cs))
					}
				}
				return inner.ChangeVisibility(ctx, cs)
			})
		})},
	{name: "says that a lost lease was extended", breaks: "lost-lease give-back",
		queue: changes(func(e *end, c driver.VisibilityChange) error {
			if err := e.q.ChangeHeld(c.ReceiptHandle, c.Timeout); !errors.Is(err, spec.MessageNotInflight) {
				return err
			}
			return nil
		})},
	{name: "extends an earlier delivery's lease", breaks: "lost-lease",
		queue: changes(func(e *end, c driver.VisibilityChange) error {
			err := e.q.ChangeHeld(c.ReceiptHandle, c.Timeout)
			if errors.Is(err, spec.MessageNotInflight) {
				return e.q.ChangeHeld(e.w.newest(c.ReceiptHandle), c.Timeout)
			}
			return err
		})},
	{name: "tells the first end of a lease for ever", breaks: "visible-at renew",
		details: func(e *engine.Delivery, d *driver.Details) { d.VisibleAt = e.VisibleAt }},
	{name: "deletes by message, not by delivery", breaks: "stale-ack late-acks ack-results",
		ack: func(e *end, d engine.Delivery) error {
			err := e.ack(d)
			if err != nil {
				e.q.Delete(e.w.newest(d.ReceiptHandle))
			}
			return err
		}},
	{name: "nacks by message, not by delivery", breaks: "stale-nack",
		nack: func(e *end, d engine.Delivery) {
			if e.q.ChangeHeld(d.ReceiptHandle, 0) != nil {
				e.q.ChangeHeld(e.w.newest(d.ReceiptHandle), 0)
			}
		}},
	{name: "counts no late acks", breaks: "late-acks",
		queue: replaces(func(e *end, c *controls) { c.AckCounter = counter(func() int64 { return 0 }) })},
	{name: "counts every ack as late", breaks: "late-acks",
		ack: func(e *end, d engine.Delivery) error {
			e.late.Add(1)
			return e.ack(d)
		}},
	{name: "counts each receive as the first", breaks: "details dead-letters nack",
		details: func(_ *engine.Delivery, d *driver.Details) { d.ReceiveCount = 1 }},
	{name: "takes the receive for the time of sending", breaks: "details dead-letters redrive",
		details: func(e *engine.Delivery, d *driver.Details) { d.Sent = e.VisibleAt }},
	{name: "takes the latest receive for the first", breaks: "details",
		details: func(e *engine.Delivery, d *driver.Details) { d.FirstReceived = time.Now() }},
	{name: "gives each delivery an id of its own", breaks: "details dead-letters peek send-batch",
		details: func(e *engine.Delivery, d *driver.Details) { d.ID = e.ReceiptHandle }},
	{name: "gives all messages one id", breaks: "details peek send-batch",
		details: func(_ *engine.Delivery, d *driver.Details) { d.ID = "id" }},
	{name: "gives all deliveries one receipt handle",
		breaks: "details change-visibility change-visibility-batch lost-lease visible-at ack-results bury " +
			"bury-limits give-back receivers renew",
		details: func(e *engine.Delivery, d *driver.Details) { d.ReceiptHandle = e.ID }},
}

// changes makes a fault of each change of visibility.
func changes(f func(*end, driver.VisibilityChange) error) func(*end, *controls) driver.Queue {
	return replaces(func(e *end, c *controls) {
		c.VisibilityChanger = changer(func(_ context.Context, cs []driver.VisibilityChange) []error {
			errs := make([]error, len(cs))
			for i, change := range cs {
				errs[i] = lost(e, change.ReceiptHandle, f(e, change))
			}
			if errors.Join(errs...) == nil {
				return nil
			}
			return errs
		})
	})
}
