package spec

import (
	"fmt"
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
		return Missing(messageBody).detail("the message body must have at least 1 character")
	}
	if size := MessageSize(body, attrs); size > maxBytes {
		return TooLong(maxBytes).detail("the message is %d bytes with its attributes", size)
	}
	if err := CheckAttributes(attrs); err != nil {
		return err
	}
	return CheckCharacters(body)
}

// TooLong returns the error of a message of over maxBytes.
func TooLong(maxBytes int) *Error {
	return areInvalid(fmt.Sprintf("Message must be shorter than %d bytes.", maxBytes))
}

// BatchTooLong returns the error of a batch of that size, over [MaxMessageBytes].
func BatchTooLong(size int) *Error {
	return Errorf(BatchRequestTooLong, "Batch requests cannot be longer than %d bytes. You have sent %d bytes.", MaxMessageBytes, size)
}

// CheckCharacters reports a character that SQS does not allow in a message body.
// Allowed are #x9, #xA, #xD, #x20 to #xD7FF, #xE000 to #xFFFD and #x10000 to
// #x10FFFF.
func CheckCharacters(body string) error {
	bad, at := badCharacter(body)
	if bad == "" {
		return nil
	}
	return Errorf(InvalidMessageContents,
		"Invalid binary character '%s' was found in the message body, the set of allowed characters is %s", bad, allowedCharacters).detail("at offset %d", at)
}

const allowedCharacters = "#x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]."

// badCharacter returns the first character that SQS does not allow, or the first
// byte that is not UTF-8, as SQS writes it, and its offset.
func badCharacter(s string) (bad string, at int) {
	plain := 0 // most texts have nothing but ASCII, which needs no decoding
	for plain < len(s) && s[plain] >= ' ' && s[plain] < utf8.RuneSelf {
		plain++
	}
	for i, r := range s[plain:] {
		i += plain
		switch {
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return fmt.Sprintf("#x%X", s[i]), i
			}
		case r >= 0x20 && r <= 0xFFFD, r == '\t', r == '\n', r == '\r', r >= 0x10000:
		default:
			return fmt.Sprintf("#x%X", r), i
		}
	}
	return "", 0
}

// CheckAttributes reports more than 10 attributes, two of one name, and the
// first attribute whose name, type or value SQS would refuse.
func CheckAttributes(attrs []NamedAttribute) error {
	if len(attrs) > MaxAttributes {
		err := Errorf(InvalidParameterValue, "Number of message attributes [%d] exceeds the allowed maximum [%d].", len(attrs), MaxAttributes)
		return err.detail("they are %q", names(attrs))
	}
	for i, a := range attrs {
		if err := checkAttributeName(a.Name); err != nil {
			return err
		}
		for _, b := range attrs[:i] {
			if a.Name == b.Name {
				return Errorf(InvalidParameterValue, "Message (user) attribute '%.256s' is given more than once.", a.Name)
			}
		}
		if err := checkAttributeValue(a); err != nil {
			return err
		}
	}
	return nil
}

func names(attrs []NamedAttribute) []string {
	names := make([]string, len(attrs))
	for i, a := range attrs {
		names[i] = a.Name
	}
	return names
}

func checkAttributeName(name string) error {
	bad := func(why string) error {
		return Errorf(InvalidParameterValue, "The message attribute name %s is invalid. It %s.", quoteShort(name), why)
	}
	switch lower := strings.ToLower(name); {
	case name == "":
		return Errorf(InvalidParameterValue, "The request must contain non-empty message attribute name.")
	case len(name) > 256:
		return bad("must have 1 to 256 characters")
	case strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon."):
		return bad(`must not start with "AWS." or "Amazon."`)
	case name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, ".."):
		return bad("must not start or end with a period, nor have two in a row")
	}
	for i := range len(name) {
		if !isNameByte(name[i]) && name[i] != '.' {
			return bad("can contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) characters")
		}
	}
	return nil
}

func checkAttributeValue(a NamedAttribute) error {
	bad := func(format string, args ...any) *Error { return Errorf(InvalidParameterValue, format, args...) }
	base := baseType(a.DataType)
	binary := base == "Binary"
	switch {
	case len(a.DataType) > 256, !binary && base != "String" && base != "Number":
		return bad("The type of message (user) attribute '%.256s' is invalid. You must use only the following supported type prefixes: Binary, Number, String.", a.Name).
			detail("it is %s, and may have a .label, of 256 characters in all", quoteShort(a.DataType))
	case binary && len(a.BinaryValue) == 0, !binary && a.StringValue == "":
		return bad("Message (user) attribute '%.256s' must contain a non-empty value of type '%.256s'.", a.Name, a.DataType)
	case binary && a.StringValue != "", !binary && a.BinaryValue != nil:
		return bad("Message (user) attribute '%.256s' has a value of another type than '%.256s'.", a.Name, a.DataType)
	case base == "Number" && !IsNumber(a.StringValue):
		return bad("Can't cast the value of message (user) attribute '%.256s' to a number.", a.Name).detail("it is %s", quoteShort(a.StringValue))
	}
	if c, at := badCharacter(a.StringValue); c != "" {
		return bad("Invalid binary character '%s' was found in the message (user) attribute '%.256s' value, the set of allowed characters is %s", c, a.Name, allowedCharacters).
			detail("at offset %d", at)
	}
	return nil
}

// baseType returns the part of a data type before its label.
func baseType(dataType string) string {
	base, _, _ := strings.Cut(dataType, ".")
	return base
}
