package sqsserver

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"unicode/utf8"
)

// jsonWriter is the writer of the JSON protocol.
type jsonWriter struct {
	buf []byte
	to  *call // whose long answers are sent in parts; nil for a document in memory
}

// begin starts a structure, end ends it.
func (w *jsonWriter) begin() { w.buf = append(w.buf, '{') }
func (w *jsonWriter) end()   { w.buf = append(w.buf, '}') }

// comma separates what comes from what is there.
func (w *jsonWriter) comma() {
	if c := w.buf[len(w.buf)-1]; c != '{' && c != '[' {
		w.buf = append(w.buf, ',')
	}
}

// name writes the name of a member. Names are the protocol's, or keys of maps.
func (w *jsonWriter) name(name string) {
	w.comma()
	w.buf = appendJSON(w.buf, name)
	w.buf = append(w.buf, ':')
}

func (w *jsonWriter) text(name, value string) {
	w.name(name)
	w.buf = append(w.buf, '"')
	for value != "" {
		var part string
		part, value = nextPart(value)
		w.buf = w.to.sendPart(appendJSONText(w.buf, part))
	}
	w.buf = append(w.buf, '"')
}

func (w *jsonWriter) number(name string, n int64) {
	w.name(name)
	w.buf = strconv.AppendInt(w.buf, n, 10)
}

func (w *jsonWriter) boolean(name string, b bool) {
	w.name(name)
	w.buf = strconv.AppendBool(w.buf, b)
}

func (w *jsonWriter) blob(name string, b []byte) {
	w.name(name)
	w.buf = append(w.buf, '"')
	for len(b) > blobPart {
		w.buf = w.to.sendPart(base64.StdEncoding.AppendEncode(w.buf, b[:blobPart]))
		b = b[blobPart:]
	}
	w.buf = w.to.sendPart(base64.StdEncoding.AppendEncode(w.buf, b))
	w.buf = append(w.buf, '"')
}

func (w *jsonWriter) digest(name string, sum [md5.Size]byte) {
	w.name(name)
	w.buf = append(w.buf, '"')
	w.buf = hex.AppendEncode(w.buf, sum[:])
	w.buf = append(w.buf, '"')
}

func (w *jsonWriter) beginList(name string) {
	w.name(name)
	w.buf = append(w.buf, '[')
}

func (w *jsonWriter) beginItem(string) {
	w.comma()
	w.begin()
}

func (w *jsonWriter) endItem(string) { w.end() }

func (w *jsonWriter) textItem(_, value string) {
	w.comma()
	w.buf = appendJSON(w.buf, value)
}

func (w *jsonWriter) endList() { w.buf = append(w.buf, ']') }

func (w *jsonWriter) beginMap(name string) {
	w.name(name)
	w.begin()
}

func (w *jsonWriter) textEntry(_, _, name, value string) { w.text(name, value) }

func (w *jsonWriter) beginEntry(_, _, name string) {
	w.name(name)
	w.begin()
}

func (w *jsonWriter) endEntry(string) { w.end() }
func (w *jsonWriter) endMap()         { w.end() }

// appendJSON appends a quoted string.
func appendJSON(buf []byte, s string) []byte {
	buf = appendJSONText(append(buf, '"'), s)
	return append(buf, '"')
}

// appendJSONText appends what stands between the quotes of a string. Bytes that
// are not UTF-8 become U+FFFD.
func appendJSONText(buf []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				buf = append(append(buf, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		buf = append(buf, s[start:i]...)
		switch c {
		case '"', '\\':
			buf = append(buf, '\\', c)
		case '\n':
			buf = append(buf, '\\', 'n')
		case '\r':
			buf = append(buf, '\\', 'r')
		case '\t':
			buf = append(buf, '\\', 't')
		default:
			const hex = "0123456789abcdef"
			buf = append(buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	return append(buf, s[start:]...)
}
