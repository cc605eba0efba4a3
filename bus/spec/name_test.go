package spec_test

import (
	"strings"
	"testing"

	"omnibus/bus/spec"
)

func TestCheckQueueName(t *testing.T) {
	allowed := "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
	for _, c := range []struct {
		name  string
		parts []string // of the error's text; none for a good name
	}{
		{"q", nil},
		{"AZaz09_-", nil},
		{"orders.fifo", nil},
		{strings.Repeat("q", 80), nil},
		{strings.Repeat("q", 75) + ".fifo", nil},
		{"", []string{`""`, allowed}},
		{".fifo", []string{`".fifo"`, allowed}},
		{"a.b", []string{`"a.b"`, allowed}},
		{"a.fifo.fifo", []string{`"a.fifo.fifo"`, allowed}},
		{"a b", []string{`"a b"`, allowed}},
		{"küche", []string{`"küche"`, allowed}},
		{"q.FIFO", []string{`"q.FIFO"`, ".fifo"}},
		{strings.Repeat("q", 81), []string{`"qqq`, allowed}},
		{strings.Repeat("q", 76) + ".fifo", []string{`"qqq`, allowed}},
	} {
		check(t, spec.CheckQueueName(c.name), spec.InvalidParameterValue, c.parts...)
	}
}

func TestNameSaysTheType(t *testing.T) {
	for _, c := range []struct {
		name  string
		fifo  bool
		parts []string
	}{
		{"q", false, nil},
		{"q.fifo", true, nil},
		{"q", true, []string{"must end with .fifo suffix", `"q"`}},
		{"q!.fifo", true, []string{"must end with .fifo suffix"}},
		{"q.fifo", false, []string{"Can only include alphanumeric", "end in .fifo"}},
		{"q!", false, []string{"Can only include alphanumeric"}},
	} {
		check(t, spec.CheckQueueType(c.name, c.fifo), spec.InvalidParameterValue, c.parts...)
	}
}

func TestIsFIFOName(t *testing.T) {
	for name, want := range map[string]bool{"a.fifo": true, "a": false, "fifo": false, "a.fifo.b": false, "a.FIFO": false} {
		if got := spec.IsFIFOName(name); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
}

func TestCheckGroup(t *testing.T) {
	allowed := "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length."
	for _, c := range []struct {
		id    string
		parts []string
	}{
		{"g", nil},
		{"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", nil},
		{strings.Repeat("7", 128), nil},
		{"", []string{"Value  for parameter MessageGroupId", allowed}},
		{"a b", []string{"Value a b for", allowed}},
		{"a\x7f", []string{"Value a\x7f for", allowed}},
		{"ä", []string{"Value ä for", allowed}},
		{strings.Repeat("7", 129), []string{"Value 777", allowed}},
	} {
		check(t, spec.CheckGroup("MessageGroupId", c.id), spec.InvalidParameterValue, c.parts...)
	}
}

func TestLongValueIsCutInTheError(t *testing.T) {
	long := strings.Repeat("q", 3000)
	for what, err := range map[string]error{
		"queue name":     spec.CheckQueueName(long),
		"group":          spec.CheckGroup("MessageGroupId", long),
		"attribute name": spec.CheckAttributes([]spec.NamedAttribute{{Name: long}}),
		"attribute type": spec.CheckAttributes([]spec.NamedAttribute{{Name: "a", Attribute: spec.Attribute{DataType: long}}}),
		"number":         spec.CheckAttributes([]spec.NamedAttribute{{Name: "a", Attribute: spec.Attribute{DataType: "Number", StringValue: long}}}),
	} {
		if err == nil || len(err.Error()) > 1400 || !strings.Contains(err.Error(), "…") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
