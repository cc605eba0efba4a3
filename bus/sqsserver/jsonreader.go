package sqsserver

import (
	"encoding/base64"
	"strconv"

	"omnibus/bus/spec"
)

// jsonReader reads one JSON document from front to back. The caller asks for the
// value that the protocol has at a place, and the reader refuses any other. It
// exists because requests are most of what the server does: encoding/json costs
// several times what all else in the server costs together.
//
// The first error sticks; from then on every method returns zero values. null
// stands for any value and is read as a zero value.
type jsonReader struct {
	data  []byte
	pos   int
	depth int
	err   error
}

// maxDepth is how deep values may nest, in members that the server passes over
// too. SQS's own nest four deep.
const maxDepth = 64

// codeSerialization is what AWS's JSON protocols answer to a document that they
// cannot read. It is not one of SQS's codes.
const codeSerialization spec.Code = "SerializationException"

func (r *jsonReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = spec.Errorf(codeSerialization, format, args...)
	}
}

// malformed notes that the document is not JSON at the present place.
func (r *jsonReader) malformed() {
	if r.err != nil {
		return
	}
	if r.pos >= len(r.data) {
		r.fail("the document ends in the middle of a value")
		return
	}
	r.fail("unexpected %q at byte %d", r.data[r.pos], r.pos)
}

// space passes over white space and returns the byte after it, 0 at the end.
func (r *jsonReader) space() byte {
	for r.pos < len(r.data) {
		switch c := r.data[r.pos]; c {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return c
		}
	}
	return 0
}

// expect reads one byte, after white space.
func (r *jsonReader) expect(c byte) bool {
	if r.err != nil {
		return false
	}
	if r.space() != c {
		r.malformed()
		return false
	}
	r.pos++
	return true
}

// kind names the value that begins with c as AWS's messages do, "" if none does.
func kind(c byte) string {
	switch {
	case c == '"':
		return "STRING_VALUE"
	case c == '{':
		return "START_OBJECT"
	case c == '[':
		return "START_ARRAY"
	case c == 't':
		return "TRUE_VALUE"
	case c == 'f':
		return "FALSE_VALUE"
	case c == '-' || c >= '0' && c <= '9':
		return "NUMBER_VALUE"
	}
	return ""
}

// begins reports whether a value that starts with c comes. It reads a null, and
// refuses other values, naming what is wanted.
func (r *jsonReader) begins(c byte, wanted string) bool {
	if r.err != nil {
		return false
	}
	found := r.space()
	switch {
	case found == c:
		return true
	case found == 'n':
		r.literal("null")
	case found == '{':
		r.fail("Start of structure or map found where not expected.")
	case found == '[':
		r.fail("Start of list found where not expected")
	case kind(found) != "":
		r.fail("%s can not be converted to %s", kind(found), wanted)
	default:
		r.malformed()
	}
	return false
}

func (r *jsonReader) literal(word string) {
	if r.pos+len(word) > len(r.data) || string(r.data[r.pos:r.pos+len(word)]) != word {
		r.malformed()
		return
	}
	r.pos += len(word)
}

// object reads an object and calls member for each of its members, with the
// name, which is valid until member returns. member must read the value.
func (r *jsonReader) object(member func(name []byte)) {
	if !r.begins('{', "a structure") || !r.enter() {
		return
	}
	r.pos++
	for first := true; r.err == nil; first = false {
		c := r.space()
		if c == '}' && first {
			r.pos++
			break
		}
		if c != '"' {
			r.malformed()
			return
		}
		name := r.quoted()
		if !r.expect(':') {
			return
		}
		member(name)
		if r.err != nil || r.ends('}') {
			break
		}
	}
	r.depth--
}

// array reads an array and calls element for each of its elements, which element
// must read.
func (r *jsonReader) array(element func()) {
	if !r.begins('[', "a list") || !r.enter() {
		return
	}
	r.pos++
	if r.space() == ']' {
		r.pos++
		r.depth--
		return
	}
	for r.err == nil {
		element()
		if r.err != nil || r.ends(']') {
			break
		}
	}
	r.depth--
}

func (r *jsonReader) enter() bool {
	r.depth++
	if r.depth > maxDepth {
		r.fail("values nest more than %d deep", maxDepth)
		return false
	}
	return true
}

// ends reads what follows a member or an element: the closing byte, for which it
// returns true, or a comma.
func (r *jsonReader) ends(closing byte) bool {
	switch r.space() {
	case closing:
		r.pos++
		return true
	case ',':
		r.pos++
	default:
		r.malformed()
	}
	return false
}

// text reads a string.
func (r *jsonReader) text() string {
	s, _ := r.given()
	return s
}

// given reads a string, and reports whether there was one rather than a null.
func (r *jsonReader) given() (s string, ok bool) {
	if !r.begins('"', "a String") {
		return "", false
	}
	return string(r.quoted()), true
}

// number reads an integer of 32 bits; nil for null.
func (r *jsonReader) number() *int {
	if r.err != nil {
		return nil
	}
	c := r.space()
	if kind(c) != "NUMBER_VALUE" {
		r.begins('0', "an Integer") // refuses it, or reads a null
		return nil
	}
	token := r.numberToken()
	if r.err != nil {
		return nil
	}
	n, err := strconv.ParseInt(string(token), 10, 32)
	if err != nil {
		r.fail("%.40s can not be converted to an Integer", token)
		return nil
	}
	v := int(n)
	return &v
}

// numberToken reads a number of any form that JSON has.
func (r *jsonReader) numberToken() []byte {
	start := r.pos
	if r.data[r.pos] == '-' {
		r.pos++
	}
	leading := r.pos
	ok := r.digits() && (r.data[leading] != '0' || r.pos == leading+1)
	if ok && r.at('.') {
		r.pos++
		ok = r.digits()
	}
	if ok && (r.at('e') || r.at('E')) {
		r.pos++
		if r.at('+') || r.at('-') {
			r.pos++
		}
		ok = r.digits()
	}
	if !ok {
		r.malformed()
	}
	return r.data[start:r.pos]
}

func (r *jsonReader) at(c byte) bool { return r.pos < len(r.data) && r.data[r.pos] == c }

func (r *jsonReader) digits() bool {
	start := r.pos
	for r.pos < len(r.data) && r.data[r.pos] >= '0' && r.data[r.pos] <= '9' {
		r.pos++
	}
	return r.pos > start
}

// blob reads bytes, which are in base64.
func (r *jsonReader) blob() []byte {
	if !r.begins('"', "a Blob") {
		return nil
	}
	s := r.quoted()
	b := make([]byte, base64.StdEncoding.DecodedLen(len(s)))
	n, err := base64.StdEncoding.Decode(b, s)
	if err != nil {
		r.fail("a Blob is not in base64: %v", err)
		return nil
	}
	return b[:n]
}

// texts reads a list of strings. Those that are null do not count, as AWS's
// protocols have it.
func (r *jsonReader) texts() []string {
	var out []string
	r.array(func() {
		if s, ok := r.given(); ok {
			out = append(out, s)
		}
	})
	return out
}

// textMap reads an object whose values are strings. Those that are null do not
// count.
func (r *jsonReader) textMap() map[string]string {
	out := map[string]string{}
	r.object(func(name []byte) {
		key := string(name)
		if s, ok := r.given(); ok {
			out[key] = s
		}
	})
	return out
}

// skip passes over a value of any kind.
func (r *jsonReader) skip() {
	if r.err != nil {
		return
	}
	switch c := r.space(); kind(c) {
	case "STRING_VALUE":
		r.quoted()
	case "START_OBJECT":
		r.object(func([]byte) { r.skip() })
	case "START_ARRAY":
		r.array(r.skip)
	case "TRUE_VALUE":
		r.literal("true")
	case "FALSE_VALUE":
		r.literal("false")
	case "NUMBER_VALUE":
		r.numberToken()
	default:
		r.literal("null")
	}
}

// end reports what follows the document.
func (r *jsonReader) end() error {
	if r.space(); r.err == nil && r.pos < len(r.data) {
		r.malformed()
	}
	return r.err
}
