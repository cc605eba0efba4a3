package main

import (
	"fmt"
	"regexp"
	"strings"

	"omnibus/bus"
)

// filter says which messages a command is for: those that have all it asks for.
type filter struct {
	attributes []attributeFilter
	body       *regexp.Regexp // nil wants any
}

// attributeFilter wants a message attribute, or metadata, of that name, and of that
// value if any is given.
type attributeFilter struct {
	name, value string
	anyValue    bool
}

// addFilter adds the flags -attr and -body.
func (f *flagSet) addFilter() *filter {
	var wanted filter
	f.Func("attr", "only messages with the attribute `NAME`, or NAME=VALUE; may be given several times,\nand all must be there", func(text string) error {
		name, value, has := strings.Cut(text, "=")
		if name == "" {
			return fmt.Errorf("want NAME or NAME=VALUE, such as DeadLetterReason or JobType=NewDonor")
		}
		wanted.attributes = append(wanted.attributes, attributeFilter{name, value, !has})
		return nil
	})
	f.Func("body", "only messages in whose body something matches the `regular expression`, as Go has\nthem: go doc regexp/syntax", func(text string) (err error) {
		wanted.body, err = regexp.Compile(text)
		return err
	})
	return &wanted
}

// all reports whether every message is wanted.
func (w *filter) all() bool { return len(w.attributes) == 0 && w.body == nil }

// wants reports whether a message has all that is asked for.
func (w *filter) wants(m bus.Peeked) bool {
	for _, want := range w.attributes {
		value, has := m.Metadata[want.name]
		if a, typed := m.Details.Attributes[want.name]; !has && typed {
			value, has = a.StringValue, true
		}
		if !has || !want.anyValue && value != want.value {
			return false
		}
	}
	return w.body == nil || w.body.Match(m.Body)
}
