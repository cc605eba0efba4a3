package sqsserver_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"omnibus/bus/engine"
)

func TestQueueURLsResolveByTheirPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		url := c.create("q")
		if want := endpoint + "/" + account + "/q"; *url != want {
			t.Errorf("QueueUrl %s, want %s", *url, want)
		}
		for _, u := range []string{
			"https://sqs.eu-central-1.amazonaws.com/" + account + "/q",
			"http://127.0.0.1:9324/" + account + "/q",
			"http://proxy/some/path/" + account + "/q",
			"/" + account + "/q",
			endpoint + "/" + account + "/q/", // as a .NET client sends it
			"q",
		} {
			_, err := c.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: &u})
			ok(t, err)
			time.Sleep(time.Minute)
		}
		for u, want := range map[string][2]string{
			endpoint + "/" + account + "/other":  {"AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."},
			endpoint + "/999999999999/q":         {"AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."},
			endpoint:                             {"InvalidAddress", "The address " + endpoint + " is not valid for this endpoint."},
			endpoint + "/":                       {"InvalidAddress", "is not valid for this endpoint."},
			endpoint + "/q":                      {"AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."}, // recorded
			"other":                              {"AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."},
			"":                                   {"MissingParameter", "The request must contain the parameter QueueUrl."},
			endpoint + "/" + account + "/q\x00":  {"AWS.SimpleQueueService.NonExistentQueue", ""},
			endpoint + "/" + account + "/q/../q": {"AWS.SimpleQueueService.NonExistentQueue", ""},
		} {
			_, err := c.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: &u})
			wantError(t, err, want[0], want[1])
		}
		got, err := c.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: new("q"), QueueOwnerAWSAccountId: new(account)})
		ok(t, err)
		if *got.QueueUrl != *url {
			t.Errorf("GetQueueUrl %s", *got.QueueUrl)
		}
		_, err = c.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: new("q"), QueueOwnerAWSAccountId: new("999999999999")})
		wantError(t, err, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
	})
}

func TestCreateQueueRefuses(t *testing.T) {
	const badName = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
	const badFIFO = "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length."
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		c.create("std")
		arn := "arn:aws:sqs:" + region + ":" + account + ":"
		redrive := func(target string, n any) string {
			b, err := json.Marshal(map[string]any{"deadLetterTargetArn": target, "maxReceiveCount": n})
			ok(t, err)
			return string(b)
		}
		for _, test := range []struct{ name, attribute, value, code, text string }{
			{"a b", "", "", "InvalidParameterValue", badName},
			{strings.Repeat("x", 81), "", "", "InvalidParameterValue", badName},
			{"q.fifo", "", "", "InvalidParameterValue", badName},
			{"q", "FifoQueue", "true", "InvalidParameterValue", badFIFO},
			{"q", "FifoQueue", "false", "InvalidAttributeName", "Unknown Attribute FifoQueue."},
			{"q", "ContentBasedDeduplication", "true", "InvalidAttributeName", "Unknown Attribute ContentBasedDeduplication."},
			{"q", "Foo", "1", "InvalidAttributeName", "Unknown Attribute Foo."},
			{"q", "QueueArn", "x", "InvalidAttributeName", "Unknown Attribute QueueArn."},
			{"q", "DelaySeconds", "901", "InvalidAttributeValue", "Invalid value for the parameter DelaySeconds."},
			{"q", "DelaySeconds", "-1", "InvalidAttributeValue", "Invalid value for the parameter DelaySeconds."},
			{"q", "DelaySeconds", "1.5", "InvalidAttributeValue", "Invalid value for the parameter DelaySeconds."},
			{"q", "VisibilityTimeout", "43201", "InvalidAttributeValue", "Invalid value for the parameter VisibilityTimeout."},
			{"q", "MessageRetentionPeriod", "59", "InvalidAttributeValue", "Invalid value for the parameter MessageRetentionPeriod."},
			{"q", "ReceiveMessageWaitTimeSeconds", "21", "InvalidAttributeValue", "Invalid value for the parameter ReceiveMessageWaitTimeSeconds."},
			{"q", "MaximumMessageSize", "1048577", "InvalidAttributeValue", "Invalid value for the parameter MaximumMessageSize."},
			{"q", "MaximumMessageSize", "99999999999999999999", "InvalidAttributeValue", "Invalid value for the parameter MaximumMessageSize."},
			{"q", "Policy", "{", "InvalidAttributeValue", "Invalid value for the parameter Policy."},
			{"q", "SqsManagedSseEnabled", "maybe", "InvalidAttributeValue", "Invalid value for the parameter SqsManagedSseEnabled."},
			{"q", "KmsDataKeyReusePeriodSeconds", "59", "InvalidAttributeValue", "Invalid value for the parameter KmsDataKeyReusePeriodSeconds."},
			{"q", "RedrivePolicy", "{", "InvalidParameterValue", "for parameter RedrivePolicy is invalid. Reason: Redrive policy is not a valid JSON map."},
			{"q", "RedrivePolicy", "{}", "InvalidParameterValue", "Redrive policy does not contain mandatory attribute: maxReceiveCount."},
			{"q", "RedrivePolicy", `{"maxReceiveCount":1}`, "InvalidParameterValue", "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."},
			{"q", "RedrivePolicy", `{"maxReceiveCount":1,"deadLetterTargetArn":7}`, "InvalidParameterValue", "Invalid value for deadLetterTargetArn."},
			{"q", "RedrivePolicy", `{"maxReceiveCount":1,"deadLetterTargetArn":"` + arn + `std","x":1}`, "InvalidParameterValue", "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount]."},
			{"q", "RedrivePolicy", redrive("dummy", 1), "InvalidParameterValue", "Value " + redrive("dummy", 1) + " for parameter RedrivePolicy is invalid. Reason: Invalid value for deadLetterTargetArn."},
			{"q", "RedrivePolicy", redrive(arn+"none", 1), "InvalidParameterValue", "Dead letter target does not exist."},
			{"q", "RedrivePolicy", redrive(arn+"std", 1001), "InvalidParameterValue", "Invalid value for maxReceiveCount: 1001, valid values are from 1 to 1000 both inclusive."},
			{"q", "RedriveAllowPolicy", `{"redrivePermission":"some"}`, "InvalidAttributeValue", "Invalid value for the parameter RedriveAllowPolicy."},
			{"std", "DelaySeconds", "1", "QueueAlreadyExists", "A queue already exists with the same name and a different value for attribute DelaySeconds"},
			{"std", "KmsMasterKeyId", "key", "QueueAlreadyExists", "A queue already exists with the same name and a different value for attribute KmsMasterKeyId"},
		} {
			in := &sqs.CreateQueueInput{QueueName: &test.name}
			if test.attribute != "" {
				in.Attributes = map[string]string{test.attribute: test.value}
			}
			_, err := c.CreateQueue(t.Context(), in)
			wantError(t, err, test.code, test.text)
		}
		_, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: new("q.fifo"), Attributes: map[string]string{"FifoQueue": "true", "RedrivePolicy": redrive(arn+"std", "3")}})
		wantError(t, err, "InvalidParameterValue", "Dead-letter queue must be same type of queue as the source.")
	})
}

func TestCreateQueueAgainGivesTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		url := c.create("q", "DelaySeconds", "5")
		c.send(url, "m")
		if again := c.create("q", "DelaySeconds", "5"); *again != *url {
			t.Errorf("%s, then %s", *url, *again)
		}
		c.create("q")
		c.create("q", "SqsManagedSseEnabled", "true") // as it is by default
		c.create("q.fifo")
		c.create("q.fifo", "FifoThroughputLimit", "perQueue", "DeduplicationScope", "queue")
		c.wantCounts(url, "0 0 1")
		_, err := c.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: url})
		ok(t, err)
		_, err = c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: new("q")})
		wantError(t, err, "AWS.SimpleQueueService.QueueDeletedRecently", "You must wait 60 seconds after deleting a queue before you can create another with the same name.")
		time.Sleep(time.Minute)
		c.create("q")
	})
}

func TestPurgeWorksOnceAMinute(t *testing.T) {
	for _, lenient := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := newSDK(t, &engine.Options{Lenient: lenient})
			url := c.create("q")
			for range 2 {
				c.send(url, "m")
				_, err := c.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: url})
				ok(t, err)
				c.wantCounts(url, "0 0 0")
				_, err = c.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: url})
				if lenient {
					ok(t, err)
				} else {
					wantError(t, err, "AWS.SimpleQueueService.PurgeQueueInProgress", "Only one PurgeQueue operation on q is allowed every 60 seconds.")
				}
				time.Sleep(time.Minute)
			}
		})
	}
}

func TestAttributesComeBackAsTheyWereSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		created := fmt.Sprint(time.Now().Unix())
		std, fifo := c.create("q"), c.create("q.fifo")
		dead := c.create("dead")
		want := map[string]string{
			"QueueArn":                    "arn:aws:sqs:" + region + ":" + account + ":q",
			"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0", "ApproximateNumberOfMessagesDelayed": "0",
			"CreatedTimestamp": created, "LastModifiedTimestamp": created,
			"VisibilityTimeout": "30", "MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600", "DelaySeconds": "0",
			"ReceiveMessageWaitTimeSeconds": "0", "SqsManagedSseEnabled": "true",
		}
		if got := c.attributes(std, "All"); !maps.Equal(got, want) {
			t.Errorf("standard: %v", got)
		}
		maps.Copy(want, map[string]string{"QueueArn": want["QueueArn"] + ".fifo", "FifoQueue": "true", "ContentBasedDeduplication": "false", "DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue"})
		if got := c.attributes(fifo, "All"); !maps.Equal(got, want) {
			t.Errorf("FIFO: %v", got)
		}
		set := map[string]string{
			"VisibilityTimeout": "5", "DelaySeconds": "900", "MaximumMessageSize": "1024", "MessageRetentionPeriod": "86400", "ReceiveMessageWaitTimeSeconds": "20",
			"Policy": `{"Version":"2008-10-17"}`, "KmsMasterKeyId": "alias/aws/sqs", "KmsDataKeyReusePeriodSeconds": "6000",
			"RedrivePolicy":      `{"deadLetterTargetArn":"arn:aws:sqs:` + region + ":" + account + `:dead","maxReceiveCount":3}`,
			"RedriveAllowPolicy": `{"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sqs:` + region + ":" + account + `:x"]}`,
		}
		time.Sleep(3 * time.Second)
		_, err := c.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: std, Attributes: set})
		ok(t, err)
		got := c.attributes(std, "All")
		for name, value := range set {
			if got[name] != value {
				t.Errorf("%s is %s, want %s", name, got[name], value)
			}
		}
		if got["SqsManagedSseEnabled"] != "false" || got["LastModifiedTimestamp"] != fmt.Sprint(time.Now().Unix()) || got["CreatedTimestamp"] != created {
			t.Errorf("after SetQueueAttributes: %v", got)
		}
		if got := c.attributes(std, "DelaySeconds", "QueueArn"); len(got) != 2 {
			t.Errorf("two names gave %v", got)
		}
		if got := c.attributes(std); len(got) != 0 {
			t.Errorf("no names gave %v", got)
		}
		_, err = c.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: std, Attributes: map[string]string{"Policy": "", "RedrivePolicy": "", "RedriveAllowPolicy": "", "KmsMasterKeyId": ""}})
		ok(t, err)
		got = c.attributes(std, "Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled")
		if !maps.Equal(got, map[string]string{"SqsManagedSseEnabled": "false"}) {
			t.Errorf("not removed: %v", got)
		}
		for _, test := range []struct {
			url               *string
			name, value, code string
			text              string
		}{
			{std, "FifoQueue", "true", "InvalidAttributeName", "Unknown Attribute FifoQueue."},
			{fifo, "FifoQueue", "false", "InvalidAttributeValue", "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."},
			{fifo, "DeduplicationScope", "group", "InvalidAttributeValue", "Invalid value for the parameter DeduplicationScope."},
			{dead, "Nonsense", "1", "InvalidAttributeName", "Unknown Attribute Nonsense."},
		} {
			_, err := c.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: test.url, Attributes: map[string]string{test.name: test.value}})
			wantError(t, err, test.code, test.text)
		}
		_, err = c.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: dead, Attributes: map[string]string{"KmsMasterKeyId": "k", "SqsManagedSseEnabled": "true"}})
		wantError(t, err, "InvalidAttributeName", "You can use one type of server-side encryption (SSE) at one time.")
		_, err = c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: dead, AttributeNames: []types.QueueAttributeName{"Nonsense"}})
		wantError(t, err, "InvalidAttributeName", "Unknown Attribute Nonsense.")
	})
}

func TestListQueuesInPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		for i := range 25 {
			c.create(fmt.Sprintf("a%02d", i))
		}
		c.create("b")
		var names []string
		pages := 0
		p := sqs.NewListQueuesPaginator(c, &sqs.ListQueuesInput{QueueNamePrefix: new("a"), MaxResults: new(int32(10))})
		for p.HasMorePages() {
			out, err := p.NextPage(t.Context())
			ok(t, err)
			pages++
			names = append(names, out.QueueUrls...)
			if pages == 1 { // neither must disturb the pages that follow
				_, err := c.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: &out.QueueUrls[9]})
				ok(t, err)
			}
		}
		if pages != 3 || len(names) != 25 || names[24] != endpoint+"/"+account+"/a24" {
			t.Errorf("%d pages: %v", pages, names)
		}
		out, err := c.ListQueues(t.Context(), &sqs.ListQueuesInput{})
		ok(t, err)
		if len(out.QueueUrls) != 25 || out.NextToken != nil {
			t.Errorf("%d queues, token %v", len(out.QueueUrls), out.NextToken)
		}
		for _, n := range []int32{0, 1001} {
			_, err = c.ListQueues(t.Context(), &sqs.ListQueuesInput{MaxResults: &n})
			wantError(t, err, "InvalidParameterValue", "for parameter MaxResults is invalid.")
		}
		_, err = c.ListQueues(t.Context(), &sqs.ListQueuesInput{NextToken: new("!")})
		wantError(t, err, "InvalidParameterValue", "Invalid or expired next token.")
	})
}

func TestTags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		out, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: new("q"), Tags: map[string]string{"a": "1"}})
		ok(t, err)
		url := out.QueueUrl
		_, err = c.TagQueue(t.Context(), &sqs.TagQueueInput{QueueUrl: url, Tags: map[string]string{"a": "2", "b": "", "ü": "1 + 1"}})
		ok(t, err)
		_, err = c.UntagQueue(t.Context(), &sqs.UntagQueueInput{QueueUrl: url, TagKeys: []string{"b", "none"}})
		ok(t, err)
		tags, err := c.ListQueueTags(t.Context(), &sqs.ListQueueTagsInput{QueueUrl: url})
		ok(t, err)
		if !maps.Equal(tags.Tags, map[string]string{"a": "2", "ü": "1 + 1"}) {
			t.Errorf("tags %v", tags.Tags)
		}
		many := map[string]string{}
		for i := range 50 {
			many[fmt.Sprint(i)] = ""
		}
		for _, bad := range []map[string]string{many, {"": "x"}, {strings.Repeat("k", 129): ""}, {"k": strings.Repeat("v", 257)}, {"k!": ""}, {"aws:k": ""}} {
			_, err = c.TagQueue(t.Context(), &sqs.TagQueueInput{QueueUrl: url, Tags: bad})
			wantError(t, err, "InvalidParameterValue", "ag")
		}
		_, err = c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: new("never"), Tags: map[string]string{"aws:k": ""}})
		wantError(t, err, "InvalidParameterValue", "Tag keys must not begin with aws:")
		_, err = c.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: new("never")})
		wantError(t, err, "AWS.SimpleQueueService.NonExistentQueue", "")
	})
}

func TestPermissionsChangeThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSDK(t, nil)
		url := c.create("q")
		add := func(label, account, action string) error {
			_, err := c.AddPermission(t.Context(), &sqs.AddPermissionInput{QueueUrl: url, Label: &label, AWSAccountIds: []string{account}, Actions: []string{action}})
			return err
		}
		ok(t, add("one", "111111111111", "ReceiveMessage"))
		ok(t, add("two", "222222222222", "*"))
		wantError(t, add("one", "111111111111", "*"), "InvalidParameterValue", "Value one for parameter Label is invalid. Reason: Already exists.")
		wantError(t, add("three", "1", "*"), "InvalidParameterValue", "Value 1 for parameter PrincipalId is invalid. Reason: Unable to verify.")
		wantError(t, add("three", "111111111111", "CreateQueue"), "InvalidParameterValue", "Only the queue owner is allowed to invoke this action.")
		wantError(t, add("a b", "111111111111", "*"), "InvalidParameterValue", "for parameter Label is invalid.")
		remove := func(label string) error {
			_, err := c.RemovePermission(t.Context(), &sqs.RemovePermissionInput{QueueUrl: url, Label: &label})
			return err
		}
		ok(t, remove("two"))
		arn := "arn:aws:sqs:" + region + ":" + account + ":q"
		want := `{"Version":"2008-10-17","Id":"` + arn + `/SQSDefaultPolicy","Statement":[{"Sid":"one","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"SQS:ReceiveMessage","Resource":"` + arn + `"}]}`
		if got := c.attributes(url, "Policy")["Policy"]; got != want {
			t.Errorf("policy %s, want %s", got, want)
		}
		ok(t, remove("one"))
		if got := c.attributes(url, "Policy"); len(got) != 0 {
			t.Errorf("policy %v", got)
		}
		wantError(t, remove("one"), "InvalidParameterValue", "Value one for parameter Label is invalid. Reason: can't find label.")

		china := c.from("cn-north-1", "id", endpoint)
		url = china.create("q")
		_, err := china.AddPermission(t.Context(), &sqs.AddPermissionInput{QueueUrl: url, Label: new("one"), AWSAccountIds: []string{"111111111111"}, Actions: []string{"*"}})
		ok(t, err)
		if got := china.attributes(url, "Policy")["Policy"]; !strings.Contains(got, `"arn:aws-cn:iam::111111111111:root"`) {
			t.Errorf("policy %s; want an account of the partition aws-cn", got)
		}
	})
}
