package topics

import (
	"time"

	"omnibus/bus/engine"
)

// A Post is a delivery to an endpoint over HTTP: a POST request.
type Post struct {
	URL         string
	Body        string
	ContentType string

	// What the headers x-amz-sns-… say.
	MessageType     string // Notification, SubscriptionConfirmation or UnsubscribeConfirmation
	MessageID       string
	TopicARN        string
	SubscriptionARN string // "" before there is one
	Raw             bool

	// Delays are how long to wait before each time that a failed delivery is
	// tried again.
	Delays []time.Duration

	dead   string // the ARN of the dead-letter queue, if there is one
	burial engine.Message
}

// Poster takes deliveries over HTTP. Post must not wait for them. What it gives
// up goes to [Engine.Bury].
type Poster interface{ Post(Post) }

// Bury gives up a delivery: it goes to the dead-letter queue of its subscription,
// if there is one, as it would have been delivered.
func (e *Engine) Bury(p Post) { e.bury(p.dead, p.burial) }

func (e *Engine) post(p Post) {
	if e.opts.Poster != nil {
		e.opts.Poster.Post(p)
	}
}

// post returns the delivery of a publication to a subscription.
func (p *publication) post(s *subscription) Post {
	policy := s.effectivePolicy(p.policy)
	out := Post{
		URL: s.endpoint, ContentType: policy.Request.ContentType,
		MessageType: "Notification", MessageID: p.id, TopicARN: s.topic, SubscriptionARN: s.arn,
		Raw: s.raw, Delays: policy.Retry.delays(), dead: s.dead,
	}
	if s.raw {
		out.Body = p.text(s.protocol)
	} else {
		out.Body = p.enveloped(s)
	}
	out.burial = p.addressed(engine.Message{Body: out.Body, TraceHeader: p.message.TraceHeader}, s.dead)
	return out
}

// ask asks the endpoint of a subscription to confirm, in a document signed by a
// version. Endpoints of other protocols than those of queues and of HTTP cannot be
// asked.
func (e *Engine) ask(s *subscription, version, kind, base string) {
	id := newID()
	switch {
	case s.protocol == "sqs":
		_ = e.send(s.endpoint, engine.Message{Body: e.confirmation(s, version, kind, id, base)})
	case s.overHTTP():
		p := Post{
			URL: s.endpoint, Body: e.confirmation(s, version, kind, id, base), ContentType: defaultContentType,
			MessageType: kind, MessageID: id, TopicARN: s.topic, Delays: confirmationDelays,
		}
		if kind == unsubscribing {
			p.SubscriptionARN = s.arn
		}
		e.post(p)
	}
}
