package lab

import (
	"encoding/json"
	"unicode/utf8"
)

// A Body is a message's body as a line of JSON carries it, so that text and JSON
// can be told apart: at most one field is set.
type Body struct {
	JSON   json.RawMessage `json:"body,omitempty"`   // a JSON document
	Text   string          `json:"text,omitempty"`   // other text
	Base64 []byte          `json:"base64,omitempty"` // what is no UTF-8
}

// NewBody returns the Body of a message.
func NewBody(b []byte) Body {
	switch {
	case !utf8.Valid(b):
		return Body{Base64: b}
	case json.Valid(b):
		return Body{JSON: b}
	}
	return Body{Text: string(b)}
}

// String returns the body as it was.
func (b Body) String() string { return string(b.JSON) + b.Text + string(b.Base64) }
