// Package driver is what a backend of package bus implements: an [Opener], the
// [Queue] it opens, and as many of the one-method control interfaces as the
// backend can keep. Programs use package bus; this package is for those who
// write backends.
//
// A control is either a method or it travels on messages. For a method, package
// bus asks the Queue whether it implements the interface; what it does not
// implement is answered with an error that matches errors.ErrUnsupported.
// Controls that travel on messages (a delay, a group, typed attributes, what a
// received message tells) cannot be seen in a method set, so a backend declares
// them with [MessageController].
//
// The kit in package bustest holds a backend to what it declares.
package driver

import (
	"context"
	"net/url"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus/spec"
)

// An Opener opens the queues of one backend. It must be safe for concurrent
// use.
type Opener interface {
	// OpenQueue opens the queue that the URL names, and refuses a URL with
	// parameters it does not know or values out of range. It must not keep or
	// change u.
	OpenQueue(ctx context.Context, u *url.URL) (Queue, error)
}

// A Creator is an [Opener] that can create queues.
type Creator interface {
	// CreateQueue creates the queue that the URL names and returns the URL that
	// opens it. A queue that exists with the attributes given is not an error.
	CreateQueue(ctx context.Context, u *url.URL, s spec.QueueSettings) (string, error)
}

// A Lister is an [Opener] that can list queues.
type Lister interface {
	// ListQueues returns the URLs of the queues whose names start with prefix,
	// at the place that u names.
	ListQueues(ctx context.Context, u *url.URL, prefix string) ([]string, error)
}

// A Local opener's queues exist in this process only.
type Local interface {
	Local() bool
}

// A Queue is one queue that a backend opened. Its methods, and those of the
// control interfaces, must be safe for concurrent use.
type Queue interface {
	// Topic returns the queue's sending end, always the same, or nil if the URL
	// names something that can only be received from.
	Topic() *pubsub.Topic

	// Subscription returns the queue's receiving end, always the same, or nil if
	// the URL names something that can only be sent to.
	Subscription() *pubsub.Subscription

	// ErrorCode returns the code of an error that a control returned.
	ErrorCode(err error) gcerrors.ErrorCode

	// Close frees what the queue holds besides its two ends, which have been
	// shut down before.
	Close(ctx context.Context) error
}

// The controls of a queue that are methods, one interface each.
type (
	// An AttributesGetter reads the queue's attributes and counts.
	AttributesGetter interface {
		Attributes(ctx context.Context) (spec.QueueAttributes, error)
	}

	// An AttributesSetter changes the attributes given.
	AttributesSetter interface {
		SetAttributes(ctx context.Context, s spec.QueueSettings) error
	}

	// A VisibilityChanger changes when received messages become visible again.
	VisibilityChanger interface {
		// ChangeVisibility returns nil, or one error for each change, nil for
		// those that were made.
		ChangeVisibility(ctx context.Context, changes []VisibilityChange) []error
	}

	// A ReceiveVisibilitySetter sets the visibility timeout with which this end
	// receives from now on, whatever the queue's own.
	ReceiveVisibilitySetter interface {
		SetReceiveVisibility(d time.Duration) error
	}

	// A Purger deletes all messages.
	Purger interface {
		Purge(ctx context.Context) error
	}

	// A Deleter deletes the queue itself.
	Deleter interface {
		Delete(ctx context.Context) error
	}

	// A Redriver moves dead letters on: see [omnibus/bus.Queue.Redrive].
	Redriver interface {
		Redrive(ctx context.Context, to string, max int) (int, error)
	}

	// A Peeker shows up to n visible messages without receiving them.
	Peeker interface {
		Peek(ctx context.Context, n int) ([]Peeked, error)
	}

	// An AckCounter counts the acknowledgements that came too late: the message
	// had been given to another receiver, or its lease had run out.
	AckCounter interface {
		LateAcks() int64
	}

	// A Pauser lets package bus give back what was fetched but not handed out.
	Pauser interface {
		// Pause ends all calls of ReceiveBatch in progress without a message.
		// Until resume is called, every later one calls idle and returns no
		// message at once.
		Pause(idle func()) (resume func())
	}
)

// A VisibilityChange makes the message of one delivery visible again in Timeout
// from now.
type VisibilityChange struct {
	ReceiptHandle string
	Timeout       time.Duration // 0 to 12 h
}

// A Peeked is a message as [Peeker] shows it.
type Peeked struct {
	Body     []byte
	Metadata map[string]string
	Details  Details
}

// A Control is something SQS can do and the portable types cannot say.
type Control string

// The controls. Those that are methods are discovered, the others declared.
const (
	ControlCreate            Control = "create"             // Creator
	ControlList              Control = "list"               // Lister
	ControlAttributes        Control = "attributes"         // AttributesGetter
	ControlSetAttributes     Control = "set-attributes"     // AttributesSetter
	ControlVisibility        Control = "visibility"         // VisibilityChanger
	ControlReceiveVisibility Control = "receive-visibility" // ReceiveVisibilitySetter
	ControlPurge             Control = "purge"              // Purger
	ControlDelete            Control = "delete"             // Deleter
	ControlRedrive           Control = "redrive"            // Redriver
	ControlPeek              Control = "peek"               // Peeker
	ControlLateAcks          Control = "late-acks"          // AckCounter
	ControlRelease           Control = "release"            // Pauser

	ControlDelay      Control = "delay"            // declared: SendOptions.Delay
	ControlGroups     Control = "groups"           // declared: SendOptions.Group and Deduplication
	ControlTypes      Control = "typed-attributes" // declared: SendOptions.Attributes and Details.Attributes
	ControlDetails    Control = "details"          // declared: the other fields of Details
	ControlDeadLetter Control = "dead-letters"     // declared: QueueSettings.DeadLetter
)

// Controls are all controls, in the order in which tables show them.
func Controls() []Control {
	return []Control{
		ControlDelay, ControlTypes, ControlDetails, ControlGroups, ControlDeadLetter,
		ControlVisibility, ControlReceiveVisibility, ControlRelease, ControlLateAcks,
		ControlAttributes, ControlSetAttributes, ControlPurge, ControlPeek, ControlRedrive,
		ControlCreate, ControlDelete, ControlList,
	}
}

// A MessageController is a [Queue] that declares controls that are not methods.
type MessageController interface {
	MessageControls() []Control
}

// Supports reports whether a queue, or the opener it came from, has a control.
// Both may be nil.
func Supports(o Opener, q Queue, c Control) bool {
	var ok bool
	switch c {
	case ControlCreate:
		_, ok = o.(Creator)
	case ControlList:
		_, ok = o.(Lister)
	case ControlAttributes:
		_, ok = q.(AttributesGetter)
	case ControlSetAttributes:
		_, ok = q.(AttributesSetter)
	case ControlVisibility:
		_, ok = q.(VisibilityChanger)
	case ControlReceiveVisibility:
		_, ok = q.(ReceiveVisibilitySetter)
	case ControlPurge:
		_, ok = q.(Purger)
	case ControlDelete:
		_, ok = q.(Deleter)
	case ControlRedrive:
		_, ok = q.(Redriver)
	case ControlPeek:
		_, ok = q.(Peeker)
	case ControlLateAcks:
		_, ok = q.(AckCounter)
	case ControlRelease:
		_, ok = q.(Pauser)
	default:
		if m, declares := q.(MessageController); declares {
			for _, has := range m.MessageControls() {
				ok = ok || has == c
			}
		}
	}
	return ok
}
