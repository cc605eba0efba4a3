package snsserver

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// sink has one queue, which takes everything that is delivered.
type sink struct{ queue *engine.Queue }

func newSink() sink {
	q, err := engine.New(nil).Create("q", spec.QueueSettings{})
	if err != nil {
		panic(err)
	}
	return sink{q}
}

func (s sink) Queue(string) (*engine.Queue, error) { return s.queue, nil }

// RoundTrip takes what is posted to no endpoint.
func (sink) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("no endpoint") }

// FuzzForm gives the server forms, in the body and in the URL: it answers each
// with XML that parses, never with a failure of its own, and reads parameters as
// net/url does.
func FuzzForm(f *testing.F) {
	const topic = "arn%3Aaws%3Asns%3Aus-east-1%3A000000000000%3At"
	for _, seed := range []string{
		"Action=Publish&TopicArn=" + topic + "&Message=m&Subject=s&MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.DataType=String&MessageAttributes.entry.1.Value.StringValue=%FF%00",
		"Action=PublishBatch&TopicArn=" + topic + "&PublishBatchRequestEntries.member.1.Id=1&PublishBatchRequestEntries.member.1.Message=m&PublishBatchRequestEntries.member.2.Id=2",
		"Action=Subscribe&TopicArn=" + topic + "&Protocol=sqs&Endpoint=arn%3Aaws%3Asqs%3Aus-east-1%3A000000000000%3Aq&Attributes.entry.1.key=FilterPolicy&Attributes.entry.1.value=%7B%22a%22%3A%5B1%5D%7D",
		"Action=Subscribe&TopicArn=" + topic + "&Protocol=http&Endpoint=http%3A%2F%2F%5B%3A%3A1%5D%25%01",
		"Action=CreateTopic&Name=t.fifo&Attributes.entry.1.key=FifoTopic&Attributes.entry.1.value=true&Tags.member.1.Key=a%01&Tags.member.1.Value=%0D",
		"Action=SetTopicAttributes&TopicArn=" + topic + "&AttributeName=DeliveryPolicy&AttributeValue=%7B%22http%22%3A%7B%22defaultHealthyRetryPolicy%22%3A%7B%22numRetries%22%3A100000%7D%7D%7D",
		"Action=AddPermission&TopicArn=" + topic + "&Label=l&AWSAccountId.member.1=111111111111&ActionName.member.1=Publish", "Action=GetTopicAttributes&TopicArn=" + topic,
		"Action=ListTopics&NextToken=AAAA", "Action=ConfirmSubscription&TopicArn=" + topic + "&Token=x", "Action=Unsubscribe&SubscriptionArn=" + topic + "%3A%01",
		"Action=Publish&TopicArn=" + topic + "&MessageStructure=json&Message=%7B%22default%22%3A%22%5Cud800%22%7D", "Action=GetCallerIdentity&Version=2011-06-15", "a.b.1=1&&=&Action", "%zz", "",
	} {
		f.Add(seed, "")
		f.Add("", seed)
	}
	key := &signer{}
	key.makeKey() // one for all, since it takes long
	f.Fuzz(func(t *testing.T, body, query string) {
		s := New(&Options{Queues: newSink(), Transport: newSink()})
		s.signer.once.Do(func() { s.signer.key, s.signer.path = key.key, key.path })
		defer s.Close()
		do := func(body, query string) (int, string) {
			r := httptest.NewRequest("POST", "/", strings.NewReader(body))
			r.URL.RawQuery = query
			w := httptest.NewRecorder()
			ServiceOf(r)
			s.ServeHTTP(w, r)
			return w.Code, w.Body.String()
		}
		do("Action=CreateTopic&Name=t", "")
		do("Action=Subscribe&TopicArn=arn:aws:sns:us-east-1:000000000000:t&Protocol=sqs&Endpoint=arn:aws:sqs:us-east-1:000000000000:q", "")
		status, answer := do(body, query)
		if status >= 500 {
			t.Fatalf("status %d, %s", status, answer)
		}
		for d := xml.NewDecoder(strings.NewReader(answer)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in the answer %s", err, answer)
			}
		}
		ours := form{}
		theirs, err := url.ParseQuery(body)
		if ourErr := ours.parse(body); ourErr == nil && err == nil {
			for name, values := range theirs {
				if ours[name] != values[len(values)-1] {
					t.Errorf("%q: %s is %q, to net/url %q", body, name, ours[name], values)
				}
			}
		}
	})
}

func TestElementsAreInTheOrderOfTheirNumbers(t *testing.T) {
	f := form{}
	if err := f.parse("L.member.10.a=x&L.member.2=y&L.member.2.b=z&L.member.0=0&L.member.01=1&L.member.-1=2&L.member.x=3&L.member=4&Lmember.1=5&L.member.3=w"); err != nil {
		t.Fatal(err)
	}
	if got := f.elements("L.member"); !slices.Equal(got, []string{"L.member.2.", "L.member.3.", "L.member.10."}) {
		t.Errorf("%q", got)
	}
	if got := f.texts("L.member"); !slices.Equal(got, []string{"y", "w", ""}) {
		t.Errorf("%q", got)
	}
}

// Requests that are too much are refused, and take little.
func TestHostileRequestsAreRefused(t *testing.T) {
	s := New(&Options{Queues: newSink()})
	if err := s.Topics().CreateTopic((&call{server: s, region: "us-east-1", account: "000000000000"}).arn("t"), nil, nil); err != nil {
		t.Fatal(err)
	}
	const arn = "&TopicArn=arn:aws:sns:us-east-1:000000000000:t"
	for name, test := range map[string]struct{ method, body, want string }{
		"a large body":             {"POST", "Action=Publish&Message=" + strings.Repeat("x", 4<<20), "<Code>InvalidParameter</Code><Message>Invalid parameter: Message too long</Message>"},
		"a large batch":            {"POST", "Action=PublishBatch&Message=" + strings.Repeat("x", 4<<20), "<Code>BatchRequestTooLong</Code>"},
		"a million parameters":     {"POST", "Action=Publish" + strings.Repeat("&a", 1_000_000), "<Code>MalformedQueryString</Code>"},
		"parameters that are none": {"POST", "Action=%zz", "<Code>MalformedQueryString</Code>"},
		"another method":           {"PUT", "", "<Code>InvalidAction</Code>"},
		"no action":                {"POST", "", "<Code>MissingAction</Code>"},
		"eleven entries":           {"POST", "Action=PublishBatch" + arn + entries(11), "<Code>TooManyEntriesInBatchRequest</Code><Message>The batch request contains more entries than permissible.</Message>"},
		"no entries":               {"POST", "Action=PublishBatch" + arn, "<Code>EmptyBatchRequest</Code><Message>The batch request doesn&#39;t contain any entries.</Message>"},
		"an entry twice":           {"POST", "Action=PublishBatch" + arn + strings.ReplaceAll(entries(2), "Id=2", "Id=1"), "<Code>BatchEntryIdsNotDistinct</Code><Message>Two or more batch entries in the request have the same Id.</Message>"},
		"an id that is none":       {"POST", "Action=PublishBatch" + arn + strings.ReplaceAll(entries(2), "Id=2", "Id=%20"), "<Code>InvalidBatchEntryId</Code>"},
		"a phone":                  {"POST", "Action=Publish&PhoneNumber=%2B1a234&Message=m", "<Message>Invalid parameter: PhoneNumber Reason: +1a234 is not valid to publish to</Message>"},
		"a mobile endpoint":        {"POST", "Action=Publish&TargetArn=arn:aws:sns:us-east-1:000000000000:endpoint/APNS/a/b&Message=m", "<Message>Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified</Message>"},
		"no target":                {"POST", "Action=Publish&Message=m", "<Message>Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter</Message>"},
		"a target":                 {"POST", "Action=Publish&TargetArn=arn:aws:sns:us-east-1:000000000000:t&Message=m", "<MessageId>"},
		"no message":               {"POST", "Action=Publish" + arn, "Value null at &#39;message&#39; failed"},
		"no base64":                {"POST", "Action=Publish" + arn + "&Message=m&MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.DataType=Binary&MessageAttributes.entry.1.Value.BinaryValue=!", "<Code>ParameterValueInvalid</Code>"},
		"a permission twice":       {"POST", "Action=AddPermission" + arn + "&Label=__default_statement_ID&AWSAccountId.member.1=111111111111&ActionName.member.1=Publish", "<Message>Invalid parameter: Statement already exists</Message>"},
		"an action of SQS":         {"POST", "Action=AddPermission" + arn + "&Label=l&AWSAccountId.member.1=111111111111&ActionName.member.1=SendMessage", "<Message>Invalid parameter: Policy statement action out of service scope!</Message>"},
		"no such permission":       {"POST", "Action=RemovePermission" + arn + "&Label=l", "<Message>Invalid parameter: Label Reason: no statement has the label</Message>"},
	} {
		r := httptest.NewRequest(test.method, "/", strings.NewReader(test.body))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), test.want) || w.Code >= 500 || !bytes.Contains(w.Body.Bytes(), []byte("RequestId>")) {
			t.Errorf("%s: %d, %.300s", name, w.Code, w.Body)
		}
	}
}

func entries(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "&PublishBatchRequestEntries.member.%d.Id=%d&PublishBatchRequestEntries.member.%d.Message=m", i+1, i+1, i+1)
	}
	return b.String()
}
