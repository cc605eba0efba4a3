package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write writes a file for -queues.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "queues.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestQueueFileErrorsNameTheLine(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", ":1: the file is empty"},
		{"# nothing\n", ":1: the file is empty"},
		{"[]", ":1: want queues by name, a mapping"},
		{"donors", ":1: want queues by name, a mapping"},
		{"queues: [a]", ":1: want queues by name, a mapping"},
		{"{\n\"a\": {},\n\"b\": 5\n}", ":3: queue b: want a queue's attributes, a mapping"},
		{"{\n\"a\": {\"x\":\n", ":2: did not find expected node content"},
		{"{\n\"a\" {}}", ": "},
		{"{} {}", ":1: did not find expected <document start>"},
		{"a:\n  b: [\n", ":2: did not find expected node content"},
		{"a: {}\n---\nb: {}", ":2: a second document begins here"},
		{"a:\n\tb: 1\n", ":2: found character that cannot start any token"},
		{"a: {}\nb: {}\na: {}", ":3: a is there twice"},
		{"a:\n  DelaySeconds: 1\n  DelaySeconds: 2", ":1: queue a: DelaySeconds is there twice"},
		{"a:\n  <<: {DelaySeconds: 1}", ":1: queue a: << is not supported"},
		{"a:\n  DelaySeconds:", ":1: queue a: DelaySeconds: a value is missing"},
		{"a:\n  Policy: {.nan: .nan}", ":1: queue a: Policy: a value that JSON does not have"},
		{"? [a]\n: {}", ":1: a name is not a text"},
		{"{\n\n\"a b\": {}}", ":3: queue a b: Can only include alphanumeric characters"},
		{"{\"a\": {},\n\"b\": {\"DelaySeconds\": 901}}", ":2: queue b: Invalid value for the parameter DelaySeconds."},
		{"a: {}\nb: {Colour: red}", ":2: queue b: Unknown Attribute Colour."},
		{"a: {}\nb: {tags: {aws:x: y}}", ":2: queue b: "},
		{"a: {dlq: b}\nb:", ":1: queue a: dlq and maxReceiveCount go together"},
		{"a: {maxReceiveCount: 1}", ":1: queue a: dlq and maxReceiveCount go together"},
		{"b:\na: {dlq: c, maxReceiveCount: 1}", ":2: queue a: its dlq c is not in the file"},
		{"b:\na: {dlq: b, maxReceiveCount: 1001}", ":2: queue a: Value {"},
		{"b:\na: {dlq: b, maxReceiveCount: 1, RedrivePolicy: {}}", ":2: queue a: dlq says what a RedrivePolicy does"},
		{"queues: {a: }\ntopic: {b: }", ":2: topic stands beside queues: if both are queues, put them below queues:"},
		{"donors:\nregion:\n", ":1: donors stands beside region: if both are queues"},
		{"account: {DelaySeconds: 1}\ndonors:", ":2: donors stands beside account: if both are queues"},
		{"account:\nregion:\n", ":1: there is nothing in account; want a queue of that name below queues"},
		{"topics:", ":1: there is nothing in topics; want a queue of that name below queues"},
		{"region: {DelaySeconds: 1}", `:1: sqsserver: region "{`},
		{"topics:\n  a b: {}", ":2: topic a b: InvalidParameter: Invalid parameter: Topic Name"},
		{"topics:\n  a: {Colour: red}", ":2: topic a: "},
		{"topics:\n  a: {subscriptions: {queue: b}}", ":2: topic a: subscriptions: want subscriptions, a list"},
		{"topics:\n  a:\n    subscriptions:\n      - {raw: true}", ":4: topic a: subscriptions: a subscription has a queue, or a protocol and an endpoint"},
		{"topics:\n  a:\n    subscriptions:\n      - {queue: b, protocol: sqs}", ":4: topic a: subscriptions: a subscription has a queue"},
		{"topics:\n  a:\n    subscriptions:\n      - {queue: b, filter: {kind: large}}", ":4: topic a: the subscription of b: "},
		{"region: US\nqueues: {a: {}}", `:1: sqsserver: region "US"`},
		{"queues: {a: {}}\nplaces:\n  - account: 12", `:3: sqsserver: account "12" is not 12 digits`},
		{"places: {a: {}}\nqueues: {}", ":1: want places, a list"},
		{"places:\n  - region: eu-west-1\n    places: []", ":3: places is not a member of a place"},
		{"places:\n  - region: eu-west-1\n    queues:\n      a: {dlq: b, maxReceiveCount: 1}\nqueues: {b: {}}", ":4: queue a: its dlq b is not in the file"},
		{"b.fifo:\na: {dlq: b.fifo, maxReceiveCount: 1}", ":2: queue a: "},
		{"{\"a\": {\"RedrivePolicy\": {\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:000000000000:b\", \"maxReceiveCount\": 3}}}", ":1: queue a: "},
	} {
		path := write(t, test.text)
		c, err := parse([]string{"-queues", path}, io.Discard)
		if err == nil {
			_, err = newService(t.Context(), c, false)
		}
		if err == nil || !strings.HasPrefix(err.Error(), path+":") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v; want %s", test.text, err, test.want)
		}
	}
}

// The files say the same: in JSON and in YAML, by ARN and by name, in any order.
var sameQueues = map[string]string{
	"JSON by ARN": `{
		"dead": {"RedriveAllowPolicy": {"redrivePermission": "byQueue", "sourceQueueArns": ["arn:aws:sqs:eu-west-1:123456789012:donors"]}},
		"donors": {"DelaySeconds": "5", "VisibilityTimeout": 7, "tags": {"team": "blue", "cost": "1"},
			"RedrivePolicy": {"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:123456789012:dead", "maxReceiveCount": 3}},
		"orders.fifo": {"ContentBasedDeduplication": true}
	}`,
	"JSON, any order": `{"queues":{"donors":{"DelaySeconds":5,"VisibilityTimeout":7,"tags":{"team":"blue","cost":1},"dlq":"dead","maxReceiveCount":3},
		"orders.fifo":{"ContentBasedDeduplication":"true","FifoQueue":true},
		"dead":{"RedriveAllowPolicy":"{\"redrivePermission\":\"byQueue\",\"sourceQueueArns\":[\"arn:aws:sqs:eu-west-1:123456789012:donors\"]}"}}}`,
	"YAML": `
# queues of the lab
donors:
  DelaySeconds: 5
  VisibilityTimeout: &seven 7
  dlq: dead
  maxReceiveCount: 3
  tags: {team: blue, cost: "1"}
orders.fifo: {ContentBasedDeduplication: true}
dead:
  RedriveAllowPolicy:
    redrivePermission: byQueue
    sourceQueueArns:
      - arn:aws:sqs:eu-west-1:123456789012:donors
`,
	"YAML with sections": `---
queues:
  orders.fifo:
    ContentBasedDeduplication: "true"
  dead:
    RedriveAllowPolicy: |
      {"redrivePermission": "byQueue", "sourceQueueArns": ["arn:aws:sqs:eu-west-1:123456789012:donors"]}
  donors: {DelaySeconds: 5, VisibilityTimeout: 7, dlq: dead, maxReceiveCount: 3,
    tags: {team: 'blue', cost: 1}}
`,
}

func TestQueuesOfTheFileAreThereAtStart(t *testing.T) {
	for what, text := range sameQueues {
		d := start(t, "-queues", write(t, text), "-region", "eu-west-1", "-account", "123456789012")
		donors := d.base + "/123456789012/donors"
		if strings.HasSuffix(d.bus, "/dead") {
			t.Errorf("%s: BUS_URL is %s", what, d.bus)
		}
		got := d.call(donors, "Action=GetQueueAttributes&AttributeName.1=All")
		for _, want := range []string{"<Name>DelaySeconds</Name><Value>5</Value>", "<Name>VisibilityTimeout</Name><Value>7</Value>",
			"arn:aws:sqs:eu-west-1:123456789012:dead&quot;", "maxReceiveCount&quot;:3", "arn:aws:sqs:eu-west-1:123456789012:donors"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: donors has no %s: %s", what, want, got)
			}
		}
		got = d.call(donors, "Action=ListQueueTags")
		for _, want := range []string{"<Key>team</Key><Value>blue</Value>", "<Key>cost</Key><Value>1</Value>"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: donors has no %s: %s", what, want, got)
			}
		}
		if got := d.call(d.base+"/123456789012/dead", "Action=GetQueueAttributes&AttributeName.1=RedriveAllowPolicy"); !strings.Contains(got, "byQueue") {
			t.Errorf("%s: %s", what, got)
		}
		if got := d.call(d.base+"/123456789012/orders.fifo", "Action=SendMessage&MessageBody=a&MessageGroupId=g"); !strings.Contains(got, "<SequenceNumber>") {
			t.Errorf("%s: %s", what, got)
		}
	}
}

func TestQueuesMayBeEachOthersDeadLetterQueues(t *testing.T) {
	d := start(t, "-queues", write(t, "a: {dlq: b, maxReceiveCount: 1}\nb: {dlq: a, maxReceiveCount: 2}"))
	if got := d.call(d.base, "Action=ListDeadLetterSourceQueues&QueueUrl=a"); !strings.Contains(got, "/b<") {
		t.Error(got)
	}
}

func TestTheExampleNamesAQueueThatPeopleSendTo(t *testing.T) {
	for text, want := range map[string]string{
		"dead:\ndonors: {dlq: dead, maxReceiveCount: 1}":                     "donors",
		"a: {dlq: b, maxReceiveCount: 1}\nb:\nc:":                            "a",
		"b:\na: {dlq: b, maxReceiveCount: 1}\nc:":                            "a",
		"a: {dlq: b, maxReceiveCount: 1}\nb: {dlq: a, maxReceiveCount: 1}\n": "a",
		`{"dead": {}, "donors": {"RedrivePolicy": {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": "3"}}}`: "donors",
		`{}`: "",
	} {
		f, err := parseQueueFile([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(f.names(), " "); got != want && !strings.HasPrefix(got, want+" ") {
			t.Errorf("%q: %s; want %s first", text, got, want)
		}
	}
}

// What a running sqsd has can be given to another, whose account and region are
// others, and is the same there.
func TestADumpMakesTheSameQueuesElsewhere(t *testing.T) {
	d := start(t, "-queues", write(t, `
donors: {DelaySeconds: 5, dlq: dead, maxReceiveCount: 3, tags: {team: blue}}
dead: {MessageRetentionPeriod: 600, RedriveAllowPolicy: {redrivePermission: allowAll}}
orders.fifo: {ContentBasedDeduplication: true}
plain:
`), "-region", "eu-west-1", "-account", "123456789012")
	first := d.dump()
	for _, want := range []string{`"dlq": "dead"`, `"maxReceiveCount": 3`, `"team": "blue"`, `"DelaySeconds": "5"`, `"plain": {}`, `"ContentBasedDeduplication": "true"`} {
		if !strings.Contains(first, want) {
			t.Errorf("no %s in %s", want, first)
		}
	}
	if strings.Contains(first, "123456789012") || strings.Contains(first, "VisibilityTimeout") {
		t.Errorf("what is of this place, or the default: %s", first)
	}
	if second := start(t, "-queues", write(t, first)).dump(); second != first {
		t.Errorf("%s\nbecame\n%s", first, second)
	}
}

// An alias may stand for a whole value, whatever that is.
func TestAnAliasStandsForAnyValue(t *testing.T) {
	const text = `
places:
  - region: &region eu-west-1
    queues: &queues {donors: &donors {DelaySeconds: &five 5, tags: &tags {team: blue}}, others: *donors}
    topics:
      news: {subscriptions: &all [&one {queue: donors}], tags: *tags}
      more: {subscriptions: *all}
      some: {subscriptions: [*one]}
  - {account: "123456789012", region: *region, queues: *queues}
queues: {mine: {DelaySeconds: *five, tags: *tags}}
`
	f, err := parseQueueFile([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range f.places[1].topics {
		if len(topic.subscriptions) != 1 || topic.subscriptions[0].queue != "donors" {
			t.Errorf("topic %s has %d subscriptions", topic.name, len(topic.subscriptions))
		}
	}
	if n := len(f.places[2].queues); n != 2 || f.places[2].queues[1].attributes["DelaySeconds"] != "5" {
		t.Errorf("the other place has %d queues", n)
	}
	f, err = parseQueueFile([]byte("queues: {mine: {Policy: &places [{region: eu-west-1}]}}\nplaces: *places"))
	if err != nil || len(f.places) != 2 {
		t.Errorf("places by an alias: %v", err)
	}
}

// A redrive policy outlasts its dead-letter queue, and CreateQueue takes none without.
func TestADumpWithADeletedDeadLetterQueueCanBeRead(t *testing.T) {
	d := start(t, "-queues", write(t, `
queues:
  donors: {dlq: dead, maxReceiveCount: 3, DelaySeconds: 5}
  others: {dlq: kept, maxReceiveCount: 4}
  afar: {RedrivePolicy: {deadLetterTargetArn: "arn:aws:sqs:eu-west-1:000000000000:dead", maxReceiveCount: 2}}
  dead:
  kept:
places: [{region: eu-west-1, queues: {dead: }}]
`))
	d.call(d.base+"/000000000000/dead", "Action=DeleteQueue")
	d.call(d.base+"/eu-west-1/000000000000/dead", "Action=DeleteQueue")
	first := d.dump()
	if strings.Contains(first, "dead") || !strings.Contains(first, `"dlq": "kept"`) || !strings.Contains(first, `"DelaySeconds": "5"`) {
		t.Error(first)
	}
	if second := start(t, "-queues", write(t, first)).dump(); second != first {
		t.Errorf("%s\nbecame\n%s", first, second)
	}
}

// dump runs sqsd -dump.
func (d *daemon) dump(args ...string) string {
	d.t.Helper()
	var out, errs strings.Builder
	if status := run(d.t.Context(), append(args, "-dump", "-addr", strings.TrimPrefix(d.base, "http://")), &out, &errs); status != 0 {
		d.t.Fatal(status, errs.String())
	}
	return out.String()
}

// A file has topics, and more than one region and account, and a dump of them makes
// the same elsewhere.
func TestAFileHasTopicsAndPlaces(t *testing.T) {
	d := start(t, "-queues", write(t, `
topics:
  news:
    DisplayName: News
    tags: {team: blue}
    subscriptions:
      - {queue: donors, raw: true, filter: {kind: [large]}, dlq: dead}
      - {queue: "arn:aws:sqs:eu-west-1:123456789012:donors", filter: '{"kind":["small"]}', FilterPolicyScope: MessageBody}
      - {protocol: email, endpoint: donors@example.com}
  orders.fifo: {ContentBasedDeduplication: true}
places:
  - region: eu-west-1
    account: "123456789012"
    queues:
      donors: {DelaySeconds: 5, dlq: "dead", maxReceiveCount: 2}
      dead:
    topics: {news: {subscriptions: [{queue: donors}]}}
  - {account: "123456789012", queues: {donors: {VisibilityTimeout: 7}}}
queues:
  donors: {RedrivePolicy: {deadLetterTargetArn: "arn:aws:sqs:eu-west-1:123456789012:dead", maxReceiveCount: 4}}
  dead:
`))
	if !strings.HasSuffix(d.bus, "/000000000000/donors") {
		t.Errorf("BUS_URL is %s", d.bus)
	}
	const topic = "arn:aws:sns:us-east-1:000000000000:news"
	d.call(d.base, "Action=Publish&TopicArn="+topic+"&Message=hello&MessageAttributes.entry.1.Name=kind&MessageAttributes.entry.1.Value.DataType=String&MessageAttributes.entry.1.Value.StringValue=large")
	d.call(d.base, "Action=Publish&TopicArn="+topic+"&Message=unwanted")
	if got := d.call(d.bus, "Action=ReceiveMessage&MaxNumberOfMessages=10"); strings.Count(got, "<Message>") != 1 || !strings.Contains(got, "<Body>hello</Body>") {
		t.Error(got)
	}
	if got := d.call(d.base+"/eu-west-1/123456789012/donors", "Action=GetQueueAttributes&AttributeName.1=All"); !strings.Contains(got, "arn:aws:sqs:eu-west-1:123456789012:dead&quot;") || !strings.Contains(got, "<Value>5</Value>") {
		t.Error(got)
	}
	first := d.dump()
	for _, want := range []string{`"DisplayName": "News"`, `"team": "blue"`, `"queue": "donors"`, `"raw": true`, `"dlq": "dead"`, `"endpoint": "donors@example.com"`,
		`"queue": "arn:aws:sqs:eu-west-1:123456789012:donors"`, `"FilterPolicyScope": "MessageBody"`, `"region": "eu-west-1"`, `"maxReceiveCount": 2`,
		`arn:aws:sqs:eu-west-1:123456789012:dead\"`, `"ContentBasedDeduplication": "true"`, `"VisibilityTimeout": "7"`} {
		if !strings.Contains(first, want) {
			t.Errorf("no %s in %s", want, first)
		}
	}
	if strings.Contains(first, "000000000000") {
		t.Errorf("what is of this place: %s", first)
	}
	if second := start(t, "-queues", write(t, first)).dump(); second != first {
		t.Errorf("%s\nbecame\n%s", first, second)
	}
}

// An sqsd that asks for signatures gives its dump to who has a key: from the file of
// -keys, or in the environment.
func TestADumpIsSigned(t *testing.T) {
	keys := write(t, "[a]\naws_access_key_id = AKIDDONORS\naws_secret_access_key = a secret\n")
	d := start(t, "-keys", keys, "-queues", write(t, "donors:"))
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	if got := d.dump("-keys", keys); !strings.Contains(got, "donors") {
		t.Error(got)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDDONORS")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a secret")
	if got := d.dump(); !strings.Contains(got, "donors") {
		t.Error(got)
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "another")
	var out strings.Builder
	if status := run(t.Context(), []string{"-dump", "-addr", strings.TrimPrefix(d.base, "http://")}, &out, &out); status != exitFailed || !strings.Contains(out.String(), "403") {
		t.Error(status, out.String())
	}
}
