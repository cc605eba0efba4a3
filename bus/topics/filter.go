package topics

import (
	"errors"
	"slices"
	"strings"

	"omnibus/bus/spec"
)

// A Filter is a filter policy, which says what messages a subscription wants
// (https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html):
// by the attributes of a message or by the members of its body.
//
// A filter has a list of values for each of some keys, and wants the messages
// that match one value of each. Values are exact ones or objects with an operator:
// prefix, suffix, equals-ignore-case, anything-but (of texts, of numbers, of a
// prefix), numeric, exists and cidr. "$or" takes a list of filters, one of which
// must hold. A key with a dot in it is the same as nested keys.
//
// A Filter does not change and is safe for concurrent use.
type Filter struct {
	alternatives []conjunction
	nested       bool // it has keys in keys
}

// A conjunction is keys that must all match.
type conjunction []key

// A key is a member that a filter looks at, named by its path, and the values
// that it may have.
type key struct {
	path     string
	depth    int // 1 for a key that is not nested
	patterns []pattern
}

const (
	maxKeys         = 5   // of a filter, nested ones not counted
	maxCombinations = 150 // of the values of all keys, see combinations
	maxFilterBytes  = 256 << 10
)

// operators are the names that have a meaning in the place of a key. An "$or" of
// objects with such names is a key of that name.
var operators = []string{
	"prefix", "suffix", "equals-ignore-case", "anything-but", "numeric", "exists", "cidr", "wildcard", "exactly",
	"=", "<", "<=", ">", ">=", "range",
}

// ParseFilter reads a filter policy. Its errors are in AWS's words, as far as
// those are recorded.
func ParseFilter(s string) (*Filter, error) {
	if len(s) > maxFilterBytes {
		return nil, errors.New("Filter policy is larger than 262144 bytes")
	}
	root, bad := parseJSON(s)
	if bad != nil {
		return nil, errors.New("failed to parse JSON. " + bad.text + location(s, bad.at))
	}
	c := compiler{source: s}
	if root.kind != object {
		c.fail(root.at, "Filter is not an object")
	}
	f := &Filter{alternatives: c.object(root, "", 1), nested: c.nested}
	switch {
	case c.err != nil:
		return nil, c.err
	case len(root.names) > maxKeys:
		return nil, errors.New("Filter policy can not have more than 5 keys")
	case c.tooComplex || f.combinations() > maxCombinations:
		return nil, errors.New("Filter policy is too complex")
	}
	return f, nil
}

// combinations returns AWS's measure of a filter: the numbers of values of the
// keys that must all match are multiplied, each with the key's depth, and those
// of alternatives added.
func (f *Filter) combinations() int {
	sum := 0
	for _, keys := range f.alternatives {
		product := 1
		for _, k := range keys {
			if product = product * len(k.patterns) * k.depth; product > maxCombinations {
				return product
			}
		}
		sum += product
	}
	return sum
}

// A compiler makes a filter of its JSON.
type compiler struct {
	source     string
	nested     bool
	tooComplex bool
	err        error // the first
}

func (c *compiler) fail(at int, text string) {
	if c.err == nil {
		c.err = errors.New(text + location(c.source, at))
	}
}

// object returns the alternatives of an object, whose keys stand under a path.
func (c *compiler) object(n *node, path string, depth int) []conjunction {
	all := []conjunction{nil}
	if len(n.names) == 0 {
		c.fail(n.end, "Empty objects are not allowed")
	}
	for i, name := range n.names {
		v := n.items[i]
		switch {
		case c.err != nil:
			return nil
		case isOr(name, v):
			var some []conjunction
			for _, item := range v.items {
				some = append(some, c.object(item, path, depth)...)
			}
			all = c.and(all, some)
		case v.kind == object:
			c.nested = true
			all = c.and(all, c.object(v, path+name+".", depth+1))
		case v.kind == array:
			all = c.and(all, []conjunction{{{path + name, depth, c.patterns(v)}}})
		default:
			c.fail(v.at, `"`+name+`" must be an object or an array`)
		}
	}
	return all
}

// and returns the alternatives of two filters that must both hold.
func (c *compiler) and(a, b []conjunction) []conjunction {
	if len(a)*len(b) > maxCombinations {
		c.tooComplex = true
		return a
	}
	var out []conjunction
	for _, x := range a {
		for _, y := range b {
			out = append(out, slices.Concat(x, y))
		}
	}
	return out
}

// isOr reports whether a member is the operator $or: a list of two objects or
// more, none of which has an operator for a key.
func isOr(name string, v *node) bool {
	if name != "$or" || v.kind != array || len(v.items) < 2 {
		return false
	}
	for _, item := range v.items {
		if item.kind != object || slices.ContainsFunc(item.names, isOperator) {
			return false
		}
	}
	return true
}

func isOperator(name string) bool { return slices.Contains(operators, name) }

// MatchAttributes reports whether the filter wants a message with those
// attributes. An attribute of type String.Array has the values in its JSON array;
// Binary ones are not looked at.
func (f *Filter) MatchAttributes(attrs []spec.NamedAttribute) bool {
	return f.match(attributesNode(attrs))
}

func attributesNode(attrs []spec.NamedAttribute) *node {
	n := &node{kind: object}
	for _, a := range attrs {
		v := &node{kind: text, text: a.StringValue}
		switch base, label, _ := strings.Cut(a.DataType, "."); {
		case base == "Number":
			v.kind = number
		case base != "String":
			continue
		case label == "Array":
			var bad *syntaxError
			if v, bad = parseJSON(a.StringValue); bad != nil || v.kind != array {
				continue
			}
		}
		n.names, n.items = append(n.names, a.Name), append(n.items, v)
	}
	return n
}

// MatchBody reports whether the filter wants a message with that body. A body
// that is not a JSON object is not wanted.
func (f *Filter) MatchBody(body string) bool {
	n := bodyNode(body)
	return n != nil && f.match(n)
}

// bodyNode returns nil for a body that is not a JSON object.
func bodyNode(body string) *node {
	if n, bad := parseJSON(body); bad == nil && n.kind == object {
		return n
	}
	return nil
}

// match reports whether the filter wants a message, which is given as an object.
func (f *Filter) match(message *node) bool {
	m := matcher{steps: maxSteps}
	return slices.ContainsFunc(f.alternatives, func(keys conjunction) bool { return m.conjunction(message, keys) })
}

// maxSteps bounds how long a matcher tries: one to two seconds. It is what 150 alternatives
// of five keys need on a message of 1 MiB that is all names; only keys of dozens of dots, or
// thousands of keys within "$or", made for the purpose, need more. Such a message is not
// wanted.
const maxSteps = 1 << 27

// A matcher counts a step for each name or pattern that it compares, and for each value
// that it comes to.
type matcher struct{ steps int }

// A want is a key on the way down a message: rest is what is left of its path,
// and there is none at the value.
type want struct {
	rest  string
	there bool
	key   *key
}

func (m *matcher) conjunction(message *node, keys conjunction) bool {
	var wants []want
	for i := range keys {
		if m.steps < 0 {
			return false
		}
		k := &keys[i]
		w := want{rest: k.path, key: k}
		if slices.ContainsFunc(k.patterns, isAbsence) && !m.has(message, w) {
			continue
		}
		wants = append(wants, w)
	}
	return m.holds(message, wants)
}

// holds reports whether all the wants match in one combination: those that lead
// through an array match within one of its elements.
func (m *matcher) holds(n *node, wants []want) bool {
	m.steps--
	if len(wants) == 0 || m.steps < 0 {
		return len(wants) == 0
	}
	switch n.kind {
	case object:
		m.steps -= len(n.items) // for the list that is made
		return m.members(n, wants, make([][]want, len(n.items)))
	case array:
		return slices.ContainsFunc(n.items, func(item *node) bool { return m.holds(item, wants) })
	}
	for _, w := range wants {
		m.steps -= len(w.key.patterns)
		if !w.there || !slices.ContainsFunc(w.key.patterns, func(p pattern) bool { return p.match != nil && p.match(n) }) {
			return false
		}
	}
	return true
}

// members tries the ways in which wants can go on into the members of an object:
// more than one where keys and names have dots. chosen are those that have been
// placed, by the member.
func (m *matcher) members(n *node, wants []want, chosen [][]want) bool {
	if len(wants) == 0 {
		for i, ws := range chosen {
			if !m.holds(n.items[i], ws) {
				return false
			}
		}
		return true
	}
	if m.steps -= 1 + len(n.names); m.steps < 0 {
		return false
	}
	for i, name := range n.names {
		next, ok := wants[0].into(name)
		if !ok {
			continue
		}
		chosen[i] = append(chosen[i], next)
		if m.members(n, wants[1:], chosen) {
			return true
		}
		chosen[i] = chosen[i][:len(chosen[i])-1]
		if m.steps < 0 {
			return false
		}
	}
	return false
}

// into returns the want as it goes on in the member of that name.
func (w want) into(name string) (want, bool) {
	if w.there || !strings.HasPrefix(w.rest, name) {
		return w, false
	}
	switch rest := w.rest[len(name):]; {
	case rest == "":
		w.rest, w.there = "", true
		return w, true
	case rest[0] == '.':
		w.rest = rest[1:]
		return w, true
	}
	return w, false
}

// has reports whether there is a value where a want leads.
func (m *matcher) has(n *node, w want) bool {
	m.steps -= 1 + len(n.names)
	switch n.kind {
	case object:
		for i, name := range n.names {
			if next, ok := w.into(name); ok && m.has(n.items[i], next) {
				return true
			}
		}
		return false
	case array:
		return slices.ContainsFunc(n.items, func(item *node) bool { return m.has(item, w) })
	}
	return w.there
}
