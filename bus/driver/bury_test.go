package driver

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"omnibus/bus/spec"
)

func named(attrs []spec.NamedAttribute) (names []string) {
	for _, a := range attrs {
		names = append(names, a.Name)
	}
	return names
}

func attributesOf(n int) (attrs []spec.NamedAttribute) {
	for i := range n {
		attrs = append(attrs, stringAttribute(fmt.Sprint("a", i), "v"))
	}
	return attrs
}

var burial = Burial{
	Reason: "no such donor", Source: "donors", ReceiveCount: 3,
	Sent: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.FixedZone("", 3600)),
}

func TestABuriedMessageSaysWhyAndWhence(t *testing.T) {
	own := attributesOf(2)
	got := BurialAttributes("body", own, burial, spec.MaxMessageBytes)
	want := append(attributesOf(2),
		stringAttribute("DeadLetterReason", "no such donor"),
		stringAttribute("DeadLetterSource", "donors"),
		spec.NamedAttribute{Name: "DeadLetterReceiveCount", Attribute: spec.Attribute{DataType: "Number", StringValue: "3"}},
		stringAttribute("DeadLetterSent", "2026-01-02T02:04:05.678Z"))
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the attributes are\n%v\nwant\n%v", got, want)
	}
	if len(own) != 2 {
		t.Errorf("the message's own attributes became %v", own)
	}
	again := burial
	again.Reason = "still none"
	got = BurialAttributes("body", got, again, spec.MaxMessageBytes)
	if len(got) != 6 || got[2].StringValue != "still none" {
		t.Errorf("buried again, the attributes are %v; want those of the last burial", got)
	}
	if got := BurialAttributes("body", nil, Burial{}, spec.MaxMessageBytes); len(got) != 0 {
		t.Errorf("of a message of which nothing is known, the attributes are %v", got)
	}
}

// What is buried arrives: it stays within the limits of SQS, whatever the message
// and the reason are.
func TestABuriedMessageFits(t *testing.T) {
	for own := range spec.MaxAttributes + 1 {
		got := BurialAttributes("body", attributesOf(own), burial, spec.MaxMessageBytes)
		all := []string{DeadLetterReason, DeadLetterSource, DeadLetterReceiveCount, DeadLetterSent}
		if want := all[:min(len(all), spec.MaxAttributes-own)]; !slices.Equal(named(got[own:]), want) {
			t.Errorf("beside %d attributes it gets %q; want %q", own, named(got[own:]), want)
		}
	}
	for _, reason := range []string{"", "x", "\x00\xff\uffff", strings.Repeat("é", 2000), strings.Repeat("a", MaxReasonBytes-1) + "日本"} {
		b := burial
		b.Reason = reason
		const size = 5000
		for free := range 1200 {
			body := strings.Repeat("b", size-free)
			if err := spec.CheckMessage(body, BurialAttributes(body, nil, b, size), size); err != nil {
				t.Fatalf("with %d bytes free and the reason %.20q: %v", free, reason, err)
			}
		}
	}
	b := burial
	b.Reason = strings.Repeat("a", MaxReasonBytes-1) + "日本"
	if got := BurialAttributes("body", nil, b, spec.MaxMessageBytes)[0].StringValue; got != strings.Repeat("a", MaxReasonBytes-1) {
		t.Errorf("a long reason is cut to %d bytes; want %d, whole characters", len(got), MaxReasonBytes-1)
	}
	b.Reason = "a\x00b\xffc"
	if got := BurialAttributes("body", nil, b, spec.MaxMessageBytes)[0].StringValue; got != "a\uFFFDb\uFFFDc" {
		t.Errorf("the reason %q arrives as %q", b.Reason, got)
	}
}
