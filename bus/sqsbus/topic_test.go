package sqsbus

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/smithy-go"
	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus"
)

// An snsEndpoint takes PublishBatch in the Query protocol.
type snsEndpoint struct {
	mu    sync.Mutex // guards all below
	calls []url.Values
	fault int // how many requests are answered with 503
}

func (s *snsEndpoint) Do(req *http.Request) (*http.Response, error) {
	if !sleep(req.Context(), 5*time.Millisecond) {
		return nil, req.Context().Err()
	}
	body, _ := io.ReadAll(req.Body)
	form, _ := url.ParseQuery(string(body))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, form)
	answer := func(status int, xml string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"text/xml"}}, Body: io.NopCloser(strings.NewReader(xml))}, nil
	}
	if s.fault > 0 {
		s.fault--
		return answer(503, `<ErrorResponse><Error><Type>Receiver</Type><Code>InternalError</Code></Error></ErrorResponse>`)
	}
	if !strings.HasSuffix(form.Get("TopicArn"), ":donations") {
		return answer(404, `<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code></Error></ErrorResponse>`)
	}
	members := ""
	for i := 10; i > 0; i-- {
		entry := fmt.Sprintf("PublishBatchRequestEntries.member.%d.", i)
		if id := form.Get(entry + "Id"); form.Has(entry + "Id") {
			members += "<member><Id>" + id + "</Id><MessageId>id of " + form.Get(entry+"Message") + "</MessageId></member>"
		}
	}
	return answer(200, `<PublishBatchResponse><PublishBatchResult><Failed/><Successful>`+members+`</Successful></PublishBatchResult></PublishBatchResponse>`)
}

func openTopic(t *testing.T, s *snsEndpoint, arn string) *bus.Queue {
	var mux bus.Mux
	New(&Options{HTTPClient: s}).Register(&mux)
	q, err := mux.Open(t.Context(), SchemeSNS+":///"+arn+"?endpoint=http://127.0.0.1:9911")
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestMessagesToATopicAreJoinedAndEachHasItsOwnOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &snsEndpoint{fault: 1}
		q := openTopic(t, s, topicARN)
		defer shutDown(t, q)
		ms := messages(20)
		var ids [20]bus.SentMessage
		for i, m := range ms {
			bus.StoreSent(m, &ids[i])
			bus.SetAttribute(m, "Donation", bus.Number("97.50"))
		}
		ms[7].Body = []byte("\x00")
		bus.Delay(ms[9], time.Second)
		for i, err := range sendAll(t, q, ms) {
			switch {
			case i == 7:
				check(t, "a bad message", err, gcerrors.InvalidArgument)
			case i == 9:
				if !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("a delay: %v", err)
				}
			case err != nil || ids[i].ID != fmt.Sprint("id of m", i):
				t.Errorf("message %d was sent as %q, %v", i, ids[i].ID, err)
			}
		}
		if n := len(s.calls); n > 5 {
			t.Errorf("%d requests for 18 messages", n)
		}
		if got := s.calls[0].Get("PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Value.DataType"); got != "Number" {
			t.Errorf("the attribute was sent as %q", got)
		}
	})
}

func TestATopicIsToSendToOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openTopic(t, new(snsEndpoint), "arn:aws:sns:us-east-1:000000000000:other")
		defer shutDown(t, q)
		check(t, "send to no topic", q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("x")}), gcerrors.NotFound)
		if q.Subscription != nil {
			t.Error("a topic has a subscription")
		}
		for _, c := range bus.Controls() {
			if want := c == bus.ControlTypes || c == bus.ControlGroups; q.Supports(c) != want {
				t.Errorf("Supports(%q) is %t", c, !want)
			}
		}
		if err := q.Purge(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("purging a topic: %v", err)
		}
	})
}

func TestATopicsErrorHasTheCodeThatAWSSentBehindOneThatTheDriverKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openTopic(t, new(snsEndpoint), "arn:aws:sns:us-east-1:000000000000:other")
		defer shutDown(t, q)
		err := q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("x")})
		var first, sent smithy.APIError
		if !q.Topic.ErrorAs(err, &first) || first.ErrorCode() != "QueueDoesNotExist" {
			t.Fatalf("%v begins with %v", err, first)
		}
		if !errors.As(errors.Unwrap(first), &sent) || sent.ErrorCode() != "NotFound" {
			t.Errorf("%v has the error %v; AWS sent NotFound", err, sent)
		}
		if first.ErrorMessage() != sent.ErrorMessage() || first.ErrorFault() != smithy.FaultClient {
			t.Errorf("the driver sees the text %q, fault %v", first.ErrorMessage(), first.ErrorFault())
		}
	})
}

func TestWhatIsSaidOfAMessageToATopicIsRefusedWithItsCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openTopic(t, new(snsEndpoint), topicARN)
		defer shutDown(t, q)
		m := &pubsub.Message{Body: []byte("m"), Metadata: map[string]string{"a": "1"}}
		bus.SetAttribute(m, "a", bus.String("2"))
		check(t, "two attributes of one name", q.Topic.Send(t.Context(), m), gcerrors.InvalidArgument)
		m = &pubsub.Message{Body: []byte("m")}
		bus.Group(m, "a group")
		check(t, "a group with a space", q.Topic.Send(t.Context(), m), gcerrors.InvalidArgument)
	})
}
