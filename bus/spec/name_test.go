package spec_test

import (
	"strings"
	"testing"

	"omnibus/bus/spec"
)

func TestCheckQueueName(t *testing.T) {
	allowed := "1 to 80 characters of A-Z, a-z, 0-9, hyphen and underscore"
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

func TestIsFIFOName(t *testing.T) {
	for name, want := range map[string]bool{"a.fifo": true, "a": false, "fifo": false, "a.fifo.b": false, "a.FIFO": false} {
		if got := spec.IsFIFOName(name); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
}

func TestCheckGroup(t *testing.T) {
	allowed := "1 to 128 letters, digits and punctuation"
	for _, c := range []struct {
		id    string
		parts []string
	}{
		{"g", nil},
		{"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", nil},
		{strings.Repeat("7", 128), nil},
		{"", []string{"MessageGroupId", `""`, allowed}},
		{"a b", []string{"MessageGroupId", `"a b"`, allowed}},
		{"a\x7f", []string{"MessageGroupId", `"a\x7f"`, allowed}},
		{"ä", []string{"MessageGroupId", `"ä"`, allowed}},
		{strings.Repeat("7", 129), []string{"MessageGroupId", `"777`, allowed}},
	} {
		check(t, spec.CheckGroup("MessageGroupId", c.id), spec.InvalidParameterValue, c.parts...)
	}
}

func TestLongValueIsCutInTheError(t *testing.T) {
	long := strings.Repeat("q", 1000)
	for what, err := range map[string]error{
		"queue name":     spec.CheckQueueName(long),
		"group":          spec.CheckGroup("MessageGroupId", long),
		"attribute name": spec.CheckAttributes([]spec.NamedAttribute{{Name: long}}),
		"attribute type": spec.CheckAttributes([]spec.NamedAttribute{{Name: "a", Attribute: spec.Attribute{DataType: long}}}),
		"number":         spec.CheckAttributes([]spec.NamedAttribute{{Name: "a", Attribute: spec.Attribute{DataType: "Number", StringValue: long}}}),
	} {
		if err == nil || len(err.Error()) > 400 || !strings.Contains(err.Error(), `qqq"…`) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
