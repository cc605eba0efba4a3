package sqsserver

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"omnibus/bus/spec"
)

// FuzzJSON gives the server requests of the JSON protocol: it answers each with
// JSON that parses, never with a failure of its own, and takes no document for
// JSON that encoding/json does not.
func FuzzJSON(f *testing.F) {
	for _, seed := range []struct{ action, body string }{
		{"SendMessage", `{"QueueUrl":"http://h/000000000000/q","MessageBody":"a\u00e9\ud83d\ude00\n","DelaySeconds":5}`},
		{"SendMessage", `{"QueueUrl":"http://h/000000000000/q","MessageBody":"a","MessageAttributes":{"n":{"DataType":"Number","StringValue":"-1.5e3"},"b":{"DataType":"Binary","BinaryValue":"AAE="}}}`},
		{"SendMessageBatch", `{"QueueUrl":"/000000000000/q","Entries":[{"Id":"1","MessageBody":"x"},{"Id":"2","MessageBody":"\ud800"}]}`},
		{"ReceiveMessage", `{"QueueUrl":"http://h/000000000000/q","MaxNumberOfMessages":10,"AttributeNames":["All"],"MessageAttributeNames":["n.*"],"VisibilityTimeout":0}`},
		{"DeleteMessageBatch", `{"QueueUrl":"http://h/000000000000/q","Entries":[{"Id":"1","ReceiptHandle":"x"}]}`},
		{"CreateQueue", `{"QueueName":"f.fifo","Attributes":{"FifoQueue":"true","RedrivePolicy":"{}"},"tags":{"a":"b"}}`},
		{"AddPermission", `{"QueueUrl":"/000000000000/q","Label":"l","AWSAccountIds":["111111111111"],"Actions":["*"]}`},
		{"ListQueues", `{"MaxResults":1,"x":[true,false,null,-1.5e+3,{"a":[]}]}`},
		{"CancelMessageMoveTask", `{"TaskHandle":"e30="}`},
		{"ListQueues", ``},
	} {
		f.Add(seed.action, []byte(seed.body))
	}
	f.Fuzz(func(t *testing.T, action string, body []byte) {
		h := fuzzServer(t)
		status, answer := h.do(t, body, http.Header{"X-Amz-Target": {"AmazonSQS." + action}})
		var v struct {
			Type string `json:"__type"`
		}
		if err := json.Unmarshal(answer, &v); err != nil {
			t.Fatalf("%v in the answer %s", err, answer)
		}
		if status >= 500 || status != 200 && v.Type == "" {
			t.Fatalf("status %d, %s", status, answer)
		}
		if status == 200 && len(body) > 0 && !json.Valid(bytes.ToValidUTF8(body, []byte("x"))) {
			t.Fatalf("took %q for JSON", body)
		}
	})
}

// FuzzQuery gives the server requests of the Query protocol: it answers each
// with XML that parses, and never with a failure of its own.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"Action=SendMessage&MessageBody=%3Ca%26b%3E&DelaySeconds=5&MessageAttribute.1.Name=n&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=v",
		"Action=SendMessageBatch&SendMessageBatchRequestEntry.1.Id=1&SendMessageBatchRequestEntry.1.MessageBody=%FF&SendMessageBatchRequestEntry.2.Id=2",
		"Action=ReceiveMessage&AttributeName.1=All&MessageAttributeName.1=All&MaxNumberOfMessages=10&VisibilityTimeout=0",
		"Action=CreateQueue&QueueName=x&Attribute.1.Name=DelaySeconds&Attribute.1.Value=1&Tag.1.Key=%00&Tag.1.Value=%EF%BF%BF",
		"Action=ListQueueTags", "Action=TagQueue&Tag.1.Key=a%01&Tag.1.Value=%0D", "Action=GetQueueAttributes&AttributeName.1=All",
		"Action=SendMessage&MessageBody=a&MessageGroupId=%01%FF%0D", "Action=DeleteMessage&ReceiptHandle=%01%FF%0D", "Action=SetQueueAttributes&Attribute.1.Name=%01%FF",
		"Action=%zz", "a.b.c.d.e.f=1&&=&Action", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		h := fuzzServer(t)
		h.do(t, []byte("Action=SetQueueAttributes&Attribute.1.Name=KmsMasterKeyId&Attribute.1.Value=a%01%FF"), nil)
		status, answer := h.do(t, body, nil)
		if status >= 500 {
			t.Fatalf("status %d, %s", status, answer)
		}
		for d := xml.NewDecoder(bytes.NewReader(answer)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in the answer %s", err, answer)
			}
		}
	})
}

// fuzzTarget is a server with a queue that holds a message, and whose polls do
// not wait.
type fuzzTarget struct{ *Server }

func fuzzServer(t *testing.T) fuzzTarget {
	s := New(nil)
	s.Drain()
	h := fuzzTarget{s}
	h.do(t, []byte(`{"QueueName":"q"}`), http.Header{"X-Amz-Target": {"AmazonSQS.CreateQueue"}})
	h.do(t, []byte(`{"QueueUrl":"/000000000000/q","MessageBody":"<&\r>"}`), http.Header{"X-Amz-Target": {"AmazonSQS.SendMessage"}})
	return h
}

func (h fuzzTarget) do(t *testing.T, body []byte, header http.Header) (int, []byte) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://sqs.test/000000000000/q", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(w, r)
	return w.status, w.body.Bytes()
}

// FuzzText sends a body and receives it in both protocols: it is refused, or
// arrives as it was.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"a", "<é \"&\\>\r\n\t", "\u2028\uFFFD\U0001F600", "\xff", "\x00", "]]>", "\xed\xa0\x80"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		valid := text != "" && spec.CheckCharacters(text) == nil
		if got := unescaped(t, appendJSON(nil, text)); got != strings.ToValidUTF8(text, "\uFFFD") && valid {
			t.Errorf("JSON: %q became %q", text, got)
		}
		r := jsonReader{data: appendRawJSON(nil, text)}
		if got := r.text(); r.end() != nil || got != text {
			t.Errorf("raw JSON: %q became %q, %v", text, got, r.err)
		}
		var v string
		if err := xml.Unmarshal(slices.Concat([]byte("<a>"), appendXML(nil, text), []byte("</a>")), &v); err != nil || valid && v != text {
			t.Errorf("XML: %q became %q, %v", text, v, err)
		}
	})
}

// unescaped reads a JSON string with our reader and with encoding/json, which
// must agree.
func unescaped(t *testing.T, doc []byte) string {
	r := jsonReader{data: doc}
	ours := r.text()
	var theirs string
	if err := json.Unmarshal(doc, &theirs); err != nil || r.end() != nil || ours != theirs {
		t.Errorf("%s: %q and %q, %v, %v", doc, ours, theirs, err, r.err)
	}
	return ours
}

// recorder is a http.ResponseWriter that keeps what is written.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(b []byte) (int, error) { return w.body.Write(b) }
