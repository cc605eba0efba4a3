package driver

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"testing"
)

func TestEachParameter(t *testing.T) {
	known := []string{"wait", "delay"}
	errBad := errors.New("want a number")
	for _, test := range []struct {
		query, want string
		set         []string
	}{
		{"", "<nil>", nil},
		{"wait=1&delay=2", "<nil>", []string{"delay=2", "wait=1"}},
		{"frob=1", `InvalidParameterValue: unknown parameter "frob"; known are wait, delay`, nil},
		{"delay=1&delay=1", "InvalidParameterValue: parameter delay is given 2 times", nil},
		{"delay=bad&wait=1", "parameter delay=bad: want a number", []string{"delay=bad"}},
	} {
		query, err := url.ParseQuery(test.query)
		if err != nil {
			t.Fatal(err)
		}
		var set []string
		err = EachParameter(query, known, func(name, value string) error {
			set = append(set, name+"="+value)
			if value == "bad" {
				return errBad
			}
			return nil
		})
		if fmt.Sprint(err) != test.want || !slices.Equal(set, test.set) {
			t.Errorf("%s: %v after %q; want %s after %q", test.query, err, set, test.want, test.set)
		}
		if errors.Is(err, errBad) != (len(set) == 1) {
			t.Errorf("%s: the error of set is in the chain: %t", test.query, errors.Is(err, errBad))
		}
	}
}
