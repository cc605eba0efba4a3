package spec

import "strconv"

// CheckMoveRate reports a rate of a message move task, in messages a second, that
// SQS would refuse.
func CheckMoveRate(n int) error {
	if n < 1 || n > MaxMoveRate {
		return InvalidParameter(strconv.Itoa(n), "MaxNumberOfMessagesPerSecond", "Must be between 1 and "+strconv.Itoa(MaxMoveRate)+", if provided.")
	}
	return nil
}

// What SQS answers to a message move task that it refuses.
var (
	ErrNotDeadLetterQueue = Errorf(InvalidParameterValue, "Source queue must be configured as a Dead Letter Queue.")
	ErrMoveDestination    = Errorf(InvalidParameterValue, "The destination queue must be another queue, of the same type as the source queue.")
	ErrMoveRunning        = Errorf(InvalidParameterValue, "There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
	ErrMoveEnded          = Errorf(InvalidParameterValue, "Task is not active. Only active tasks can be cancelled.")
	ErrNoMove             = Errorf(ResourceNotFound, "Task does not exist.")
)

// NoResource returns the error of a queue that a move task names in a parameter
// and that does not exist.
func NoResource(parameter string) *Error {
	return Errorf(ResourceNotFound, "The resource that you specified for the %s parameter doesn't exist.", parameter)
}
