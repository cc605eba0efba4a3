package topics

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A node is a JSON value: of a filter policy, a redrive policy, a message that is
// filtered by its body, and of the attributes of one that is filtered by those.
// Names of members stay in their order, and of two members with one name the last
// counts.
type node struct {
	kind  kind
	text  string   // of a text, what it says; of a number or a literal, as written
	names []string // of an object's members, whose values are the items
	items []*node  // of an object or an array
	at    int      // where a parser stands that has met the value, see location
	end   int      // behind the value
}

type kind uint8

const (
	object kind = iota
	array
	text
	number
	literal // true, false or null
)

// maxDepth is how deep values may be nested in each other.
const maxDepth = 1000

// A syntaxError is what is wrong with a document, in AWS's words where those are
// recorded.
type syntaxError struct {
	text string
	at   int
}

// parseJSON reads a document of one value.
func parseJSON(s string) (*node, *syntaxError) {
	p := parser{s: s}
	n := p.value(0)
	if p.space(); p.err == nil && p.i < len(s) {
		p.unexpected("expected the end of the document")
	}
	return n, p.err
}

type parser struct {
	s   string
	i   int
	err *syntaxError
}

func (p *parser) fail(at int, format string, args ...any) {
	if p.err == nil {
		p.err = &syntaxError{fmt.Sprintf(format, args...), at}
	}
}

func (p *parser) unexpected(expected string) {
	if p.i >= len(p.s) {
		p.fail(p.i, "Unexpected end-of-input: %s", expected)
		return
	}
	r, _ := utf8.DecodeRuneInString(p.s[p.i:])
	p.fail(p.i, "Unexpected character ('%c' (code %d)): %s", r, r, expected)
}

func (p *parser) space() {
	for p.i < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.i]) >= 0 {
		p.i++
	}
}

// next skips white space and reports whether c comes then, which it takes.
func (p *parser) next(c byte) bool {
	p.space()
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *parser) value(depth int) *node {
	p.space()
	n := &node{}
	switch {
	case depth > maxDepth:
		p.fail(p.i, "Document nesting depth (%d) exceeds the maximum allowed (%d)", depth, maxDepth)
	case p.next('{'):
		n.kind, n.at = object, p.i
		p.members(n, depth)
	case p.next('['):
		n.kind, n.at = array, p.i
		p.elements(n, depth)
	case p.next('"'):
		n.kind, n.at = text, p.i
		n.text = p.quoted()
	default:
		p.word(n)
	}
	n.end = p.i
	return n
}

func (p *parser) members(n *node, depth int) {
	places := map[string]int{}
	for p.err == nil {
		if len(n.names) == 0 && p.next('}') {
			return
		}
		if !p.next('"') {
			p.unexpected("was expecting double-quote to start field name")
			return
		}
		name := p.quoted()
		if !p.next(':') {
			p.unexpected("was expecting a colon to separate field name and value")
			return
		}
		v := p.value(depth + 1)
		if i, ok := places[name]; ok {
			n.items[i] = v
		} else {
			places[name] = len(n.names)
			n.names, n.items = append(n.names, name), append(n.items, v)
		}
		if p.next('}') {
			return
		}
		if !p.next(',') {
			p.unexpected("was expecting comma to separate Object entries")
		}
	}
}

func (p *parser) elements(n *node, depth int) {
	for p.err == nil {
		if len(n.items) == 0 && p.next(']') {
			return
		}
		n.items = append(n.items, p.value(depth+1))
		if p.next(']') {
			return
		}
		if !p.next(',') {
			p.unexpected("was expecting comma to separate Array entries")
		}
	}
}

// quoted reads a text from behind its first quotation mark.
func (p *parser) quoted() string {
	start := p.i
	plain := true
	for ; p.i < len(p.s) && p.s[p.i] != '"'; p.i++ {
		switch c := p.s[p.i]; {
		case c == '\\':
			plain = false
			p.i++
		case c < 0x20:
			p.unexpected("has to be escaped using backslash to be included in string value")
			return ""
		}
	}
	if p.i >= len(p.s) {
		p.i = len(p.s)
		p.unexpected("was expecting closing quote for a string value")
		return ""
	}
	p.i++
	if plain {
		return p.s[start : p.i-1]
	}
	var s string
	if json.Unmarshal([]byte(p.s[start-1:p.i]), &s) != nil {
		p.fail(start, "Unrecognized character escape")
	}
	return s
}

// word reads a number or a literal.
func (p *parser) word(n *node) {
	start := p.i
	for p.i < len(p.s) && strings.IndexByte(" \t\r\n,:]}[{\"", p.s[p.i]) < 0 {
		p.i++
	}
	n.text, n.at = p.s[start:p.i], p.i
	switch c := append([]byte(n.text), 0)[0]; {
	case n.text == "true", n.text == "false", n.text == "null":
		n.kind = literal
	case n.text == "":
		p.unexpected("expected a value")
	case (c == '-' || c >= '0' && c <= '9') && json.Valid([]byte(n.text)):
		n.kind = number
	default:
		p.fail(p.i, "Unrecognized token '%.80s': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", n.text)
	}
}

// location tells where a parser stands, as AWS's errors of JSON end: behind the
// first character of a text, an object or an array, behind the last one of any
// other value. That parser counts lines and characters from 1.
func location(s string, at int) string {
	before := s[:min(at, len(s))]
	line := strings.Count(before, "\n")
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return fmt.Sprintf("\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: %d, column: %d]", line+1, column+1)
}
