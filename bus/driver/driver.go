// Package driver is what a backend of package bus implements: an [Opener], the
// [Queue] it opens, and as many of the one-method control interfaces as the
// backend can keep. Programs use package bus; this package is for those who
// write backends.
//
// Package bus finds most controls by asking the Opener or the Queue whether it
// implements an interface; where it does not, package bus answers for it with an
// error that matches errors.ErrUnsupported. Controls that travel on messages (a
// delay, a group, typed attributes, what a received message tells) show in no
// method set, so a backend declares them with [MessageController].
// [ControlTable] has all controls.
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

	// Close waits for the backend to confirm what is still to be sent and
	// acknowledged, and frees what the queue holds besides its two ends, which have
	// been shut down before. When ctx ends first it gives up: it returns a
	// *[UnconfirmedError] if something was not confirmed, and leaves nothing
	// running.
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

	// A TopicSubscriber subscribes the queue to the topic of the same backend that
	// the URL names: from then on the queue gets what is sent to the topic and what
	// the settings want, as it was sent. A queue that is subscribed already has its
	// settings replaced.
	TopicSubscriber interface {
		SubscribeTo(ctx context.Context, topic *url.URL, s spec.SubscriptionSettings) error
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
