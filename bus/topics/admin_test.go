package topics

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/spec"
)

func TestTopicNames(t *testing.T) {
	r := newRig(t)
	for name, fifo := range map[string]bool{"a": false, strings.Repeat("a", 256): false, "A-z_0": false, "a.fifo": true} {
		ok(t, r.CreateTopic(topicARN(name), map[string]string{"FifoTopic": fmt.Sprint(fifo)}, nil))
	}
	for _, name := range []string{"", strings.Repeat("a", 257), "a.fifo", "a b", "a:b", "é", ".fifo"} {
		wantError(t, r.CreateTopic(topicARN(name), nil, nil), InvalidParameter, "Invalid parameter: Topic Name")
	}
	for _, name := range []string{"a", ".fifo", "a b.fifo"} {
		wantError(t, r.CreateTopic(topicARN(name), map[string]string{"FifoTopic": "true"}, nil), InvalidParameter, "Invalid parameter: Fifo Topic names must end with .fifo")
	}
}

// Creating a topic again with some of its attributes and tags changes nothing;
// with others it fails.
func TestCreateTopicAgain(t *testing.T) {
	r := newRig(t)
	attrs := map[string]string{"DisplayName": "Donors", "DeliveryPolicy": `{"http": {"defaultRequestPolicy": {"headerContentType": "application/json"}}}`}
	tags := map[string]string{"k1": "v1", "k2": "v2"}
	create := func(attrs, tags map[string]string) error { return r.CreateTopic(topicARN("t"), attrs, tags) }
	ok(t, create(attrs, tags))
	for range 2 {
		ok(t, create(attrs, tags))
		ok(t, create(nil, nil))
		ok(t, create(map[string]string{"DisplayName": "Donors", "FifoTopic": "false"}, map[string]string{"k2": "v2"}))
		const different = "Invalid parameter: Attributes Reason: Topic already exists with different attributes"
		wantError(t, create(map[string]string{"DisplayName": "Others"}, nil), InvalidParameter, different)
		wantError(t, create(map[string]string{"SignatureVersion": "2"}, nil), InvalidParameter, different)
		for _, tags := range []map[string]string{{"k1": "v2"}, {"k3": ""}} {
			wantError(t, create(nil, tags), InvalidParameter, "Invalid parameter: Tags Reason: Topic already exists with different tags")
		}
	}
	ok(t, r.DeleteTopic(topicARN("t").String()))
	ok(t, r.DeleteTopic(topicARN("t").String())) // idempotent
	ok(t, create(nil, map[string]string{"k3": ""}))
}

func TestTopicAttributes(t *testing.T) {
	r := newRig(t)
	topic, fifo := r.create("t"), r.create("t.fifo")
	a, err := r.TopicAttributes(topic)
	ok(t, err)
	want := map[string]string{
		"TopicArn": topic, "Owner": account, "DisplayName": "", "SubscriptionsConfirmed": "0", "SubscriptionsPending": "0", "SubscriptionsDeleted": "0",
		"Policy": `{"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{"Sid":"__default_statement_ID","Effect":"Allow","Principal":{"AWS":"*"},` +
			`"Action":["SNS:GetTopicAttributes","SNS:SetTopicAttributes","SNS:AddPermission","SNS:RemovePermission","SNS:DeleteTopic","SNS:Subscribe","SNS:ListSubscriptionsByTopic","SNS:Publish"],` +
			`"Resource":"` + topic + `","Condition":{"StringEquals":{"AWS:SourceOwner":"123456789012"}}}]}`,
		"EffectiveDeliveryPolicy": `{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},` +
			`"disableSubscriptionOverrides":false,"defaultRequestPolicy":{"headerContentType":"text/plain; charset=UTF-8"}}}`,
	}
	if fmt.Sprint(a) != fmt.Sprint(want) {
		t.Errorf("%v\nwant\n%v", a, want)
	}
	a, err = r.TopicAttributes(fifo)
	ok(t, err)
	if a["FifoTopic"] != "true" || a["ContentBasedDeduplication"] != "false" || len(a) != len(want)+2 {
		t.Errorf("FIFO: %v", a)
	}
	for name, value := range map[string]string{"DisplayName": "Donors", "SignatureVersion": "2", "KmsMasterKeyId": "alias/aws/sns", "TracingConfig": "Active", "LambdaSuccessFeedbackSampleRate": "100", "Policy": `{"a": 1}`} {
		ok(t, r.SetTopicAttribute(topic, name, value))
		if a, _ := r.TopicAttributes(topic); a[name] != value {
			t.Errorf("%s is %q", name, a[name])
		}
		ok(t, r.SetTopicAttribute(topic, name, ""))
		if a, _ := r.TopicAttributes(topic); a[name] != want[name] {
			t.Errorf("%s is %q after it was removed", name, a[name])
		}
	}
	for _, name := range []string{"FifoTopic", "Owner", "ContentBasedDeduplication", "Nonsense", ""} {
		wantError(t, r.SetTopicAttribute(topic, name, "false"), InvalidParameter, "Invalid parameter: AttributeName")
	}
	for name, value := range map[string]string{"DisplayName": strings.Repeat("x", 101), "SignatureVersion": "3", "TracingConfig": "x", "Policy": "x", "DeliveryPolicy": "x"} {
		wantError(t, r.SetTopicAttribute(topic, name, value), InvalidParameter, "Invalid parameter: "+name+": ")
		wantError(t, r.CreateTopic(topicARN("u"), map[string]string{name: value}, nil), InvalidParameter, "Invalid parameter: Attributes Reason: "+name+": ")
	}
	wantError(t, r.CreateTopic(topicARN("u"), map[string]string{"Nonsense": "1"}, nil), InvalidParameter, "Invalid parameter: Attributes Reason: Unknown attribute")
	wantError(t, r.CreateTopic(topicARN("u"), map[string]string{"ContentBasedDeduplication": "true"}, nil), InvalidParameter, "Invalid parameter: Attributes Reason: ContentBasedDeduplication: Only FIFO")
}

// What is shown of a delivery policy is recorded.
func TestDeliveryPolicies(t *testing.T) {
	r := newRig(t)
	topic := r.create("t")
	const before, after = `{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":`, `,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},"disableSubscriptionOverrides":false,"defaultRequestPolicy":{"headerContentType":"`
	for _, test := range []struct{ given, shown, effective string }{
		{`{"http":{"defaultRequestPolicy":{"headerContentType":"application/json"}}}`,
			`{"http":{"disableSubscriptionOverrides":false,"defaultRequestPolicy":{"headerContentType":"application/json"}}}`,
			before + `20,"maxDelayTarget":20,"numRetries":3` + after + `application/json"}}}`},
		{`{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":5,"maxDelayTarget":6,"numRetries":1}}}`,
			`{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":5,"maxDelayTarget":6,"numRetries":1},"disableSubscriptionOverrides":false}}`,
			before + `5,"maxDelayTarget":6,"numRetries":1` + after + `text/plain; charset=UTF-8"}}}`},
		{`{"http":{"defaultHealthyRetryPolicy":null}}`, `{"http":{"disableSubscriptionOverrides":false}}`, before + `20,"maxDelayTarget":20,"numRetries":3` + after + `text/plain; charset=UTF-8"}}}`},
		{"", "", before + `20,"maxDelayTarget":20,"numRetries":3` + after + `text/plain; charset=UTF-8"}}}`},
	} {
		ok(t, r.SetTopicAttribute(topic, "DeliveryPolicy", test.given))
		a, err := r.TopicAttributes(topic)
		ok(t, err)
		if a["DeliveryPolicy"] != test.shown || a["EffectiveDeliveryPolicy"] != test.effective {
			t.Errorf("%s:\n%s\n%s", test.given, a["DeliveryPolicy"], a["EffectiveDeliveryPolicy"])
		}
	}
	ok(t, r.SetTopicAttribute(topic, "DeliveryPolicy", `{"http":{"defaultRequestPolicy":{"headerContentType":"application/json"}}}`))
	for i, test := range []struct{ given, shown, effective string }{
		{`{"requestPolicy":{"headerContentType":"text/csv"}}`,
			`{"healthyRetryPolicy":null,"sicklyRetryPolicy":null,"throttlePolicy":null,"requestPolicy":{"headerContentType":"text/csv"},"guaranteed":false}`,
			`"throttlePolicy":null,"requestPolicy":{"headerContentType":"text/csv"},"guaranteed":false}`},
		{`{"throttlePolicy":{"maxReceivesPerSecond":1000}}`,
			`{"healthyRetryPolicy":null,"sicklyRetryPolicy":null,"throttlePolicy":{"maxReceivesPerSecond":1000},"requestPolicy":null,"guaranteed":false}`,
			`"throttlePolicy":{"maxReceivesPerSecond":1000},"requestPolicy":{"headerContentType":"application/json"},"guaranteed":false}`},
	} {
		s, err := r.Subscribe(SubscribeRequest{TopicARN: topic, Protocol: "http", Endpoint: fmt.Sprint("http://127.0.0.1/", i), Account: account, Attributes: map[string]string{"DeliveryPolicy": test.given}})
		ok(t, err)
		a, err := r.SubscriptionAttributes(s.ARN)
		ok(t, err)
		if a["DeliveryPolicy"] != test.shown || !strings.HasSuffix(a["EffectiveDeliveryPolicy"], test.effective) {
			t.Errorf("%s:\n%s\n%s", test.given, a["DeliveryPolicy"], a["EffectiveDeliveryPolicy"])
		}
	}
	for _, bad := range []string{`{"minDelayTarget":0}`, `{"maxDelayTarget":3601}`, `{"numRetries":101}`, `{"numNoDelayRetries":4}`, `{"minDelayTarget":30}`} {
		wantError(t, r.SetTopicAttribute(topic, "DeliveryPolicy", `{"http":{"defaultHealthyRetryPolicy":`+bad+`}}`), InvalidParameter, "Invalid parameter: DeliveryPolicy: ")
	}
}

func TestRetryDelaysGrowEvenly(t *testing.T) {
	p := (&retryPolicy{MinDelay: new(1), MaxDelay: new(10), Retries: new(8), NoDelays: new(1), MinDelays: new(2), MaxDelays: new(1)}).filled()
	if got := fmt.Sprint(p.delays()); got != "[0s 1s 1s 1s 4s 7s 10s 10s]" {
		t.Error(got)
	}
	p = (&retryPolicy{MinDelay: new(1), MaxDelay: new(10), Retries: new(1)}).filled()
	if got := fmt.Sprint(p.delays(), confirmationDelays); got != "[1s] [20s 20s 20s]" {
		t.Error(got)
	}
}

func TestTags(t *testing.T) {
	r := newRig(t)
	topic := r.create("t")
	ok(t, r.Tag(topic, map[string]string{"k1": "v1", "k2": "v2"}))
	ok(t, r.Untag(topic, []string{"k1", "none"}))
	ok(t, r.Tag(topic, map[string]string{"k2": "v2b", "k3": ""}))
	if tags, err := r.Tags(topic); err != nil || fmt.Sprint(tags) != "map[k2:v2b k3:]" {
		t.Error(tags, err)
	}
	many := map[string]string{}
	for i := range 49 {
		many[fmt.Sprint("m", i)] = ""
	}
	wantError(t, r.Tag(topic, many), TagLimitExceeded, "Could not complete request: tag quota of per resource exceeded")
	wantError(t, r.Tag(topic, map[string]string{"aws:x": ""}), InvalidParameter, "Invalid parameter: Tag keys must not begin with aws:")
	wantError(t, r.CreateTopic(topicARN("u"), nil, map[string]string{"!": ""}), InvalidParameter, "Invalid parameter: Tag keys may only contain")
	for _, err := range []error{r.Tag(topicARN("no").String(), nil), r.Untag(topicARN("no").String(), nil)} {
		wantError(t, err, ResourceNotFound, "Resource does not exist")
	}
}

func TestARNsThatNameNoTopic(t *testing.T) {
	r := newRig(t)
	for arn, want := range map[string]string{
		"randomstring":                         "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1",
		"arn:aws":                              "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 2",
		"":                                     "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1",
		"arn:aws:sqs:eu-west-1:123456789012:q": "Invalid parameter: TopicArn",
		"arn:aws:sns:eu-west-1:123456789012:t:a-topic": "Invalid parameter: TopicArn",
	} {
		_, err := r.TopicAttributes(arn)
		wantError(t, err, InvalidParameter, want)
		wantError(t, r.DeleteTopic(arn), InvalidParameter, want)
	}
	_, err := r.Publish(topicARN("none").String(), base, Message{Body: "m"})
	wantError(t, err, NotFound, "Topic does not exist")
	for arn, want := range map[string]string{
		"randomstring":                         "Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 1",
		"arn:aws:sns:eu-west-1:1":              "Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 5",
		"arn:aws:sns:eu-west-1:123456789012:t": "Invalid parameter: SubscriptionId",
		"":                                     "Invalid parameter: SubscriptionArn Reason: no value for required parameter",
		topicARN("t").String() + ":" + strings.Repeat("-", 36): "Invalid parameter: SubscriptionId",
	} {
		wantError(t, r.Unsubscribe(arn, base, true), InvalidParameter, want)
		_, err := r.SubscriptionAttributes(arn)
		wantError(t, err, InvalidParameter, want)
	}
	none := topicARN("t").String() + ":" + newID()
	ok(t, r.Unsubscribe(none, base, true)) // idempotent
	wantError(t, r.SetSubscriptionAttribute(none, "RawMessageDelivery", "true"), NotFound, "Subscription does not exist")
}

func TestEndpoints(t *testing.T) {
	r := newRig(t)
	topic, fifo := r.create("t"), r.create("t.fifo")
	subscribe := func(topic, protocol, endpoint string) error {
		_, err := r.Subscribe(SubscribeRequest{TopicARN: topic, Protocol: protocol, Endpoint: endpoint, Account: account})
		return err
	}
	for _, test := range []struct{ topic, protocol, endpoint, want string }{
		{topic, "sqs", queueARN("need-not-exist"), ""},
		{fifo, "sqs", queueARN("standard"), ""},
		{fifo, "sqs", queueARN("q.fifo"), ""},
		{topic, "http", "http://127.0.0.1/x", ""},
		{topic, "https", "https://localhost", ""},
		{topic, "email", "a@b", ""},
		{topic, "sms", "+123123123", ""},
		{topic, "lambda", "arn:aws:lambda:eu-west-1:1:function:f", ""},
		{topic, "test-protocol", "x", "Amazon SNS does not support this protocol string: test-protocol"},
		{topic, "sqs", "http://127.0.0.1:9324/000000000000/q", "SQS endpoint ARN"},
		{topic, "sqs", "arn:aws:sqs:eu-west-1", "SQS endpoint ARN"},
		{topic, "sqs", queueARN("a b"), "SQS endpoint ARN"},
		{topic, "sqs", queueARN("q.fifo"), "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics"},
		{topic, "http", "https://localhost", "Endpoint must match the specified protocol"},
		{topic, "https", "localhost", "Endpoint must match the specified protocol"},
		{topic, "email", "nobody", "Email address"},
		{topic, "lambda", "f", "Lambda endpoint ARN"},
		{fifo, "http", "http://localhost", "Invalid protocol type: http"},
	} {
		err := subscribe(test.topic, test.protocol, test.endpoint)
		if test.want == "" {
			ok(t, err)
		} else {
			wantError(t, err, InvalidParameter, "Invalid parameter: "+test.want)
		}
	}
	wantError(t, subscribe(topic, "sms", "NAA+15551234567"), InvalidParameter, "Invalid SMS endpoint: NAA+15551234567")
}

func TestSubscribeAgain(t *testing.T) {
	r := newRig(t)
	topic := r.create("t")
	arn := r.queue(topic, "q", "RawMessageDelivery", "true")
	again := func(attributes ...string) (Subscription, error) {
		return r.Subscribe(SubscribeRequest{TopicARN: topic, Protocol: "sqs", Endpoint: queueARN("q"), Account: account, Attributes: pairs(attributes)})
	}
	for _, attrs := range [][]string{{"RawMessageDelivery", "true"}, {"RawMessageDelivery", "True"}, nil, {"FilterPolicyScope", "MessageAttributes"}, {"FilterPolicy", ""}} {
		if s, err := again(attrs...); err != nil || s.ARN != arn {
			t.Errorf("%v: %v, %v", attrs, s, err)
		}
	}
	for _, attrs := range [][]string{{"RawMessageDelivery", "false"}, {"FilterPolicy", `{"k":["v"]}`}} {
		_, err := again(attrs...)
		wantError(t, err, InvalidParameter, "Invalid parameter: Attributes Reason: Subscription already exists with different attributes")
	}
	_, err := again("Nonsense", "x")
	wantError(t, err, InvalidParameter, "Invalid parameter: Attributes Reason: Unknown attribute")
}

// The texts are recorded.
func TestSubscriptionAttributes(t *testing.T) {
	r := newRig(t)
	topic, fifo := r.create("t"), r.create("t.fifo")
	arn := r.queue(topic, "q")
	want := map[string]string{
		"SubscriptionArn": arn, "TopicArn": topic, "Protocol": "sqs", "Endpoint": queueARN("q"), "Owner": account, "SubscriptionPrincipal": "arn:aws:iam::123456789012:root",
		"PendingConfirmation": "false", "ConfirmationWasAuthenticated": "true", "RawMessageDelivery": "false",
	}
	check := func(name, value string, more ...string) {
		t.Helper()
		if name != "" {
			ok(t, r.SetSubscriptionAttribute(arn, name, value))
		}
		now := pairs(more)
		for k, v := range want {
			if _, there := now[k]; !there {
				now[k] = v
			}
		}
		if a, err := r.SubscriptionAttributes(arn); err != nil || fmt.Sprint(a) != fmt.Sprint(now) {
			t.Errorf("after %s %s: %v, %v\nwant %v", name, value, err, a, now)
		}
	}
	check("", "")
	check("FilterPolicyScope", "MessageBody") // which is not shown without a policy
	check("FilterPolicy", `{"a": {"b": ["x"]}}`, "FilterPolicy", `{"a": {"b": ["x"]}}`, "FilterPolicyScope", "MessageBody")
	wantError(t, r.SetSubscriptionAttribute(arn, "FilterPolicyScope", "MessageAttributes"), InvalidParameter, "Invalid parameter: Filter policy scope MessageAttributes does not support nested filter policy")
	check("FilterPolicy", `{}`)
	check("FilterPolicyScope", "MessageAttributes")
	check("FilterPolicy", `{"a": ["x"]}`, "FilterPolicy", `{"a": ["x"]}`, "FilterPolicyScope", "MessageAttributes")
	check("FilterPolicy", "")
	redrive := `{"deadLetterTargetArn": "` + queueARN("dead") + `"}`
	check("RedrivePolicy", redrive, "RedrivePolicy", redrive)
	check("RawMessageDelivery", "TRUE", "RedrivePolicy", redrive, "RawMessageDelivery", "true")

	const syntax = "failed to parse JSON. Unexpected character ('i' (code 105)): was expecting double-quote to start field name\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 2]"
	for _, test := range []struct{ name, value, want string }{
		{"FakeAttribute", "x", "AttributeName"},
		{"RawMessageDelivery", "test-ValUe", "RawMessageDelivery: Invalid value [test-ValUe]. Must be true or false."},
		{"RawMessageDelivery", "", "RawMessageDelivery: Invalid value []. Must be true or false."},
		{"FilterPolicyScope", "RandomValue", "FilterPolicyScope: Invalid value [RandomValue]. Please use either MessageBody or MessageAttributes"},
		{"RedrivePolicy", `{"deadLetterTargetArn": "fake-arn"}`, "RedrivePolicy: deadLetterTargetArn is an invalid arn"},
		{"RedrivePolicy", `{"deadLetterTargetArn": "` + queueARN("dead.fifo") + `"}`, "RedrivePolicy: must use a standard queue"},
		{"RedrivePolicy", `{"deadLetterTargetArn": "` + queueARN("dead") + `", "maxReceiveCount": 5}`, "RedrivePolicy: invalid JSON. Attribute maxReceiveCount is unknown."},
		{"RedrivePolicy", `{invalidjson}`, "RedrivePolicy: " + syntax},
		{"FilterPolicy", `{invalidjson}`, "FilterPolicy: " + syntax},
		{"FilterPolicy", `{"a": {"b": ["x"]}}`, "Filter policy scope MessageAttributes does not support nested filter policy"},
	} {
		wantError(t, r.SetSubscriptionAttribute(arn, test.name, test.value), InvalidParameter, "Invalid parameter: "+test.want)
		_, err := r.Subscribe(SubscribeRequest{TopicARN: topic, Protocol: "sqs", Endpoint: queueARN("other"), Account: account, Attributes: map[string]string{test.name: test.value}})
		if test.name != "FakeAttribute" {
			wantError(t, err, InvalidParameter, "Invalid parameter: Attributes Reason: "+test.want)
		}
	}
	arn = r.queue(fifo, "q.fifo")
	wantError(t, r.SetSubscriptionAttribute(arn, "RedrivePolicy", redrive), InvalidParameter, "Invalid parameter: RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.")
	_, err := r.Subscribe(SubscribeRequest{TopicARN: topic, Protocol: "email", Endpoint: "a@b", Account: account, Attributes: map[string]string{"RawMessageDelivery": "true"}})
	wantError(t, err, InvalidParameter, "Invalid parameter: Attributes Reason: Delivery protocol [email] does not support raw message delivery.")
}

func TestATopicHasTwoHundredFilters(t *testing.T) {
	r := newRig(t)
	topic := r.create("t")
	subscribe := func(i int, attributes ...string) (Subscription, error) {
		return r.Subscribe(SubscribeRequest{TopicARN: topic, Protocol: "sqs", Endpoint: queueARN(fmt.Sprint("q", i)), Account: account, Attributes: pairs(attributes)})
	}
	for i := range 200 {
		_, err := subscribe(i, "FilterPolicy", `{"k":["v"]}`)
		ok(t, err)
	}
	_, err := subscribe(200, "FilterPolicy", `{"k":["v"]}`)
	wantError(t, err, FilterPolicyLimitExceeded, "Filter policy limit exceeded")
	s, err := subscribe(200)
	ok(t, err)
	wantError(t, r.SetSubscriptionAttribute(s.ARN, "FilterPolicy", `{"k":["v"]}`), FilterPolicyLimitExceeded, "Filter policy limit exceeded")
}

// A queue of another account, and an endpoint over HTTP, get nothing before they
// confirm.
func TestConfirmation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.opts.Signer = signer{}
		topic := r.create("t")
		_, err := r.queues.Create("q", spec.QueueSettings{})
		ok(t, err)
		subscribe := func(protocol, endpoint, caller string) Subscription {
			s, err := r.Subscribe(SubscribeRequest{TopicARN: topic, Protocol: protocol, Endpoint: endpoint, Account: caller, Base: base, Attributes: map[string]string{"RawMessageDelivery": "true"}})
			ok(t, err)
			return s
		}
		queue := subscribe("sqs", queueARN("q"), "000000000000")
		endpoint := subscribe("http", "http://127.0.0.1/in", account)
		if !queue.Pending || !endpoint.Pending {
			t.Errorf("%+v, %+v", queue, endpoint)
		}
		r.publish(topic, Message{Body: "too early"})
		asked := r.bodies("q")
		token := r.token(asked)
		want := `{
  "Type" : "SubscriptionConfirmation",
  "MessageId" : "UUID",
  "Token" : "` + token + `",
  "TopicArn" : "` + topic + `",
  "Message" : "You have chosen to subscribe to the topic ` + topic + `.\nTo confirm the subscription, visit the SubscribeURL included in this message.",
  "SubscribeURL" : "http://127.0.0.1:9324/?Action=ConfirmSubscription&TopicArn=` + topic + `&Token=` + token + `",
  "Timestamp" : "2000-01-01T00:00:00.000Z",
  "SignatureVersion" : "1",
  "Signature" : "SIGNED",
  "SigningCertURL" : "http://127.0.0.1:9324/cert.pem"
}`
		id := asked[strings.Index(asked, `"MessageId" : "`)+15:][:36]
		if got := strings.ReplaceAll(asked, id, "UUID"); got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
		if len(r.posts) != 1 || r.posts[0].MessageType != "SubscriptionConfirmation" || r.posts[0].SubscriptionARN != "" || r.posts[0].URL != "http://127.0.0.1/in" {
			t.Fatalf("posts: %+v", r.posts)
		}
		for _, byOwner := range []bool{true, false} { // the second time changes nothing
			arn, err := r.ConfirmSubscription(topic, token, byOwner, false)
			ok(t, err)
			if a, _ := r.SubscriptionAttributes(arn); arn != queue.ARN || a["PendingConfirmation"] != "false" || a["ConfirmationWasAuthenticated"] != "true" {
				t.Errorf("%s: %v", arn, a)
			}
		}
		_, err = r.ConfirmSubscription(topic, r.token(r.posts[0].Body), false, false)
		ok(t, err)
		if a, _ := r.SubscriptionAttributes(endpoint.ARN); a["ConfirmationWasAuthenticated"] != "false" {
			t.Errorf("%v", a)
		}
		r.publish(topic, Message{Body: "now", Attributes: []spec.NamedAttribute{attribute("a", "String", "v")}})
		if got := r.bodies("q"); got != "now" {
			t.Errorf("the queue got %q", got)
		}
		if p := r.posts[1]; p.Body != "now" || !p.Raw || p.MessageType != "Notification" || p.SubscriptionARN != endpoint.ARN || p.ContentType != "text/plain; charset=UTF-8" || len(p.Delays) != 3 {
			t.Errorf("posted %+v", p)
		}
		for _, test := range []struct{ topic, token, want string }{
			{"x", token, "Invalid parameter: Topic"},
			{topic, "randomtoken", "Invalid token"},
			{topic, newToken(), "Invalid parameter: Token"},
			{topicARN("none").String(), newToken(), "Invalid parameter: Token"},
		} {
			_, err := r.ConfirmSubscription(test.topic, test.token, true, false)
			wantError(t, err, InvalidParameter, test.want)
		}
	})
}

// token returns the token in a document that asks to confirm.
func (r *rig) token(document string) string {
	r.t.Helper()
	_, token, found := strings.Cut(document, `"Token" : "`)
	if token, _, _ = strings.Cut(token, `"`); !found {
		r.t.Fatalf("no token in %q", document)
	}
	return token
}

func TestTokensLiveTwoDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		topic := r.create("t")
		for i, test := range []struct {
			wait time.Duration
			good bool
		}{{48*time.Hour - 1, true}, {48 * time.Hour, false}} {
			_, err := r.Subscribe(SubscribeRequest{TopicARN: topic, Protocol: "http", Endpoint: fmt.Sprint("http://127.0.0.1/", i), Account: account, Base: base})
			ok(t, err)
			token := r.token(r.posts[i].Body)
			time.Sleep(test.wait)
			if _, err := r.ConfirmSubscription(topic, token, false, false); (err == nil) != test.good {
				t.Errorf("after %v: %v", test.wait, err)
			}
		}
	})
}

func TestUnsubscribe(t *testing.T) {
	r := newRig(t)
	topic := r.create("t")
	queue := r.queue(topic, "q", "RawMessageDelivery", "true")
	s, err := r.Subscribe(SubscribeRequest{TopicARN: topic, Protocol: "http", Endpoint: "http://127.0.0.1/in", Account: account, Base: base})
	ok(t, err)
	_, err = r.ConfirmSubscription(topic, r.token(r.posts[0].Body), false, true)
	ok(t, err)
	wantError(t, r.Unsubscribe(s.ARN, base, false), AuthorizationError, "This subscription is ended by an authenticated request")
	for range 2 { // idempotent
		ok(t, r.Unsubscribe(queue, base, false))
		ok(t, r.Unsubscribe(s.ARN, base, true))
	}
	r.publish(topic, Message{Body: "m"})
	if got := r.bodies("q"); got != "" || len(r.posts) != 2 {
		t.Errorf("the queue got %q; posts %+v", got, r.posts)
	}
	p := r.posts[1]
	if p.MessageType != "UnsubscribeConfirmation" || p.SubscriptionARN != s.ARN || !strings.Contains(p.Body, "You have chosen to deactivate subscription "+s.ARN+`.\nTo cancel this operation and restore the subscription, visit`) {
		t.Errorf("told %+v", p)
	}
	if a, _ := r.TopicAttributes(topic); a["SubscriptionsDeleted"] != "2" || a["SubscriptionsConfirmed"] != "0" {
		t.Errorf("%v", a)
	}
	// The link restores the subscription, once.
	arn, err := r.ConfirmSubscription(topic, r.token(p.Body), false, false)
	ok(t, err)
	r.publish(topic, Message{Body: "m"})
	if arn != s.ARN || len(r.posts) != 3 {
		t.Errorf("restored %s, posts %+v", arn, r.posts)
	}
}

func TestOtherEndpointsStayPendingAndGetNothing(t *testing.T) {
	r := newRig(t)
	topic := r.create("t")
	_, err := r.Subscribe(SubscribeRequest{TopicARN: topic, Protocol: "email", Endpoint: "a@b", Account: account, Base: base})
	ok(t, err)
	r.publish(topic, Message{Body: "m"})
	if a, _ := r.TopicAttributes(topic); a["SubscriptionsPending"] != "1" || len(r.posts) != 0 {
		t.Errorf("%v", a)
	}
}

func TestListsOfSubscriptions(t *testing.T) {
	r := newRig(t)
	a, b := r.create("a"), r.create("b")
	var want []string
	for i, topic := range []string{b, a, b} {
		want = append(want, r.queue(topic, fmt.Sprint("q", i)))
	}
	arns := func(list []Subscription) string {
		var arns []string
		for _, s := range list {
			arns = append(arns, s.ARN)
		}
		return strings.Join(arns, " ")
	}
	if got := arns(r.Subscriptions(account, "arn:aws:sns:eu-west-1:")); got != strings.Join(want, " ") {
		t.Errorf("%s\nwant %v", got, want)
	}
	if got := arns(r.Subscriptions("000000000000", "")) + arns(r.Subscriptions(account, "arn:aws:sns:us-")); got != "" {
		t.Errorf("others have %s", got)
	}
	if list, err := r.SubscriptionsByTopic(b); err != nil || arns(list) != want[0]+" "+want[2] {
		t.Errorf("%v, %v", list, err)
	}
	if got := r.Topics("arn:aws:sns:eu-west-1:" + account + ":"); fmt.Sprint(got) != fmt.Sprint([]string{a, b}) {
		t.Errorf("topics %v", got)
	}
	ok(t, r.DeleteTopic(b))
	if got := arns(r.Subscriptions(account, "")); got != want[1] {
		t.Errorf("after the deletion of a topic %s", got)
	}
}

// A delivery over HTTP that is given up goes to the dead-letter queue.
func TestBury(t *testing.T) {
	r := newRig(t)
	topic := r.create("t")
	_, err := r.queues.Create("dead", spec.QueueSettings{})
	ok(t, err)
	_, err = r.Subscribe(SubscribeRequest{TopicARN: topic, Protocol: "http", Endpoint: "http://127.0.0.1/", Account: account, Base: base,
		Attributes: map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + queueARN("dead") + `"}`}})
	ok(t, err)
	_, err = r.ConfirmSubscription(topic, r.token(r.posts[0].Body), false, false)
	ok(t, err)
	r.publish(topic, Message{Body: "m", Group: "g"})
	r.Bury(r.posts[0]) // the question has no dead-letter queue
	r.Bury(r.posts[1])
	ds := r.receive("dead")
	if len(ds) != 1 || ds[0].Body != r.posts[1].Body || ds[0].Group != "g" {
		t.Errorf("%+v", ds)
	}
}
