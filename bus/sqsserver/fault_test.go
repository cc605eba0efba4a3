package sqsserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"omnibus/bus/spec"
	"omnibus/bus/sqsserver"
)

// newFaulty returns the SDK, which tries nothing again, on a server with faults, and
// the URL of a queue there, named donors and an end.
func newFaulty(t *testing.T, end string, fault func(*sqsserver.Call) sqsserver.Fault) (*sdk, *string) {
	on := false
	server := sqsserver.New(&sqsserver.Options{Region: region, Account: account, Fault: func(c *sqsserver.Call) (f sqsserver.Fault) {
		if on {
			return fault(c)
		}
		return f
	}})
	c := &sdk{
		Client: sqs.New(sqs.Options{
			Region: region, BaseEndpoint: aws.String(endpoint), HTTPClient: server.Client(), Retryer: aws.NopRetryer{},
			Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		}),
		server: server, t: t,
	}
	url := c.create("donors" + end)
	on = true
	return c, url
}

// What a client sees of a fault of a send, and whether the message is there.
func TestAFaultDoesWhatItSaysBeforeOrAfterTheEffect(t *testing.T) {
	for name, c := range map[string]struct {
		fault sqsserver.Fault
		code  string // of the error; "" where there is none, "-" where it has no code
		takes time.Duration
		sent  int
	}{
		"nothing":               {sqsserver.Fault{}, "", 0, 1},
		"a wait before":         {sqsserver.Fault{Before: time.Minute}, "", time.Minute, 1},
		"a wait after":          {sqsserver.Fault{After: time.Minute}, "", time.Minute, 1},
		"no answer, no effect":  {sqsserver.Fault{Before: time.Hour}, "-", 5 * time.Minute, 0},
		"no answer, an effect":  {sqsserver.Fault{After: time.Hour}, "-", 5 * time.Minute, 1},
		"throttled":             {sqsserver.Fault{Refuse: sqsserver.Throttled}, "ThrottlingException", 0, 0},
		"unavailable":           {sqsserver.Fault{Refuse: sqsserver.Unavailable}, "ServiceUnavailable", 0, 0},
		"refused, with a delay": {sqsserver.Fault{Before: time.Second, Refuse: "AccessDenied", Status: 403}, "AccessDenied", time.Second, 0},
		"dropped before":        {sqsserver.Fault{Drop: sqsserver.DropBefore}, "-", 0, 0},
		"dropped after":         {sqsserver.Fault{Drop: sqsserver.DropAfter}, "-", 0, 1},
		"dropped amid":          {sqsserver.Fault{Drop: sqsserver.DropAmid}, "-", 0, 1},
		"twice":                 {sqsserver.Fault{Twice: true}, "", 0, 2},
		"twice, not answered":   {sqsserver.Fault{Twice: true, Drop: sqsserver.DropAfter}, "-", 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				on := true
				client, url := newFaulty(t, "", func(*sqsserver.Call) (f sqsserver.Fault) {
					if on {
						return c.fault
					}
					return f
				})
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				start := time.Now()
				_, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("m")})
				code := ""
				if err != nil {
					code = "-"
				}
				if api, ok := errors.AsType[smithy.APIError](err); ok {
					code = api.ErrorCode()
				}
				if took := time.Since(start); code != c.code || took != c.takes {
					t.Errorf("a send gives %v after %v; want %q after %v", err, took, c.code, c.takes)
				}
				on = false
				client.wantCounts(url, fmt.Sprint(c.sent, " 0 0"))
			})
		})
	}
}

func TestAFaultFunctionSeesEveryCall(t *testing.T) {
	var seen []sqsserver.Call
	c, url := newFaulty(t, "", func(call *sqsserver.Call) (f sqsserver.Fault) {
		if call.Request.Header.Get("X-Amz-Target") == "" && call.Request.Method != http.MethodPost {
			t.Errorf("%s came with the request %+v", call.Action, call.Request)
		}
		seen = append(seen, *call)
		return f
	})
	c.send(url, "a")
	entries := []types.SendMessageBatchRequestEntry{{Id: aws.String("0"), MessageBody: aws.String("b")}, {Id: aws.String("1"), MessageBody: aws.String("c")}}
	if _, err := c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries}); err != nil {
		t.Fatal(err)
	}
	out, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url})
	if err != nil || len(out.Messages) != 1 {
		t.Fatal(out, err)
	}
	receipt := *out.Messages[0].ReceiptHandle
	if _, err := c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: &receipt}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ListQueues(t.Context(), &sqs.ListQueuesInput{}); err != nil {
		t.Fatal(err)
	}
	form := strings.NewReader("Action=SendMessage&MessageBody=d") // of the Query protocol, to the queue's URL
	if _, err := c.server.Client().Post(*url, "application/x-www-form-urlencoded", form); err != nil {
		t.Fatal(err)
	}
	want := []sqsserver.Call{
		{Action: "SendMessage", Queue: "donors", Entries: []sqsserver.Entry{{Body: "a"}}},
		{Action: "SendMessageBatch", Queue: "donors", Entries: []sqsserver.Entry{{ID: "0", Body: "b"}, {ID: "1", Body: "c"}}},
		{Action: "ReceiveMessage", Queue: "donors"},
		{Action: "DeleteMessage", Queue: "donors", Entries: []sqsserver.Entry{{Receipt: receipt}}},
		{Action: "ListQueues"},
		{Action: "SendMessage", Queue: "donors", Entries: []sqsserver.Entry{{Body: "d"}}},
	}
	for i, got := range seen {
		if i >= len(want) || got.Action != want[i].Action || got.Queue != want[i].Queue || len(got.Entries) != len(want[i].Entries) {
			t.Fatalf("call %d is %+v; want %+v", i, got, want)
		}
		for j, e := range got.Entries {
			if e != want[i].Entries[j] {
				t.Errorf("call %d has the entry %+v; want %+v", i, e, want[i].Entries[j])
			}
		}
	}
	if len(seen) != len(want) {
		t.Errorf("%d calls were seen; want %d", len(seen), len(want))
	}
}

func TestEntriesFailByThemselvesAndAreAnsweredInAnyOrder(t *testing.T) {
	c, url := newFaulty(t, "", func(call *sqsserver.Call) sqsserver.Fault {
		return sqsserver.Fault{Reverse: true, Fail: map[string]spec.Code{"b": sqsserver.InternalError, "c": spec.InvalidMessageContents}}
	})
	var entries []types.SendMessageBatchRequestEntry
	for _, id := range []string{"a", "b", "c", "d"} {
		entries = append(entries, types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &id})
	}
	out, err := c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries})
	if err != nil || len(out.Successful) != 2 || *out.Successful[0].Id != "d" || *out.Successful[1].Id != "a" || len(out.Failed) != 2 {
		t.Fatalf("the batch gives %+v, %v", out, err)
	}
	for _, f := range out.Failed {
		if own := *f.Id == "b"; f.SenderFault == own || own != (*f.Code == "InternalError") {
			t.Errorf("entry %s fails with %s, a fault of the sender's: %v", *f.Id, *f.Code, f.SenderFault)
		}
	}
	c.wantCounts(url, "2 0 0")
}

// A standard queue delivers at least once; a FIFO queue does not forget what it has had.
func TestTwiceIsAsASQSDeliversAtLeastOnce(t *testing.T) {
	twice := func(*sqsserver.Call) sqsserver.Fault { return sqsserver.Fault{Twice: true} }
	c, url := newFaulty(t, "", twice)
	c.send(url, "m")
	c.receive(url, "m m")
	for _, m := range c.receive(url, "m m") { // the same two
		if _, err := c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle}); err != nil {
			t.Error(err)
		}
	}
	c.wantCounts(url, "0 0 0")

	fifo, url := newFaulty(t, ".fifo", twice)
	fifo.sendGroup(url, "g", "m")
	fifo.receive(url, "m")
	fifo.wantCounts(url, "0 1 0")
}

// Over a socket, where net/http drops the connection: the SDK tries again by itself,
// but for an answer that is cut off.
func TestDropsOverASocket(t *testing.T) {
	for drop, again := range map[sqsserver.Drop]bool{sqsserver.DropBefore: true, sqsserver.DropAfter: true, sqsserver.DropAmid: false} {
		tries := 0
		server := sqsserver.New(&sqsserver.Options{Fault: func(c *sqsserver.Call) (f sqsserver.Fault) {
			if tries++; tries == 1 {
				f.Drop = drop
			}
			return f
		}})
		http := httptest.NewServer(server)
		client := sqs.New(sqs.Options{
			Region: region, BaseEndpoint: &http.URL, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
			Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			}),
		})
		if _, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("donors")}); (err == nil) != again || (tries == 2) != again {
			t.Errorf("with drop %d: %v after %d tries", drop, err, tries)
		}
		http.Close()
	}
}

// A server that is told to stop does not wait for its faults.
func TestAWaitEndsWhenTheServerDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, url := newFaulty(t, "", func(*sqsserver.Call) sqsserver.Fault { return sqsserver.Fault{Before: time.Hour, After: time.Hour} })
		time.AfterFunc(time.Minute, c.server.Drain)
		start := time.Now()
		c.send(url, "m")
		if took := time.Since(start); took != time.Minute {
			t.Errorf("a send while the server drains took %v", took)
		}
	})
}

// The memory of a call that had a fault serves one that has none.
func TestAFaultIsOfOneRequest(t *testing.T) {
	faulty := sqsserver.New(&sqsserver.Options{Fault: func(*sqsserver.Call) sqsserver.Fault {
		return sqsserver.Fault{Refuse: sqsserver.Throttled, Status: 418}
	}})
	sound := sqsserver.New(nil)
	for range 100 {
		for server, want := range map[*sqsserver.Server]int{faulty: 418, sound: 200} {
			answer, err := server.Client().Get("http://sqs.test/?Action=ListQueues")
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, answer.Body)
			if answer.StatusCode != want {
				t.Fatalf("the status is %d; want %d", answer.StatusCode, want)
			}
		}
	}
}
