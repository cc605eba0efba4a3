package snsserver

import (
	"bytes"
	"encoding/xml"
	"maps"
	"slices"
)

// xmlWriter writes an answer.
type xmlWriter struct{ bytes.Buffer }

func (w *xmlWriter) open(element string)  { w.WriteString("<" + element + ">") }
func (w *xmlWriter) close(element string) { w.WriteString("</" + element + ">") }

// text writes an element with a text. Characters that XML does not have become
// U+FFFD.
func (w *xmlWriter) text(element, value string) {
	w.open(element)
	_ = xml.EscapeText(w, []byte(value)) // writing to memory does not fail
	w.close(element)
}

// list writes a list of structures; an empty one as an empty element.
func (w *xmlWriter) list(name string, n int, member func(i int)) {
	if n == 0 {
		w.WriteString("<" + name + "/>")
		return
	}
	w.open(name)
	for i := range n {
		w.open("member")
		member(i)
		w.close("member")
	}
	w.close(name)
}

// attributes writes a map.
func (w *xmlWriter) attributes(attrs map[string]string) {
	w.open("Attributes")
	for _, key := range slices.Sorted(maps.Keys(attrs)) {
		w.open("entry")
		w.text("key", key)
		w.text("value", attrs[key])
		w.close("entry")
	}
	w.close("Attributes")
}
