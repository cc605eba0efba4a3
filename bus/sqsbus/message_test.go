package sqsbus

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/awssnssqs"

	"omnibus/bus"
	"omnibus/bus/spec"
)

// foreign is a message as a boto3 producer may send it.
var foreign = wireMessage{
	MessageBody: `{"name": "Harper Pierce", "donation": 97.5}`,
	MessageAttributes: map[string]wireAttribute{
		"JobType":  {DataType: "String", StringValue: "NewDonor"},
		"Donation": {DataType: "Number", StringValue: "97.50"},
		"Share":    {DataType: "String", StringValue: "100%25"},
		"Picture":  {DataType: "Binary.png", BinaryValue: []byte{0x89, 'P', 0, 0xff}},
	},
}

func TestAttributesOfAnotherProducerArriveAsTheyWereSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		defer shutDown(t, q)
		e.engineSend(t, foreign)
		m := receive(t, q, time.Second)
		got := bus.Details(m).Attributes
		for name, want := range foreign.MessageAttributes {
			a := got[name]
			if a.DataType != want.DataType || a.StringValue != want.StringValue || !bytes.Equal(a.BinaryValue, want.BinaryValue) {
				t.Errorf("attribute %s came as %+v; want %+v", name, a, want)
			}
		}
		if string(m.Body) != foreign.MessageBody || len(got) != len(foreign.MessageAttributes) {
			t.Errorf("%q came with %d attributes", m.Body, len(got))
		}
		// The portable metadata, which the stock driver makes, is not whole.
		if m.Metadata["Share"] != "100%" || m.Metadata["Picture"] != "" {
			t.Errorf("stock metadata are %q: a trap less", m.Metadata)
		}
		m.Ack()
	})
}

func TestAttributesAreSentWithTheirTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		defer shutDown(t, q)
		m := &pubsub.Message{Body: []byte("typed"), Metadata: map[string]string{"a key": "100%"}}
		bus.SetAttribute(m, "Donation", bus.Number("97.50"))
		bus.SetAttribute(m, "Picture", bus.Binary([]byte{0, 255}))
		bus.Delay(m, 7*time.Second)
		bus.Group(m, "tenant")
		if err := q.Topic.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		sent := e.all("SendMessageBatch")[0].in.Entries[0]
		a := sent.MessageAttributes
		if a["Donation"].DataType != "Number" || a["Donation"].StringValue != "97.50" || !bytes.Equal(a["Picture"].BinaryValue, []byte{0, 255}) ||
			a["a__0x20__key"].StringValue != "100%25" || *sent.DelaySeconds != 7 || sent.MessageGroupId != "tenant" {
			t.Errorf("sent %+v", sent)
		}
		receive(t, q, 8*time.Second).Ack()
	})
}

func TestDetailsOfAMessageThatTheStockDriverReceived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.stock(drained)
		start := time.Now()
		send(t, q, "m")
		m := receive(t, q, time.Second)
		d := bus.Details(m)
		if d.ID == "" || d.ReceiveCount != 1 || !d.Sent.Equal(start) || !d.VisibleAt.IsZero() {
			t.Errorf("details are %+v", d)
		}
		m.Ack()
		e.stop(q)
	})
}

func TestABodyThatDidNotTravelWholeFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=1h")
		defer shutDown(t, q)
		warmUp(t, q, brisk)
		e.set(func() { e.damage = func(body string) bool { return body == "m3" } })
		for i, err := range sendAll(t, q, messages(10)) {
			if (err != nil) != (i == 3) {
				t.Errorf("m%d: %v", i, err)
			}
		}
		before := e.count("ReceiveMessage")
		for range 9 {
			m := receive(t, q, time.Second)
			if string(m.Body) == "m3" {
				t.Error("a damaged message came")
			}
			m.Ack()
		}
		if n := e.count("ReceiveMessage") - before; n > 2 {
			t.Errorf("%d requests for ten messages of which one is damaged", n)
		}
		time.Sleep(time.Second)
		e.counts(t, 0, 1, 0)
	})
}

func TestAMessageThatDidNotArriveWholeIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=5s")
		defer shutDown(t, q)
		send(t, q, "damaged")
		times := 1
		e.set(func() { e.damage = func(string) bool { times--; return times >= 0 } })
		m := receive(t, q, time.Minute)
		if d := bus.Details(m); d.ReceiveCount != 2 {
			t.Errorf("the message came at its delivery %d; want the second", d.ReceiveCount)
		}
		m.Ack()
	})
}

const topicARN = "arn:aws:sns:us-east-1:000000000000:donations"

// envelope is a body that looks like SNS's.
func envelope(topic string) wireMessage {
	return wireMessage{MessageBody: `{"Type": "Notification", "MessageId": "1", "TopicArn": "` + topic + `", "Timestamp": "2026-01-01T00:00:00Z",
		"Message": "inside", "MessageAttributes": {"admin": {"Type": "String", "Value": "true"}}}`}
}

func TestAnEnvelopeIsOpenedOnlyIfItIsOfTheTopicNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		for _, c := range []struct {
			params, topic string
			opened        bool
		}{
			{"", topicARN, false},
			{"?raw=true", topicARN, false},
			{"?snstopicarn=" + topicARN, topicARN, true},
			{"?snstopicarn=" + topicARN, topicARN + "-forged", false},
		} {
			q := e.open(t, c.params)
			e.engineSend(t, envelope(c.topic))
			m := receive(t, q, time.Second)
			if opened := string(m.Body) == "inside" && m.Metadata["admin"] == "true"; opened != c.opened {
				t.Errorf("%s with an envelope of %s gives %q, %v", c.params, c.topic, m.Body, m.Metadata)
			}
			m.Ack()
			shutDown(t, q)
		}
		sub := awssnssqs.OpenSubscription(t.Context(), e.client(), testQueue, &drained)
		e.engineSend(t, envelope("arn:aws:sns:anybody"))
		m, err := sub.Receive(t.Context())
		if err != nil || string(m.Body) != "inside" {
			t.Errorf("stock gives %v, %v: a trap less", m, err)
		} else {
			m.Ack()
		}
		e.stop(bus.Wrap(q0(e), sub))
	})
}

// q0 is a stock topic, to be shut down with a subscription.
func q0(e *endpoint) *pubsub.Topic {
	return awssnssqs.OpenSQSTopic(context.Background(), e.client(), testQueue, nil)
}

func TestTheSDKsClientComesWithAs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=1h")
		defer shutDown(t, q)
		var client *sqs.Client
		if !q.Topic.As(&client) || !q.Subscription.As(&client) {
			t.Fatal("no *sqs.Client")
		}
		if _, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: new(testQueue), MessageBody: new("by hand")}); err != nil {
			t.Fatal(err)
		}
		m := receive(t, q, time.Second)
		if string(m.Body) != "by hand" {
			t.Errorf("the body came as %q", m.Body)
		}
		m.Ack()
	})
}

func TestFIFOMessagesStayInOrderAfterANack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors.fifo", spec.QueueSettings{ContentBasedDeduplication: new(true)})
		var mux bus.Mux
		e.backend().Register(&mux)
		q, err := mux.Open(t.Context(), testQueue+".fifo")
		if err != nil {
			t.Fatal(err)
		}
		defer shutDown(t, q)
		for _, body := range numbered(20) {
			m := &pubsub.Message{Body: []byte(body)}
			bus.Group(m, "g")
			if err := q.Topic.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		for i, want := range numbered(20) {
			m := receive(t, q, time.Second)
			if i%3 == 0 {
				m.Nack()
				m = receive(t, q, time.Second)
			}
			if string(m.Body) != want {
				t.Fatalf("%s came; want %s", m.Body, want)
			}
			m.Ack()
		}
		if e.all("ReceiveMessage")[0].in.ReceiveRequestAttemptId == "" {
			t.Error("a receive has no attempt id, so that one whose answer is lost locks its group")
		}
	})
}

func TestTwoAttributesOfOneNameAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		defer shutDown(t, q)
		m := &pubsub.Message{Body: []byte("m"), Metadata: map[string]string{"a": "1"}}
		bus.SetAttribute(m, "a", bus.String("2"))
		check(t, "send", q.Topic.Send(t.Context(), m), gcerrors.InvalidArgument)
	})
}
