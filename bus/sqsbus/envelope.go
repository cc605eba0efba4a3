package sqsbus

import (
	"encoding/base64"
	"encoding/json"
	"slices"

	"omnibus/bus/spec"
)

// A notification is the envelope in which SNS delivers a message to a queue, unless the
// subscription asks for raw delivery:
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html.
type notification struct {
	Type              string
	MessageID         string `json:"MessageId"`
	TopicARN          string `json:"TopicArn"`
	Timestamp         string
	Message           string
	MessageAttributes map[string]struct{ Type, Value string }
}

// openEnvelope returns the message in an envelope of the topic, with its attributes
// sorted by name and typed as they were published. If the body is no such envelope,
// ok is false and inner is the body as it is. SNS's envelopes come in messages
// without attributes: a message that has some is to be left as it is.
//
// Nothing in a message proves that SNS has sent it: whoever may send to the queue can
// write an envelope of any topic. So the topic is to be named by the program, and
// the queue's policy is to let nobody but that topic send. What an envelope must have
// is what the stock driver asks for.
func openEnvelope(body, topicARN string) (inner string, attrs []spec.NamedAttribute, ok bool) {
	var e notification
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return body, nil, false
	}
	if e.Type != "Notification" || e.MessageID == "" || e.Timestamp == "" || topicARN == "" || e.TopicARN != topicARN {
		return body, nil, false
	}
	for name, v := range e.MessageAttributes {
		a := spec.NamedAttribute{Name: name, Attribute: spec.Attribute{DataType: v.Type, StringValue: v.Value}}
		if a.DataType == "" {
			a.DataType = "String"
		}
		if a.IsBinary() {
			value, err := base64.StdEncoding.DecodeString(v.Value)
			if err != nil {
				return body, nil, false
			}
			a.BinaryValue, a.StringValue = value, ""
		}
		attrs = append(attrs, a)
	}
	slices.SortFunc(attrs, byName)
	return e.Message, attrs, true
}
