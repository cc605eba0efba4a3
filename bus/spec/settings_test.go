package spec_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"omnibus/bus/spec"
)

// arns has queues of one account.
type arns struct{}

const prefix = "arn:aws:sqs:us-east-1:123456789012:"

func (arns) ARN(queue string) string           { return prefix + queue }
func (arns) QueueOf(arn string) (string, bool) { return strings.CutPrefix(arn, prefix) }

// full has a value that is not the default in every field.
var full = spec.QueueSettings{
	Delay: new(5 * time.Second), Visibility: new(17 * time.Second), Retention: new(2 * time.Hour), Wait: new(3 * time.Second),
	MaxMessageBytes: new(2048), FIFO: new(true), ContentBasedDeduplication: new(true), GroupDeduplication: new(true),
	DeadLetter:        &spec.DeadLetter{Queue: "dead.fifo", MaxReceives: 7},
	DeadLetterSources: &spec.DeadLetterSources{Permission: spec.RedriveByQueue, Queues: []string{"a.fifo", "b.fifo"}},
	Kept: map[string]string{
		"Policy": `{"a":"<b>"}`, "KmsMasterKeyId": "key", "KmsDataKeyReusePeriodSeconds": "60",
		"SqsManagedSseEnabled": "false", "FifoThroughputLimit": "perMessageGroupId",
	},
}

// each returns settings with one field of full each, by the field's name.
func each() map[string]spec.QueueSettings {
	out := map[string]spec.QueueSettings{}
	from := reflect.ValueOf(full)
	for i := range from.NumField() {
		var s spec.QueueSettings
		reflect.ValueOf(&s).Elem().Field(i).Set(from.Field(i))
		out[from.Type().Field(i).Name] = s
	}
	return out
}

// No field is left out of any of the forms that settings take. A field added to
// QueueSettings fails here until it has a value in full and a place in the codec.
func TestNoSettingIsDropped(t *testing.T) {
	if v := reflect.ValueOf(full); slices.ContainsFunc(reflect.VisibleFields(v.Type()), func(f reflect.StructField) bool { return v.FieldByIndex(f.Index).IsZero() }) {
		t.Fatalf("a field of full is not given: %+v", full)
	}
	all := each()
	all["all"] = full
	for name, s := range all {
		if err := s.CheckFor("q.fifo"); err != nil {
			t.Errorf("%s is refused: %v", name, err)
		}
		if merged := (spec.QueueSettings{}).Merge(s); !reflect.DeepEqual(merged, s) {
			t.Errorf("%s merged is %+v", name, merged)
		}
		if merged := s.Merge(spec.QueueSettings{}); !reflect.DeepEqual(merged, s) {
			t.Errorf("%s with nothing merged is %+v", name, merged)
		}
		wire := s.Wire(arns{})
		back, err := spec.ParseQueueSettings("q.fifo", wire, arns{})
		if err != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("%s came back from %v as %+v, %v", name, wire, back, err)
		}
		a := spec.QueueAttributes{FIFO: true}
		a.Set(s)
		if attr, has, given := s.Differs(a); attr != "" {
			t.Errorf("%s as set differs in %s: %q, %q", name, attr, has, given)
		}
		if attr, _, _ := s.Differs(spec.QueueAttributes{FIFO: true}); attr == "" && name != "FIFO" {
			t.Errorf("%s does not differ from a queue without it", name)
		}
	}
}

// What a queue has comes back from its attributes on the wire, whole seconds being
// all that the wire carries, and from its settings.
func TestAttributesOnTheWire(t *testing.T) {
	a := spec.QueueAttributes{
		Counts:  spec.Counts{Visible: 1, InFlight: 2, Delayed: 3},
		Created: time.Unix(1_700_000_000, 0), Modified: time.Unix(1_700_000_001, 0),
	}
	a.Set(full)
	for name, a := range map[string]spec.QueueAttributes{"full": a, "standard": {Visibility: 30 * time.Second, MaxMessageBytes: 1024}} {
		wire := a.Wire(arns{})
		back, odd := spec.ParseQueueAttributes(wire, arns{})
		if !a.Created.IsZero() && !back.Created.Equal(a.Created) {
			t.Errorf("created at %v, want %v", back.Created, a.Created)
		}
		if a.Created.IsZero() {
			back.Created, back.Modified = time.Time{}, time.Time{}
		}
		if odd != nil || !reflect.DeepEqual(back, a) {
			t.Errorf("%s: %+v came back from %v as %+v without %v", name, a, wire, back, odd)
		}
		for name := range wire {
			if !slices.Contains(spec.QueueAttributeNames(), name) {
				t.Errorf("%s is not among the names of attributes", name)
			}
		}
		var again spec.QueueAttributes
		again.Set(a.Settings())
		again.Counts, again.Created, again.Modified = a.Counts, a.Created, a.Modified
		if !reflect.DeepEqual(again, a) {
			t.Errorf("%s: a queue with the settings of %+v has %+v", name, a, again)
		}
	}
	if text := (spec.QueueAttributes{Delay: 1900 * time.Millisecond}).Wire(arns{})["DelaySeconds"]; text != "1" {
		t.Errorf("a delay of 1.9 s is %q seconds", text)
	}
}

// Other endpoints have values that AWS does not have. They are left out, and told.
func TestOddAttributesAreLeftOutAndTold(t *testing.T) {
	wire := map[string]string{
		"DelaySeconds": "5", "VisibilityTimeout": "86400", "FifoQueue": "false",
		"CreatedTimestamp": "1700000000.25", "RedrivePolicy": "None", "ApproximateNumberOfMessages": "many",
		"LastModifiedTimestamp": "1700000000", "ApproximateNumberOfMessagesDelayed": "7", "NotYetInvented": "x",
	}
	a, odd := spec.ParseQueueAttributes(wire, arns{})
	want := map[string]string{"CreatedTimestamp": "1700000000.25", "RedrivePolicy": "None", "ApproximateNumberOfMessages": "many"}
	if !maps.Equal(odd, want) {
		t.Errorf("left out %v, want %v", odd, want)
	}
	if a.Delay != 5*time.Second || a.Visibility != 24*time.Hour || a.Delayed != 7 || a.Modified.Unix() != 1_700_000_000 || !a.Created.IsZero() {
		t.Errorf("read %+v", a)
	}
}

func TestMergePrefersWhatIsOver(t *testing.T) {
	under := spec.QueueSettings{Delay: new(time.Second), Wait: new(time.Second), Kept: map[string]string{"Policy": "1", "KmsMasterKeyId": "k"}}
	over := spec.QueueSettings{Delay: new(2 * time.Second), Kept: map[string]string{"Policy": ""}}
	got := under.Merge(over)
	want := spec.QueueSettings{Delay: new(2 * time.Second), Wait: new(time.Second), Kept: map[string]string{"Policy": "", "KmsMasterKeyId": "k"}}
	if !reflect.DeepEqual(got, want) || *under.Delay != time.Second || under.Kept["Policy"] != "1" || len(over.Kept) != 1 {
		t.Errorf("%+v from %+v and %+v", got, under, over)
	}
}

func TestSettingsForAQueue(t *testing.T) {
	for _, c := range []struct {
		queue    string
		settings spec.QueueSettings
		code     spec.Code
		parts    []string
	}{
		{"q", spec.QueueSettings{FIFO: new(false)}, "", nil},
		{"q.fifo", spec.QueueSettings{FIFO: new(true)}, "", nil},
		{"q", spec.QueueSettings{FIFO: new(true)}, spec.InvalidAttributeValue, []string{"Modifying queue type", "end in .fifo"}},
		{"q.fifo", spec.QueueSettings{FIFO: new(false)}, spec.InvalidAttributeValue, []string{"Modifying queue type"}},
		{"q", spec.QueueSettings{ContentBasedDeduplication: new(false)}, spec.InvalidAttributeName, []string{"Unknown Attribute ContentBasedDeduplication.", "FIFO queues only"}},
		{"q", spec.QueueSettings{GroupDeduplication: new(true)}, spec.InvalidAttributeName, []string{"You can specify the DeduplicationScope only when FifoQueue is set to true."}},
		{"q", spec.QueueSettings{Kept: map[string]string{"FifoThroughputLimit": "perQueue"}}, spec.InvalidAttributeName, []string{"FifoThroughputLimit only when FifoQueue"}},
		{"q", spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "d.fifo", MaxReceives: 1}}, spec.InvalidParameterValue, []string{"RedrivePolicy", "d.fifo", "same type of queue"}},
		{"q", spec.QueueSettings{Kept: map[string]string{"Policy": "{"}}, spec.InvalidAttributeValue, []string{"Policy"}},
		{"q", spec.QueueSettings{Kept: map[string]string{"Policy": ""}}, "", nil},
		{"q", spec.QueueSettings{Kept: map[string]string{"DelaySeconds": "5"}}, spec.InvalidAttributeName, []string{"DelaySeconds", "a field of the settings"}},
		{"q", spec.QueueSettings{Kept: map[string]string{"Colour": "red"}}, spec.InvalidAttributeName, []string{"Unknown Attribute Colour."}},
	} {
		check(t, c.settings.CheckFor(c.queue), c.code, c.parts...)
	}
	check(t, spec.QueueSettings{Wait: new(1500 * time.Millisecond)}.CheckWholeSeconds(), spec.InvalidParameterValue, "ReceiveMessageWaitTimeSeconds", "1.5s")
	check(t, full.CheckWholeSeconds(), "")
}

func TestParsedSettingsAreChecked(t *testing.T) {
	for _, c := range []struct {
		name, value string
		code        spec.Code
		part        string
	}{
		{"DelaySeconds", "soon", spec.InvalidAttributeValue, "Invalid value for the parameter DelaySeconds."},
		{"DelaySeconds", "901", spec.InvalidAttributeValue, "Invalid value for the parameter DelaySeconds. Reason: 901 is out of range; allowed are 0 to 900 seconds."},
		{"FifoQueue", "yes", spec.InvalidAttributeName, "Unknown Attribute FifoQueue."},
		{"Colour", "red", spec.InvalidAttributeName, "Unknown Attribute Colour."},
		{"QueueArn", "x", spec.InvalidAttributeName, "Unknown Attribute QueueArn."},
		{"SqsManagedSseEnabled", "", spec.InvalidAttributeValue, "SqsManagedSseEnabled"},
		{"RedrivePolicy", "None", spec.InvalidParameterValue, "Value None for parameter RedrivePolicy is invalid. Reason: Redrive policy is not a valid JSON map."},
		{"RedrivePolicy", `{ "deadLetterTargetArn":"` + prefix + `d", "maxReceiveCount":"1001"}`, spec.InvalidParameterValue,
			`Value { "deadLetterTargetArn":"` + prefix + `d", "maxReceiveCount":"1001"} for parameter RedrivePolicy is invalid. Reason: Invalid value for maxReceiveCount: 1001, valid values are from 1 to 1000 both inclusive.`},
		{"RedrivePolicy", `{"deadLetterTargetArn":"` + prefix + `d.fifo","maxReceiveCount":1}`, spec.InvalidParameterValue, `"` + prefix + `d.fifo","maxReceiveCount":1} for parameter RedrivePolicy is invalid. Reason: Dead-letter queue must be same type of queue as the source.`},
		{"RedrivePolicy", `{"deadLetterTargetArn":"arn:else:d","maxReceiveCount":1}`, spec.InvalidParameterValue, "Invalid value for deadLetterTargetArn."},
		{"RedriveAllowPolicy", `{"redrivePermission":"byQueue"}`, spec.InvalidAttributeValue, "allowed are 1 to 10"},
		{"RedriveAllowPolicy", `{"redrivePermission":"some"}`, spec.InvalidAttributeValue, "allowAll, denyAll and byQueue"},
	} {
		_, err := spec.ParseQueueSettings("q", map[string]string{c.name: c.value}, arns{})
		check(t, err, c.code, c.part)
	}
}

// The rules on attributes that queues only keep look at what the queue has.
func TestKeptSettingsFitEachOther(t *testing.T) {
	keyed := spec.QueueAttributes{}
	keyed.Set(spec.QueueSettings{Kept: map[string]string{"KmsMasterKeyId": "k"}})
	check(t, spec.QueueSettings{Kept: map[string]string{"SqsManagedSseEnabled": "true"}}.CheckOver(keyed), spec.InvalidAttributeName, "one type of server-side encryption")
	check(t, spec.QueueSettings{Kept: map[string]string{"SqsManagedSseEnabled": "true", "KmsMasterKeyId": ""}}.CheckOver(keyed), "")
	if keyed.Kept["SqsManagedSseEnabled"] != "false" {
		t.Errorf("a queue with a key keeps %v", keyed.Kept)
	}
	limited := spec.QueueAttributes{FIFO: true, Kept: map[string]string{"FifoThroughputLimit": "perMessageGroupId"}}
	check(t, spec.QueueSettings{GroupDeduplication: new(false)}.CheckOver(limited), spec.InvalidAttributeValue, "FifoThroughputLimit")
	check(t, spec.QueueSettings{GroupDeduplication: new(true)}.CheckOver(limited), "")
	limit := spec.QueueSettings{Kept: limited.Kept}
	check(t, limit.CheckOver(spec.QueueAttributes{FIFO: true}), spec.InvalidAttributeValue, "FifoThroughputLimit")
	check(t, limit.CheckOver(spec.QueueAttributes{FIFO: true, GroupDeduplication: true}), "")
}
