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

// Of a refused parameter the text names value, parameter and reason; who knows the
// value as the request had it, or the entry of a batch, can say so.
func TestErrorTexts(t *testing.T) {
	for want, err := range map[string]error{
		"InvalidParameterValue: Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.": spec.CheckMaxMessages(11),
		"InvalidParameterValue: Value { } for parameter P is invalid. Reason: R.":                                                      spec.InvalidParameter("{}", "P", "R.").OfValue("{ }", "P"),
		"InvalidParameterValue: Value {} for parameter P is invalid. Reason: R. ":                                                      spec.InvalidParameter("{}", "P", "R. ").OfValue("5", "Q"),
		"MissingParameter: The request must contain the parameter MessageBody.":                                                        spec.Missing("MessageBody"),
		"MissingParameter: The request must contain the parameter Entry.2.MessageBody.":                                                spec.Missing("MessageBody").InEntry("Entry", 2),
		"MissingParameter: The request must contain the parameter MessageGroupId.":                                                     spec.Missing("MessageGroupId").InEntry("Entry", 2),
		"InvalidParameterValue: One or more parameters are invalid. Reason: Message must be shorter than 9 bytes.":                     spec.TooLong(9),
		"InvalidParameterValue: One or more parameters cannot be validated. Reason: Message must be shorter than 9 bytes.":             spec.TooLong(9).InEntry("Entry", 2),
		"QueueDoesNotExist: The specified queue does not exist. (queue donors)":                                                        spec.NoQueue("donors"),
	} {
		if err.Error() != want {
			t.Errorf("%s\nwant %s", err, want)
		}
	}
}
