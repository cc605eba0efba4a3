package spec

import (
	"strings"
	"unicode/utf8"
)

// An Attribute is a typed message attribute. Its DataType is String, Number or
// Binary, and may carry a label of the application's own after a dot, as in
// "Number.price". A Binary attribute has a BinaryValue, the others have a
// StringValue; the one in use is never empty.
//
// A Number travels as text and arrives as the text that was sent.
type Attribute struct {
	DataType    string
	StringValue string
	BinaryValue []byte
}

// IsBinary reports whether the attribute's value is its BinaryValue.
func (a Attribute) IsBinary() bool { return baseType(a.DataType) == "Binary" }

// A NamedAttribute is an attribute with its name.
type NamedAttribute struct {
	Name string
	Attribute
}

// MessageSize returns the size in bytes that SQS counts for a message: its
// body, and the names, types and values of its attributes.
func MessageSize(body string, attrs []NamedAttribute) int {
	n := len(body)
	for _, a := range attrs {
		n += len(a.Name) + len(a.DataType) + len(a.StringValue) + len(a.BinaryValue)
	}
	return n
}

// CheckMessage reports what SQS would refuse in a message: an empty body, a
// character outside the set of [CheckCharacters], attributes that
// [CheckAttributes] refuses, or a size in all over maxBytes.
func CheckMessage(body string, attrs []NamedAttribute, maxBytes int) error {
	if body == "" {
		return Errorf(MissingParameter, "the message body is empty; it must have at least 1 character")
	}
	if size := MessageSize(body, attrs); size > maxBytes {
		return Errorf(InvalidParameterValue, "the message is %d bytes with its attributes; at most %d are allowed", size, maxBytes)
	}
	if err := CheckAttributes(attrs); err != nil {
		return err
	}
	return CheckCharacters("the message body", body)
}

// CheckCharacters reports a character that SQS does not allow in bodies and
// attribute values. Allowed are #x9, #xA, #xD, #x20 to #xD7FF, #xE000 to #xFFFD
// and #x10000 to #x10FFFF. The error names what, the character and its offset.
func CheckCharacters(what, s string) error {
	for i, r := range s {
		switch {
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return Errorf(InvalidMessageContents, "%s has the byte %#x at offset %d, which is not UTF-8", what, s[i], i)
			}
		case r >= 0x20 && r <= 0xFFFD, r == '\t', r == '\n', r == '\r', r >= 0x10000:
		default:
			return Errorf(InvalidMessageContents,
				"%s has the character %#x at offset %d; allowed are #x9, #xA, #xD, #x20-#xD7FF, #xE000-#xFFFD, #x10000-#x10FFFF", what, r, i)
		}
	}
	return nil
}

// CheckAttributes reports more than 10 attributes, two of one name, and the
// first attribute whose name, type or value SQS would refuse.
func CheckAttributes(attrs []NamedAttribute) error {
	if len(attrs) > MaxAttributes {
		return Errorf(InvalidParameterValue, "the message has %d attributes; at most %d are allowed", len(attrs), MaxAttributes)
	}
	for i, a := range attrs {
		if err := checkAttributeName(a.Name); err != nil {
			return err
		}
		for _, b := range attrs[:i] {
			if a.Name == b.Name {
				return Errorf(InvalidParameterValue, "the message has two attributes named %q", a.Name)
			}
		}
		if err := checkAttributeValue(a); err != nil {
			return err
		}
	}
	return nil
}

func checkAttributeName(name string) error {
	bad := func(why string) error {
		return Errorf(InvalidParameterValue, "attribute name %s %s", quoteShort(name), why)
	}
	switch lower := strings.ToLower(name); {
	case name == "" || len(name) > 256:
		return bad("must have 1 to 256 characters")
	case strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon."):
		return bad(`must not start with "AWS." or "Amazon."`)
	case name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, ".."):
		return bad("must not start or end with a period, nor have two in a row")
	}
	for i := range len(name) {
		if !isNameByte(name[i]) && name[i] != '.' {
			return bad("may only have the characters A-Z, a-z, 0-9, underscore, hyphen and period")
		}
	}
	return nil
}

func checkAttributeValue(a NamedAttribute) error {
	bad := func(why string) error {
		return Errorf(InvalidParameterValue, "attribute %s of type %s %s", quoteShort(a.Name), quoteShort(a.DataType), why)
	}
	if len(a.DataType) > 256 {
		return bad("has a type of over 256 characters, the most that are allowed")
	}
	switch baseType(a.DataType) {
	case "Binary":
		if len(a.BinaryValue) == 0 || a.StringValue != "" {
			return bad("must have a binary value that is not empty, and no string value")
		}
		return nil
	case "String", "Number":
		if a.StringValue == "" || a.BinaryValue != nil {
			return bad("must have a string value that is not empty, and no binary value")
		}
	default:
		return bad("has no such type; allowed are String, Number and Binary, with an optional .label")
	}
	if baseType(a.DataType) == "Number" && !IsNumber(a.StringValue) {
		return bad("must be a number, not " + quoteShort(a.StringValue))
	}
	return CheckCharacters("attribute "+a.Name, a.StringValue)
}

// baseType returns the part of a data type before its label.
func baseType(dataType string) string {
	base, _, _ := strings.Cut(dataType, ".")
	return base
}
