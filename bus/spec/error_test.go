package spec_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"omnibus/bus/spec"
)

// check fails the test unless err has the code and its text has all the parts.
// Without parts it wants no error.
func check(t *testing.T, err error, code spec.Code, parts ...string) {
	t.Helper()
	if len(parts) == 0 {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	if !errors.Is(err, code) {
		t.Fatalf("error %v, want code %s", err, code)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

func TestErrorIsItsCode(t *testing.T) {
	err := fmt.Errorf("send: %w", spec.Errorf(spec.OverLimit, "%d messages", 7))
	if !errors.Is(err, spec.OverLimit) || errors.Is(err, spec.MissingParameter) {
		t.Errorf("%v is not exactly the code %s", err, spec.OverLimit)
	}
	var e *spec.Error
	if !errors.As(err, &e) || e.Code != spec.OverLimit || e.Message != "7 messages" {
		t.Errorf("%v does not unwrap to its code and text", err)
	}
	if got, want := err.Error(), "send: OverLimit: 7 messages"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}
