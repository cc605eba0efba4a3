package workers

import (
	"errors"
	"time"
)

// Permanent marks err as one that no retry can help. It returns nil if err is nil.
func Permanent(err error) error { return mark(err, verdict{permanent: true}) }

// Drop marks err as one for which the message is not worth keeping: it is
// acknowledged, and the error is logged. It returns nil if err is nil.
func Drop(err error) error { return mark(err, verdict{drop: true}) }

// RetryAfter marks err with the delay after which the message is to be delivered
// again. It returns nil if err is nil.
func RetryAfter(err error, d time.Duration) error {
	return mark(err, verdict{after: &d})
}

// A verdict is what a handler's error says of its message. The zero value leaves
// that to the retry policy.
type verdict struct {
	permanent bool
	drop      bool
	after     *time.Duration
}

// A marked error carries a verdict. Its text, and all that errors.Is and errors.As
// find in it, are those of the error that was marked.
type marked struct {
	error
	verdict verdict
}

func mark(err error, v verdict) error {
	if err == nil {
		return nil
	}
	return &marked{err, v}
}

func (m *marked) Unwrap() error { return m.error }

// verdictOf returns the verdict of err: the outermost in its chain.
func verdictOf(err error) verdict {
	if m, ok := errors.AsType[*marked](err); ok {
		return m.verdict
	}
	return verdict{}
}
