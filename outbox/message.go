package outbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/driver"
	"omnibus/bus/spec"
	"omnibus/workers"
)

// A stored message is a message as a row has it.
type stored struct {
	group         string
	deduplication string
	body          []byte
	details       string // in JSON
}

// details are what a message has besides, as JSON in its row.
type details struct {
	Metadata    map[string]string     `json:"metadata,omitempty"`
	Attributes  []spec.NamedAttribute `json:"attributes,omitempty"`
	Offered     []spec.NamedAttribute `json:"offered,omitempty"`
	Delay       *time.Duration        `json:"delay,omitempty"` // nanoseconds from Put
	TraceHeader string                `json:"trace_header,omitempty"`
}

// mostOwn is how many attributes a message may have of its own.
const mostOwn = spec.MaxAttributes - 1

// store returns a message as it is stored.
func store(ctx context.Context, m *pubsub.Message) (stored, error) {
	if m.AfterSend != nil {
		return stored{}, errors.New("it has an AfterSend, which nobody would call: it is sent later, and by another process perhaps")
	}
	traced := &pubsub.Message{Metadata: m.Metadata, BeforeSend: m.BeforeSend}
	workers.CarryTrace(ctx, traced)
	o, err := driver.CollectSendOptions(traced.BeforeSend)
	if err != nil {
		return stored{}, err
	}
	if err := check(m, o.Attributes); err != nil {
		return stored{}, err
	}
	metadata := traced.Metadata
	wire, attrs := driver.Encode(m.Body, metadata, &o) // which reads groups in metadata as well
	attrs = append(attrs, o.Attributes...)
	const room = 1 << 10 // for what is added when it is sent
	if len(attrs) > mostOwn || spec.MessageSize(wire, attrs) > spec.MaxMessageBytes-room {
		metadata = m.Metadata // the trace header is still there
	}
	text, err := json.Marshal(details{metadata, o.Attributes, o.Offered, o.Delay, o.TraceHeader})
	if err != nil {
		return stored{}, err
	}
	s := stored{group: o.Group, deduplication: o.Deduplication, body: m.Body, details: string(text)}
	if s.deduplication == "" {
		s.deduplication = rand.Text()
	}
	if s.body == nil {
		s.body = []byte{}
	}
	return s, nil
}

// check reports what a row cannot hold, or what no queue would take of it.
func check(m *pubsub.Message, typed []spec.NamedAttribute) error {
	if n := len(m.Metadata) + len(typed); n > mostOwn {
		return fmt.Errorf("it has %d attributes; %d are allowed, beside %s", n, mostOwn, workers.DeduplicationID)
	}
	for _, key := range slices.Sorted(maps.Keys(m.Metadata)) {
		if value := m.Metadata[key]; !utf8.ValidString(key) || !utf8.ValidString(value) {
			return fmt.Errorf("its metadata %q: %q is not UTF-8", key, value)
		}
	}
	return spec.CheckAttributes(typed)
}

// A row is a message that was fetched to be sent.
type row struct {
	id       int64
	stored   stored
	attempts int           // that failed
	age      time.Duration // since Put
	fetched  time.Time     // when it had that
}

// waited returns the time since Put.
func (r *row) waited() time.Duration { return r.age + time.Since(r.fetched) }

// message returns the message of a row, to be sent to q.
func (r *row) message(q *bus.Queue) (*pubsub.Message, error) {
	var d details
	if err := json.Unmarshal([]byte(r.stored.details), &d); err != nil {
		return nil, fmt.Errorf("its details in the table: %w", err)
	}
	m := &pubsub.Message{Body: r.stored.body, Metadata: d.Metadata}
	if m.Metadata == nil {
		m.Metadata = map[string]string{}
	}
	for _, a := range d.Attributes {
		bus.SetAttribute(m, a.Name, a.Attribute)
	}
	if r.stored.group != "" {
		bus.Group(m, r.stored.group)
	}
	if q.FIFO() && q.Supports(bus.ControlGroups) {
		bus.Deduplicate(m, r.stored.deduplication)
	} else {
		m.Metadata[workers.DeduplicationID] = r.stored.deduplication
	}
	if d.Delay != nil {
		bus.Delay(m, remaining(*d.Delay, r.waited()))
	}
	if d.TraceHeader != "" {
		bus.TraceHeader(m, d.TraceHeader)
	}
	if q.Supports(bus.ControlTypes) {
		if state := m.Metadata["tracestate"]; state != "" { // which metadata would escape
			delete(m.Metadata, "tracestate")
			bus.OfferAttribute(m, "tracestate", bus.String(state))
		}
		for _, a := range d.Offered {
			bus.OfferAttribute(m, a.Name, a.Attribute)
		}
	}
	return m, nil
}

// remaining returns what is left of a delay, in whole seconds as queues take it, and one
// that is out of range as it was.
func remaining(delay, age time.Duration) time.Duration {
	if delay < 0 || age <= 0 {
		return delay
	}
	rest := max(0, delay-age)
	if over := rest % time.Second; over > 0 {
		rest += time.Second - over
	}
	return rest
}
