package sqsserver_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// deadLetters returns a queue whose messages go to another at their second
// receive, with n that have gone there.
func deadLetters(c *sdk, suffix string, n int) (source, dead *string, deadARN string) {
	c.t.Helper()
	dead = c.create("dead" + suffix)
	deadARN = "arn:aws:sqs:" + region + ":" + account + ":dead" + suffix
	source = c.create("source"+suffix, "VisibilityTimeout", "0", "RedrivePolicy", `{"deadLetterTargetArn":"`+deadARN+`","maxReceiveCount":"1"}`)
	for i := range n {
		_, err := c.SendMessage(c.t.Context(), &sqs.SendMessageInput{
			QueueUrl: source, MessageBody: new(fmt.Sprintf("m%d", i)),
			MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{"AWSTraceHeader": {DataType: new("String"), StringValue: new("Root=1")}},
		})
		ok(c.t, err)
		c.receive(source, fmt.Sprintf("m%d", i))
		c.receive(source, "")
	}
	return source, dead, deadARN
}

func TestDeadLettersTellWhereTheyCameFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		source, dead, _ := deadLetters(c, "", 1)
		a := c.receive(dead, "m0")[0].Attributes
		if a["DeadLetterQueueSourceArn"] != "arn:aws:sqs:"+region+":"+account+":source" || a["AWSTraceHeader"] != "Root=1" || a["ApproximateReceiveCount"] != "2" {
			t.Errorf("attributes %v", a)
		}
		out, err := c.ListDeadLetterSourceQueues(t.Context(), &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: dead, MaxResults: new(int32(1))})
		ok(t, err)
		if len(out.QueueUrls) != 1 || out.QueueUrls[0] != *source || out.NextToken != nil {
			t.Errorf("sources %v", out.QueueUrls)
		}
	})
}

func TestRedriveAllowPolicyIsEnforced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		c.create("dead", "RedriveAllowPolicy", `{"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sqs:`+region+":"+account+`:good"]}`)
		policy := `{"deadLetterTargetArn":"arn:aws:sqs:` + region + ":" + account + `:dead","maxReceiveCount":1}`
		c.create("good", "RedrivePolicy", policy)
		_, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: new("bad"), Attributes: map[string]string{"RedrivePolicy": policy}})
		wantError(t, err, "InvalidParameterValue", "does not allow queue bad")
	})
}

// tasks lists the move tasks of a queue as "STATUS moved/toMove".
func tasks(c *sdk, arn string) (out []string, latest types.ListMessageMoveTasksResultEntry) {
	c.t.Helper()
	list, err := c.ListMessageMoveTasks(c.t.Context(), &sqs.ListMessageMoveTasksInput{SourceArn: &arn, MaxResults: new(int32(10))})
	ok(c.t, err)
	for _, r := range list.Results {
		out = append(out, fmt.Sprintf("%s %d/%d", *r.Status, r.ApproximateNumberOfMessagesMoved, *r.ApproximateNumberOfMessagesToMove))
	}
	if len(list.Results) > 0 {
		latest = list.Results[0]
	}
	return out, latest
}

func wantTasks(c *sdk, arn string, want ...string) types.ListMessageMoveTasksResultEntry {
	c.t.Helper()
	got, latest := tasks(c, arn)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		c.t.Fatalf("tasks %v, want %v", got, want)
	}
	return latest
}

func TestMoveTask(t *testing.T) {
	start := func(c *sdk, arn, to string, rate int32) error {
		in := &sqs.StartMessageMoveTaskInput{SourceArn: &arn}
		if to != "" {
			in.DestinationArn = &to
		}
		if rate != 0 {
			in.MaxNumberOfMessagesPerSecond = &rate
		}
		_, err := c.StartMessageMoveTask(c.t.Context(), in)
		return err
	}
	t.Run("moves messages back at its rate", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newSDK(t, nil)
			source, dead, arn := deadLetters(c, "", 5)
			ok(t, start(c, arn, "", 2))
			latest := wantTasks(c, arn, "RUNNING 0/5")
			if latest.TaskHandle == nil || latest.DestinationArn != nil || *latest.MaxNumberOfMessagesPerSecond != 2 || latest.StartedTimestamp != time.Now().UnixMilli() {
				t.Errorf("running: %+v", latest)
			}
			time.Sleep(1100 * time.Millisecond)
			wantTasks(c, arn, "RUNNING 2/5")
			c.wantCounts(dead, "3 0 0")
			time.Sleep(2 * time.Second)
			if latest := wantTasks(c, arn, "COMPLETED 5/5"); latest.TaskHandle != nil {
				t.Error("a task that has ended has a handle")
			}
			c.wantCounts(source, "5 0 0")
			if m := c.receive(source, "m0 m1 m2 m3 m4")[0]; m.Attributes["ApproximateReceiveCount"] != "1" || m.Attributes["AWSTraceHeader"] != "Root=1" {
				t.Errorf("moved message: %v", m.Attributes)
			}
		})
	})
	t.Run("moves messages elsewhere, 500 a second", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newSDK(t, nil)
			_, dead, arn := deadLetters(c, "", 0)
			for range 120 {
				c.send(dead, "m")
			}
			elsewhere := c.create("elsewhere")
			ok(t, start(c, arn, strings.Replace(arn, "dead", "elsewhere", 1), 0))
			time.Sleep(150 * time.Millisecond)
			wantTasks(c, arn, "RUNNING 50/120")
			time.Sleep(200 * time.Millisecond)
			wantTasks(c, arn, "COMPLETED 120/120")
			c.wantCounts(elsewhere, "120 0 0")
		})
	})
	t.Run("stops when cancelled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newSDK(t, nil)
			_, dead, arn := deadLetters(c, "", 5)
			ok(t, start(c, arn, "", 1))
			handle := wantTasks(c, arn, "RUNNING 0/5").TaskHandle
			wantError(t, start(c, arn, "", 1), "InvalidParameterValue", "There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
			time.Sleep(2500 * time.Millisecond)
			out, err := c.CancelMessageMoveTask(t.Context(), &sqs.CancelMessageMoveTaskInput{TaskHandle: handle})
			ok(t, err)
			if out.ApproximateNumberOfMessagesMoved != 2 {
				t.Errorf("moved %d", out.ApproximateNumberOfMessagesMoved)
			}
			time.Sleep(time.Minute)
			c.wantCounts(dead, "3 0 0")
			ok(t, start(c, arn, "", 1))
			wantTasks(c, arn, "RUNNING 0/3", "CANCELLED 2/5")
			_, err = c.CancelMessageMoveTask(t.Context(), &sqs.CancelMessageMoveTaskInput{TaskHandle: handle})
			wantError(t, err, "InvalidParameterValue", "Task is not active.")
		})
	})
	t.Run("fails when its destination goes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newSDK(t, nil)
			_, _, arn := deadLetters(c, "", 5)
			elsewhere := c.create("elsewhere")
			ok(t, start(c, arn, strings.Replace(arn, "dead", "elsewhere", 1), 1))
			time.Sleep(3500 * time.Millisecond)
			_, err := c.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: elsewhere})
			ok(t, err)
			time.Sleep(time.Second)
			if latest := wantTasks(c, arn, "FAILED 3/5"); *latest.FailureReason != "AWS.SimpleQueueService.NonExistentQueue" {
				t.Errorf("reason %s", *latest.FailureReason)
			}
		})
	})
	t.Run("is refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newSDK(t, nil)
			_, _, arn := deadLetters(c, "", 0)
			prefix := strings.TrimSuffix(arn, "dead")
			for _, test := range []struct {
				from, to string
				rate     int32
				code     string
				text     string
			}{
				{prefix + "source", "", 0, "InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue."},
				{prefix + "none", "", 0, "ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist."},
				{"dead", "", 0, "InvalidParameterValue", "You must use this format to specify the SourceArn"},
				{arn, prefix + "none", 0, "ResourceNotFoundException", "The resource that you specified for the DestinationArn parameter doesn't exist."},
				{arn, "", 501, "InvalidParameterValue", "for parameter MaxNumberOfMessagesPerSecond is invalid."},
				{arn, arn, 0, "InvalidParameterValue", "The destination queue must be another queue"},
			} {
				wantError(t, start(c, test.from, test.to, test.rate), test.code, test.text)
			}
			cancel := func(handle string) error {
				_, err := c.CancelMessageMoveTask(t.Context(), &sqs.CancelMessageMoveTaskInput{TaskHandle: &handle})
				return err
			}
			wantError(t, cancel("junk"), "InvalidParameterValue", "Value for parameter TaskHandle is invalid.")
			ok(t, start(c, arn, "", 1))
			handle := *wantTasks(c, arn, "RUNNING 0/0").TaskHandle
			time.Sleep(1100 * time.Millisecond)
			wantTasks(c, arn, "COMPLETED 0/0")
			wantError(t, cancel(handle[:4]), "InvalidParameterValue", "Value for parameter TaskHandle is invalid.")
		})
	})
}
