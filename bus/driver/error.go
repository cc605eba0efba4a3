package driver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gocloud.dev/gcerrors"

	"omnibus/bus/spec"
)

// codes are the Go CDK's codes for those of SQS. Codes not listed are Unknown.
var codes = map[spec.Code]gcerrors.ErrorCode{
	spec.BatchEntryIdsNotDistinct:     gcerrors.InvalidArgument,
	spec.BatchRequestTooLong:          gcerrors.InvalidArgument,
	spec.EmptyBatchRequest:            gcerrors.InvalidArgument,
	spec.InvalidAttributeName:         gcerrors.InvalidArgument,
	spec.InvalidAttributeValue:        gcerrors.InvalidArgument,
	spec.InvalidBatchEntryID:          gcerrors.InvalidArgument,
	spec.InvalidMessageContents:       gcerrors.InvalidArgument,
	spec.InvalidParameterValue:        gcerrors.InvalidArgument,
	spec.MissingParameter:             gcerrors.InvalidArgument,
	spec.ReceiptHandleIsInvalid:       gcerrors.InvalidArgument,
	spec.TooManyEntriesInBatchRequest: gcerrors.InvalidArgument,
	spec.MessageNotInflight:           gcerrors.FailedPrecondition,
	spec.PurgeQueueInProgress:         gcerrors.FailedPrecondition,
	spec.QueueDeletedRecently:         gcerrors.FailedPrecondition,
	spec.UnsupportedOperation:         gcerrors.FailedPrecondition,
	spec.QueueNameExists:              gcerrors.AlreadyExists,
	spec.QueueDoesNotExist:            gcerrors.NotFound,
	spec.OverLimit:                    gcerrors.ResourceExhausted,
	spec.ServiceUnavailable:           gcerrors.Internal,
}

// A Coder is an error that knows its code, as the errors of a service do that has
// codes besides those of package spec.
type Coder interface {
	error
	Code() gcerrors.ErrorCode
}

// ErrorCode returns the Go CDK's code for an error: that of a [Coder] or of a
// [spec.Code] in its chain, FailedPrecondition for [ErrLeaseLost], Unimplemented
// for errors.ErrUnsupported, else what [gcerrors.Code] says.
func ErrorCode(err error) gcerrors.ErrorCode {
	var coder Coder
	var code spec.Code
	switch {
	case errors.As(err, &coder):
		return coder.Code()
	case errors.As(err, &code):
		if c, ok := codes[code]; ok {
			return c
		}
	case errors.Is(err, ErrLeaseLost):
		return gcerrors.FailedPrecondition
	case errors.Is(err, errors.ErrUnsupported):
		return gcerrors.Unimplemented
	case errors.Is(err, context.Canceled):
		return gcerrors.Canceled
	}
	return gcerrors.Code(err)
}

// An UnconfirmedError is what [Queue.Close] returns when its context ends before
// the backend has confirmed all that was to be sent and acknowledged. Its code is
// DeadlineExceeded.
type UnconfirmedError struct {
	Sends int   // messages that may not have been sent
	Acks  int   // deliveries that may not have been acknowledged or given back
	Err   error // what kept them from being confirmed, as a rule the context's error
}

// Error says how many sends and acknowledgements were not confirmed.
func (e *UnconfirmedError) Error() string {
	var parts []string
	if e.Sends > 0 || e.Acks == 0 {
		parts = append(parts, counted(e.Sends, "send"))
	}
	if e.Acks > 0 {
		parts = append(parts, counted(e.Acks, "acknowledgement"))
	}
	verb := "were"
	if e.Sends+e.Acks == 1 {
		verb = "was"
	}
	return fmt.Sprintf("%s %s not confirmed: %v", strings.Join(parts, " and "), verb, e.Err)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (e *UnconfirmedError) Unwrap() error            { return e.Err }
func (e *UnconfirmedError) Code() gcerrors.ErrorCode { return gcerrors.DeadlineExceeded }
