package sqsserver_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
	"omnibus/bus/sqsserver"
)

func hostileServer(t *testing.T) *sqsserver.Server {
	t.Helper()
	server := sqsserver.New(&sqsserver.Options{Account: account})
	_, err := server.Engine().Create("q", spec.QueueSettings{})
	ok(t, err)
	return server
}

func postJSON(t *testing.T, server *sqsserver.Server, action, body string) (int, string) {
	t.Helper()
	return post(t, server, body, http.Header{"X-Amz-Target": {"AmazonSQS." + action}})
}

// TestWrongTypesAreRefused gives every member of every action values of every
// type: the server answers each, and none with a failure of its own.
func TestWrongTypesAreRefused(t *testing.T) {
	server := sqsserver.New(&sqsserver.Options{Account: account, Engine: engine.New(&engine.Options{Lenient: true})})
	server.Drain()
	for _, name := range []string{"q", "q.fifo"} {
		_, err := server.Engine().Create(name, spec.QueueSettings{})
		ok(t, err)
	}
	members := strings.Fields(`QueueUrl QueueName Attributes tags Tags TagKeys AttributeNames MessageBody DelaySeconds
		MessageAttributes MessageSystemAttributes MessageGroupId MessageDeduplicationId Entries ReceiptHandle
		VisibilityTimeout WaitTimeSeconds MaxNumberOfMessages MessageAttributeNames MessageSystemAttributeNames
		ReceiveRequestAttemptId MaxResults NextToken QueueNamePrefix QueueOwnerAWSAccountId Label AWSAccountIds
		Actions SourceArn DestinationArn TaskHandle MaxNumberOfMessagesPerSecond`)
	values := []string{
		`null`, `true`, `1`, `-1`, `1.0`, `1e400`, `-0`, `1e2`, `2147483647`, `-2147483648`, `9223372036854775808`,
		`""`, `"x"`, `"1"`, `"\ud800"`, "\"\xff\"", `"\u0000"`, `[]`, `{}`, `[null]`, `[1]`, `["",null]`, `[[]]`, `[{}]`,
		`{"a":null}`, `{"a":1}`, `{"a":{}}`, `{"":""}`, `{"a":{"DataType":null}}`, `{"a":{"DataType":"String","StringValue":null}}`,
		`{"a":{"DataType":"Binary","BinaryValue":""}}`, `[{"Id":null}]`, `[{"Id":"a"},null]`,
	}
	for _, action := range sqsserver.Actions() {
		if action == "DeleteQueue" {
			continue
		}
		for _, member := range members {
			for _, value := range values {
				for _, queue := range []string{"q", "q.fifo"} {
					body := fmt.Sprintf(`{"QueueUrl":"/%s/%s",%q:%s}`, account, queue, member, value)
					if status, answer := postJSON(t, server, action, body); status != 200 && status != 400 && status != 404 {
						t.Errorf("%s %s: %d, %s", action, body, status, answer)
					}
				}
			}
		}
	}
}

// TestNullsDoNotCount has null in the places where a protocol without nulls has
// nothing.
func TestNullsDoNotCount(t *testing.T) {
	server := hostileServer(t)
	for _, test := range []struct{ action, members, want string }{
		{"CreateQueue", `"QueueName":"other","Attributes":{"DelaySeconds":null},"tags":{"k":null}`, `/other"}`},
		{"ListQueueTags", `"Entries":null`, `{}`},
		{"GetQueueAttributes", `"AttributeNames":[null,"DelaySeconds"]`, `{"Attributes":{"DelaySeconds":"0"}}`},
		{"SendMessage", `"MessageBody":"a","DelaySeconds":null,"MessageGroupId":null,"MessageDeduplicationId":null,"MessageAttributes":null,"MessageSystemAttributes":null`, `"MessageId"`},
		{"ReceiveMessage", `"MaxNumberOfMessages":null,"VisibilityTimeout":null,"MessageAttributeNames":[null]`, `"Body":"a"`},
	} {
		status, answer := postJSON(t, server, test.action, fmt.Sprintf(`{"QueueUrl":"/%s/q",%s}`, account, test.members))
		if status != http.StatusOK || !strings.Contains(answer, test.want) {
			t.Errorf("%s %s: %d, %s; want %s", test.action, test.members, status, answer, test.want)
		}
	}
}

// TestHostileRequestsTakeLittleMemory sends requests of the largest size with as
// many parts as fit.
func TestHostileRequestsTakeLittleMemory(t *testing.T) {
	const size = 3 << 20
	fill := func(before, unit, after string) string {
		return before + strings.Repeat(unit, (size-len(before)-len(after))/len(unit)) + after
	}
	names := func(suffix string) string {
		var b strings.Builder
		b.WriteString("Action=ListQueues")
		for i := 0; b.Len() < size; i++ {
			fmt.Fprintf(&b, "&%x%s", i, suffix)
		}
		return b.String()
	}
	for _, test := range []struct{ action, body, want string }{
		{"SendMessageBatch", fill(`{"QueueUrl":"q","Entries":[{}`, `,{}`, `]}`), "TooManyEntriesInBatchRequest"},
		{"DeleteMessageBatch", fill(`{"QueueUrl":"q","Entries":[{}`, `,{}`, `]}`), "TooManyEntriesInBatchRequest"},
		{"ChangeMessageVisibilityBatch", fill(`{"QueueUrl":"q","Entries":[0`, `,0`, `]}`), "SerializationException"},
		{"ListQueues", fill(`{"x":[0`, `,0`, `]}`), "{}"},
		{"", names(""), "MalformedQueryString"},
		{"", names(".a.a.a.a.a.a=1"), "MalformedQueryString"},
	} {
		server := hostileServer(t)
		header := http.Header{}
		if test.action != "" {
			header.Set("X-Amz-Target", "AmazonSQS."+test.action)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, answer := post(t, server, test.body, header)
		runtime.ReadMemStats(&after)
		if test.want != "{}" && !strings.Contains(answer, test.want) || len(answer) > 1000 {
			t.Errorf("%s %.60s: answered %.200s", test.action, test.body, answer)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 10*size {
			t.Errorf("%s %.60s: took %d MiB", test.action, test.body, n>>20)
		}
	}
}

// TestLongValuesAreCutInErrors keeps answers short that repeat what was sent.
func TestLongValuesAreCutInErrors(t *testing.T) {
	server := hostileServer(t)
	long := strings.Repeat("\x01", 100_000)
	for _, test := range []struct{ action, member string }{
		{"DeleteMessage", "ReceiptHandle"}, {"AddPermission", "Label"}, {"GetQueueAttributes", "AttributeNames"},
		{"PurgeQueue", "QueueUrl"}, {"SendMessage", "MessageGroupId"}, {"ReceiveMessage", "ReceiveRequestAttemptId"},
	} {
		value := fmt.Sprintf("%q", strings.ReplaceAll(long, "\x01", "é/"))
		if test.member == "AttributeNames" {
			value = "[" + value + "]"
		}
		_, answer := postJSON(t, server, test.action, fmt.Sprintf(`{"QueueUrl":"/%s/q","MessageBody":"a",%q:%s}`, account, test.member, value))
		if !strings.Contains(answer, "__type") || len(answer) > 4000 {
			t.Errorf("%s, %s: %d bytes, %.200s", test.action, test.member, len(answer), answer)
		}
	}
}

// TestPollsEndWithTheirQueue has clients wait for messages of a queue that is
// purged, and then deleted.
func TestPollsEndWithTheirQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		target := c.create("q")
		begun := time.Now()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: target, WaitTimeSeconds: 20})
				wantError(t, err, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
			})
		}
		time.Sleep(time.Second)
		_, err := c.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: target})
		ok(t, err)
		time.Sleep(time.Second)
		_, err = c.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: target})
		ok(t, err)
		wg.Wait()
		if took := time.Since(begun); took != 2*time.Second {
			t.Errorf("the polls ended after %v", took)
		}
	})
}
