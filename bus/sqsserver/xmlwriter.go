package sqsserver

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"unicode/utf8"
)

// xmlWriter is the writer of the Query protocol.
type xmlWriter struct {
	buf []byte
	to  *call // whose long answers are sent in parts
}

func (w *xmlWriter) open(element string) {
	w.buf = append(w.buf, '<')
	w.buf = append(w.buf, element...)
	w.buf = append(w.buf, '>')
}

func (w *xmlWriter) close(element string) {
	w.buf = append(w.buf, '<', '/')
	w.buf = append(w.buf, element...)
	w.buf = append(w.buf, '>')
}

func (w *xmlWriter) text(name, value string) {
	w.open(name)
	for value != "" {
		var part string
		part, value = nextPart(value)
		w.buf = w.to.sendPart(appendXML(w.buf, part))
	}
	w.close(name)
}

func (w *xmlWriter) number(name string, n int64) {
	w.open(name)
	w.buf = strconv.AppendInt(w.buf, n, 10)
	w.close(name)
}

func (w *xmlWriter) boolean(name string, b bool) {
	w.open(name)
	w.buf = strconv.AppendBool(w.buf, b)
	w.close(name)
}

func (w *xmlWriter) blob(name string, b []byte) {
	w.open(name)
	for len(b) > blobPart {
		w.buf = w.to.sendPart(base64.StdEncoding.AppendEncode(w.buf, b[:blobPart]))
		b = b[blobPart:]
	}
	w.buf = w.to.sendPart(base64.StdEncoding.AppendEncode(w.buf, b))
	w.close(name)
}

func (w *xmlWriter) digest(name string, sum [md5.Size]byte) {
	w.open(name)
	w.buf = hex.AppendEncode(w.buf, sum[:])
	w.close(name)
}

// Lists and maps are flattened: their elements stand in the structure itself.
func (w *xmlWriter) beginList(string)               {}
func (w *xmlWriter) beginItem(element string)       { w.open(element) }
func (w *xmlWriter) endItem(element string)         { w.close(element) }
func (w *xmlWriter) textItem(element, value string) { w.text(element, value) }
func (w *xmlWriter) endList()                       {}
func (w *xmlWriter) beginMap(string)                {}
func (w *xmlWriter) endMap()                        {}

func (w *xmlWriter) textEntry(element, key, name, value string) {
	w.open(element)
	w.text(key, name)
	w.text("Value", value)
	w.close(element)
}

func (w *xmlWriter) beginEntry(element, key, name string) {
	w.open(element)
	w.text(key, name)
	w.open("Value")
}

func (w *xmlWriter) endEntry(element string) {
	w.close("Value")
	w.close(element)
}

// appendXML appends character data. A carriage return is written as a character
// reference, or a parser would make a line feed of it. Characters that XML does
// not have, and bytes that are not UTF-8, become U+FFFD; message bodies and
// attributes have none, since SQS refuses them.
func appendXML(buf []byte, s string) []byte {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '<':
			buf = append(buf, "&lt;"...)
		case r == '>':
			buf = append(buf, "&gt;"...)
		case r == '&':
			buf = append(buf, "&amp;"...)
		case r == '"':
			buf = append(buf, "&quot;"...)
		case r == '\r':
			buf = append(buf, "&#xD;"...)
		case r < 0x20 && r != '\t' && r != '\n', r == 0xFFFE, r == 0xFFFF, r == utf8.RuneError && size == 1:
			buf = append(buf, "\uFFFD"...)
		default:
			buf = append(buf, s[i:i+size]...)
		}
		i += size
	}
	return buf
}
