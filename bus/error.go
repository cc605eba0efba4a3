package bus

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	cdk "gocloud.dev/pubsub/driver"

	"omnibus/bus/driver"
)

// opError is an error that names the operation, the queue and the cause. Its text
// shows no secrets of the queue's URL, whatever the cause quotes of that.
type opError struct {
	op, url string
	cause   error
	code    error // carries the code for gcerrors.Code; not part of the text
}

func newError(op, rawURL string, code gcerrors.ErrorCode, cause error) error {
	e := &opError{op: op, cause: cause, code: coded(code)}
	if rawURL != "" {
		e.url, e.cause = driver.Redact(rawURL), driver.RedactError(cause, rawURL)
	}
	return e
}

// Redact returns a URL as errors of this package name it, fit for logs and screens:
// credentials, parameters that are named as secrets are, and the same within URLs that
// are parameters, are struck out.
func Redact(rawURL string) string { return driver.Redact(rawURL) }

// unsupported returns the error of a control that a backend lacks.
func unsupported(op, rawURL string, c Control) error {
	scheme := "this"
	if u, err := url.Parse(rawURL); err == nil && u.Scheme != "" {
		scheme = "the " + u.Scheme
	}
	return newError(op, rawURL, gcerrors.Unimplemented, fmt.Errorf("%s backend has no control %q: %w", scheme, c, errors.ErrUnsupported))
}

func (e *opError) Error() string {
	if e.url == "" {
		return fmt.Sprintf("bus: %s: %v", e.op, e.cause)
	}
	return fmt.Sprintf("bus: %s %s: %v", e.op, e.url, e.cause)
}

func (e *opError) Unwrap() []error { return []error{e.cause, e.code} }

// coded returns an error with a code of the Go CDK. The Go CDK has no function
// for that; it wraps, and so codes, the errors that a driver returns, so a driver
// that does nothing else is made to return one.
func coded(code gcerrors.ErrorCode) error {
	codedMu.Lock()
	defer codedMu.Unlock()
	err, ok := codedErrors[code]
	if !ok {
		err = pubsub.NewTopic(coder{code: code}, nil).Shutdown(context.Background())
		codedErrors[code] = err
	}
	return err
}

var (
	codedMu     sync.Mutex // guards codedErrors
	codedErrors = map[gcerrors.ErrorCode]error{}
)

// coder is a driver whose Close fails with a code.
type coder struct {
	cdk.Topic
	code gcerrors.ErrorCode
}

func (c coder) Close() error                       { return errors.New(c.code.String()) }
func (c coder) ErrorCode(error) gcerrors.ErrorCode { return c.code }
