package sqsserver

import (
	"unicode/utf16"
	"unicode/utf8"
)

// quoted reads a string whose opening quote comes. Without escapes the result is
// a part of the document.
func (r *jsonReader) quoted() []byte {
	start := r.pos + 1
	for i := start; i < len(r.data); i++ {
		switch c := r.data[i]; {
		case c == '"':
			r.pos = i + 1
			return r.data[start:i]
		case c == '\\':
			return r.escaped(start, i)
		case c < 0x20:
			r.pos = i
			r.malformed()
			return nil
		}
	}
	r.pos = len(r.data)
	r.malformed()
	return nil
}

// escaped reads a string that begins at start and has its first escape at i.
func (r *jsonReader) escaped(start, i int) []byte {
	out := append(make([]byte, 0, i-start+64), r.data[start:i]...)
	for i < len(r.data) {
		c := r.data[i]
		switch {
		case c == '"':
			r.pos = i + 1
			return out
		case c == '\\':
			var n int
			out, n = unescape(out, r.data[i:])
			if n == 0 {
				r.pos = i
				r.fail("bad escape in a string at byte %d", i)
				return nil
			}
			i += n
		case c < 0x20:
			r.pos = i
			r.malformed()
			return nil
		default:
			out = append(out, c)
			i++
		}
	}
	r.pos = i
	r.malformed()
	return nil
}

// unescape appends what the escape at the head of s stands for, and returns the
// length of the escape, 0 for a bad one. A surrogate that is not one of a pair
// becomes the three bytes that it would have in UTF-8. Those are not UTF-8, so a
// message with such a character is refused, as SQS refuses it, and not changed.
func unescape(out, s []byte) ([]byte, int) {
	if len(s) < 2 {
		return out, 0
	}
	switch s[1] {
	case '"', '\\', '/':
		return append(out, s[1]), 2
	case 'b':
		return append(out, '\b'), 2
	case 'f':
		return append(out, '\f'), 2
	case 'n':
		return append(out, '\n'), 2
	case 'r':
		return append(out, '\r'), 2
	case 't':
		return append(out, '\t'), 2
	case 'u':
	default:
		return out, 0
	}
	r, ok := hex4(s)
	if !ok {
		return out, 0
	}
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(out, r), 6
	}
	if low, ok := hex4(s[6:]); ok {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return utf8.AppendRune(out, pair), 12
		}
	}
	return append(out, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F), 6
}

// hex4 reads \uXXXX at the head of s.
func hex4(s []byte) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range s[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
