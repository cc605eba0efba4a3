package spec

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckTags(t *testing.T) {
	const symbols = "_ . : / = + - @"
	for _, test := range []struct {
		key, value, want string // want is "" for a good tag
	}{
		{"Owner", "Donors 2026", ""},
		{symbols, symbols, ""},
		{"größe", "北京 ٤", ""},
		{"k", "", ""},
		{"awsome", "aws:", ""},
		{strings.Repeat("ä", MaxTagKey), strings.Repeat("ä", MaxTagValue), ""},
		{"", "v", "Tag keys must be between 1 and 128"},
		{strings.Repeat("k", MaxTagKey+1), "", "Tag keys must be between 1 and 128"},
		{"k", strings.Repeat("v", MaxTagValue+1), "Tag values must be between 0 and 256"},
		{"aws:k", "", `must not begin with aws:, as "aws:k" does`},
		{"AWS:", "", "must not begin with aws:"},
		{"k!", "", "Tag keys may only contain"},
		{"k\x00", "", "Tag keys may only contain"},
		{"k\xff", "", "Tag keys may only contain"},
		{"k", "<v>", "Tag values may only contain"},
		{"k", "\xed\xa0\x80", "Tag values may only contain"},
	} {
		err := CheckTags(map[string]string{"a": "b", test.key: test.value})
		if test.want == "" && err != nil {
			t.Errorf("%.20q: %.20q is refused: %v", test.key, test.value, err)
		}
		if test.want != "" && (!errors.Is(err, InvalidParameterValue) || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%.20q: %.20q gives %v; want %s", test.key, test.value, err, test.want)
		}
	}
	tags := map[string]string{}
	for i := range MaxTags {
		tags[strings.Repeat("k", i+1)] = ""
	}
	if err := CheckTags(tags); err != nil {
		t.Errorf("%d tags are refused: %v", len(tags), err)
	}
	tags["one more"] = ""
	if err := CheckTags(tags); !errors.Is(err, InvalidParameterValue) || !strings.Contains(err.Error(), "51 were given; at most 50") {
		t.Errorf("%d tags give %v", len(tags), err)
	}
}
