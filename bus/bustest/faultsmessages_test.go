package bustest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/url"
	"slices"
	"strings"

	cdk "gocloud.dev/pubsub/driver"

	"omnibus/bus/driver"
	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// sends makes a fault of each attribute sent.
func sends(change func(*spec.NamedAttribute)) func(*end, *engine.Message) bool {
	return func(_ *end, m *engine.Message) bool {
		m.Attributes = slices.Clone(m.Attributes)
		for i := range m.Attributes {
			change(&m.Attributes[i])
		}
		return true
	}
}

var messageFaults = []fault{
	{name: "makes every attribute a String", breaks: "typed-attributes bury-limits attribute-types",
		send: sends(func(a *spec.NamedAttribute) {
			if strings.HasPrefix(a.DataType, "Number") {
				a.DataType = "String"
			}
		})},
	{name: "drops labels", breaks: "typed-attributes bury-limits",
		send: sends(func(a *spec.NamedAttribute) { a.DataType, _, _ = strings.Cut(a.DataType, ".") })},
	{name: "unescapes attributes as it does metadata", breaks: "typed-attributes",
		details: func(_ *engine.Delivery, d *driver.Details) {
			for name, a := range d.Attributes {
				if v, err := url.PathUnescape(a.StringValue); err == nil {
					a.StringValue = v
					d.Attributes[name] = a
				}
			}
		}},
	{name: "loses binary values", breaks: "typed-attributes bury-limits topics",
		details: func(_ *engine.Delivery, d *driver.Details) {
			for name, a := range d.Attributes {
				a.BinaryValue = nil
				d.Attributes[name] = a
			}
		}},
	{name: "writes numbers its own way", breaks: "typed-attributes",
		send: sends(func(a *spec.NamedAttribute) {
			if a.StringValue == "97.50" {
				a.StringValue = "97.5"
			}
		})},
	{name: "has no room for metadata beside attributes", breaks: "typed-attributes",
		message: func(m *cdk.Message) {
			if _, ok := m.Metadata["Binary"]; ok {
				delete(m.Metadata, "a key")
			}
		}},
	{name: "cuts attributes to what is allowed", breaks: "attribute-limits",
		send: func(_ *end, m *engine.Message) bool {
			m.Attributes = m.Attributes[:min(len(m.Attributes), spec.MaxAttributes)]
			return true
		}},
	{name: "allows nine attributes", breaks: "attribute-limits typed-attributes bury-limits",
		send: func(_ *end, m *engine.Message) bool {
			if len(m.Attributes) == 10 {
				m.Attributes = append(slices.Clone(m.Attributes), m.Attributes[0])
			}
			return true
		}},
	{name: "allows types of its own", breaks: "bad-message attribute-types",
		send: sends(func(a *spec.NamedAttribute) {
			if a.DataType == "Date" {
				a.DataType = "String"
			}
		})},
	{name: "cuts bodies to what is allowed", breaks: "message-size",
		send: func(e *end, m *engine.Message) bool {
			if a, err := e.q.Attributes(); err == nil {
				over := spec.MessageSize(m.Body, m.Attributes) - a.MaxMessageBytes
				m.Body = m.Body[:len(m.Body)-max(0, over)]
			}
			return true
		}},
	{name: "does not count attributes", breaks: "message-size",
		send: func(e *end, m *engine.Message) bool {
			if a, err := e.q.Attributes(); err == nil && len(m.Body) <= a.MaxMessageBytes {
				over := spec.MessageSize(m.Body, m.Attributes) - a.MaxMessageBytes
				m.Body = m.Body[:len(m.Body)-max(0, over)]
			}
			return true
		}},
	{name: "allows a byte less", breaks: "message-size",
		send: func(e *end, m *engine.Message) bool {
			if a, err := e.q.Attributes(); err == nil && spec.MessageSize(m.Body, m.Attributes) == a.MaxMessageBytes {
				m.Body += "a"
			}
			return true
		}},
	{name: "replaces characters that are not allowed", breaks: "message-characters",
		send: func(_ *end, m *engine.Message) bool {
			for spec.CheckCharacters(m.Body) != nil {
				m.Body = strings.ToValidUTF8(strings.Map(func(r rune) rune {
					if spec.CheckCharacters(string(r)) != nil {
						return '?'
					}
					return r
				}, m.Body), "?")
			}
			return true
		}},
	{name: "sends empty bodies as a space", breaks: "message-characters",
		send: func(_ *end, m *engine.Message) bool {
			if m.Body == "" {
				m.Body = " "
			}
			return true
		}},
	{name: "fails the messages that are sent with a bad one", breaks: "bad-message send-batch", batch: 10},
}

// fifo makes a fault of each message sent to a FIFO queue.
func fifo(change func(*end, *engine.Message)) func(*end, *engine.Message) bool {
	return func(e *end, m *engine.Message) bool {
		if spec.IsFIFOName(e.q.Name()) {
			change(e, m)
		}
		return true
	}
}

var fifoFaults = []fault{
	{name: "delivers batches in reverse", breaks: "group-order group-lock groups-parallel send-batch-order", ahead: 10,
		receive: func(e *end, ctx context.Context, r engine.ReceiveRequest) ([]engine.Delivery, error) {
			ds, err := e.q.Receive(ctx, r)
			if spec.IsFIFOName(e.q.Name()) {
				slices.Reverse(ds)
			}
			return ds, err
		}},
	{name: "has no groups", breaks: "group-lock fifo-rules group-order groups-parallel",
		send:    fifo(func(e *end, m *engine.Message) { m.Group = fmt.Sprintf("%s-%d", m.Group, e.w.nth()) }),
		details: func(_ *engine.Delivery, d *driver.Details) { d.Group, _, _ = strings.Cut(d.Group, "-") }},
	{name: "numbers no messages", breaks: "group-order",
		details: func(_ *engine.Delivery, d *driver.Details) { d.SequenceNumber = "" }},
	{name: "has one group for all", breaks: "groups-parallel fifo-rules group-order",
		send: fifo(func(e *end, m *engine.Message) {
			if m.Group != "" {
				m.Group = "all"
			}
		})},
	{name: "delivers duplicates", breaks: "deduplication content-deduplication fifo-rules group-order",
		send: fifo(func(e *end, m *engine.Message) { m.Deduplication = fmt.Sprint(e.w.nth()) })},
	{name: "deduplicates by group", breaks: "deduplication",
		send: fifo(func(e *end, m *engine.Message) {
			if m.Deduplication != "" {
				m.Deduplication += m.Group
			}
		}),
		details: func(_ *engine.Delivery, d *driver.Details) {
			d.Deduplication = strings.TrimSuffix(d.Deduplication, d.Group)
		}},
	{name: "takes attributes for content", breaks: "content-deduplication",
		send: fifo(func(e *end, m *engine.Message) {
			if a, err := e.q.Attributes(); err == nil && a.ContentBasedDeduplication && m.Deduplication == "" {
				m.Deduplication = fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, m.Body, m.Attributes)))
			}
		})},
	{name: "makes up missing groups", breaks: "fifo-rules",
		send: fifo(func(e *end, m *engine.Message) {
			if m.Group == "" {
				m.Group = "default"
			}
		})},
	{name: "ignores deduplication ids on standard queues", breaks: "fifo-rules",
		send: func(e *end, m *engine.Message) bool {
			if !spec.IsFIFOName(e.q.Name()) {
				m.Deduplication = ""
			}
			return true
		}},
	{name: "ignores delays on FIFO queues", breaks: "fifo-rules",
		send: fifo(func(e *end, m *engine.Message) { m.Delay = nil })},
}
