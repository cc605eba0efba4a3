package topics

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// A Published is what a topic answers to a publisher.
type Published struct {
	MessageID      string
	SequenceNumber string // of a FIFO topic's message, else ""
}

// accept gives a message its ids. It reports false for one that a FIFO topic has
// accepted within five minutes, which has that one's ids.
func (t *topic) accept(now int64, m *Message) (Published, bool) {
	p := Published{MessageID: newID()}
	if !t.fifo {
		return p, true
	}
	if m.Deduplication == "" {
		sum := sha256.Sum256([]byte(m.Body))
		m.Deduplication = hex.EncodeToString(sum[:])
	}
	key := m.Deduplication
	if t.groupDedup {
		key = m.Group + " " + key // no group has a space
	}
	t.dedup.forget(now)
	if old, ok := t.dedup.byKey[key]; ok {
		return old, false
	}
	t.sequence++
	p.SequenceNumber = strconv.FormatUint(t.sequence, 10)
	t.dedup.remember(key, p, now)
	return p, true
}

// dedup is what a FIFO topic remembers of the messages of five minutes.
type dedup struct {
	byKey map[string]Published
	ages  []dedupAge // the oldest first
}

type dedupAge struct {
	key  string
	ends int64
}

func (d *dedup) remember(key string, p Published, now int64) {
	if d.byKey == nil {
		d.byKey = map[string]Published{}
	}
	d.byKey[key] = p
	d.ages = append(d.ages, dedupAge{key, now + int64(spec.DeduplicationWindow)})
}

func (d *dedup) forget(now int64) {
	i := 0
	for ; i < len(d.ages) && d.ages[i].ends <= now; i++ {
		delete(d.byKey, d.ages[i].key)
	}
	if d.ages = d.ages[i:]; len(d.ages) == 0 {
		*d = dedup{}
	}
}

// A publication is one message on its way to the subscriptions of a topic. What
// several of them need is made once, when the first one needs it.
type publication struct {
	engine           *Engine
	topic            *topic // of which only what never changes is read
	subs             []*subscription
	message          *Message
	id, sequence     string
	timestamp        string
	signatureVersion string
	base             string
	policy           topicPolicy // if there are subscriptions over HTTP

	attributes *node
	structured map[string]string // texts by protocol
	envelopes  map[string]envelope
	bodies     map[string]*node
}

func (e *Engine) newPublication(t *topic, m *Message, p Published, base string) *publication {
	// Queues keep attributes in the order of their names.
	m.Attributes = slices.SortedFunc(slices.Values(m.Attributes), func(a, b spec.NamedAttribute) int { return cmp.Compare(a.Name, b.Name) })
	pub := &publication{
		engine: e, topic: t, subs: t.subs, message: m, base: base,
		id: p.MessageID, sequence: p.SequenceNumber,
		timestamp:        timestamp(time.Now()),
		signatureVersion: t.attribute("SignatureVersion"),
	}
	if slices.ContainsFunc(t.subs, (*subscription).overHTTP) {
		pub.policy = t.effectivePolicy()
	}
	if m.Structured {
		pub.structured, _ = m.texts() // they were checked
	}
	return pub
}

// deliver gives the message to all subscriptions that want it.
func (p *publication) deliver() {
	for _, s := range p.subs {
		if !s.confirmed || !p.wanted(s) {
			continue
		}
		switch {
		case s.protocol == "sqs":
			p.toQueue(s)
		case s.overHTTP():
			p.engine.post(p.post(s))
		}
	}
}

// text returns the text for a protocol.
func (p *publication) text(protocol string) string {
	if p.structured == nil {
		return p.message.Body
	}
	if text, ok := p.structured[protocol]; ok {
		return text
	}
	return p.structured["default"]
}

func (p *publication) wanted(s *subscription) bool {
	if s.filter == nil {
		return true
	}
	if !s.byBody {
		if p.attributes == nil {
			p.attributes = attributesNode(p.message.Attributes)
		}
		return s.filter.match(p.attributes)
	}
	text := p.text(s.protocol)
	n, ok := p.bodies[text]
	if !ok {
		n = bodyNode(text)
		if p.bodies == nil {
			p.bodies = map[string]*node{}
		}
		p.bodies[text] = n
	}
	return n != nil && s.filter.match(n)
}

// enveloped returns the document around the message for a subscription.
func (p *publication) enveloped(s *subscription) string {
	text := p.text(s.protocol)
	e, ok := p.envelopes[text]
	if !ok {
		e = p.around(text)
		if p.envelopes == nil {
			p.envelopes = map[string]envelope{}
		}
		p.envelopes[text] = e
	}
	return e.to(s)
}

func (p *publication) toQueue(s *subscription) {
	m := engine.Message{TraceHeader: p.message.TraceHeader}
	switch {
	case !s.raw:
		m.Body = p.enveloped(s)
	case len(p.message.Attributes) > spec.MaxAttributes:
		// More than a queue takes: a client error. The envelope has room for all.
		m.Body = p.enveloped(s)
		p.engine.bury(s.dead, p.addressed(m, s.dead))
		return
	default:
		m.Body, m.Attributes = p.text(s.protocol), p.message.Attributes
	}
	if p.engine.send(s.endpoint, p.addressed(m, s.endpoint)) != nil {
		p.engine.bury(s.dead, p.addressed(m, s.dead))
	}
}

// addressed returns a message with the group and the deduplication id that the
// queue with an ARN takes: a FIFO queue both, a standard queue the group that was
// published to a standard topic.
func (p *publication) addressed(m engine.Message, queue string) engine.Message {
	switch {
	case spec.IsFIFOName(queue):
		m.Group, m.Deduplication = p.message.Group, p.message.Deduplication
	case !p.topic.fifo:
		m.Group = p.message.Group
	}
	return m
}

// bury sends what cannot be delivered to a dead-letter queue. Without one, or if
// that takes it no more than the endpoint did, it is lost, as on AWS.
func (e *Engine) bury(queue string, m engine.Message) {
	if queue != "" {
		_ = e.send(queue, m)
	}
}
