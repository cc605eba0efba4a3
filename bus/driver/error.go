package driver

import (
	"context"
	"errors"

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
}

// A Coder is an error that knows its code, as the errors of a service do that has
// codes besides those of package spec.
type Coder interface {
	error
	Code() gcerrors.ErrorCode
}

// ErrorCode returns the Go CDK's code for an error: that of a [Coder] or of a
// [spec.Code] in its chain, Unimplemented for errors.ErrUnsupported, else what
// [gcerrors.Code] says.
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
	case errors.Is(err, errors.ErrUnsupported):
		return gcerrors.Unimplemented
	case errors.Is(err, context.Canceled):
		return gcerrors.Canceled
	}
	return gcerrors.Code(err)
}
