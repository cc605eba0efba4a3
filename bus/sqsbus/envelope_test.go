package sqsbus

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"omnibus/bus"
	"omnibus/bus/spec"
)

// snsBody is an envelope as SNS writes it.
func snsBody(topic, message, attributes string) string {
	quoted, err := json.Marshal(message)
	if err != nil {
		panic(err) // of a string
	}
	return `{
  "Type" : "Notification",
  "MessageId" : "dc1e94d9-56c5-5e96-808d-cc7f68faa162",
  "TopicArn" : "` + topic + `",
  "Subject" : "thanks",
  "Message" : ` + string(quoted) + `,
  "Timestamp" : "2026-01-01T00:00:00.000Z",
  "SignatureVersion" : "1",
  "Signature" : "c2lnbmF0dXJl",
  "SigningCertURL" : "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem",
  "UnsubscribeURL" : "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
  "MessageAttributes" : {` + attributes + `}
}`
}

func TestAnEnvelopesAttributesArriveAsTheyWereSent(t *testing.T) {
	body := snsBody(topicARN, `{"name": "Zoë \"\u2028"}`, `
    "Producer" : {"Type":"String","Value":"Slow"},
    "Donation" : {"Type":"Number.euro","Value":"97.50"},
    "Photo" : {"Type":"Binary","Value":"AP+A/g=="},
    "Labels" : {"Type":"String.Array","Value":"[\"a\",1]"},
    "Escaped" : {"Type":"String","Value":"100%25"}`)
	inner, attrs, ok := openEnvelope(body, topicARN)
	if !ok || inner != `{"name": "Zoë \"\u2028"}` {
		t.Errorf("the message is %q, %t", inner, ok)
	}
	want := []spec.NamedAttribute{
		{Name: "Donation", Attribute: spec.Attribute{DataType: "Number.euro", StringValue: "97.50"}},
		{Name: "Escaped", Attribute: spec.Attribute{DataType: "String", StringValue: "100%25"}},
		{Name: "Labels", Attribute: spec.Attribute{DataType: "String.Array", StringValue: `["a",1]`}},
		{Name: "Photo", Attribute: spec.Attribute{DataType: "Binary", BinaryValue: []byte{0, 0xff, 0x80, 0xfe}}},
		{Name: "Producer", Attribute: spec.Attribute{DataType: "String", StringValue: "Slow"}},
	}
	if !reflect.DeepEqual(attrs, want) {
		t.Errorf("the attributes are\n%+v; want\n%+v", attrs, want)
	}
}

func TestAMessageInAnEnvelopeIsAsItWasPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?snstopicarn="+topicARN)
		defer shutDown(t, q)
		e.engineSend(t, wireMessage{MessageBody: snsBody(topicARN, "//4AgA==", `
			"base64encoded" : {"Type":"String","Value":"true"},
			"a__0x20__key" : {"Type":"String","Value":"100%25"},
			"Donation" : {"Type":"Number","Value":"97.50"},
			"Photo" : {"Type":"Binary","Value":"AP+A/g=="}`)})
		m := receive(t, q, time.Second)
		defer m.Ack()
		got := bus.Details(m).Attributes
		if string(m.Body) != "\xff\xfe\x00\x80" || m.Metadata["a key"] != "100%" || len(got) != 3 {
			t.Errorf("%q came with the metadata %q and the attributes %+v", m.Body, m.Metadata, got)
		}
		if a := got["Donation"]; a.DataType != "Number" || a.StringValue != "97.50" {
			t.Errorf("a Number came as %+v", a)
		}
		if a := got["Photo"]; a.DataType != "Binary" || string(a.BinaryValue) != "\x00\xff\x80\xfe" {
			t.Errorf("a Binary came as %+v", a)
		}
	})
}

func TestWhatIsNoEnvelopeOfTheTopicIsLeftAsItIs(t *testing.T) {
	good := snsBody(topicARN, "inside", `"a":{"Type":"String","Value":"1"}`)
	if inner, _, ok := openEnvelope(good, topicARN); !ok || inner != "inside" {
		t.Fatalf("the envelope that the others are made of is not opened: %q", inner)
	}
	for what, c := range map[string]struct{ body, topic string }{
		"text":                      {"hello", topicARN},
		"other JSON":                {`{"name": "Harper Pierce"}`, topicARN},
		"a list":                    {"[" + good + "]", topicARN},
		"two envelopes":             {good + good, topicARN},
		"another topic":             {good, topicARN + "2"},
		"no topic named":            {strings.Replace(good, topicARN, "", 1), ""},
		"a confirmation":            {strings.Replace(good, "Notification", "SubscriptionConfirmation", 1), topicARN},
		"no message id":             {strings.Replace(good, "MessageId", "MessageID2", 1), topicARN},
		"no time":                   {strings.Replace(good, "Timestamp", "Time", 1), topicARN},
		"a message that is no text": {strings.Replace(good, `"inside"`, `{}`, 1), topicARN},
		"a binary that is no base64": {
			snsBody(topicARN, "inside", `"a":{"Type":"Binary","Value":"!"}`), topicARN,
		},
	} {
		if inner, attrs, ok := openEnvelope(c.body, c.topic); ok || inner != c.body || attrs != nil {
			t.Errorf("%s: %q, %v, %t", what, inner, attrs, ok)
		}
	}
}

func FuzzOpenEnvelope(f *testing.F) {
	f.Add(snsBody(topicARN, "inside", `"a":{"Type":"Binary","Value":"AA=="}`))
	f.Add(`{"Type":"Notification","MessageId":"1","TopicArn":"` + topicARN + `","Timestamp":"t"}`)
	f.Add("hello")
	f.Fuzz(func(t *testing.T, body string) {
		inner, attrs, ok := openEnvelope(body, topicARN)
		if !ok && (inner != body || attrs != nil) {
			t.Errorf("not opened, %q gives %q with %v", body, inner, attrs)
		}
		if ok && !utf8.ValidString(inner) {
			t.Errorf("the message %q is not UTF-8", inner)
		}
		if utf8.ValidString(body) {
			if inner, _, ok := openEnvelope(snsBody(topicARN, body, ""), topicARN); !ok || inner != body {
				t.Errorf("%q comes out of its envelope as %q, %t", body, inner, ok)
			}
		}
	})
}
