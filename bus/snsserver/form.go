package snsserver

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"omnibus/bus/internal/query"
	"omnibus/bus/spec"
)

// form is the parameters of a request by their names, such as
// Attributes.entry.1.key.
type form map[string]string

// form reads the parameters from the URL and from the body.
func (c *call) form() (form, error) {
	f := form{}
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
	body, err := c.body(f["Action"])
	if err != nil {
		return nil, err
	}
	return f, f.parse(body)
}

// parse reads the parameters of a URL or a body, beside those that there are.
func (f form) parse(s string) error {
	return query.Each(s, func(name, value string) { f[name] = value })
}

// elements returns what the names of the parameters of each element of a list or
// of each entry of a map begin with: for Tags.member, Tags.member.1. and so on.
func (f form) elements(list string) []string {
	var numbers []int
	for name := range f {
		rest, ok := strings.CutPrefix(name, list+".")
		if !ok {
			continue
		}
		number, _, _ := strings.Cut(rest, ".")
		if n, err := strconv.Atoi(number); err == nil && n > 0 && strconv.Itoa(n) == number {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	var prefixes []string
	for _, n := range slices.Compact(numbers) {
		prefixes = append(prefixes, list+"."+strconv.Itoa(n)+".")
	}
	return prefixes
}

// texts returns a list of texts.
func (f form) texts(list string) []string {
	var texts []string
	for _, prefix := range f.elements(list) {
		texts = append(texts, f[strings.TrimSuffix(prefix, ".")])
	}
	return texts
}

// attributes returns a map from texts to texts.
func (f form) attributes() map[string]string {
	attrs := map[string]string{}
	for _, prefix := range f.elements("Attributes.entry") {
		attrs[f[prefix+"key"]] = f[prefix+"value"]
	}
	return attrs
}
