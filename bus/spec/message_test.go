package spec_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"omnibus/bus/spec"
)

func attribute(name, dataType, value string) spec.NamedAttribute {
	return spec.NamedAttribute{Name: name, Attribute: spec.Attribute{DataType: dataType, StringValue: value}}
}

func binary(name, dataType string, value []byte) spec.NamedAttribute {
	return spec.NamedAttribute{Name: name, Attribute: spec.Attribute{DataType: dataType, BinaryValue: value}}
}

func TestCheckMessage(t *testing.T) {
	ten := make([]spec.NamedAttribute, 10)
	for i := range ten {
		ten[i] = attribute(string(rune('a'+i)), "String", "v")
	}
	for _, c := range []struct {
		name  string
		body  string
		attrs []spec.NamedAttribute
		max   int
		code  spec.Code
		parts []string
	}{
		{name: "one character", body: "x", max: 1024},
		{name: "the most bytes", body: strings.Repeat("x", 1024), max: 1024},
		{name: "the most bytes with attributes", body: strings.Repeat("x", 1024-10), attrs: []spec.NamedAttribute{attribute("abc", "String", "v")}, max: 1024},
		{name: "ten attributes", body: "x", attrs: ten, max: 1024},
		{name: "empty", body: "", max: 1024, code: spec.MissingParameter, parts: []string{"The request must contain the parameter MessageBody.", "at least 1 character"}},
		{name: "too large", body: strings.Repeat("x", 1025), max: 1024, code: spec.InvalidParameterValue, parts: []string{"Message must be shorter than 1024 bytes.", "1025 bytes"}},
		{name: "bytes count, not characters", body: strings.Repeat("ü", 513), max: 1024, code: spec.InvalidParameterValue, parts: []string{"Message must be shorter than 1024 bytes.", "1026 bytes"}},
		{name: "too large with attributes", body: strings.Repeat("x", 1024-9), attrs: []spec.NamedAttribute{attribute("abc", "String", "v")}, max: 1024, code: spec.InvalidParameterValue, parts: []string{"Message must be shorter than 1024 bytes.", "1025 bytes"}},
		{name: "eleven attributes", body: "x", attrs: append(ten[:10:10], attribute("z", "String", "v")), max: 1024, code: spec.InvalidParameterValue, parts: []string{"Number of message attributes [11] exceeds the allowed maximum [10]."}},
		{name: "bad attribute", body: "x", attrs: []spec.NamedAttribute{attribute("a", "Text", "v")}, max: 1024, code: spec.InvalidParameterValue, parts: []string{`"Text"`}},
		{name: "bad character", body: "ab\x00", max: 1024, code: spec.InvalidMessageContents, parts: []string{"Invalid binary character '#x0' was found in the message body", "offset 2", "[#x20-#xD7FF]"}},
	} {
		t.Run(c.name, func(t *testing.T) { check(t, spec.CheckMessage(c.body, c.attrs, c.max), c.code, c.parts...) })
	}
}

func TestMessageSizeCountsAttributes(t *testing.T) {
	attrs := []spec.NamedAttribute{attribute("name", "String", "value"), binary("raw", "Binary.png", []byte{1, 2})}
	if got, want := spec.MessageSize("body", attrs), 4+(4+6+5)+(3+10+2); got != want {
		t.Errorf("size %d, want %d", got, want)
	}
}

func TestCheckCharacters(t *testing.T) {
	for _, r := range []rune{0x9, 0xA, 0xD, 0x20, 0x7F, 0xD7FF, 0xE000, 0xFFFD, 0x10000, 0x10FFFF} {
		check(t, spec.CheckCharacters(string(r)), "")
	}
	for s, parts := range map[string][]string{
		"\x00":           {"the message body", "'#x0'", "offset 0", "[#xE000-#xFFFD]"},
		"a\x08":          {"'#x8'", "offset 1"},
		"\x0b":           {"'#xB'"},
		"\x0c":           {"'#xC'"},
		"\x1f":           {"'#x1F'"},
		"ü\uFFFE":        {"'#xFFFE'", "offset 2"},
		"\uFFFF":         {"'#xFFFF'"},
		"ok\xff":         {"'#xFF'", "offset 2"},
		"\xed\xa0\x80":   {"'#xED'", "offset 0"}, // half of a surrogate pair
		"\ufffd\xe2\x82": {"'#xE2'", "offset 3"},
	} {
		check(t, spec.CheckCharacters(s), spec.InvalidMessageContents, parts...)
	}
}

func TestCheckAttributes(t *testing.T) {
	for _, c := range []struct {
		name  string
		attr  spec.NamedAttribute
		code  spec.Code
		parts []string
	}{
		{name: "string", attr: attribute("AZaz09_-.x", "String", "v")},
		{name: "label", attr: attribute("a", "String.My label", "v")},
		{name: "binary", attr: binary("a", "Binary", []byte{0})},
		{name: "binary with label", attr: binary("a", "Binary.gif", []byte{0})},
		{name: "longest name", attr: attribute(strings.Repeat("n", 256), "String", "v")},
		{name: "longest type", attr: attribute("a", "String."+strings.Repeat("t", 249), "v")},
		{name: "name that only looks reserved", attr: attribute("awsome", "String", "v")},
		{name: "number", attr: attribute("a", "Number", "97.5")},
		{name: "negative number", attr: attribute("a", "Number.int", "-1")},
		{name: "huge number", attr: attribute("a", "Number", "1e+400")},
		{name: "many digits", attr: attribute("a", "Number", "3.14159265358979323846264338327950288419716939937510")},

		{"no name", attribute("", "String", "v"), spec.InvalidParameterValue, []string{"non-empty message attribute name"}},
		{"long name", attribute(strings.Repeat("n", 257), "String", "v"), spec.InvalidParameterValue, []string{`"nnn`, "1 to 256 characters"}},
		{"reserved name", attribute("AWS.x", "String", "v"), spec.InvalidParameterValue, []string{`"AWS.x"`, `"AWS."`}},
		{"reserved name in another case", attribute("amazon.x", "String", "v"), spec.InvalidParameterValue, []string{`"amazon.x"`, `"Amazon."`}},
		{"period first", attribute(".a", "String", "v"), spec.InvalidParameterValue, []string{`".a"`, "period"}},
		{"period last", attribute("a.", "String", "v"), spec.InvalidParameterValue, []string{`"a."`, "period"}},
		{"two periods", attribute("a..b", "String", "v"), spec.InvalidParameterValue, []string{`"a..b"`, "two in a row"}},
		{"space in the name", attribute("a b", "String", "v"), spec.InvalidParameterValue, []string{`"a b"`, "A-Z, a-z, 0-9"}},

		{"no type", attribute("a", "", "v"), spec.InvalidParameterValue, []string{"'a'", `""`, "Binary, Number, String"}},
		{"unknown type", attribute("a", "Text", "v"), spec.InvalidParameterValue, []string{"'a'", `"Text"`, "Binary, Number, String"}},
		{"type in another case", attribute("a", "string", "v"), spec.InvalidParameterValue, []string{`"string"`, "Binary, Number, String"}},
		{"long type", attribute("a", "String."+strings.Repeat("t", 250), "v"), spec.InvalidParameterValue, []string{`"String.ttt`, "256 characters"}},

		{"empty string", attribute("a", "String", ""), spec.InvalidParameterValue, []string{"'a' must contain a non-empty value of type 'String'"}},
		{"string with a binary value", spec.NamedAttribute{Name: "a", Attribute: spec.Attribute{DataType: "String", StringValue: "v", BinaryValue: []byte{1}}}, spec.InvalidParameterValue, []string{"'a'", "another type than 'String'"}},
		{"empty binary", binary("a", "Binary", nil), spec.InvalidParameterValue, []string{"'a' must contain a non-empty value of type 'Binary'"}},
		{"binary with a string value", spec.NamedAttribute{Name: "a", Attribute: spec.Attribute{DataType: "Binary", StringValue: "v", BinaryValue: []byte{1}}}, spec.InvalidParameterValue, []string{"'a'", "another type than 'Binary'"}},
		{"character in a string", attribute("a", "String", "x\x01"), spec.InvalidParameterValue, []string{"'a'", "'#x1'", "offset 1"}},

		{"word for a number", attribute("a", "Number", "many"), spec.InvalidParameterValue, []string{`"many"`, "number"}},
		{"hexadecimal", attribute("a", "Number", "0x10"), spec.InvalidParameterValue, []string{`"0x10"`}},
		{"grouped digits", attribute("a", "Number", "1_000"), spec.InvalidParameterValue, []string{`"1_000"`}},
		{"infinity", attribute("a", "Number", "Inf"), spec.InvalidParameterValue, []string{`"Inf"`}},
		{"not a number", attribute("a", "Number", "NaN"), spec.InvalidParameterValue, []string{`"NaN"`}},
		{"space before a number", attribute("a", "Number", " 1"), spec.InvalidParameterValue, []string{`" 1"`}},
	} {
		t.Run(c.name, func(t *testing.T) { check(t, spec.CheckAttributes([]spec.NamedAttribute{c.attr}), c.code, c.parts...) })
	}
	t.Run("one name twice", func(t *testing.T) {
		attrs := []spec.NamedAttribute{attribute("a", "String", "v"), attribute("b", "String", "v"), attribute("a", "Number", "1")}
		check(t, spec.CheckAttributes(attrs), spec.InvalidParameterValue, "'a' is given more than once")
	})
}

func TestIsBinary(t *testing.T) {
	for dataType, want := range map[string]bool{"Binary": true, "Binary.png": true, "String": false, "Number.int": false, "Binaries": false} {
		if got := (spec.Attribute{DataType: dataType}).IsBinary(); got != want {
			t.Errorf("%s: %t, want %t", dataType, got, want)
		}
	}
}

// allowed is the set of characters as the API reference gives it.
func allowed(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r == 0x9 || r == 0xA || r == 0xD || 0x20 <= r && r <= 0xD7FF || 0xE000 <= r && r <= 0xFFFD || 0x10000 <= r && r <= 0x10FFFF)
	})
}

func FuzzCheckCharacters(f *testing.F) {
	for _, s := range []string{"", "donor", "\x00", "\t\n\r", "\uFFFD", "\uFFFE", "\xff", "\xed\xa0\x80", "a\xf0\x9f\x98"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if err := spec.CheckCharacters(s); (err == nil) != allowed(s) {
			t.Errorf("CheckCharacters(%q) = %v, want allowed: %t", s, err, allowed(s))
		}
	})
}

var (
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	reservedName  = regexp.MustCompile(`(?i)^(aws|amazon)\.`)
	textType      = regexp.MustCompile(`(?s)^(String|Number)(\..*)?$`)
	binaryType    = regexp.MustCompile(`(?s)^Binary(\..*)?$`)
	number        = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)
)

func FuzzCheckMessage(f *testing.F) {
	f.Add("body", "name", "String", "value", []byte(nil), 1024)
	f.Add("body", "a.b", "Number.int", "-1.5e3", []byte(nil), 1024)
	f.Add("body", "aws.x", "Binary", "", []byte{1}, 4)
	f.Add("", ".", "Number", "1_0", []byte{}, 0)
	f.Fuzz(func(t *testing.T, body, name, dataType, text string, bytes []byte, most int) {
		attr := spec.NamedAttribute{Name: name, Attribute: spec.Attribute{DataType: dataType, StringValue: text, BinaryValue: bytes}}
		good := body != "" && allowed(body) &&
			len(body)+len(name)+len(dataType)+len(text)+len(bytes) <= most &&
			len(name) <= 256 && attributeName.MatchString(name) && !reservedName.MatchString(name) && len(dataType) <= 256
		switch {
		case textType.MatchString(dataType):
			good = good && text != "" && bytes == nil && allowed(text) && (dataType[0] == 'S' || number.MatchString(text))
		case binaryType.MatchString(dataType):
			good = good && text == "" && len(bytes) > 0
		default:
			good = false
		}
		if err := spec.CheckMessage(body, []spec.NamedAttribute{attr}, most); (err == nil) != good {
			t.Errorf("CheckMessage(%q, %+v, %d) = %v, want allowed: %t", body, attr, most, err, good)
		}
	})
}
