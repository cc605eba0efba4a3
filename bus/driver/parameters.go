package driver

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"omnibus/bus/spec"
)

// EachParameter calls set for each parameter of a URL, in the order of their
// names. It refuses those that are not known, saying which are, and those given
// more than once. The error of set is returned with the parameter's name and value.
func EachParameter(query url.Values, known []string, set func(name, value string) error) error {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.Contains(known, name) {
			return spec.Errorf(spec.InvalidParameterValue, "unknown parameter %q; known are %s", name, strings.Join(known, ", "))
		}
		if n := len(query[name]); n > 1 {
			return spec.Errorf(spec.InvalidParameterValue, "parameter %s is given %d times", name, n)
		}
		value := query.Get(name)
		if err := set(name, value); err != nil {
			return fmt.Errorf("parameter %s=%s: %w", name, new(redactor).value(name, value), err)
		}
	}
	return nil
}
