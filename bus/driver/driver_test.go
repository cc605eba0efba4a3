package driver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"unicode/utf8"

	"gocloud.dev/gcerrors"

	"omnibus/bus/spec"
)

// The wire form is the Go CDK's for SQS, as gocloud.dev/pubsub/awssnssqs
// documents it: a message of ours must mean the same to a stock receiver.
func TestWireFormIsTheGoCDKs(t *testing.T) {
	for _, test := range []struct{ key, value, name, wire string }{
		{"JobType", "NewDonor", "JobType", "NewDonor"},
		{"a b", "a b", "a__0x20__b", "a%20b"},
		{"a.b", "100%", "a.b", "100%25"},
		{".a..b", "a/b", "__0x2e__a.__0x2e__b", "a%2Fb"},
		{"☺", "☺", "__0x263a__", "%E2%98%BA"},
		{"a_-b", "a_-b", "a_-b", "a_-b"},
		{"__0x2f__", "x", "__0x5f___0x2f__", "x"},
		{"__0x0 ", "x", "__0x5f___0x0__0x20__", "x"},
	} {
		body, attrs := Encode([]byte("x"), map[string]string{test.key: test.value}, &SendOptions{})
		if body != "x" || len(attrs) != 1 || attrs[0].Name != test.name || attrs[0].StringValue != test.wire || attrs[0].DataType != "String" {
			t.Errorf("%q=%q is sent as %+v, want %q=%q", test.key, test.value, attrs, test.name, test.wire)
		}
		if _, got, _ := Decode(body, attrs); got[test.key] != test.value {
			t.Errorf("%q=%q is received as %v", test.key, test.value, got)
		}
	}
}

func TestBodyThatIsNotUTF8TravelsInBase64(t *testing.T) {
	raw := []byte{'a', 0xbd, 0xb2}
	body, attrs := Encode(raw, nil, &SendOptions{})
	if body != "Yb2y" || len(attrs) != 1 || attrs[0].Name != "base64encoded" || attrs[0].StringValue != "true" {
		t.Errorf("sent as %q, %+v", body, attrs)
	}
	got, metadata, typed := Decode(body, attrs)
	if string(got) != string(raw) || len(metadata) != 0 || len(typed) != 0 {
		t.Errorf("received as %q, %v, %v; the mark is not the application's to see", got, metadata, typed)
	}
}

func TestMetadataSetsGroupAndDeduplication(t *testing.T) {
	metadata := map[string]string{"MessageGroupId": "g", "DeduplicationId": "d"}
	o := SendOptions{}
	Encode([]byte("x"), metadata, &o)
	if o.Group != "g" || o.Deduplication != "d" {
		t.Errorf("options are %+v", o)
	}
	o = SendOptions{Group: "other"}
	Encode([]byte("x"), metadata, &o)
	if o.Group != "other" || o.Deduplication != "d" {
		t.Errorf("options are %+v; what the sender said himself comes first", o)
	}
}

func TestForeignAttributesArriveAsTheyWereSent(t *testing.T) {
	attrs := []spec.NamedAttribute{
		{Name: "n", Attribute: spec.Attribute{DataType: "Number", StringValue: "1e3"}},
		{Name: "b", Attribute: spec.Attribute{DataType: "Binary", BinaryValue: []byte{0, 1}}},
		{Name: "p", Attribute: spec.Attribute{DataType: "String", StringValue: "100%25 50%"}},
	}
	_, metadata, typed := Decode("x", attrs)
	if a := typed["n"]; a.DataType != "Number" || a.StringValue != "1e3" {
		t.Errorf("number is %+v", a)
	}
	if a := typed["b"]; !a.IsBinary() || string(a.BinaryValue) != "\x00\x01" {
		t.Errorf("binary is %+v", a)
	}
	if a := typed["p"]; a.StringValue != "100%25 50%" {
		t.Errorf("string is %+v, want it untouched", a)
	}
	if v, ok := metadata["b"]; !ok || v != "" {
		t.Errorf("metadata is %v; a binary attribute has an empty value there", metadata)
	}
	if metadata["p"] != "100%25 50%" {
		t.Errorf("metadata is %v; what is not escaped properly is left alone", metadata)
	}
}

func FuzzWireForm(f *testing.F) {
	for _, s := range []string{"", "a b", "__0x2f__", "..", "☺", "__0x", "___0x41___"} {
		f.Add(s, s, []byte(s))
	}
	f.Add("k", "v", []byte{0xff})
	f.Fuzz(func(t *testing.T, key, value string, body []byte) {
		if !utf8.ValidString(key) || !utf8.ValidString(value) || key == base64Key {
			t.Skip("not a portable message, or the key that is taken")
		}
		metadata := map[string]string{key: value}
		wire, attrs := Encode(body, metadata, &SendOptions{})
		gotBody, gotMetadata, _ := Decode(wire, attrs)
		if string(gotBody) != string(body) || !maps.Equal(gotMetadata, metadata) {
			t.Errorf("%q %q came back as %q %q", body, metadata, gotBody, gotMetadata)
		}
	})
}

func TestErrorCodes(t *testing.T) {
	for want, errs := range map[gcerrors.ErrorCode][]error{
		gcerrors.InvalidArgument:    {spec.Errorf(spec.InvalidParameterValue, "x"), spec.ReceiptHandleIsInvalid},
		gcerrors.NotFound:           {fmt.Errorf("wrapped: %w", spec.Errorf(spec.QueueDoesNotExist, "x"))},
		gcerrors.AlreadyExists:      {spec.QueueNameExists},
		gcerrors.FailedPrecondition: {spec.PurgeQueueInProgress, spec.MessageNotInflight},
		gcerrors.ResourceExhausted:  {spec.OverLimit},
		gcerrors.Internal:           {spec.ServiceUnavailable},
		gcerrors.Unimplemented:      {fmt.Errorf("x: %w", errors.ErrUnsupported)},
		gcerrors.Canceled:           {context.Canceled},
		gcerrors.DeadlineExceeded:   {context.DeadlineExceeded},
		gcerrors.Unknown:            {errors.New("x"), spec.Code("Other")},
		gcerrors.OK:                 {nil},
	} {
		for _, err := range errs {
			if got := ErrorCode(err); got != want {
				t.Errorf("%v has code %v, want %v", err, got, want)
			}
		}
	}
}

func TestPollsEndWhenPausedAndBeginAgainAfterwards(t *testing.T) {
	var p Polls
	first, end, ok := p.Begin(t.Context())
	if !ok || first.Err() != nil {
		t.Fatal("a poll did not begin")
	}
	idle := 0
	resume := p.Pause(func() { idle++ })
	if first.Err() == nil {
		t.Error("a pause left a poll running")
	}
	end()
	if _, _, ok := p.Begin(t.Context()); ok || idle != 1 {
		t.Errorf("a poll began while paused, or idle was called %d times, not once", idle)
	}
	resume()
	second, end, ok := p.Begin(t.Context())
	if !ok || second.Err() != nil || idle != 1 {
		t.Error("no poll began after the pause")
	}
	end()
	if second.Err() == nil {
		t.Error("a poll's context outlives its end")
	}
}

func TestWhatIsOfferedIsSentAsFarAsThereIsRoom(t *testing.T) {
	named := func(names ...string) (attrs []spec.NamedAttribute) {
		for _, n := range names {
			attrs = append(attrs, spec.NamedAttribute{Name: n, Attribute: spec.Attribute{DataType: "String", StringValue: "v"}})
		}
		return attrs
	}
	nine := named("1", "2", "3", "4", "5", "6", "7", "8", "9")
	for _, test := range []struct {
		what     string
		body     string
		others   []spec.NamedAttribute
		offered  []spec.NamedAttribute
		maxBytes int
		want     int
	}{
		{"room for both", "x", nil, named("a", "b"), 100, 2},
		{"room for one", "x", nine, named("a", "b"), 1000, 1},
		{"bytes for one", "x", nil, named("a", "b"), len("x") + len("aStringv"), 1},
		{"no bytes", "x", nil, named("a"), len("aStringv"), 0},
		{"bytes for the second", "x", nil, append(named("long"), named("b")...), len("x") + len("bStringv"), 1},
		{"a name in use", "x", named("a"), named("a", "b"), 100, 1},
		{"a bad name", "x", nil, named("a b", "b"), 100, 1},
		{"a bad value", "x", nil, []spec.NamedAttribute{{Name: "a", Attribute: spec.Attribute{DataType: "String", StringValue: "\x00"}}}, 100, 0},
		{"none", "x", nine, nil, 100, 0},
	} {
		o := SendOptions{Offered: test.offered}
		if got := o.Fitting(test.body, test.others, test.maxBytes); len(got) != test.want {
			t.Errorf("%s: %v fit; want %d", test.what, got, test.want)
		}
	}
}

func TestSendOptionsMerge(t *testing.T) {
	one, two := SendOptions{Group: "g", TraceHeader: "t"}, SendOptions{Attributes: make([]spec.NamedAttribute, 2), Deduplication: "d", Offered: make([]spec.NamedAttribute, 1)}
	var o SendOptions
	one.Merge(&o)
	two.Merge(&o)
	SendOptions{}.Merge(&o)
	if o.Group != "g" || o.Deduplication != "d" || len(o.Attributes) != 2 || o.Delay != nil || len(o.Offered) != 1 || o.TraceHeader != "t" {
		t.Errorf("merged options are %+v", o)
	}
}
