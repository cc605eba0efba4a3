package bus

import (
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"gocloud.dev/pubsub"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// Name returns the queue's name, or the topic's, as its URL has it: "" for one of
// [Wrap].
func (q *Queue) Name() string {
	u, err := url.Parse(q.url)
	if err != nil {
		return ""
	}
	if strings.Trim(u.Path, "/") == "" {
		return u.Host
	}
	name := path.Base(u.Path)
	return name[strings.LastIndex(name, ":")+1:] // of an ARN
}

// FIFO reports whether the queue is a FIFO queue, as its name says.
func (q *Queue) FIFO() bool { return spec.IsFIFOName(q.Name()) }

// Forward returns a message to be sent to q that is the received message m as it
// was sent to the queue it comes from: its body, its attributes with their types,
// as far as q has those, its group and its trace header. It has no deduplication id.
func (q *Queue) Forward(m *pubsub.Message) *pubsub.Message {
	d := Details(m)
	return q.forward(m, &d, wireAttributes(&d))
}

// Burial returns a message to be sent to q that is the received message m as
// [Queue.Forward] makes it, with the attributes of a buried one besides: those that
// [Queue.Bury] gives a message of the queue from. On a FIFO queue its deduplication
// id is the id of m, and so is its group if m has none.
func (q *Queue) Burial(m *pubsub.Message, from *Queue, reason string) *pubsub.Message {
	d := Details(m)
	var o driver.SendOptions
	body, mark := driver.Encode(m.Body, nil, &o)
	attrs := driver.BurialAttributes(body, append(mark, wireAttributes(&d)...), driver.Burial{
		Reason: reason, Source: from.Name(), ReceiveCount: d.ReceiveCount, Sent: d.Sent,
	}, spec.MaxMessageBytes)
	if !utf8.Valid(m.Body) {
		attrs = attrs[len(mark):] // which is set again when the message is sent
	}
	if d.Group == "" && q.FIFO() {
		d.Group = d.ID
	}
	out := q.forward(m, &d, attrs)
	if q.FIFO() {
		Deduplicate(out, d.ID)
	}
	return out
}

// forward returns a message like m, with attributes as they are on the wire. Where
// the backend has no wire form, which it has if it tells details, String attributes
// are portable metadata.
func (q *Queue) forward(m *pubsub.Message, d *MessageDetails, attrs []spec.NamedAttribute) *pubsub.Message {
	out := &pubsub.Message{Body: m.Body}
	typed := q.Supports(ControlTypes)
	if !typed || !q.Supports(ControlDetails) {
		out.Metadata = maps.Clone(m.Metadata)
		for _, a := range attrs {
			if own, ok := d.Attributes[a.Name]; !ok || own.StringValue != a.StringValue { // m did not have it
				setMetadata(out, a.Name, a.StringValue)
			}
		}
		attrs = slices.DeleteFunc(attrs, func(a spec.NamedAttribute) bool { return a.DataType == "String" || !typed })
		for _, a := range attrs {
			delete(out.Metadata, a.Name)
		}
	}
	if len(attrs) > 0 {
		set(out, ControlTypes, driver.SendOptions{Attributes: attrs})
	}
	if d.Group != "" && q.Supports(ControlGroups) {
		Group(out, d.Group)
	}
	if d.TraceHeader != "" {
		TraceHeader(out, d.TraceHeader)
	}
	return out
}

func setMetadata(m *pubsub.Message, key, value string) {
	if m.Metadata == nil {
		m.Metadata = map[string]string{}
	}
	m.Metadata[key] = value
}

// wireAttributes returns a received message's attributes in the order of their
// names.
func wireAttributes(d *MessageDetails) []spec.NamedAttribute {
	var attrs []spec.NamedAttribute
	for _, name := range slices.Sorted(maps.Keys(d.Attributes)) {
		attrs = append(attrs, spec.NamedAttribute{Name: name, Attribute: d.Attributes[name]})
	}
	return attrs
}
