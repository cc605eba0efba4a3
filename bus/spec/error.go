package spec

import (
	"fmt"
	"time"
)

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
	ServiceUnavailable           Code = "ServiceUnavailable"
	TooManyEntriesInBatchRequest Code = "TooManyEntriesInBatchRequest"
	UnsupportedOperation         Code = "UnsupportedOperation"
)

// Error returns the code itself.
func (c Code) Error() string { return string(c) }

// An Error is what SQS answers to a request it refuses: a code for programs and
// a text for people.
type Error struct {
	Code    Code
	Message string // SQS's text, where it is known

	// Detail is what the text leaves out: the name, the value, what is allowed.
	// SQS does not send it.
	Detail string

	// What the text was made of, so that those who know more of the request than
	// the rule that was broken can say it: see OfValue and InEntry.
	parameter, reason string
}

// Errorf returns an [*Error] with the code and a formatted text.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Error returns the code, the text and the detail.
func (e *Error) Error() string {
	if e.Detail == "" {
		return string(e.Code) + ": " + e.Message
	}
	return string(e.Code) + ": " + e.Message + " (" + e.Detail + ")"
}

// Unwrap returns the code, so that errors.Is finds it.
func (e *Error) Unwrap() error { return e.Code }

// detail returns the error with a detail.
func (e *Error) detail(format string, args ...any) *Error {
	e.Detail = fmt.Sprintf(format, args...)
	return e
}

// InvalidParameter returns the error of a parameter whose value SQS refuses, and
// why. The text repeats the value up to a length that people read.
func InvalidParameter(value, parameter, reason string) *Error {
	const most = 1024
	if len(value) > most {
		value = value[:most] + "…"
	}
	e := Errorf(InvalidParameterValue, "Value %s for parameter %s is invalid. Reason: %s", value, parameter, reason)
	e.parameter, e.reason = parameter, reason
	return e
}

// OfValue returns the error with the value in its text as the request had it, if
// it is an InvalidParameter of that parameter.
func (e *Error) OfValue(value, parameter string) *Error {
	if e.reason == "" || e.parameter != parameter {
		return e
	}
	of := InvalidParameter(value, parameter, e.reason)
	of.Detail = e.Detail
	return of
}

// Missing returns the error of a request without a parameter that it needs.
func Missing(parameter string) *Error {
	e := Errorf(MissingParameter, "The request must contain the parameter %s.", parameter)
	e.parameter = parameter
	return e
}

// InEntry returns the error as SQS tells it of the n-th entry of a batch, from 1.
// list is the name of the entries in the Query protocol.
func (e *Error) InEntry(list string, n int) *Error {
	switch {
	case e.Code == MissingParameter && e.parameter == messageBody:
		return Missing(fmt.Sprintf("%s.%d.%s", list, n, e.parameter))
	case e.reason != "" && e.parameter == "":
		return cannotBeValidated(e.reason).detail("%s", e.Detail)
	}
	return e
}

const messageBody = "MessageBody"

// areInvalid is the error of a message that breaks a rule on all of it together.
func areInvalid(reason string) *Error {
	e := Errorf(InvalidParameterValue, "One or more parameters are invalid. Reason: %s", reason)
	e.reason = reason
	return e
}

// cannotBeValidated is areInvalid in the words that SQS has for entries of
// batches.
func cannotBeValidated(reason string) *Error {
	return Errorf(InvalidParameterValue, "One or more parameters cannot be validated. Reason: %s", reason)
}

// UnknownAttribute returns the error of an attribute that queues do not have.
func UnknownAttribute(name string) *Error {
	return Errorf(InvalidAttributeName, "Unknown Attribute %.200s.", name)
}

// badAttribute returns the error of a queue attribute's value that SQS refuses.
// reason may be empty.
func badAttribute(name, reason string) *Error {
	if reason == "" {
		return Errorf(InvalidAttributeValue, "Invalid value for the parameter %s.", name)
	}
	return Errorf(InvalidAttributeValue, "Invalid value for the parameter %s. Reason: %s", name, reason)
}

func outOfRange(name, value, allowed string) *Error {
	return badAttribute(name, value+" is out of range; allowed are "+allowed+".")
}

// NoQueue returns the error of a queue that does not exist. The name is in its
// detail.
func NoQueue(name string) *Error {
	e := Errorf(QueueDoesNotExist, "The specified queue does not exist.")
	return e.detail("queue %s", name)
}

// DifferentQueue returns the error of CreateQueue for a queue that exists with
// another value of an attribute.
func DifferentQueue(name, attribute, has, given string) *Error {
	e := Errorf(QueueNameExists, "A queue already exists with the same name and a different value for attribute %s", attribute)
	return e.detail("queue %s has %q, not %q", name, has, given)
}

// DifferentTags returns the error of CreateQueue for a queue that exists with other
// tags.
func DifferentTags(name string) *Error {
	return Errorf(QueueNameExists, "A queue already exists with the same name and different tags").detail("queue %s", name)
}

// DeletedRecently returns the error of CreateQueue for a name whose queue was
// deleted that long ago.
func DeletedRecently(name string, ago time.Duration) *Error {
	e := Errorf(QueueDeletedRecently, "You must wait %s seconds after deleting a queue before you can create another with the same name.", SecondsText(DeleteInterval))
	return e.detail("queue %s was deleted %v ago", name, ago.Round(time.Millisecond))
}

// PurgedRecently returns the error of PurgeQueue for a queue that was purged that
// long ago.
func PurgedRecently(name string, ago time.Duration) *Error {
	e := Errorf(PurgeQueueInProgress, "Only one PurgeQueue operation on %s is allowed every %s seconds.", PlainName(name), SecondsText(PurgeInterval))
	return e.detail("it was purged %v ago", ago.Round(time.Millisecond))
}

// TooManyInFlight returns the error of a receive from a queue that has as many
// messages in flight as it may.
func TooManyInFlight(name string) *Error {
	return Errorf(OverLimit, "Too many messages in flight: at most %d are allowed.", MaxInFlight).detail("queue %s", name)
}

// BadReceipt returns the error of a receipt handle that is none of the queue.
func BadReceipt(handle string) *Error {
	return Errorf(ReceiptHandleIsInvalid, "The input receipt handle \"%.1024s\" is not a valid receipt handle.", handle)
}

// The reasons that SQS has against the receipt handle of a delivery that does not
// hold its message any more: of a deletion from a FIFO queue, and of a change of
// visibility.
const (
	receiptExpired = "The receipt handle has expired."
	notAvailable   = "Message does not exist or is not available for visibility timeout change."
)

// ReceiptExpired returns the error of a deletion with a receipt handle that has
// expired.
func ReceiptExpired(handle string) *Error {
	return InvalidParameter(handle, "ReceiptHandle", receiptExpired)
}

// NotAvailable returns the error of a change of visibility of a message that is
// gone.
func NotAvailable(handle string) *Error {
	return InvalidParameter(handle, "ReceiptHandle", notAvailable)
}

// NotInFlight returns the error of a change of visibility with the receipt handle
// of a delivery whose visibility timeout is over.
func NotInFlight(handle string) *Error {
	return Errorf(MessageNotInflight, "%s", InvalidParameter(handle, "ReceiptHandle", notAvailable).Message)
}

// NoDeduplication returns the error of a message to a FIFO queue that has nothing
// to be deduplicated by.
func NoDeduplication() *Error {
	return Errorf(InvalidParameterValue, "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
}

// BadDeadLetterTarget returns the error of a redrive policy whose dead-letter
// queue cannot be one, with the reason.
func BadDeadLetterTarget(d DeadLetter, reason string) *Error {
	return InvalidParameter(d.text(), redrivePolicy, reason)
}

// NotForType returns the error of a parameter that only queues of the other type
// take than the queue of that name.
func NotForType(value, parameter, queue string) *Error {
	e := InvalidParameter(value, parameter, "The request include parameter that is not valid for this queue type.")
	if IsFIFOName(queue) {
		return e.detail("%s is a FIFO queue", queue)
	}
	return e.detail("%s is a standard queue", queue)
}
