package bustest

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
)

var typed = map[string]bus.Attribute{
	"String":        bus.String("text"),
	"Labelled.name": {DataType: "String.donor-1", StringValue: "100%25 a%2Fb a+b"},
	"Unicode":       bus.String("zażółć 日本 🎁\n\ttabbed"),
	"Number":        bus.Number("97.50"),
	"Price":         {DataType: "Number.price", StringValue: "-1.5e3"},
	"Digits":        bus.Number("12345678901234567890123456789012345678"),
	"Binary":        bus.Binary([]byte{0, 1, 0xfe, 0xff}),
	"Picture_1-a":   {DataType: "Binary.png", BinaryValue: []byte("\x89PNG\r\n")},
}

func keepsTypedAttributes(t *trial) {
	q := t.plain()
	beside := map[string]string{"a key": "100% of a value", "JobType": "NewDonor"}
	opts := []option{metadata(beside)}
	for name, a := range typed {
		opts = append(opts, attribute(name, a))
	}
	q.send("typed", opts...)
	m := q.receive()
	t.is(m, "typed")
	for name, want := range typed {
		got, ok := m.about.Attributes[name]
		if !ok || got.DataType != want.DataType || got.StringValue != want.StringValue || !bytes.Equal(got.BinaryValue, want.BinaryValue) {
			t.Errorf("attribute %s came as %+v; want %+v", name, got, want)
		}
	}
	for key, want := range beside {
		if got := m.Metadata[key]; got != want {
			t.Errorf("metadata %q came as %q beside attributes; want %q", key, got, want)
		}
	}
	if n := len(m.about.Attributes); n != len(typed)+len(beside) {
		t.Errorf("%d attributes came; want %d, metadata counted", n, len(typed)+len(beside))
	}
	for _, name := range []string{"String", "Number", "Price"} {
		if got, want := m.Metadata[name], typed[name].StringValue; got != want {
			t.Errorf("attribute %s is %q in the metadata; want its text %q", name, got, want)
		}
	}
	m.Ack()
}

func keepsAttributeTypes(t *trial) {
	q := t.plain()
	for what, o := range map[string]option{
		"no number":       attribute("a", bus.Number("12 apples")),
		"no type":         attribute("a", bus.Attribute{StringValue: "x"}),
		"an unknown type": attribute("a", bus.Attribute{DataType: "Date", StringValue: "x"}),
	} {
		_, err := q.trySend("bad", o)
		t.refused(err, gcerrors.InvalidArgument, "an attribute with "+what)
	}
	_, err := q.trySend("twice", attribute("a", bus.String("1")), attribute("a", bus.String("2")))
	t.refused(err, gcerrors.InvalidArgument, "two attributes of one name")
	q.none(1 * time.Second)
}

func keepsAttributeLimits(t *trial) {
	q := t.plain()
	some := func(attributes, metadataKeys int) []option {
		md := map[string]string{}
		for i := range metadataKeys {
			md[fmt.Sprint("key", i)] = "value"
		}
		opts := []option{metadata(md)}
		for i := range attributes {
			opts = append(opts, attribute(fmt.Sprint("name", i), bus.String("value")))
		}
		return opts
	}
	for _, n := range [][2]int{{11, 0}, {6, 5}, {0, 11}} {
		_, err := q.trySend("too many", some(n[0], n[1])...)
		t.refused(err, gcerrors.InvalidArgument, fmt.Sprintf("a message with %d attributes and %d metadata keys", n[0], n[1]))
	}
	for what, o := range map[string]option{
		"no name":             attribute("", bus.String("x")),
		"a long name":         attribute(strings.Repeat("a", 257), bus.String("x")),
		"a reserved name":     attribute("AWS.name", bus.String("x")),
		"a name with a space": attribute("a b", bus.String("x")),
		"a name with dots":    attribute("a..b", bus.String("x")),
		"an empty value":      attribute("a", bus.String("")),
		"empty bytes":         attribute("a", bus.Binary(nil)),
		"a bad character":     attribute("a", bus.String("\x00")),
	} {
		_, err := q.trySend("bad", o)
		t.refused(err, gcerrors.InvalidArgument, "an attribute with "+what)
	}
	for _, n := range [][2]int{{10, 0}, {0, 10}, {6, 4}} {
		opts := some(n[0], n[1])
		q.send("as many as may be", append(opts, offered("offered", bus.String("for which there is no room")))...)
		m := q.take()
		if got := len(m.about.Attributes); got != 10 {
			t.Errorf("of 10 attributes and one offered, %d came; want the 10", got)
		}
		m.Ack()
	}
	q.send("room for one", append(some(5, 4), offered("offered", bus.String("value")), offered("another", bus.String("value")))...)
	m := q.take()
	if a := m.about.Attributes["offered"]; a.StringValue != "value" || len(m.about.Attributes) != 10 {
		t.Errorf("of 9 attributes and two offered came %v; want the 9 and the first offered", m.about.Attributes)
	}
	m.Ack()
	q.none(1 * time.Second)
}

func keepsMessageSize(t *trial) {
	if !t.has(create) {
		t.plain().keepsSize(0)
		return
	}
	t.plain().keepsSize(1 << 20)
	t.queue("small", bus.QueueSettings{MaxMessageBytes: new(1024)}).keepsSize(1024)
}

// keepsSize checks the size that a queue allows, which is to be want; 0
// means what its attributes say, for a queue that the kit has not made.
func (q *queue) keepsSize(want int) {
	t := q.t
	a, err := q.Attributes(t.ctx)
	if err != nil {
		t.Fatalf("attributes: %v", err)
	}
	if want == 0 {
		want = a.MaxMessageBytes
	}
	if a.MaxMessageBytes != want {
		t.Fatalf("the queue allows messages of %d bytes; want %d", a.MaxMessageBytes, want)
	}
	attr := attribute("name", bus.String("value"))
	room := want - len("nameStringvalue") // all three count
	for _, good := range []struct {
		body string
		opts []option
	}{
		{strings.Repeat("a", want), nil},
		{strings.Repeat("é", room/2) + strings.Repeat("a", room%2), []option{attr}}, // in bytes
	} {
		q.send(good.body, good.opts...)
		m := q.receive()
		t.is(m, good.body)
		m.Ack()
	}
	_, err = q.trySend(strings.Repeat("a", want+1))
	t.refused(err, gcerrors.InvalidArgument, "a body of one byte more than allowed")
	_, err = q.trySend(strings.Repeat("a", room+1), attr)
	t.refused(err, gcerrors.InvalidArgument, "a message of one byte more than allowed, with an attribute")
}

func keepsMessageCharacters(t *trial) {
	q := t.plain()
	const all = "\x09\x0A\x0D\x20\x7f\u0080\uD7FF\uE000\uFFFD\U00010000\U0010FFFF"
	q.send(all)
	m := q.receive()
	t.is(m, all)
	m.Ack()
	q.send("x")
	q.receive().Ack()
	for what, body := range map[string]string{
		"an empty body":    "",
		"the character 0":  "a\x00b",
		"the character 8":  "\x08",
		"the character 1F": "\x1f",
		"FFFE":             "a\uFFFE",
		"FFFF":             "\uFFFFa",
	} {
		_, err := q.trySend(body)
		t.refused(err, gcerrors.InvalidArgument, "a message with "+what)
	}
	q.none(1 * time.Second)
}

func keepsBadMessage(t *trial) {
	q := t.plain()
	const n = 40
	good := map[string]bool{}
	var wg sync.WaitGroup
	for i := range n {
		if i%8 == 3 {
			wg.Go(func() {
				_, err := q.trySend("bad", attribute("a", bus.Attribute{DataType: "Date", StringValue: "x"}))
				t.refused(err, gcerrors.InvalidArgument, "an attribute of an unknown type")
			})
			continue
		}
		body := fmt.Sprint("good ", i)
		good[body] = true
		wg.Go(func() {
			if _, err := q.trySend(body); err != nil {
				t.Errorf("a good message failed beside bad ones: %v", err)
			}
		})
	}
	wg.Wait()
	came := map[string]bool{}
	for range good {
		m := q.take()
		came[string(m.Body)] = true
		m.Ack()
	}
	if !maps.Equal(came, good) {
		t.Errorf("%d different messages came; %d were sent", len(came), len(good))
	}
	q.none(t.quiet())
}
