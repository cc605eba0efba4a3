package topics

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"omnibus/bus/spec"
)

// A Message is what is published to a topic.
type Message struct {
	Body    string  // 1 byte to the topic's maximum, attributes counted
	Subject *string // 1 to 100 characters on one line; nil means none

	// Structured says that Body is a JSON object with a text for each protocol,
	// and one named default for those that have none: MessageStructure "json".
	Structured bool

	Attributes []spec.NamedAttribute

	// Group is the message group id: required on a FIFO topic, and handed on to
	// FIFO queues. On a standard topic it is handed on to standard queues.
	Group string

	// Deduplication is the deduplication id, for FIFO topics only: required
	// unless the topic deduplicates by content.
	Deduplication string

	// TraceHeader becomes the system attribute AWSTraceHeader in queues.
	TraceHeader string
}

const maxSubject = 100 // characters

// check reports what SNS would refuse in a message by itself.
func (m *Message) check(t *topic) error {
	switch {
	case m.Body == "":
		return invalid("Empty message")
	case !utf8.ValidString(m.Body):
		return invalid("Message Reason: must be UTF-8")
	case m.Subject != nil && !isSubject(*m.Subject):
		return invalid("Subject")
	case spec.MessageSize(m.Body, m.Attributes) > t.maxBytes:
		return invalid("Message too long")
	}
	return nil
}

func isSubject(s string) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxSubject && strings.IndexFunc(s, unicode.IsControl) < 0 &&
		!strings.ContainsAny(s, "\u2028\u2029") // line breaks, though not control characters
}

// checkForAll reports what SNS refuses a whole batch for.
func (m *Message) checkForAll(t *topic) error {
	if err := checkAttributes(m.Attributes); err != nil {
		return err
	}
	if m.Structured {
		if _, err := m.texts(); err != nil {
			return err
		}
	}
	switch {
	case t.fifo && m.Group == "":
		return invalid("The MessageGroupId parameter is required for FIFO topics")
	case t.fifo && m.Deduplication == "" && !t.contentDedup:
		return invalid("The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	case !t.fifo && m.Deduplication != "":
		return invalid("MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type")
	case m.Group != "" && spec.CheckGroup("", m.Group) != nil:
		return invalid("MessageGroupId Reason: can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	case m.Deduplication != "" && spec.CheckGroup("", m.Deduplication) != nil:
		return invalid("MessageDeduplicationId Reason: can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	}
	return nil
}

// texts returns the texts of a structured message by protocol. Members that are
// no texts do not count.
func (m *Message) texts() (map[string]string, error) {
	n, bad := parseJSON(m.Body)
	if bad != nil {
		return nil, invalid("Message Structure - JSON message body failed to parse")
	}
	texts := map[string]string{}
	for i, name := range n.names {
		if v := n.items[i]; v.kind == text {
			texts[name] = v.text
		}
	}
	if _, ok := texts["default"]; !ok {
		return nil, invalid("Message Structure - No default entry in JSON message body")
	}
	return texts, nil
}

// checkAttributes reports the first attribute that SNS would refuse, in its
// words. There may be any number of attributes.
func checkAttributes(attrs []spec.NamedAttribute) error {
	for i := range attrs {
		a := &attrs[i]
		if err := checkAttributeName(a.Name); err != nil {
			return err
		}
		if err := checkAttributeValue(a); err != nil {
			return err
		}
		if slices.ContainsFunc(attrs[:i], func(b spec.NamedAttribute) bool { return a.Name == b.Name }) {
			return badAttribute("The message attribute '%s' is there twice.", a.Name)
		}
	}
	return nil
}

func badAttribute(format string, args ...any) error {
	return spec.Errorf(ParameterValueInvalid, format, args...)
}

func checkAttributeName(name string) error {
	if name == "" || len(name) > 256 {
		return badAttribute("Length of message attribute name must be less than 256 bytes.")
	}
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("_-.", c) {
			return badAttribute("Invalid non-alphanumeric character '#x%X' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.", c)
		}
	}
	switch {
	case name[0] == '.':
		return badAttribute("Invalid message attribute name starting with character '.' was found.")
	case name[len(name)-1] == '.':
		return badAttribute("Invalid message attribute name ending with character '.' was found.")
	case strings.Contains(name, ".."):
		return badAttribute("Message attribute name can not have successive '.' character.")
	}
	return nil
}

func checkAttributeValue(a *spec.NamedAttribute) error {
	base, _, _ := strings.Cut(a.DataType, ".")
	field, other, empty := "String", len(a.BinaryValue) > 0, a.StringValue == ""
	switch base {
	case "Binary":
		field, other, empty = "Binary", a.StringValue != "", len(a.BinaryValue) == 0
	case "String", "Number":
	default:
		return badAttribute("The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", a.Name)
	}
	switch {
	case other:
		return badAttribute("The message attribute '%s' with type '%s' must use field '%s'.", a.Name, a.DataType, field)
	case empty:
		return badAttribute("The message attribute '%s' must contain non-empty message attribute value for message attribute type '%s'.", a.Name, a.DataType)
	case base == "Number" && !spec.IsNumber(a.StringValue):
		return badAttribute("Could not cast message attribute '%s' value to number.", a.Name)
	case !utf8.ValidString(a.StringValue):
		return badAttribute("The value of the message attribute '%s' must be UTF-8.", a.Name)
	}
	return nil
}
