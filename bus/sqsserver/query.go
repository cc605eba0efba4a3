package sqsserver

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"omnibus/bus/internal/query"
	"omnibus/bus/spec"
)

// The Query protocol's requests are translated to those of the JSON protocol,
// from
//
//	DelaySeconds=5&MessageAttribute.1.Name=a&MessageAttribute.1.Value.DataType=String
//
// to
//
//	{"DelaySeconds":5,"MessageAttributes":{"a":{"DataType":"String"}}}
//
// so that the actions know one form of requests only.

// form is a structure of a request: a tree of the parameters by the parts of
// their names.
type form struct {
	value    string
	children map[string]*form
}

// maxParts is how many parts the longest name has:
// SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringListValue.1.
const maxParts = 7

func (f *form) child(name string) *form {
	c := f.children[name]
	if c == nil {
		c = &form{}
		if f.children == nil {
			f.children = map[string]*form{}
		}
		f.children[name] = c
	}
	return c
}

func (f *form) get(name string) string {
	if c := f.children[name]; c != nil {
		return c.value
	}
	return ""
}

// form reads the parameters from the URL and from the body.
func (c *call) form() (*form, error) {
	f := &form{}
	if err := f.parse(c.req.URL.RawQuery); err != nil {
		return nil, err
	}
	switch c.req.Method {
	case http.MethodGet:
		return f, nil
	case http.MethodPost:
	default:
		return nil, spec.Errorf(codeInvalidAction, "The method %.20s is not supported; use POST.", c.req.Method)
	}
	if err := c.read(""); err != nil {
		return nil, err
	}
	return f, f.parse(string(c.body))
}

func (f *form) parse(s string) error {
	return query.Each(s, func(name, value string) {
		if strings.Count(name, ".") >= maxParts {
			return // not a parameter of any action
		}
		at := f
		for part := range strings.SplitSeq(name, ".") {
			at = at.child(part)
		}
		at.value = value
	})
}

// A formKind is what a parameter becomes in JSON.
type formKind int

const (
	formText formKind = iota
	formNumber
	formTexts      // a list of texts
	formStructs    // a list of structures
	formTextMap    // a map to texts
	formStructMap  // a map to structures
	formNotInQuery // Query has the JSON name under another
)

// formMember is a parameter that is not a text of the same name in JSON.
type formMember struct {
	json string // "" means the same name
	kind formKind
	key  string // of a map: the name of its keys
}

var formMembers = map[string]formMember{
	"DelaySeconds":                 {kind: formNumber},
	"VisibilityTimeout":            {kind: formNumber},
	"WaitTimeSeconds":              {kind: formNumber},
	"MaxNumberOfMessages":          {kind: formNumber},
	"MaxResults":                   {kind: formNumber},
	"MaxNumberOfMessagesPerSecond": {kind: formNumber},

	"AttributeName":              {"AttributeNames", formTexts, ""},
	"MessageSystemAttributeName": {"MessageSystemAttributeNames", formTexts, ""},
	"MessageAttributeName":       {"MessageAttributeNames", formTexts, ""},
	"AWSAccountId":               {"AWSAccountIds", formTexts, ""},
	"ActionName":                 {"Actions", formTexts, ""},
	"TagKey":                     {"TagKeys", formTexts, ""},
	"StringListValue":            {"StringListValues", formTexts, ""},
	"BinaryListValue":            {"BinaryListValues", formTexts, ""},

	"SendMessageBatchRequestEntry":             {"Entries", formStructs, ""},
	"DeleteMessageBatchRequestEntry":           {"Entries", formStructs, ""},
	"ChangeMessageVisibilityBatchRequestEntry": {"Entries", formStructs, ""},

	"Attribute":              {"Attributes", formTextMap, "Name"},
	"Tag":                    {"Tags", formTextMap, "Key"},
	"Tags":                   {"Tags", formTextMap, "Key"}, // so from the Java SDK, in TagQueue
	"MessageAttribute":       {"MessageAttributes", formStructMap, "Name"},
	"MessageSystemAttribute": {"MessageSystemAttributes", formStructMap, "Name"},

	"Attributes":              {kind: formNotInQuery},
	"tags":                    {kind: formNotInQuery},
	"Entries":                 {kind: formNotInQuery},
	"AttributeNames":          {kind: formNotInQuery},
	"AWSAccountIds":           {kind: formNotInQuery},
	"Actions":                 {kind: formNotInQuery},
	"TagKeys":                 {kind: formNotInQuery},
	"MessageAttributes":       {kind: formNotInQuery},
	"MessageSystemAttributes": {kind: formNotInQuery},
	"MessageAttributeNames":   {kind: formNotInQuery},
	"StringListValues":        {kind: formNotInQuery},
	"BinaryListValues":        {kind: formNotInQuery},

	"MessageSystemAttributeNames": {kind: formNotInQuery},
}

// document returns the request in JSON.
func (f *form) document() ([]byte, error) {
	w := jsonWriter{}
	w.begin()
	err := f.members(&w)
	w.end()
	return w.buf, err
}

func (f *form) members(w *jsonWriter) error {
	for _, name := range slices.Sorted(maps.Keys(f.children)) { // so that of two errors it is always the same
		m := formMembers[name]
		if m.json == "" {
			m.json = name
		}
		if err := f.children[name].member(w, name, m); err != nil {
			return err
		}
	}
	return nil
}

func (f *form) member(w *jsonWriter, name string, m formMember) error {
	switch m.kind {
	case formNotInQuery:
		return nil
	case formText:
		w.rawText(m.json, f.value)
		return nil
	case formNumber:
		n, err := strconv.ParseInt(f.value, 10, 32)
		if err != nil {
			return spec.InvalidParameter(f.value, m.json, "Must be an integer.")
		}
		w.number(m.json, n)
		return nil
	}
	elements, err := f.elements(name, m)
	if err != nil {
		return err
	}
	switch m.kind {
	case formTexts:
		w.beginList(m.json)
		for _, e := range elements {
			w.comma()
			w.buf = appendRawJSON(w.buf, e.value)
		}
		w.endList()
	case formStructs:
		w.beginList(m.json)
		for _, e := range elements {
			w.beginItem("")
			if err := e.members(w); err != nil {
				return err
			}
			w.endItem("")
		}
		w.endList()
	case formTextMap:
		w.beginMap(m.json)
		for _, e := range elements {
			w.rawText(e.get(m.key), e.get("Value"))
		}
		w.endMap()
	case formStructMap:
		w.beginMap(m.json)
		for _, e := range elements {
			w.beginEntry("", "", e.get(m.key))
			if v := e.children["Value"]; v != nil {
				if err := v.members(w); err != nil {
					return err
				}
			}
			w.endEntry("")
		}
		w.endMap()
	}
	return nil
}

// elements returns the elements of a list or a map, which are numbered. A single one
// of texts may have no number, as in the examples of SQS's API reference:
// AttributeName=All, Attribute.Name=VisibilityTimeout&Attribute.Value=35.
func (f *form) elements(name string, m formMember) ([]*form, error) {
	keys := slices.Sorted(maps.Keys(f.children))
	switch {
	case m.kind == formTexts && f.value != "" && len(keys) == 0,
		m.key != "" && len(keys) > 0 && !slices.ContainsFunc(keys, func(k string) bool { return k != m.key && k != "Value" }):
		return []*form{f}, nil
	}
	var numbers []int
	for _, key := range keys {
		n, err := strconv.Atoi(key)
		if err != nil || n < 1 || strconv.Itoa(n) != key {
			return nil, spec.Errorf("MalformedQueryString", "%s.%.40s: the elements of a list are numbered from 1.", name, key)
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	var out []*form
	for _, n := range numbers {
		out = append(out, f.children[strconv.Itoa(n)])
	}
	return out, nil
}

// rawText writes a text whose bytes need not be UTF-8, and keeps them, for the
// checks of the action to refuse.
func (w *jsonWriter) rawText(name, value string) {
	w.name(name)
	w.buf = appendRawJSON(w.buf, value)
}

// appendRawJSON appends a quoted string with its bytes as they are.
func appendRawJSON(buf []byte, s string) []byte {
	buf = append(buf, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			buf = append(buf, '\\', c)
		case c < 0x20:
			const hex = "0123456789abcdef"
			buf = append(buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			buf = append(buf, c)
		}
	}
	return append(buf, '"')
}
