package driver

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"omnibus/bus/spec"
)

// The attributes that a message gets when it is buried.
const (
	DeadLetterReason       = "DeadLetterReason"       // String: the reason given
	DeadLetterSource       = "DeadLetterSource"       // String: name of the queue that it was buried in
	DeadLetterReceiveCount = "DeadLetterReceiveCount" // Number: how often it had been received
	DeadLetterSent         = "DeadLetterSent"         // String: when it was sent, as RFC 3339 writes it, in UTC
)

// MaxReasonBytes is how much of a reason is kept.
const MaxReasonBytes = 1024

// A Burial is what there is to say of a message that is buried. What is zero is
// left out.
type Burial struct {
	Reason       string
	Source       string // name of the queue
	ReceiveCount int
	Sent         time.Time
}

// BurialAttributes returns the attributes with which a message is buried: its
// own, and what b says. Where the limits of SQS, or a size of maxBytes, leave no
// room for all of that, the reason comes first, then the source, the receive
// count, and the time of sending. A reason is cut to the room that there is;
// characters that SQS does not allow are replaced by U+FFFD. What an earlier
// burial said is replaced. All is as on the wire, and own is not changed.
func BurialAttributes(body string, own []spec.NamedAttribute, b Burial, maxBytes int) []spec.NamedAttribute {
	attrs := slices.DeleteFunc(slices.Clone(own), func(a spec.NamedAttribute) bool {
		switch a.Name {
		case DeadLetterReason, DeadLetterSource, DeadLetterReceiveCount, DeadLetterSent:
			return true
		}
		return false
	})
	var count, sent string
	if b.ReceiveCount > 0 {
		count = strconv.Itoa(b.ReceiveCount)
	}
	if !b.Sent.IsZero() {
		sent = b.Sent.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	}
	for _, a := range []struct{ name, dataType, value string }{
		{DeadLetterReason, "String", b.Reason},
		{DeadLetterSource, "String", b.Source},
		{DeadLetterReceiveCount, "Number", count},
		{DeadLetterSent, "String", sent},
	} {
		room := maxBytes - spec.MessageSize(body, attrs) - len(a.name) - len(a.dataType)
		value := a.value
		if a.name == DeadLetterReason {
			value = cutText(value, min(room, MaxReasonBytes))
		}
		if value != "" && len(value) <= room && len(attrs) < spec.MaxAttributes {
			attrs = append(attrs, spec.NamedAttribute{Name: a.name, Attribute: spec.Attribute{DataType: a.dataType, StringValue: value}})
		}
	}
	return attrs
}

// cutText returns as much of s as fits into so many bytes, as SQS accepts it.
func cutText(s string, most int) string {
	var b strings.Builder
	for _, r := range s { // bytes that are not UTF-8 come as U+FFFD
		if spec.CheckCharacters(string(r)) != nil {
			r = utf8.RuneError
		}
		if b.Len()+utf8.RuneLen(r) > most {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}
