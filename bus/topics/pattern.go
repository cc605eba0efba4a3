package topics

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A pattern is one of the values that a key of a filter may have. match looks at
// a text, number or literal of a message; nil stands for {"exists": false}, which
// matches where there is none.
type pattern struct{ match func(*node) bool }

func isAbsence(p pattern) bool { return p.match == nil }

const onlyOneKey = "Only one key allowed in match expression"

// patterns returns the values of a key.
func (c *compiler) patterns(list *node) []pattern {
	var out []pattern
	for _, v := range list.items {
		switch v.kind {
		case object:
			out = append(out, c.expression(v))
		case array:
			c.fail(v.at, "Match value must be String, number, true, false, or null")
		default:
			out = append(out, pattern{equals(v)})
		}
		if c.err != nil {
			return nil
		}
	}
	if len(out) == 0 {
		c.fail(list.end, "Empty arrays are not allowed")
	}
	return out
}

// equals matches the same text, number or literal. Numbers are the same in
// whatever form they are written.
func equals(v *node) func(*node) bool {
	n, isNumber := scaled(v)
	return func(m *node) bool {
		if k, ok := scaled(m); ok && isNumber {
			return n == k
		}
		return m.kind == v.kind && m.text == v.text
	}
}

// scaled returns a number in hundred thousandths, to which SNS counts, if it is
// in the range that SNS has.
func scaled(v *node) (int64, bool) {
	if v.kind != number {
		return 0, false
	}
	f, err := strconv.ParseFloat(v.text, 64)
	return int64(math.Round(f * 1e5)), err == nil && math.Abs(f) <= 1e9
}

// expression returns an object with an operator.
func (c *compiler) expression(n *node) pattern {
	if len(n.names) == 0 {
		c.fail(n.end, "Match expression name not found")
		return pattern{}
	}
	name, v := n.names[0], n.items[0]
	var p pattern
	switch name {
	case "prefix":
		p.match = c.onTexts(name, v, strings.HasPrefix)
	case "suffix":
		p.match = c.onTexts(name, v, strings.HasSuffix)
	case "equals-ignore-case":
		p.match = c.onTexts(name, v, strings.EqualFold)
	case "anything-but":
		p.match = c.anythingBut(v)
	case "numeric":
		p.match = c.numeric(v)
	case "exists":
		if v.kind != literal || v.text == "null" {
			c.fail(v.at, "exists match pattern must be either true or false.")
		} else if v.text == "true" {
			p.match = func(*node) bool { return true }
		}
	case "cidr":
		p.match = c.cidr(v)
	default:
		c.fail(v.at, "Unrecognized match type "+name)
	}
	if len(n.names) > 1 {
		c.fail(n.items[1].at, onlyOneKey)
	}
	return p
}

// onTexts matches texts that are in a relation to one given.
func (c *compiler) onTexts(operator string, v *node, related func(s, given string) bool) func(*node) bool {
	if v.kind != text {
		c.fail(v.at, operator+" match pattern must be a string")
	}
	return func(m *node) bool { return m.kind == text && related(m.text, v.text) }
}

// anythingBut matches what is none of some texts or numbers, or has not a prefix.
func (c *compiler) anythingBut(v *node) func(*node) bool {
	not := []*node{v}
	switch v.kind {
	case object:
		return c.anythingButPrefix(v)
	case array:
		not = v.items
	case literal:
		c.fail(v.at, "Value of anything-but must be an array or single string/number value.")
	}
	for _, item := range not {
		if item.kind != text && item.kind != number {
			c.fail(item.at, "Inside anything but list, start|null|boolean is not supported.")
		}
	}
	if len(not) == 0 || slices.ContainsFunc(not, func(item *node) bool { return item.kind != not[0].kind }) {
		c.fail(v.end, "Inside anything but list, either all values are number or string, mixed type is not supported")
	}
	var same []func(*node) bool
	for _, item := range not {
		same = append(same, equals(item))
	}
	return func(m *node) bool {
		return !slices.ContainsFunc(same, func(is func(*node) bool) bool { return is(m) })
	}
}

func (c *compiler) anythingButPrefix(v *node) func(*node) bool {
	if len(v.names) == 0 {
		c.fail(v.end, "Anything-But expression name not found")
		return nil
	}
	name, prefix := v.names[0], v.items[0]
	switch {
	case name != "prefix":
		c.fail(prefix.at, "Unsupported anything-but pattern: "+name)
	case prefix.kind == text && prefix.text == "":
		c.fail(prefix.end, "Null prefix not allowed")
	}
	has := c.onTexts(name, prefix, strings.HasPrefix)
	if len(v.names) > 1 {
		c.fail(v.items[1].at, onlyOneKey)
	}
	return func(m *node) bool { return !has(m) }
}

// numeric matches numbers by one comparison, or by two that make a range.
func (c *compiler) numeric(v *node) func(*node) bool {
	if v.kind != array {
		c.fail(v.at, "Value of numeric must be an array.")
		return nil
	}
	// token returns an element or, behind the last one, the end of the list.
	token := func(i int) *node {
		if i < len(v.items) {
			return v.items[i]
		}
		return &node{kind: array, text: "]", at: v.end, end: v.end}
	}
	first := token(0)
	if first.kind != text {
		c.fail(first.at, "Invalid member in numeric match: "+shown(first))
		return nil
	}
	low := c.comparison(first, token(1), "Unrecognized numeric range operator: ", token(1).at, "=", "<", "<=", ">", ">=")
	switch {
	case c.err != nil || len(v.items) == 2:
		return low.holds
	case first.text[0] != '>':
		c.fail(token(2).at, "Too many elements in numeric expression")
		return nil
	case token(2).kind != text:
		c.fail(token(2).at, "Bad value in numeric range: "+shown(token(2)))
		return nil
	}
	high := c.comparison(token(2), token(3), "Bad numeric range operator: ", token(2).end, "<", "<=")
	switch {
	case c.err != nil:
	case len(v.items) > 4:
		c.fail(token(4).at, "Too many terms in numeric range expression")
	case low.value >= high.value:
		c.fail(v.end, "Bottom must be less than top")
	}
	return func(m *node) bool { return low.holds(m) && high.holds(m) }
}

// shown returns a token of JSON as AWS's errors quote it.
func shown(n *node) string {
	switch {
	case n.kind == object:
		return "{"
	case n.kind == array && n.text == "":
		return "["
	}
	return n.text
}

type comparison struct {
	operator string
	value    int64
}

// comparison reads one of a numeric match. bad begins the error of an operator
// that is not among those allowed, and at is where that stands.
func (c *compiler) comparison(operator, v *node, bad string, at int, allowed ...string) comparison {
	name := operator.text
	if name == "=" {
		name = "equals"
	}
	n, inRange := scaled(v)
	switch {
	case !slices.Contains(allowed, operator.text):
		c.fail(at, bad+operator.text)
	case v.kind != number:
		c.fail(v.at, fmt.Sprintf("Value of %s must be numeric", name))
	case !inRange:
		c.fail(v.at, "Value must be between -1.0E9 and 1.0E9, inclusive")
	}
	return comparison{operator.text, n}
}

func (c comparison) holds(m *node) bool {
	n, ok := scaled(m)
	if !ok {
		return false
	}
	switch c.operator {
	case "<":
		return n < c.value
	case "<=":
		return n <= c.value
	case ">":
		return n > c.value
	case ">=":
		return n >= c.value
	}
	return n == c.value
}

// cidr matches the IP addresses of a block.
func (c *compiler) cidr(v *node) func(*node) bool {
	if v.kind != text {
		c.fail(v.at, "cidr match pattern must be a string")
		return nil
	}
	address, bits, found := strings.Cut(v.text, "/")
	block, err := netip.ParsePrefix(v.text)
	switch _, notNumber := strconv.Atoi(bits); {
	case !found || strings.Contains(bits, "/"):
		c.fail(v.end, "Malformed CIDR, one '/' required")
	case notNumber != nil:
		c.fail(v.end, "Malformed CIDR, mask bits must be an integer")
	case err != nil:
		c.fail(v.end, "Invalid CIDR: "+address+"/"+bits)
	}
	return func(m *node) bool {
		ip, err := netip.ParseAddr(m.text)
		return err == nil && m.kind == text && block.Contains(ip)
	}
}
