package sqsbus

import (
	"errors"

	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"gocloud.dev/gcerrors"
)

// A standIn is an error for the stock driver. That finds an error's code of the Go CDK
// by the AWS code of the first smithy.APIError in its chain, and knows few of those. So
// a standIn has an AWS code that the driver knows to mean the same; the error itself
// follows in the chain.
type standIn struct {
	known string
	err   *codedError
}

// stoodIn returns err, coded, with a stand-in if the stock driver needs one.
func stoodIn(err error) error {
	err = coded(err)
	c, ok := errors.AsType[*codedError](err)
	if !ok || standIns[c.code] == "" {
		return err
	}
	return &standIn{standIns[c.code], c}
}

// standIns are AWS codes that the stock driver maps to codes of the Go CDK. It has
// none for AlreadyExists, which only controls return.
var standIns = map[gcerrors.ErrorCode]string{
	gcerrors.PermissionDenied:   (&snstypes.AuthorizationErrorException{}).ErrorCode(),
	gcerrors.FailedPrecondition: (&sqstypes.MessageNotInflight{}).ErrorCode(),
	gcerrors.InvalidArgument:    (&sqstypes.InvalidMessageContents{}).ErrorCode(),
	gcerrors.Internal:           (&snstypes.InternalErrorException{}).ErrorCode(),
	gcerrors.NotFound:           (&sqstypes.QueueDoesNotExist{}).ErrorCode(),
	gcerrors.ResourceExhausted:  (&sqstypes.OverLimit{}).ErrorCode(),
}

func (e *standIn) Error() string { return e.err.Error() }
func (e *standIn) Unwrap() error { return e.err }

// ErrorCode is the code that the stock driver knows.
func (e *standIn) ErrorCode() string { return e.known }

// ErrorMessage is the text that AWS sent, or that of a check made here.
func (e *standIn) ErrorMessage() string {
	var api smithy.APIError
	if errors.As(e.err.err, &api) {
		return api.ErrorMessage()
	}
	return e.err.Error()
}

// ErrorFault tells whether the request was at fault.
func (e *standIn) ErrorFault() smithy.ErrorFault {
	switch e.err.code {
	case gcerrors.Internal, gcerrors.ResourceExhausted:
		return smithy.FaultUnknown
	}
	return smithy.FaultClient
}
