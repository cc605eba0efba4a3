package sqsserver_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
	"omnibus/bus/sqsserver"
)

func TestServerHasAllActions(t *testing.T) {
	want := strings.Fields(`AddPermission CancelMessageMoveTask ChangeMessageVisibility ChangeMessageVisibilityBatch
		CreateQueue DeleteMessage DeleteMessageBatch DeleteQueue GetQueueAttributes GetQueueUrl
		ListDeadLetterSourceQueues ListMessageMoveTasks ListQueueTags ListQueues PurgeQueue ReceiveMessage
		RemovePermission SendMessage SendMessageBatch SetQueueAttributes StartMessageMoveTask TagQueue UntagQueue`)
	if got := sqsserver.Actions(); !slices.Equal(got, want) {
		t.Errorf("actions %v", got)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []sqsserver.Options{
		{Region: "us east"}, {Account: "12"}, {Account: "12345678901x"},
		{ExternalURL: "sqs.example"}, {ExternalURL: "ftp://sqs.example"}, {ExternalURL: "http://user@sqs.example"}, {ExternalURL: "http://sqs.example?a=b"},
	} {
		if sqsserver.CheckOptions(&o) == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	if err := sqsserver.CheckOptions(&sqsserver.Options{}); err != nil {
		t.Error(err)
	}
}

// TestLargestMessagesPass sends what just fits and what just does not, with
// bytes that take the most room on the wire.
func TestLargestMessagesPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		target := c.create("q")
		for _, unit := range []string{"x", "\"", "é", "\U0001F600"} {
			body := strings.Repeat(unit, spec.MaxMessageBytes/len(unit))
			c.send(target, body)
			m := c.receive(target, body)[0]
			_, err := c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: target, ReceiptHandle: m.ReceiptHandle})
			ok(t, err)
			_, err = c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: target, MessageBody: new(body + unit)})
			wantError(t, err, "InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.")
			_, err = c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: target, Entries: []types.SendMessageBatchRequestEntry{
				{Id: new("1"), MessageBody: &body}, {Id: new("2"), MessageBody: new("1")},
			}})
			wantError(t, err, "AWS.SimpleQueueService.BatchRequestTooLong", "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.")
			form := url.Values{"Action": {"SendMessage"}, "MessageBody": {body}}
			status, answer := post(t, c.server, form.Encode(), nil)
			if status != http.StatusOK {
				t.Errorf("Query: %d, %s", status, answer)
			}
			_, err = c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: target, VisibilityTimeout: 43200})
			ok(t, err)
		}
	})
}

// As in the examples of SQS's API reference.
func TestAListOfOneNeedsNoNumberInTheQueryProtocol(t *testing.T) {
	server := sqsserver.New(nil)
	_, err := server.Engine().Create("q", spec.QueueSettings{})
	ok(t, err)
	form := func(body string) (int, string) {
		req := httptest.NewRequest(http.MethodPost, "/000000000000/q", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		server.ServeHTTP(w, req)
		return w.Code, w.Body.String()
	}
	for _, test := range []struct {
		body, want string
		status     int
	}{
		{"Action=SetQueueAttributes&Attribute.Name=VisibilityTimeout&Attribute.Value=35", "<SetQueueAttributesResponse", 200},
		{"Action=GetQueueAttributes&AttributeName=VisibilityTimeout", "<Attribute><Name>VisibilityTimeout</Name><Value>35</Value></Attribute></GetQueueAttributesResult>", 200},
		{"Action=TagQueue&Tag.Key=QueueType&Tag.Value=Production", "<TagQueueResponse", 200},
		{"Action=ListQueueTags", "<Tag><Key>QueueType</Key><Value>Production</Value></Tag>", 200},
		{"Action=UntagQueue&TagKey=QueueType", "<UntagQueueResponse", 200},
		{"Action=ListQueueTags", "<ListQueueTagsResult></ListQueueTagsResult>", 200},
		{"Action=SendMessage&MessageBody=m&MessageAttribute.Name=a&MessageAttribute.Value.DataType=String&MessageAttribute.Value.StringValue=v", "<MD5OfMessageAttributes>", 200},
		{"Action=ReceiveMessage&AttributeName=All&MessageAttributeName=a", "<Name>ApproximateReceiveCount</Name>", 200},
		{"Action=SetQueueAttributes&Attribute.Name=a&Attribute.1.Name=b", "<Code>MalformedQueryString</Code><Message>Attribute.Name: the elements", 400},
		{"Action=GetQueueAttributes&AttributeName.x=All", "<Code>MalformedQueryString</Code>", 400},
	} {
		if status, answer := form(test.body); status != test.status || !strings.Contains(answer, test.want) {
			t.Errorf("%s: %d, %s; want %d, %s", test.body, status, answer, test.status, test.want)
		}
	}
}

func TestOversizedRequestsAreRefused(t *testing.T) {
	server := sqsserver.New(nil)
	big := strings.Repeat("x", 4<<20)
	// An earlier request is of no account, though its memory is used again.
	post(t, server, "Action=SendMessageBatch&x=1", nil)
	if _, answer := post(t, server, "Action=SendMessage&MessageBody="+big, nil); !strings.Contains(answer, "<Code>InvalidParameterValue</Code>") {
		t.Errorf("answered %s", answer)
	}
	for _, test := range []struct {
		target, body, code string
	}{
		{"SendMessage", big, "InvalidParameterValueException"},
		{"SendMessageBatch", big, "com.amazonaws.sqs#BatchRequestTooLong"},
		{"", "Action=SendMessage&MessageBody=" + big, "<Code>InvalidParameterValue</Code>"},
		{"", "Action=SendMessageBatch&SendMessageBatchRequestEntry.1.MessageBody=" + big, "<Code>AWS.SimpleQueueService.BatchRequestTooLong</Code>"},
	} {
		header := http.Header{}
		if test.target != "" {
			header.Set("X-Amz-Target", "AmazonSQS."+test.target)
		}
		for _, known := range []bool{true, false} { // whether the length is known before
			status, answer := postBody(t, server, strings.NewReader(test.body), known, header)
			if status != 400 || !strings.Contains(answer, test.code) {
				if known && test.target == "" { // refused before the action is known
					continue
				}
				t.Errorf("%s, length known %t: %d, %.300s", test.target, known, status, answer)
			}
		}
	}
}

func post(t *testing.T, server *sqsserver.Server, body string, header http.Header) (int, string) {
	t.Helper()
	return postBody(t, server, strings.NewReader(body), true, header)
}

func postBody(t *testing.T, server *sqsserver.Server, body *strings.Reader, lengthKnown bool, header http.Header) (int, string) {
	t.Helper()
	var reader io.Reader = body
	if !lengthKnown {
		reader = io.MultiReader(body)
	}
	path := account + "/q"
	head := make([]byte, 30)
	n, _ := body.ReadAt(head, 0)
	for _, action := range []string{"CreateQueue", "ListQueues"} { // which no queue's URL takes
		if slices.Contains(header["X-Amz-Target"], "AmazonSQS."+action) || strings.HasPrefix(string(head[:n]), "Action="+action) {
			path = ""
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://sqs.test/"+path, reader)
	ok(t, err)
	for name, values := range header {
		r.Header[name] = values
	}
	resp, err := server.Client().Do(r)
	ok(t, err)
	answer, err := io.ReadAll(resp.Body)
	ok(t, err)
	return resp.StatusCode, string(answer)
}

// TestPollOfGoneClientTakesNothing closes a socket in the middle of a long poll.
func TestPollOfGoneClientTakesNothing(t *testing.T) {
	server := sqsserver.New(nil)
	q, err := server.Engine().Create("q", spec.QueueSettings{})
	ok(t, err)
	done := make(chan struct{})
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		server.ServeHTTP(w, r)
	}))
	defer ts.Close()
	conn, err := net.Dial("tcp", ts.Listener.Addr().String())
	ok(t, err)
	body := `{"QueueUrl":"http://h/000000000000/q","WaitTimeSeconds":20}`
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	time.Sleep(20 * time.Millisecond) // real time: sockets are outside a bubble
	ok(t, conn.Close())
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("the poll goes on without its client")
	}
	_, err = q.Send(engine.Message{Body: "m"})
	ok(t, err)
	got, err := q.Receive(t.Context(), engine.ReceiveRequest{})
	ok(t, err)
	if len(got) != 1 || got[0].ReceiveCount != 1 {
		t.Errorf("received %v", got)
	}
}

// waitingContext tells when a poll begins to wait, which is when it asks for the
// channel that ends it.
type waitingContext struct {
	context.Context
	waits func()
}

func (c waitingContext) Done() <-chan struct{} {
	c.waits()
	return c.Context.Done()
}

// A message that is sent in the very moment in which a client hangs up does not go
// to its poll, but can be had at once.
func TestPollTakesNothingSentAsItsClientHangsUp(t *testing.T) {
	server := sqsserver.New(&sqsserver.Options{Engine: engine.New(&engine.Options{Lenient: true})}) // for purges
	begun := make(chan struct{})
	ts := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server.ServeHTTP(w, r.WithContext(waitingContext{r.Context(), sync.OnceFunc(func() { begun <- struct{}{} })}))
	}))
	ts.Config.ConnContext = sqsserver.ConnContext
	ts.Start()
	defer ts.Close()
	for range 100 {
		q, err := server.Engine().Create("q", spec.QueueSettings{})
		ok(t, err)
		conn, err := net.Dial("tcp", ts.Listener.Addr().String())
		ok(t, err)
		body := `{"QueueUrl":"http://h/000000000000/q","WaitTimeSeconds":20}`
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		<-begun
		ok(t, conn.Close())
		_, err = q.Send(engine.Message{Body: "m"})
		ok(t, err)
		got, err := q.Receive(t.Context(), engine.ReceiveRequest{Wait: new(time.Duration(0))})
		ok(t, err)
		if len(got) != 1 || got[0].ReceiveCount != 1 {
			t.Fatalf("received %v", got)
		}
		ok(t, q.Purge())
	}
}

// TestWakeUpOverASocket measures how long a waiting long poll takes to be
// answered.
func TestWakeUpOverASocket(t *testing.T) {
	server := sqsserver.New(nil)
	q, err := server.Engine().Create("q", spec.QueueSettings{})
	ok(t, err)
	ts := httptest.NewServer(server)
	defer ts.Close()
	best := time.Hour
	for range 5 {
		conn, err := net.Dial("tcp", ts.Listener.Addr().String())
		ok(t, err)
		body := `{"QueueUrl":"http://h/000000000000/q","WaitTimeSeconds":20}`
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		time.Sleep(20 * time.Millisecond)
		start := time.Now()
		_, err = q.Send(engine.Message{Body: "m"})
		ok(t, err)
		_, err = bufio.NewReader(conn).ReadString('\n')
		ok(t, err)
		best = min(best, time.Since(start))
		ok(t, conn.Close())
	}
	if best > 5*time.Millisecond {
		t.Errorf("answered in %v at best", best)
	}
}

// TestManyClientsLoseNothing has clients send, receive and delete at the same
// time, with clients that go away among them.
func TestManyClientsLoseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		target := c.create("q")
		const senders, each = 4, 50
		var mu sync.Mutex
		got := map[string]int{}
		var wg sync.WaitGroup
		for i := range senders {
			wg.Go(func() {
				for j := range each {
					c.send(target, fmt.Sprintf("%d-%d", i, j))
					time.Sleep(10 * time.Millisecond)
				}
			})
			wg.Go(func() {
				for {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(3+i)*time.Millisecond)
					out, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: target, MaxNumberOfMessages: 3, WaitTimeSeconds: 20})
					cancel()
					if err != nil {
						mu.Lock()
						n := len(got)
						mu.Unlock()
						if n == senders*each {
							return
						}
						continue
					}
					for _, m := range out.Messages {
						mu.Lock()
						got[*m.Body]++
						mu.Unlock()
						if _, err := c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: target, ReceiptHandle: m.ReceiptHandle}); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		wg.Wait()
		for body, n := range got {
			if n != 1 {
				t.Errorf("%s came %d times", body, n)
			}
		}
		c.wantCounts(target, "0 0 0")
	})
}
