package topics

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

const (
	account = "123456789012"
	base    = "http://127.0.0.1:9324"
)

// rig is an engine of topics over queues in memory.
type rig struct {
	*Engine
	t      *testing.T
	queues *engine.Engine
	posts  []Post
	mu     sync.Mutex
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, queues: engine.New(nil)}
	r.Engine = New(Options{Queues: r, Poster: r})
	return r
}

// Queue returns the queue of the name that ends an ARN.
func (r *rig) Queue(arn string) (*engine.Queue, error) {
	return r.queues.Queue(arn[strings.LastIndexByte(arn, ':')+1:])
}

func (r *rig) Post(p Post) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.posts = append(r.posts, p)
}

func topicARN(name string) ARN    { return ARN{"aws", "sns", "eu-west-1", account, name} }
func queueARN(name string) string { return "arn:aws:sqs:eu-west-1:" + account + ":" + name }

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, code spec.Code, text string) {
	t.Helper()
	var e *spec.Error
	if !errors.As(err, &e) || e.Code != code || !strings.HasPrefix(e.Message, text) {
		t.Errorf("error %v, want %s: %s", err, code, text)
	}
}

// topic creates a topic; attributes are names and values in turn.
func (r *rig) create(name string, attributes ...string) string {
	r.t.Helper()
	attrs := pairs(attributes)
	if spec.IsFIFOName(name) {
		attrs["FifoTopic"] = "true"
	}
	ok(r.t, r.CreateTopic(topicARN(name), attrs, nil))
	return topicARN(name).String()
}

func pairs(list []string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(list); i += 2 {
		m[list[i]] = list[i+1]
	}
	return m
}

// queue creates a queue and subscribes it.
func (r *rig) queue(topic, name string, attributes ...string) string {
	r.t.Helper()
	_, err := r.queues.Create(name, spec.QueueSettings{})
	ok(r.t, err)
	s, err := r.Subscribe(SubscribeRequest{TopicARN: topic, Protocol: "sqs", Endpoint: queueARN(name), Attributes: pairs(attributes), Account: account, Base: base})
	ok(r.t, err)
	return s.ARN
}

func (r *rig) publish(topic string, m Message) Published {
	r.t.Helper()
	p, err := r.Publish(topic, base, m)
	ok(r.t, err)
	return p
}

// receive takes all that a queue has.
func (r *rig) receive(name string) []engine.Delivery {
	r.t.Helper()
	q, err := r.queues.Queue(name)
	ok(r.t, err)
	var all []engine.Delivery
	for {
		ds, err := q.Receive(r.t.Context(), engine.ReceiveRequest{Max: 10})
		ok(r.t, err)
		if len(ds) == 0 {
			return all
		}
		all = append(all, ds...)
	}
}

func (r *rig) bodies(name string) string {
	r.t.Helper()
	var bodies []string
	for _, d := range r.receive(name) {
		bodies = append(bodies, d.Body)
	}
	return strings.Join(bodies, " ")
}

func attribute(name, dataType, value string) spec.NamedAttribute {
	return spec.NamedAttribute{Name: name, Attribute: spec.Attribute{DataType: dataType, StringValue: value}}
}

func TestPublishReachesTheQueuesThatWantIt(t *testing.T) {
	r := newRig(t)
	topic := r.create("donors")
	const raw, yes = "RawMessageDelivery", "true"
	r.queue(topic, "all", raw, yes)
	r.queue(topic, "large", raw, yes, "FilterPolicy", `{"amount":[{"numeric":[">",100]}]}`)
	r.queue(topic, "by-body", raw, yes, "FilterPolicy", `{"donor":{"name":["Lois"]}}`, "FilterPolicyScope", "MessageBody")
	small := r.publish(topic, Message{Body: `{"donor":{"name":"Lois"}}`, Attributes: []spec.NamedAttribute{attribute("amount", "Number", "7")}})
	r.publish(topic, Message{Body: "plain", Attributes: []spec.NamedAttribute{attribute("amount", "Number", "700")}})
	r.publish(topic, Message{Body: "nothing"})
	for queue, want := range map[string]string{"all": `{"donor":{"name":"Lois"}} plain nothing`, "large": "plain", "by-body": `{"donor":{"name":"Lois"}}`} {
		ds := r.receive(queue)
		var bodies []string
		for _, d := range ds {
			bodies = append(bodies, d.Body)
		}
		if got := strings.Join(bodies, " "); got != want {
			t.Errorf("%s got %q, want %q", queue, got, want)
		}
		if ds[0].ID == small.MessageID {
			t.Errorf("%s: the queue's message has the topic's id", queue)
		}
	}
}

func TestRawDeliveryKeepsAttributes(t *testing.T) {
	r := newRig(t)
	topic := r.create("t")
	r.queue(topic, "q", "RawMessageDelivery", "True")
	blob := spec.NamedAttribute{Name: "blob", Attribute: spec.Attribute{DataType: "Binary.png", BinaryValue: []byte{2, 0, 255}}}
	in := []spec.NamedAttribute{attribute("z", "Number.int", "7"), attribute("a", "String.Array", `["x"]`), blob}
	r.publish(topic, Message{Body: "b", Subject: new("s"), Attributes: in, TraceHeader: "Root=1"})
	d := r.receive("q")[0]
	if want := []spec.NamedAttribute{in[1], blob, in[0]}; d.Body != "b" || d.TraceHeader != "Root=1" || fmt.Sprint(d.Attributes) != fmt.Sprint(want) {
		t.Errorf("%+v", d)
	}
	if in[0].Name != "z" {
		t.Error("the publisher's list was changed")
	}
}

// What cannot be delivered goes to the dead-letter queue in the form in which it
// would have been delivered.
func TestDeadLetters(t *testing.T) {
	r := newRig(t)
	topic := r.create("t")
	policy := `{"deadLetterTargetArn":"` + queueARN("dead") + `"}`
	_, err := r.queues.Create("dead", spec.QueueSettings{})
	ok(t, err)
	r.queue(topic, "gone", "RedrivePolicy", policy)
	r.queue(topic, "gone-raw", "RedrivePolicy", policy, "RawMessageDelivery", "true")
	r.queue(topic, "gone-for-good")
	for _, q := range []string{"gone", "gone-raw", "gone-for-good"} {
		ok(t, r.queues.Delete(q))
	}
	r.publish(topic, Message{Body: "hello", Attributes: []spec.NamedAttribute{attribute("a", "Number", "1")}})
	ds := r.receive("dead")
	if len(ds) != 2 || !strings.Contains(ds[0].Body, `"Message" : "hello"`) || len(ds[0].Attributes) != 0 || ds[1].Body != "hello" || len(ds[1].Attributes) != 1 {
		t.Errorf("dead letters: %+v", ds)
	}
}

func TestElevenAttributesDeliveredRawAreADeadLetter(t *testing.T) {
	r := newRig(t)
	topic := r.create("t")
	_, err := r.queues.Create("dead", spec.QueueSettings{})
	ok(t, err)
	r.queue(topic, "raw", "RawMessageDelivery", "true", "RedrivePolicy", `{"deadLetterTargetArn":"`+queueARN("dead")+`"}`)
	r.queue(topic, "enveloped")
	var attrs []spec.NamedAttribute
	for i := range 11 {
		attrs = append(attrs, attribute(fmt.Sprint("a", i), "String", "v"))
	}
	r.publish(topic, Message{Body: "ten", Attributes: attrs[:10]})
	r.publish(topic, Message{Body: "eleven", Attributes: attrs})
	if got := r.bodies("raw"); got != "ten" {
		t.Errorf("raw got %q", got)
	}
	if n := len(r.receive("enveloped")); n != 2 {
		t.Errorf("enveloped got %d", n)
	}
	dead := r.bodies("dead")
	for _, want := range []string{`"Message" : "eleven"`, `"a0" : {"Type":"String","Value":"v"}`, `"a10" : {`} {
		if !strings.Contains(dead, want) {
			t.Errorf("the dead letter has no %s: %s", want, dead)
		}
	}
}

func TestEnvelope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.opts.Signer = signer{}
		standard, fifo := r.create("t", "SignatureVersion", "2"), r.create("t.fifo")
		arn := r.queue(standard, "q")
		fifoARN := r.queue(fifo, "q.fifo")
		blob := spec.NamedAttribute{Name: "b", Attribute: spec.Attribute{DataType: "Binary", BinaryValue: []byte{2, 3, 4}}}
		p := r.publish(standard, Message{Body: "<é \"&\\>\n\x01", Subject: new("it's <here>"), Attributes: []spec.NamedAttribute{blob, attribute("a", "Number", "1")}})
		want := `{
  "Type" : "Notification",
  "MessageId" : "` + p.MessageID + `",
  "TopicArn" : "` + standard + `",
  "Subject" : "it's <here>",
  "Message" : "<é \"&\\>\n\u0001",
  "Timestamp" : "2000-01-01T00:00:00.000Z",
  "SignatureVersion" : "2",
  "Signature" : "SIGNED",
  "SigningCertURL" : "http://127.0.0.1:9324/cert.pem",
  "UnsubscribeURL" : "http://127.0.0.1:9324/?Action=Unsubscribe&SubscriptionArn=` + arn + `",
  "MessageAttributes" : {
    "a" : {"Type":"Number","Value":"1"},
    "b" : {"Type":"Binary","Value":"AgME"}
  }
}`
		if got := r.bodies("q"); got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
		p = r.publish(fifo, Message{Body: "m", Group: "g", Deduplication: "d"})
		want = `{
  "Type" : "Notification",
  "MessageId" : "` + p.MessageID + `",
  "SequenceNumber" : "` + p.SequenceNumber + `",
  "TopicArn" : "` + fifo + `",
  "Message" : "m",
  "Timestamp" : "2000-01-01T00:00:00.000Z",
  "UnsubscribeURL" : "http://127.0.0.1:9324/?Action=Unsubscribe&SubscriptionArn=` + fifoARN + `"
}`
		if got := r.bodies("q.fifo"); got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
		// Without an address there are no links, and no certificate to be had.
		_, err := r.Publish(standard, "", Message{Body: "m"})
		ok(t, err)
		if got := r.bodies("q"); strings.Contains(got, "URL") || strings.Contains(got, "Signature") || !strings.HasSuffix(got, "000Z\"\n}") {
			t.Error(got)
		}
	})
}

type signer struct{}

func (signer) Sign(version, text string) (string, string) { return "SIGNED", "/cert.pem" }

// countingSigner is for texts and how often they are signed.
type countingSigner struct{ texts []string }

func (s *countingSigner) Sign(version, text string) (string, string) {
	s.texts = append(s.texts, version+" "+text)
	return "SIGNED", "/cert.pem"
}

func TestAPublicationIsSignedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := &countingSigner{}
		r.opts.Signer = s
		topic := r.create("t")
		for i := range 10 {
			r.queue(topic, fmt.Sprint("q", i))
		}
		r.queue(topic, "raw", "RawMessageDelivery", "true")
		p := r.publish(topic, Message{Body: "a\nb", Subject: new("s")})
		want := "1 Message\na\nb\nMessageId\n" + p.MessageID + "\nSubject\ns\nTimestamp\n2000-01-01T00:00:00.000Z\nTopicArn\n" + topic + "\nType\nNotification\n"
		if len(s.texts) != 1 || s.texts[0] != want {
			t.Errorf("signed %q, want %q", s.texts, want)
		}
		for i := range 10 {
			ok(t, r.queues.Delete(fmt.Sprint("q", i)))
		}
		ok(t, r.SetTopicAttribute(topic, "SignatureVersion", "2"))
		r.publish(topic, Message{Body: "b"})
		if strings.Contains(s.texts[1], "Subject") || !strings.HasPrefix(s.texts[1], "2 ") {
			t.Errorf("signed %q", s.texts[1])
		}
	})
}

func TestWhatQueuesGetOfGroupAndDeduplicationID(t *testing.T) {
	hash := "532eaabd9574880dbf76b9b8cc00832c20a6ec113d682299550d7a6e0f345e25" // recorded, of "Test"
	for _, test := range []struct {
		topic, queue string
		attributes   []string
		message      Message
		group, dedup string
	}{
		{"t.fifo", "q.fifo", nil, Message{Body: "Test", Group: "g", Deduplication: "d"}, "g", "d"},
		{"t.fifo", "q.fifo", []string{"ContentBasedDeduplication", "true"}, Message{Body: "Test", Group: "g"}, "g", hash},
		{"t.fifo", "q", nil, Message{Body: "Test", Group: "g", Deduplication: "d"}, "", ""},
		{"t", "q", nil, Message{Body: "Test", Group: "g"}, "g", ""},
		{"t", "q", nil, Message{Body: "Test"}, "", ""},
	} {
		r := newRig(t)
		topic := r.create(test.topic, test.attributes...)
		r.queue(topic, test.queue)
		p := r.publish(topic, test.message)
		d := r.receive(test.queue)[0]
		if d.Group != test.group || d.Deduplication != test.dedup || (p.SequenceNumber == "") == spec.IsFIFOName(test.topic) {
			t.Errorf("%s to %s: %q, %q, sequence number %q", test.topic, test.queue, d.Group, d.Deduplication, p.SequenceNumber)
		}
	}
}

func TestFIFOTopicsDeduplicateForFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for scope, want := range map[string]string{"Topic": "1 4", "MessageGroup": "1 3 4"} {
			r := newRig(t)
			topic := r.create("t.fifo", "FifoThroughputScope", scope)
			// A queue that would not deduplicate: the topic does.
			r.queue(topic, "q", "RawMessageDelivery", "true")
			publish := func(body, group string) Published {
				return r.publish(topic, Message{Body: body, Group: group, Deduplication: "same"})
			}
			first := publish("1", "g")
			time.Sleep(5*time.Minute - time.Nanosecond)
			if again := publish("2", "g"); again != first {
				t.Errorf("the duplicate is %v, the first was %v", again, first)
			}
			publish("3", "h")
			time.Sleep(time.Nanosecond)
			if later := publish("4", "g"); later == first || later.SequenceNumber <= first.SequenceNumber || len(later.SequenceNumber) != 20 {
				t.Errorf("%v after %v", later, first)
			}
			if got := r.bodies("q"); got != want {
				t.Errorf("scope %s: %s, want %s", scope, got, want)
			}
		}
	})
}

// Publishers at once: every queue has the same order, that of the sequence
// numbers.
func TestFIFOTopicsKeepOneOrder(t *testing.T) {
	r := newRig(t)
	topic := r.create("t.fifo")
	r.queue(topic, "a.fifo", "RawMessageDelivery", "true")
	r.queue(topic, "b.fifo", "RawMessageDelivery", "true")
	const publishers, each = 8, 50
	numbers := make([]map[string]string, publishers) // by body
	var wg sync.WaitGroup
	for i := range publishers {
		numbers[i] = map[string]string{}
		wg.Go(func() {
			for j := range each {
				body := fmt.Sprint(i, "-", j)
				p, err := r.Publish(topic, base, Message{Body: body, Group: "g", Deduplication: body})
				if err != nil {
					t.Error(err)
				}
				numbers[i][body] = p.SequenceNumber
			}
		})
	}
	wg.Wait()
	all := map[string]string{}
	for _, m := range numbers {
		maps.Copy(all, m)
	}
	want := slices.SortedFunc(maps.Keys(all), func(a, b string) int { return strings.Compare(all[a], all[b]) })
	for _, q := range []string{"a.fifo", "b.fifo"} {
		var got []string
		for len(got) < publishers*each {
			queue, err := r.queues.Queue(q)
			ok(t, err)
			ds, err := queue.Receive(t.Context(), engine.ReceiveRequest{Max: 10})
			ok(t, err)
			if len(ds) == 0 {
				break
			}
			for _, d := range ds {
				got = append(got, d.Body)
				_, err := queue.Delete(d.ReceiptHandle)
				ok(t, err)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has %d messages, not in the order of the %d that were published", q, len(got), len(want))
		}
	}
}

func TestSubjectsOfAWSOnly(t *testing.T) {
	r := newRig(t)
	topic := r.create("t")
	r.queue(topic, "q")
	for _, subject := range []string{"a", strings.Repeat("é", 100), "Ünïcode \U0001F600"} {
		r.publish(topic, Message{Body: "m", Subject: &subject})
	}
	for _, subject := range []string{"", strings.Repeat("a", 101), "two\nlines", "two\rlines", "a\u2028b", "tab\t", "\x7f", "\xff"} {
		_, err := r.Publish(topic, base, Message{Body: "m", Subject: &subject})
		wantError(t, err, InvalidParameter, "Invalid parameter: Subject")
	}
	if n := len(r.receive("q")); n != 3 {
		t.Errorf("%d messages", n)
	}
}

func TestSizes(t *testing.T) {
	r := newRig(t)
	topic := r.create("t")
	attr := attribute("name", "String", "value") // 4 + 6 + 5 bytes
	r.publish(topic, Message{Body: strings.Repeat("x", 262144-15), Attributes: []spec.NamedAttribute{attr}})
	_, err := r.Publish(topic, base, Message{Body: strings.Repeat("x", 262144-14), Attributes: []spec.NamedAttribute{attr}})
	wantError(t, err, InvalidParameter, "Invalid parameter: Message too long")
	_, err = r.Publish(topic, base, Message{})
	wantError(t, err, InvalidParameter, "Invalid parameter: Empty message")
	half := Message{Body: strings.Repeat("x", 131072)}
	_, errs, err := r.PublishBatch(topic, base, []Message{half, half})
	ok(t, errors.Join(append(errs, err)...))
	_, _, err = r.PublishBatch(topic, base, []Message{half, half, {Body: "x"}})
	wantError(t, err, BatchRequestTooLong, "The length of all the messages put together is more than the limit.")

	ok(t, r.SetTopicAttribute(topic, "MaximumMessageSize", "1048576"))
	r.publish(topic, Message{Body: strings.Repeat("x", 1<<20)})
	_, err = r.Subscribe(SubscribeRequest{TopicARN: topic, Protocol: "email", Endpoint: "a@b", Account: account})
	wantError(t, err, InvalidParameter, "Invalid parameter: ")
	for i := range 100 {
		r.queue(topic, fmt.Sprint("q", i))
	}
	_, err = r.Subscribe(SubscribeRequest{TopicARN: topic, Protocol: "sqs", Endpoint: queueARN("one-more"), Account: account})
	wantError(t, err, InvalidParameter, "Invalid parameter: ")
	ok(t, r.SetTopicAttribute(topic, "MaximumMessageSize", "1024"))
	_, err = r.Publish(topic, base, Message{Body: strings.Repeat("x", 1025)})
	wantError(t, err, InvalidParameter, "Invalid parameter: Message too long")
	r.queue(topic, "one-more")
	wantError(t, r.SetTopicAttribute(topic, "MaximumMessageSize", "262145"), InvalidParameter, "Invalid parameter: MaximumMessageSize: ")
	for _, size := range []string{"1023", "1048577", "x"} {
		wantError(t, r.SetTopicAttribute(topic, "MaximumMessageSize", size), InvalidParameter, "Invalid parameter: MaximumMessageSize: Invalid value ["+size+"]")
	}
}

func TestMessageStructure(t *testing.T) {
	r := newRig(t)
	topic := r.create("t")
	r.queue(topic, "q", "RawMessageDelivery", "true", "FilterPolicy", `{"a":[1]}`, "FilterPolicyScope", "MessageBody")
	for body, want := range map[string]string{
		`{"default":"d","sqs":"{\"a\":1}"}`:             `{"a":1}`,
		`{"default":"{\"a\":1}","http":"h"}`:            `{"a":1}`,
		`{"default":"x","sqs":{"a":1}}`:                 "",
		`{"default":"x","default":"{\"a\":1,\"b\":2}"}`: `{"a":1,"b":2}`,
	} {
		r.publish(topic, Message{Body: body, Structured: true})
		if got := r.bodies("q"); got != want {
			t.Errorf("%s gives %q, want %q", body, got, want)
		}
	}
	for body, want := range map[string]string{
		`{"sqs":"x"}`: "No default entry in JSON message body", `{"default":{"a":1}}`: "No default entry in JSON message body",
		`x`: "JSON message body failed to parse", `"x"`: "No default entry",
	} {
		_, err := r.Publish(topic, base, Message{Body: body, Structured: true})
		wantError(t, err, InvalidParameter, "Invalid parameter: Message Structure - "+want)
	}
}

// A batch fails as a whole for what AWS was recorded to refuse it for.
func TestBatches(t *testing.T) {
	r := newRig(t)
	topic, fifo := r.create("t"), r.create("t.fifo")
	r.queue(topic, "q", "RawMessageDelivery", "true")
	out, errs, err := r.PublishBatch(topic, base, []Message{{Body: "1"}, {Body: ""}, {Body: "3", Subject: new("")}, {Body: "4"}})
	ok(t, err)
	wantError(t, errs[1], InvalidParameter, "Invalid parameter: Empty message")
	wantError(t, errs[2], InvalidParameter, "Invalid parameter: Subject")
	if errs[0] != nil || errs[3] != nil || out[0].MessageID == "" || out[1].MessageID != "" || r.bodies("q") != "1 4" {
		t.Errorf("%v, %v", out, errs)
	}
	for _, test := range []struct {
		topic string
		bad   Message
		code  spec.Code
		text  string
	}{
		{fifo, Message{Body: "m", Deduplication: "d"}, InvalidParameter, "Invalid parameter: The MessageGroupId parameter is required for FIFO topics"},
		{fifo, Message{Body: "m", Group: "g"}, InvalidParameter, "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"},
		{fifo, Message{Body: "m", Group: "a b", Deduplication: "d"}, InvalidParameter, "Invalid parameter: MessageGroupId"},
		{fifo, Message{Body: "m", Group: "g", Deduplication: "ü"}, InvalidParameter, "Invalid parameter: MessageDeduplicationId"},
		{topic, Message{Body: "m", Deduplication: "d"}, InvalidParameter, "Invalid parameter: MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type"},
		{topic, Message{Body: "m", Structured: true}, InvalidParameter, "Invalid parameter: Message Structure - "},
		{topic, Message{Body: "m", Attributes: []spec.NamedAttribute{attribute("a", "Text", "x")}}, ParameterValueInvalid, "The message attribute 'a' has an invalid message attribute type"},
	} {
		good := Message{Body: "good"}
		if test.topic == fifo {
			good.Group, good.Deduplication = "g", "d"
		}
		_, _, err := r.PublishBatch(test.topic, base, []Message{good, test.bad})
		wantError(t, err, test.code, test.text)
		if got := r.bodies("q"); got != "" {
			t.Errorf("%q was published", got)
		}
	}
}

// The texts are recorded, except the last four.
func TestAttributesOfMessages(t *testing.T) {
	r := newRig(t)
	topic := r.create("t")
	blob := func(dataType string, b []byte) spec.NamedAttribute {
		return spec.NamedAttribute{Name: "attr1", Attribute: spec.Attribute{DataType: dataType, BinaryValue: b}}
	}
	for _, test := range []struct {
		attr spec.NamedAttribute
		want string
	}{
		{attribute("attr1", "String", ""), "The message attribute 'attr1' must contain non-empty message attribute value for message attribute type 'String'."},
		{blob("Binary", nil), "The message attribute 'attr1' must contain non-empty message attribute value for message attribute type 'Binary'."},
		{blob("String", []byte("1")), "The message attribute 'attr1' with type 'String' must use field 'String'."},
		{blob("Number", []byte("1")), "The message attribute 'attr1' with type 'Number' must use field 'String'."},
		{attribute("attr1", "Binary", "1"), "The message attribute 'attr1' with type 'Binary' must use field 'Binary'."},
		{attribute("attr1", "InvalidType", "1"), "The message attribute 'attr1' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."},
		{attribute(strings.Repeat("a", 257), "String", "1"), "Length of message attribute name must be less than 256 bytes."},
		{attribute("a^b", "String", "1"), "Invalid non-alphanumeric character '#x5E' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots."},
		{attribute(".a", "String", "1"), "Invalid message attribute name starting with character '.' was found."},
		{attribute("a.", "String", "1"), "Invalid message attribute name ending with character '.' was found."},
		{attribute("a..b", "String", "1"), "Message attribute name can not have successive '.' character."},
		{attribute("", "String", "1"), "Length of message attribute name"},
		{attribute("a", "Number", "one"), "Could not cast message attribute 'a' value to number."},
		{attribute("a", "String", "\xff"), "The value of the message attribute 'a' must be UTF-8."},
		{attribute("twice", "String", "1"), "The message attribute 'twice' is there twice."},
	} {
		_, err := r.Publish(topic, base, Message{Body: "m", Attributes: []spec.NamedAttribute{attribute("twice", "String", "x"), test.attr}})
		wantError(t, err, ParameterValueInvalid, test.want)
	}
	r.publish(topic, Message{Body: "m", Attributes: []spec.NamedAttribute{attribute("a.b-c_D", "String.x.y", "v"), attribute("n", "Number.price", "-1.5e3"), blob("Binary.gif", []byte{0})}})
}

func TestPublishersAtOnce(t *testing.T) {
	r := newRig(t)
	topic := r.create("t")
	arn := r.queue(topic, "q", "RawMessageDelivery", "true")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if _, err := r.Publish(topic, base, Message{Body: `{"k":1}`}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 50 {
			_ = r.SetSubscriptionAttribute(arn, "FilterPolicy", []string{`{"k":[1]}`, ``}[i%2])
			_ = r.SetSubscriptionAttribute(arn, "FilterPolicyScope", "MessageBody")
			_ = r.SetTopicAttribute(topic, "SignatureVersion", "2")
			_, _ = r.SubscriptionAttributes(arn)
			_, _ = r.Subscribe(SubscribeRequest{TopicARN: topic, Protocol: "http", Endpoint: fmt.Sprint("http://127.0.0.1/", i), Account: account, Base: base})
		}
	})
	wg.Wait()
	if n := len(r.receive("q")); n == 0 {
		t.Error("nothing arrived")
	}
}
