package query

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"omnibus/bus/spec"
)

func TestParametersAreReadInTheirOrder(t *testing.T) {
	var got []string
	err := Each("Action=Publish&&a.1=%C3%A4+%26&empty=&none", func(name, value string) { got = append(got, name+"="+value) })
	if want := []string{"Action=Publish", "a.1=ä &", "empty=", "none="}; err != nil || !slices.Equal(got, want) {
		t.Errorf("read %q, %v; want %q", got, err, want)
	}
}

func TestParametersThatAreNoneOrTooManyAreRefused(t *testing.T) {
	for _, form := range []string{"a=%zz", "%=a", strings.Repeat("&", MaxParameters)} {
		var e *spec.Error
		if err := Each(form, func(string, string) {}); !errors.As(err, &e) || e.Code != Malformed {
			t.Errorf("%.10s: %v", form, err)
		}
	}
}
