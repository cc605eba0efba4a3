package bus

import (
	"errors"
	"fmt"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// String returns an attribute of type String.
func String(s string) Attribute { return Attribute{DataType: "String", StringValue: s} }

// Number returns an attribute of type Number. It travels as text, so that a
// decimal arrives as it was written; SQS keeps 38 digits.
func Number(s string) Attribute { return Attribute{DataType: "Number", StringValue: s} }

// Binary returns an attribute of type Binary.
func Binary(b []byte) Attribute { return Attribute{DataType: "Binary", BinaryValue: b} }

// Delay holds a message back for d, 0 to 15 minutes in whole seconds on SQS,
// after it is sent. Without it the queue's own delay applies. Call it before
// Topic.Send, once for each Send.
func Delay(m *pubsub.Message, d time.Duration) {
	set(m, ControlDelay, driver.SendOptions{Delay: &d})
}

// SetAttribute adds a typed attribute to a message that is about to be sent. A
// message has at most 10, portable metadata counted. The receiver finds it in
// [Details] as it was sent, and in its metadata as text.
func SetAttribute(m *pubsub.Message, name string, a Attribute) {
	set(m, ControlTypes, driver.SendOptions{Attributes: []spec.NamedAttribute{{Name: name, Attribute: a}}})
}

// Group sets the message group of a message that is about to be sent. On a FIFO
// queue, messages of one group are delivered in order, and every message needs
// a group. On a standard queue it names the tenant for fair queues.
func Group(m *pubsub.Message, id string) {
	set(m, ControlGroups, driver.SendOptions{Group: id})
}

// Deduplicate sets the deduplication id of a message that is about to be sent to
// a FIFO queue: within 5 minutes a second message with the same id is accepted
// and not delivered.
func Deduplicate(m *pubsub.Message, id string) {
	set(m, ControlGroups, driver.SendOptions{Deduplication: id})
}

// OfferAttribute is [SetAttribute] for an attribute that may be left out: it is sent
// if the message has room for it, in number and in bytes, beside all others. Send
// does not fail for it. Call it last.
func OfferAttribute(m *pubsub.Message, name string, a Attribute) {
	offer(m, driver.SendOptions{Offered: []spec.NamedAttribute{{Name: name, Attribute: a}}})
}

// TraceHeader sets the system attribute AWSTraceHeader of a message that is about to
// be sent, which AWS X-Ray reads and which is none of the 10 attributes; see
// [MessageDetails]. A backend that has no such attribute ignores it.
func TraceHeader(m *pubsub.Message, header string) {
	offer(m, driver.SendOptions{TraceHeader: header})
}

// set makes the message's BeforeSend merge o into what the backend will send. Send
// fails with errors.ErrUnsupported if the backend has no such control.
func set(m *pubsub.Message, c Control, o driver.SendOptions) {
	merge(m, o, func() error {
		return fmt.Errorf("bus: the backend of this topic has no control %q: %w", c, errors.ErrUnsupported)
	})
}

// offer is set for what a backend may ignore.
func offer(m *pubsub.Message, o driver.SendOptions) {
	merge(m, o, func() error { return nil })
}

func merge(m *pubsub.Message, o driver.SendOptions, unknown func() error) {
	before := m.BeforeSend
	m.BeforeSend = func(as func(any) bool) error {
		if before != nil {
			if err := before(as); err != nil {
				return err
			}
		}
		var options *driver.SendOptions
		if as(&options) {
			o.Merge(options)
			return nil
		}
		for _, t := range driver.Translators() {
			if ok, err := t.SetSendOptions(as, o); ok || err != nil {
				return err
			}
		}
		return unknown()
	}
}

// StoreSent stores what the backend tells of m in to, its id above all, when m has
// been sent; read to once Send has returned nil. A backend that does not tell leaves
// it as it is. Call StoreSent before Topic.Send.
func StoreSent(m *pubsub.Message, to *SentMessage) {
	after := m.AfterSend
	m.AfterSend = func(as func(any) bool) error {
		if !as(to) {
			for _, t := range driver.Translators() {
				if s, ok := t.Sent(as); ok {
					*to = s
					break
				}
			}
		}
		if after != nil {
			return after(as)
		}
		return nil
	}
}

// Details returns what a received message tells beyond the portable type. What
// the backend does not know is zero. VisibleAt is as of now, all else as of the
// receive. It panics if m was not received from a Subscription.
func Details(m *pubsub.Message) MessageDetails {
	var d MessageDetails
	if m.As(&d) {
		return d
	}
	for _, t := range driver.Translators() {
		if d, ok := t.Details(m.As); ok {
			return d
		}
	}
	d.ID = m.LoggableID
	for name, value := range m.Metadata {
		if d.Attributes == nil {
			d.Attributes = map[string]Attribute{}
		}
		d.Attributes[name] = String(value)
	}
	return d
}
