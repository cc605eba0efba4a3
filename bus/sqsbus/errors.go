package sqsbus

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
	"gocloud.dev/gcerrors"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// A codedError is an error of AWS, or of a check made here, with its code of the
// Go CDK. The error itself, and the [spec.Code] if it has one, follow in the chain.
type codedError struct {
	code gcerrors.ErrorCode
	spec spec.Code // "" if the error has none that package spec knows
	err  error
}

// coded returns err with its code. An error that is not of AWS, nor of package
// spec, is returned as it is.
func coded(err error) error {
	if err == nil || errors.As(err, new(*codedError)) {
		return err
	}
	var refused *spec.Error
	if errors.As(err, &refused) {
		return &codedError{code: driver.ErrorCode(refused), spec: refused.Code, err: err}
	}
	if errors.As(err, new(*smithy.InvalidParamsError)) || errors.As(err, new(smithy.InvalidParamsError)) {
		return &codedError{code: gcerrors.InvalidArgument, spec: spec.MissingParameter, err: err} // of the SDK's own check
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return err
	}
	name := codeName(api)
	e := &codedError{code: driver.ErrorCode(name), err: err}
	switch {
	case e.code != gcerrors.Unknown:
		e.spec = name
	case commonCodes[name] != 0:
		e.code = commonCodes[name]
	default:
		e.code = statusCode(err)
	}
	return e
}

func (e *codedError) Error() string { return e.err.Error() }

func (e *codedError) Unwrap() []error {
	if e.spec == "" {
		return []error{e.err}
	}
	return []error{e.err, e.spec}
}

// Code is the error's code for package driver.
func (e *codedError) Code() gcerrors.ErrorCode { return e.code }

// expired reports whether a request was refused for credentials that have expired.
func (e *codedError) expired() bool {
	var api smithy.APIError
	return errors.As(e.err, &api) && strings.HasPrefix(api.ErrorCode(), "ExpiredToken") // …Exception in the JSON protocol
}

// statusCode returns the code that an error's HTTP status stands for.
func statusCode(err error) gcerrors.ErrorCode {
	var answered interface{ HTTPStatusCode() int }
	if !errors.As(err, &answered) {
		return gcerrors.Unknown
	}
	switch status := answered.HTTPStatusCode(); {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return gcerrors.PermissionDenied
	case status == http.StatusNotFound:
		return gcerrors.NotFound
	case status == http.StatusTooManyRequests:
		return gcerrors.ResourceExhausted
	case status >= 500:
		return gcerrors.Internal
	}
	return gcerrors.Unknown
}

// errorCode returns the code of an error of a control.
func errorCode(err error) gcerrors.ErrorCode {
	if errors.Is(err, context.DeadlineExceeded) {
		return gcerrors.DeadlineExceeded
	}
	return driver.ErrorCode(coded(err))
}
