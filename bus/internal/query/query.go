// Package query reads the parameters of requests of AWS's Query protocol, in a URL or in
// the form that is a body.
package query

import (
	"net/url"
	"strings"

	"omnibus/bus/spec"
)

// Malformed is the code of parameters that cannot be read.
const Malformed spec.Code = "MalformedQueryString"

// MaxParameters is far more than a request can have, and keeps a form of a million names
// from taking a hundred times its size in memory.
const MaxParameters = 10_000

// Each calls f with each parameter. Its error has the code [Malformed].
func Each(form string, f func(name, value string)) error {
	if strings.Count(form, "&") >= MaxParameters {
		return spec.Errorf(Malformed, "The query string has more than %d parameters.", MaxParameters)
	}
	for form != "" {
		var pair string
		if pair, form, _ = strings.Cut(form, "&"); pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return spec.Errorf(Malformed, "The query string contains a syntax error: %v", err)
		}
		f(name, value)
	}
	return nil
}
