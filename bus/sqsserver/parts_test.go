package sqsserver_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
	"omnibus/bus/sqsserver"
)

// long is a text near the largest size whose characters take from one to four
// bytes, so that parts end within them, and up to six in an answer.
var long = strings.Repeat("x\"é\r€😀&\t", spec.MaxMessageBytes/18)

// TestLongAnswersArriveWhole receives messages of the largest size over a socket,
// in both protocols.
func TestLongAnswersArriveWhole(t *testing.T) {
	server := sqsserver.New(nil)
	q, err := server.Engine().Create("q", spec.QueueSettings{})
	ok(t, err)
	blob := bytes.Repeat([]byte{0, 1, 2, 0xFF, 0xFE}, 50_000)
	for range 3 {
		_, err = q.Send(engine.Message{Body: long})
		ok(t, err)
		_, err = q.Send(engine.Message{Body: "short", Attributes: []spec.NamedAttribute{{Name: "b", Attribute: spec.Attribute{DataType: "Binary", BinaryValue: blob}}}})
		ok(t, err)
	}
	ts := httptest.NewServer(server)
	defer ts.Close()
	type message struct {
		Body              string
		MessageAttributes map[string]struct{ BinaryValue string }
	}
	var messages []message

	target := ts.URL + "/000000000000/q"
	get := func(header http.Header, body string) []byte {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(body))
		ok(t, err)
		r.Header = header
		resp, err := http.DefaultClient.Do(r)
		ok(t, err)
		defer resp.Body.Close()
		if resp.Header.Get("x-amzn-RequestId") == "" || resp.StatusCode != http.StatusOK {
			t.Errorf("%d, %v", resp.StatusCode, resp.Header)
		}
		answer, err := io.ReadAll(resp.Body)
		ok(t, err)
		return answer
	}
	var inJSON struct{ Messages []message }
	ok(t, json.Unmarshal(get(http.Header{"X-Amz-Target": {"AmazonSQS.ReceiveMessage"}},
		`{"QueueUrl":"`+target+`","MaxNumberOfMessages":10,"VisibilityTimeout":0,"MessageAttributeNames":["All"]}`), &inJSON))
	messages = append(messages, inJSON.Messages...)
	var inXML struct {
		Message []struct {
			Body, MD5OfBody  string
			MessageAttribute []struct {
				Name  string
				Value struct{ BinaryValue string }
			}
		} `xml:"ReceiveMessageResult>Message"`
	}
	ok(t, xml.Unmarshal(get(http.Header{}, "Action=ReceiveMessage&MaxNumberOfMessages=10&VisibilityTimeout=0&MessageAttributeName.1=All"), &inXML))
	for _, m := range inXML.Message {
		as := message{Body: m.Body, MessageAttributes: map[string]struct{ BinaryValue string }{}}
		for _, a := range m.MessageAttribute {
			as.MessageAttributes[a.Name] = a.Value
		}
		messages = append(messages, as)
	}
	longs, blobs := 0, 0
	for _, m := range messages {
		switch {
		case m.Body == long:
			longs++
		case m.MessageAttributes["b"].BinaryValue == base64.StdEncoding.EncodeToString(blob):
			blobs++
		default:
			t.Errorf("a message of %d bytes arrived as none that was sent", len(m.Body))
		}
	}
	if longs != 6 || blobs != 6 {
		t.Errorf("%d of 6 texts and %d of 6 blobs arrived", longs, blobs)
	}
}
