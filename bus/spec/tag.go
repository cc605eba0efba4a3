package spec

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CheckTags reports the first of a queue's tags, in the order of their keys, that
// SQS would refuse: keys have 1 to 128 characters and do not begin with aws:, in
// whatever case, values have up to 256; both have letters, digits and white space
// of Unicode, and _ . : / = + - @. More than [MaxTags] are refused too.
//
// SQS documents no texts; those here are AWS's where they are known.
func CheckTags(tags map[string]string) error {
	if len(tags) > MaxTags {
		return Errorf(InvalidParameterValue, "Too many tags: %d were given; at most %d are allowed.", len(tags), MaxTags)
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		value := tags[key]
		switch n := utf8.RuneCountInString(key); {
		case n < 1 || n > MaxTagKey:
			return Errorf(InvalidParameterValue, "Tag keys must be between 1 and %d characters in length.", MaxTagKey)
		case !isTagText(key):
			return Errorf(InvalidParameterValue, "Tag keys may only contain unicode letters, digits, whitespace, or one of these symbols: _ . : / = + - @")
		case len(key) >= 4 && strings.EqualFold(key[:4], "aws:"):
			return Errorf(InvalidParameterValue, "Tag keys must not begin with aws:, as %s does.", quoteShort(key))
		case utf8.RuneCountInString(value) > MaxTagValue:
			return Errorf(InvalidParameterValue, "Tag values must be between 0 and %d characters in length.", MaxTagValue)
		case !isTagText(value):
			return Errorf(InvalidParameterValue, "Tag values may only contain unicode letters, digits, whitespace, or one of these symbols: _ . : / = + - @")
		}
	}
	return nil
}

func isTagText(s string) bool {
	for _, r := range s {
		if !unicode.In(r, unicode.Letter, unicode.Number, unicode.Space) && !strings.ContainsRune("_.:/=+-@", r) {
			return false
		}
	}
	return true
}
