package topics

import (
	"encoding/base64"
	"strings"
	"time"

	"omnibus/bus/spec"
)

// What SNS sends to endpoints that do not take messages raw: a JSON document
// around the message, and the documents that ask an endpoint to confirm. Their
// members stand in AWS's order and with its white space.

// A Signer signs documents. It returns the signature by a version, "1" for SHA1
// and "2" for SHA256, and the path of the certificate that verifies it.
type Signer interface {
	Sign(version, text string) (signature, certificate string)
}

// document is one under construction.
type document struct{ b strings.Builder }

func (d *document) text(name, value string) { d.raw(name, jsonText(value)) }

// plain adds a text that has nothing to be escaped.
func (d *document) plain(name, value string) { d.raw(name, `"`+value+`"`) }

func (d *document) raw(name, value string) {
	if d.b.Len() == 0 {
		d.b.WriteString("{\n")
	} else {
		d.b.WriteString(",\n")
	}
	d.b.WriteString(`  "` + name + `" : ` + value)
}

func (d *document) end() string {
	d.b.WriteString("\n}")
	return d.b.String()
}

// signed adds the signature of a text, if there is a signer and an address at
// which its certificate can be had.
func (d *document) signed(s Signer, version, text, base string) {
	if s == nil || base == "" {
		return
	}
	signature, certificate := s.Sign(version, text)
	d.plain("SignatureVersion", version)
	d.plain("Signature", signature)
	d.text("SigningCertURL", base+certificate)
}

// toSign returns the text that is signed: names and values in turn, a line each,
// those without a value left out
// (https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html).
func toSign(namesAndValues ...string) string {
	var b strings.Builder
	for i := 0; i < len(namesAndValues); i += 2 {
		if namesAndValues[i+1] != "" {
			b.WriteString(namesAndValues[i] + "\n" + namesAndValues[i+1] + "\n")
		}
	}
	return b.String()
}

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// An envelope is the document around one message for many subscriptions. In a
// link between head and tail stands the ARN of each; without an address for links
// there is only the tail.
type envelope struct{ head, tail string }

// around puts an envelope around a text of a publication.
func (p *publication) around(text string) envelope {
	var d document
	d.plain("Type", "Notification")
	d.plain("MessageId", p.id)
	if p.sequence != "" {
		d.plain("SequenceNumber", p.sequence)
	}
	d.plain("TopicArn", p.topic.name)
	subject := ""
	if p.message.Subject != nil {
		subject = *p.message.Subject
		d.text("Subject", subject)
	}
	d.text("Message", text)
	d.plain("Timestamp", p.timestamp)
	if !p.topic.fifo {
		d.signed(p.engine.opts.Signer, p.signatureVersion, toSign("Message", text, "MessageId", p.id, "Subject", subject,
			"Timestamp", p.timestamp, "TopicArn", p.topic.name, "Type", "Notification"), p.base)
	}
	e := envelope{}
	if p.base != "" {
		d.text("UnsubscribeURL", p.base+"/?Action=Unsubscribe&SubscriptionArn=")
		e.head = strings.TrimSuffix(d.b.String(), `"`)
		d.b.Reset()
		d.b.WriteString(`"`)
	}
	if len(p.message.Attributes) > 0 {
		d.raw("MessageAttributes", attributesDocument(p.message.Attributes))
	}
	e.tail = d.end()
	return e
}

// to returns the document for a subscription.
func (e envelope) to(s *subscription) string {
	if e.head == "" {
		return e.tail
	}
	return e.head + s.arn + e.tail
}

func attributesDocument(attrs []spec.NamedAttribute) string {
	var b strings.Builder
	for i, a := range attrs {
		value := a.StringValue
		if a.IsBinary() {
			value = base64.StdEncoding.EncodeToString(a.BinaryValue)
		}
		b.WriteString([]string{"{\n", ",\n"}[min(i, 1)])
		b.WriteString("    " + jsonText(a.Name) + ` : {"Type":` + jsonText(a.DataType) + `,"Value":` + jsonText(value) + "}")
	}
	b.WriteString("\n  }")
	return b.String()
}

// Types of the documents that ask an endpoint to confirm.
const (
	subscribing   = "SubscriptionConfirmation"
	unsubscribing = "UnsubscribeConfirmation"
)

// confirmation returns the document that asks an endpoint to confirm that it is
// subscribed, or offers to restore a subscription that was removed.
func (e *Engine) confirmation(s *subscription, version, kind, id, base string) string {
	message := "You have chosen to subscribe to the topic " + s.topic + ".\nTo confirm the subscription, visit the SubscribeURL included in this message."
	if kind == unsubscribing {
		message = "You have chosen to deactivate subscription " + s.arn + ".\nTo cancel this operation and restore the subscription, visit the SubscribeURL included in this message."
	}
	link := base + "/?Action=ConfirmSubscription&TopicArn=" + s.topic + "&Token=" + s.token
	now := timestamp(time.Now())
	var d document
	d.plain("Type", kind)
	d.plain("MessageId", id)
	d.plain("Token", s.token)
	d.plain("TopicArn", s.topic)
	d.text("Message", message)
	d.text("SubscribeURL", link)
	d.plain("Timestamp", now)
	d.signed(e.opts.Signer, version, toSign("Message", message, "MessageId", id, "SubscribeURL", link,
		"Timestamp", now, "Token", s.token, "TopicArn", s.topic, "Type", kind), base)
	return d.end()
}
