package snsserver

import (
	"errors"
	"net/http"

	"omnibus/bus/spec"
	"omnibus/bus/topics"
)

// Codes that only the protocol has.
const (
	codeInternal      spec.Code = "InternalError"
	codeInvalidAction spec.Code = "InvalidAction"
	codeMissingAction spec.Code = "MissingAction"
	codeValidation    spec.Code = "ValidationError"
)

// statuses are the status codes of errors, 400 for all others.
var statuses = map[spec.Code]int{
	codeInternal:                     http.StatusInternalServerError,
	topics.AuthorizationError:        http.StatusForbidden,
	topics.FilterPolicyLimitExceeded: http.StatusForbidden,
	topics.NotFound:                  http.StatusNotFound,
	topics.ResourceNotFound:          http.StatusNotFound,
}

// asSpecError returns err as an error of SNS. All come from the engine or this
// package; another is answered as an internal failure, its text kept.
func asSpecError(err error) *spec.Error {
	var e *spec.Error
	if errors.As(err, &e) {
		return e
	}
	return spec.Errorf(codeInternal, "The request failed.")
}

// writeError writes an error in the place of an answer.
func (w *xmlWriter) writeError(e *spec.Error, namespace, requestID string) (status int) {
	status = http.StatusBadRequest
	if s := statuses[e.Code]; s != 0 {
		status = s
	}
	fault := "Sender"
	if status >= 500 {
		fault = "Receiver"
	}
	w.Reset()
	w.WriteString(`<ErrorResponse xmlns="` + namespace + `"><Error>`)
	w.text("Type", fault)
	w.text("Code", string(e.Code))
	w.text("Message", e.Message)
	w.close("Error")
	w.text("RequestId", requestID)
	w.close("ErrorResponse")
	return status
}

func invalid(format string, args ...any) error {
	return spec.Errorf(topics.InvalidParameter, "Invalid parameter: "+format, args...)
}

// missing is the error of a parameter that is required, by the name of its member
// in the API.
func missing(member string) error {
	return spec.Errorf(codeValidation, "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", member)
}
