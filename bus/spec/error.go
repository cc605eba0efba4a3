package spec

import "fmt"

// A Code is an error code of the SQS API, as its JSON protocol spells it. It is
// itself an error, so that errors.Is(err, spec.QueueDoesNotExist) holds for
// every [*Error] with that code.
type Code string

// The error codes that the engine and the checks of this package use.
const (
	BatchEntryIdsNotDistinct     Code = "BatchEntryIdsNotDistinct"
	BatchRequestTooLong          Code = "BatchRequestTooLong"
	EmptyBatchRequest            Code = "EmptyBatchRequest"
	InvalidAddress               Code = "InvalidAddress"
	InvalidAttributeName         Code = "InvalidAttributeName"
	InvalidAttributeValue        Code = "InvalidAttributeValue"
	InvalidBatchEntryID          Code = "InvalidBatchEntryId"
	InvalidMessageContents       Code = "InvalidMessageContents"
	InvalidParameterValue        Code = "InvalidParameterValue"
	MessageNotInflight           Code = "MessageNotInflight"
	MissingParameter             Code = "MissingParameter"
	OverLimit                    Code = "OverLimit"
	PurgeQueueInProgress         Code = "PurgeQueueInProgress"
	QueueDeletedRecently         Code = "QueueDeletedRecently"
	QueueDoesNotExist            Code = "QueueDoesNotExist"
	QueueNameExists              Code = "QueueNameExists"
	ReceiptHandleIsInvalid       Code = "ReceiptHandleIsInvalid"
	ResourceNotFound             Code = "ResourceNotFoundException"
	TooManyEntriesInBatchRequest Code = "TooManyEntriesInBatchRequest"
	UnsupportedOperation         Code = "UnsupportedOperation"
)

// Error returns the code itself.
func (c Code) Error() string { return string(c) }

// An Error is what SQS answers to a request it refuses: a code for programs and
// a text for people.
type Error struct {
	Code    Code
	Message string
}

// Errorf returns an [*Error] with the code and a formatted text.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Error returns the code and the text.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Unwrap returns the code, so that errors.Is finds it.
func (e *Error) Unwrap() error { return e.Code }
