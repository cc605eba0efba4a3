package driver

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"omnibus/bus/spec"
)

// The Go CDK's driver for SQS (gocloud.dev/pubsub/awssnssqs) has a wire form
// for what the portable message holds and SQS does not allow. Backends of ours
// that do not use that driver use its wire form, so that a message means the
// same wherever it came from:
//
//   - Metadata are String attributes. In a key, every character that SQS does
//     not allow, and the first of what begins as an escape does, is written
//     __0xHEX__; values are escaped as URL path segments are.
//   - A body that is not UTF-8 is sent in base64, with the attribute
//     base64encoded set to true.
//   - The metadata keys MessageGroupId and DeduplicationId also set the group
//     and the deduplication id.
const (
	base64Key        = "base64encoded"
	groupKey         = "MessageGroupId"
	deduplicationKey = "DeduplicationId"
)

// Encode returns the wire form of a portable message. Groups and deduplication
// ids in its metadata are set in o, unless o has its own; the attributes
// returned are those of the metadata alone, in the order of their names.
func Encode(body []byte, metadata map[string]string, o *SendOptions) (string, []spec.NamedAttribute) {
	var attrs []spec.NamedAttribute
	if len(metadata) > 0 {
		for _, key := range slices.Sorted(maps.Keys(metadata)) {
			attrs = append(attrs, stringAttribute(escapeKey(key), url.PathEscape(metadata[key])))
		}
	}
	if o.Group == "" {
		o.Group = metadata[groupKey]
	}
	if o.Deduplication == "" {
		o.Deduplication = metadata[deduplicationKey]
	}
	if utf8.Valid(body) {
		return string(body), attrs
	}
	return base64.StdEncoding.EncodeToString(body), append(attrs, stringAttribute(base64Key, "true"))
}

// Decode returns the portable message of a wire form: body, metadata and the
// typed attributes as they came, without the mark of an encoded body. A Binary
// attribute has no form in metadata; its key is there with an empty value.
func Decode(body string, attrs []spec.NamedAttribute) ([]byte, map[string]string, map[string]spec.Attribute) {
	if len(attrs) == 0 {
		return []byte(body), nil, nil
	}
	raw := []byte(body)
	metadata := make(map[string]string, len(attrs))
	typed := make(map[string]spec.Attribute, len(attrs))
	for _, a := range attrs {
		if a.Name == base64Key {
			if b, err := base64.StdEncoding.DecodeString(body); err == nil {
				raw = b
			}
			continue
		}
		typed[a.Name] = a.Attribute
		value, err := url.PathUnescape(a.StringValue)
		if err != nil {
			value = a.StringValue
		}
		metadata[unescapeKey(a.Name)] = value
	}
	return raw, metadata, typed
}

func stringAttribute(name, value string) spec.NamedAttribute {
	return spec.NamedAttribute{Name: name, Attribute: spec.Attribute{DataType: "String", StringValue: value}}
}

// escapeStart begins an escape. Where a key has it, its first character is
// escaped too. The Go CDK does that only if a whole escape follows, which lets
// the key "__0x0 " come back as another one.
const escapeStart = "__0x"

// escapeKey writes a metadata key as the name of an attribute.
func escapeKey(key string) string {
	var b strings.Builder
	var before rune
	for i, r := range key {
		plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			r == '-' || r == '_' || r == '.' && i > 0 && before != '.'
		if !plain || strings.HasPrefix(key[i:], escapeStart) {
			fmt.Fprintf(&b, "__%#x__", r)
		} else {
			b.WriteRune(r)
		}
		before = r
	}
	return b.String()
}

// unescapeKey reverses escapeKey.
func unescapeKey(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); {
		if r, size, ok := cutEscape(name[i:]); ok {
			b.WriteRune(r)
			i += size
		} else {
			b.WriteByte(name[i])
			i++
		}
	}
	return b.String()
}

// cutEscape reads the escape __0xHEX__ at the start of s, and its length.
func cutEscape(s string) (rune, int, bool) {
	rest, ok := strings.CutPrefix(s, escapeStart)
	if !ok {
		return 0, 0, false
	}
	digits, _, ok := strings.Cut(rest, "__")
	if !ok || strings.Contains(digits, "_") {
		return 0, 0, false
	}
	n, err := strconv.ParseInt(digits, 16, 32)
	if err != nil {
		return 0, 0, false
	}
	return rune(n), len(escapeStart) + len(digits) + len("__"), true
}
