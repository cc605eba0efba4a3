package sqsserver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"omnibus/bus/engine"
)

func TestMessageArrivesAsItWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		url := c.create("q")
		body := "<a href=\"x\">&amp; \t\r\n é 日本 \U0001F600 \u2028 \\ ]]> \uFFFD</a>"
		in := &sqs.SendMessageInput{
			QueueUrl: url, MessageBody: &body,
			MessageAttributes: map[string]types.MessageAttributeValue{
				"text":      {DataType: new("String"), StringValue: &body},
				"price":     {DataType: new("Number.eur"), StringValue: new("1.50")},
				"binary":    {DataType: new("Binary"), BinaryValue: []byte{0, 1, 0xFF}},
				"a.b-c_d.9": {DataType: new("String"), StringValue: new("100%25")},
			},
			MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{
				"AWSTraceHeader": {DataType: new("String"), StringValue: new("Root=1-5759e988-bd862e3fe1be46a994272793")},
			},
		}
		sent, err := c.SendMessage(t.Context(), in)
		ok(t, err)
		if sent.MD5OfMessageSystemAttributes == nil {
			t.Error("no MD5 of the system attributes")
		}
		time.Sleep(1500 * time.Millisecond)
		m := c.receive(url, body)[0]
		for name, want := range in.MessageAttributes {
			got := m.MessageAttributes[name]
			if *got.DataType != *want.DataType || !bytes.Equal(got.BinaryValue, want.BinaryValue) || got.StringValue != nil && *got.StringValue != *want.StringValue {
				t.Errorf("attribute %s: %v", name, got)
			}
		}
		now := time.Now()
		for name, want := range map[string]string{
			"SenderId":                         account,
			"SentTimestamp":                    fmt.Sprint(now.Add(-1500 * time.Millisecond).UnixMilli()),
			"ApproximateFirstReceiveTimestamp": fmt.Sprint(now.UnixMilli()),
			"ApproximateReceiveCount":          "1",
			"AWSTraceHeader":                   "Root=1-5759e988-bd862e3fe1be46a994272793",
		} {
			if m.Attributes[name] != want {
				t.Errorf("%s is %q, want %q", name, m.Attributes[name], want)
			}
		}
		if *m.MessageId != *sent.MessageId || len(m.Attributes) != 5 {
			t.Errorf("sent %s, received %s with %v", *sent.MessageId, *m.MessageId, m.Attributes)
		}
		time.Sleep(30 * time.Second)
		m = c.receive(url, body)[0]
		if m.Attributes["ApproximateReceiveCount"] != "2" || m.Attributes["ApproximateFirstReceiveTimestamp"] != fmt.Sprint(now.UnixMilli()) {
			t.Errorf("second receive: %v", m.Attributes)
		}
	})
}

func TestReceiveSelectsAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		url := c.create("q", "VisibilityTimeout", "0")
		attribute := func(v string) types.MessageAttributeValue {
			return types.MessageAttributeValue{DataType: new("String"), StringValue: &v}
		}
		_, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{
			QueueUrl: url, MessageBody: new("msg"),
			MessageAttributes: map[string]types.MessageAttributeValue{"Help.Me": attribute("Me"), "Hello": attribute("There"), "General": attribute("Kenobi")},
		})
		ok(t, err)
		for _, test := range []struct {
			names string
			want  string // the MD5 that AWS answered, "" for none
		}{
			{"", ""},
			{"All", "4c360f3fdafd970e05fae2f149d997f5"},
			{"*", "4c360f3fdafd970e05fae2f149d997f5"},
			{".*", "4c360f3fdafd970e05fae2f149d997f5"},
			{"Foo Help", ""},
			{"Hello General", "fca026605781cb4126a1e9044df24232"},
			{"Foo Hello", "a311262e065454b75da111d535b8dacd"},
			{"Hel.*", "83fee93c1bcd8b9a5a923ffacdc636c7"},
			{"AWS.", ""},
			{"..foo", ""},
		} {
			out, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, MessageAttributeNames: strings.Fields(test.names)})
			ok(t, err)
			got := ""
			if sum := out.Messages[0].MD5OfMessageAttributes; sum != nil {
				got = *sum
			}
			if got != test.want || out.Messages[0].Attributes != nil {
				t.Errorf("%q: MD5 %q of %v, want %q", test.names, got, out.Messages[0].MessageAttributes, test.want)
			}
		}
		_, answer := post(t, c.server, `{"AttributeNames":["SenderId","VisibilityTimeout"]}`, http.Header{"X-Amz-Target": {"AmazonSQS.ReceiveMessage"}})
		if !strings.Contains(answer, `"Attributes":{"SenderId":"`+account+`"}`) {
			t.Errorf("by AttributeNames: %s", answer)
		}
		_, err = c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"Foo"}})
		wantError(t, err, "InvalidAttributeName", "Unknown Attribute Foo.")
	})
}

func TestLongPoll(t *testing.T) {
	poll := func(c *sdk, ctx context.Context, url *string) (int, time.Duration, error) {
		start := time.Now()
		out, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
		if err != nil {
			return 0, time.Since(start), err
		}
		return len(out.Messages), time.Since(start), nil
	}
	t.Run("wakes at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newSDK(t, nil)
			url := c.create("q")
			time.AfterFunc(3*time.Second, func() { c.send(url, "m") })
			if n, took, err := poll(c, t.Context(), url); n != 1 || took != 3*time.Second {
				t.Errorf("%d messages after %v, %v", n, took, err)
			}
			synctest.Wait()
		})
	})
	t.Run("ends empty after its wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newSDK(t, nil)
			if n, took, err := poll(c, t.Context(), c.create("q")); n != 0 || took != 20*time.Second || err != nil {
				t.Errorf("%d messages after %v, %v", n, took, err)
			}
		})
	})
	t.Run("takes the queue's own wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newSDK(t, nil)
			url := c.create("q", "ReceiveMessageWaitTimeSeconds", "7")
			start := time.Now()
			c.receive(url, "")
			if took := time.Since(start); took != 7*time.Second {
				t.Errorf("took %v", took)
			}
		})
	})
	t.Run("takes nothing when its client has gone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newSDK(t, nil)
			url := c.create("q")
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if _, took, err := poll(c, ctx, url); took != 2*time.Second || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("ended after %v: %v", took, err)
			}
			c.send(url, "m")
			if m := c.receive(url, "m")[0]; m.Attributes["ApproximateReceiveCount"] != "1" {
				t.Errorf("the message was received before: %v", m.Attributes)
			}
		})
	})
	t.Run("answers empty when the server drains", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newSDK(t, nil)
			url := c.create("q")
			time.AfterFunc(time.Second, c.server.Drain)
			if n, took, err := poll(c, t.Context(), url); n != 0 || took != time.Second || err != nil {
				t.Errorf("%d messages after %v, %v", n, took, err)
			}
			if n, took, err := poll(c, t.Context(), url); n != 0 || took != 0 || err != nil {
				t.Errorf("while draining: %d messages after %v, %v", n, took, err)
			}
			c.send(url, "m")
			c.receive(url, "m")
		})
	})
	t.Run("fails when the queue is deleted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newSDK(t, nil)
			url := c.create("q")
			time.AfterFunc(time.Second, func() { _, _ = c.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: url}) })
			_, _, err := poll(c, t.Context(), url)
			wantError(t, err, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
			synctest.Wait()
		})
	})
}

func TestBatchesSucceedAndFailByEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		url := c.create("q")
		sent, err := c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{
			{Id: new("1"), MessageBody: new("a")},
			{Id: new("2"), MessageBody: new("b"), DelaySeconds: 901},
			{Id: new("3"), MessageBody: new("c\x01")},
			{Id: new("4"), MessageBody: new("d")},
		}})
		ok(t, err)
		if len(sent.Successful) != 2 || *sent.Successful[1].Id != "4" || len(sent.Failed) != 2 {
			t.Fatalf("sent %v, failed %v", sent.Successful, sent.Failed)
		}
		wantFailed(t, sent.Failed[0], "2", "InvalidParameterValue", "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.")
		wantFailed(t, sent.Failed[1], "3", "InvalidMessageContents", "'#x1'")

		ms := c.receive(url, "a d")
		changed, err := c.ChangeMessageVisibilityBatch(t.Context(), &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: url, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
			{Id: new("1"), ReceiptHandle: ms[0].ReceiptHandle, VisibilityTimeout: 100},
			{Id: new("2"), ReceiptHandle: new("junk"), VisibilityTimeout: 100},
			{Id: new("3"), ReceiptHandle: ms[1].ReceiptHandle, VisibilityTimeout: 43201},
		}})
		ok(t, err)
		if len(changed.Successful) != 1 || *changed.Successful[0].Id != "1" || len(changed.Failed) != 2 {
			t.Fatalf("changed %v, failed %v", changed.Successful, changed.Failed)
		}
		wantFailed(t, changed.Failed[0], "2", "ReceiptHandleIsInvalid", `The input receipt handle "`)
		wantFailed(t, changed.Failed[1], "3", "InvalidParameterValue", "Value 43201 for parameter VisibilityTimeout is invalid.")

		time.Sleep(60 * time.Second)
		c.wantCounts(url, "1 1 0")
		deleted, err := c.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: []types.DeleteMessageBatchRequestEntry{
			{Id: new("1"), ReceiptHandle: ms[0].ReceiptHandle},
			{Id: new("2"), ReceiptHandle: new("junk")},
		}})
		ok(t, err)
		if len(deleted.Successful) != 1 || *deleted.Successful[0].Id != "1" || len(deleted.Failed) != 1 {
			t.Fatalf("deleted %v, failed %v", deleted.Successful, deleted.Failed)
		}
		wantFailed(t, deleted.Failed[0], "2", "ReceiptHandleIsInvalid", `The input receipt handle "`)
		c.wantCounts(url, "1 0 0")
	})
}

func wantFailed(t *testing.T, got types.BatchResultErrorEntry, id, code, text string) {
	t.Helper()
	if *got.Id != id || *got.Code != code || !strings.Contains(*got.Message, text) || !got.SenderFault {
		t.Errorf("failed entry %s %s %q, want %s %s %q", *got.Id, *got.Code, *got.Message, id, code, text)
	}
}

func TestFIFOOverTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		url := c.create("q.fifo")
		first := c.sendGroup(url, "g", "1")
		second := c.sendGroup(url, "g", "2")
		again := c.sendGroup(url, "g", "1")
		if len(*first.SequenceNumber) != 20 || *first.SequenceNumber >= *second.SequenceNumber || *again.MessageId != *first.MessageId {
			t.Errorf("sequence numbers %s, %s; ids %s, %s", *first.SequenceNumber, *second.SequenceNumber, *first.MessageId, *again.MessageId)
		}
		in := &sqs.ReceiveMessageInput{QueueUrl: url, ReceiveRequestAttemptId: new("attempt"), MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}}
		one, err := c.ReceiveMessage(t.Context(), in)
		ok(t, err)
		two, err := c.ReceiveMessage(t.Context(), in)
		ok(t, err)
		if len(one.Messages) != 1 || len(two.Messages) != 1 || *one.Messages[0].ReceiptHandle != *two.Messages[0].ReceiptHandle {
			t.Fatalf("the same attempt got %v, then %v", one.Messages, two.Messages)
		}
		a := one.Messages[0].Attributes
		if a["MessageGroupId"] != "g" || a["MessageDeduplicationId"] != "1" || a["SequenceNumber"] != *first.SequenceNumber {
			t.Errorf("attributes %v", a)
		}
		c.receive(url, "") // the group is locked
		time.Sleep(30 * time.Second)
		_, err = c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: one.Messages[0].ReceiptHandle})
		wantError(t, err, "InvalidParameterValue", "Value "+*one.Messages[0].ReceiptHandle+" for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.")
		c.receive(url, "1 2")
	})
}

func TestDeduplicationByGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		url := c.create("q.fifo", "DeduplicationScope", "messageGroup", "FifoThroughputLimit", "perMessageGroupId")
		c.sendGroup(url, "a", "m")
		c.sendGroup(url, "b", "m")
		c.sendGroup(url, "b", "m")
		c.receive(url, "m m")
	})
}

func TestNoisyTenantYields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		url := c.create("q")
		send := func(group, body string) {
			_, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body, MessageGroupId: &group})
			ok(t, err)
		}
		for range 60 {
			send("loud", "x")
		}
		send("quiet", "q")
		for range 3 { // 30 in flight make a noisy neighbour
			c.receive(url, "x x x x x x x x x x")
		}
		c.receive(url, "q x x x x x x x x x")
	})
}

func TestMessagesRunOutWithoutPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		url := c.create("q", "MessageRetentionPeriod", "60", "DelaySeconds", "5")
		c.send(url, "m")
		c.wantCounts(url, "0 0 1")
		time.Sleep(5 * time.Second)
		c.wantCounts(url, "1 0 0")
		c.receive(url, "m")
		c.wantCounts(url, "0 1 0")
		time.Sleep(30 * time.Second)
		c.wantCounts(url, "1 0 0")
		time.Sleep(25 * time.Second)
		c.wantCounts(url, "0 0 0")
	})
}

func TestStandardQueueHas120000InFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		url := c.create("q")
		q, err := c.server.Engine().Queue("q")
		ok(t, err)
		for range 120_001 {
			_, err := q.Send(engine.Message{Body: "m"})
			ok(t, err)
		}
		for range 12_000 {
			_, err := q.Receive(t.Context(), engine.ReceiveRequest{Max: 10})
			ok(t, err)
		}
		_, err = c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url})
		wantError(t, err, "OverLimit", "120000")
		start := time.Now()
		_, err = c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 5})
		ok(t, err)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("a long poll took %v", took)
		}
	})
}
