// Package web is a page that shows queues live in a browser, and lets people send,
// look at, delete, purge and redrive their messages. It is an [http.Handler] to be
// mounted at a path of its own, and knows queues by a [Source]; [Engine] is the one for
// queues of package engine. All that the page needs is in the binary.
//
// # Live
//
// The counts of all queues are read once in [Options].Every while somebody watches,
// however many do, and sent as server-sent events: all queues at first, then what has
// changed. Nobody watching costs nothing, unless [Handler.Sample] runs.
//
// # Bounds
//
// A look at messages is a page of at most 200, found among the first 10,000 of a state,
// with bodies cut at 4 KiB until one is opened.
//
// # Who may use it
//
// Requests must be for a host of this machine, and come from the page itself or from a
// program: not from pages of other sites, as package origin tells them. What changes
// something is a POST of JSON. With a [Options].Token, all but the page's own files need
// it; beyond loopback there must be one, which is the caller's to see to. A strict
// content security policy has the page load and contact nothing but this handler, and
// the page makes no markup of what messages say.
package web

import (
	"context"
	"time"

	"omnibus/bus/spec"
)

// A Source has the queues that a page shows. Its methods are called concurrently. An
// error is shown to the person who asked; one that matches spec.QueueDoesNotExist says
// that the queue is gone.
type Source interface {
	// Queues returns all queues in the order in which they are shown at first.
	Queues(ctx context.Context) ([]Queue, error)

	// Attributes returns the attributes of a queue in the order in which they are
	// shown, its tags among them.
	Attributes(ctx context.Context, queue string) ([]Field, error)

	// Look returns up to n messages in one of the states, without changing them if
	// the Source can. A state that it cannot look at has none.
	Look(ctx context.Context, queue, state string, n int) ([]Message, error)

	// Send sends a message and returns its id.
	Send(ctx context.Context, queue string, m Outgoing) (id string, err error)

	// Purge deletes all messages of a queue.
	Purge(ctx context.Context, queue string) error
}

// What a Source may be able to do besides. The page offers what it finds.
type (
	// A Remover deletes messages by their ids and returns how many it found.
	Remover interface {
		Remove(ctx context.Context, queue string, ids []string) (int, error)
	}

	// A Redriver moves up to n messages of a dead-letter queue to another, or with ""
	// back to where they came from, and returns how many it moved: fewer than n if no
	// more are there.
	Redriver interface {
		Redrive(ctx context.Context, queue, to string, n int) (int, error)
	}

	// A ChosenRedriver does so with the messages of some ids.
	ChosenRedriver interface {
		RedriveChosen(ctx context.Context, queue, to string, ids []string) (int, error)
	}

	// A Pricer says what a look at messages costs, in a sentence, or "" if nothing. One
	// that costs is made only when a person asks for it, and not for looking only.
	Pricer interface{ LookCost() string }
)

// A Queue is a queue as the list of all shows it.
type Queue struct {
	ID          string // names it in calls
	Name        string
	FIFO        bool
	DeadLetter  string // ID of its dead-letter queue, "" without
	MaxReceives int
	Counts      spec.Counts
}

// A Field is a name and a value.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// The states of messages, as in a [Message].
const (
	Visible  = "visible"
	InFlight = "in flight"
	Delayed  = "delayed"
)

// A Message is one that was looked at.
type Message struct {
	ID            string
	State         string
	Body          string
	Attributes    []spec.NamedAttribute
	Sent          time.Time
	Since         time.Time // of one in flight, when it was received
	VisibleAt     time.Time // of one that is not visible
	FirstReceived time.Time
	Receives      int
	Group         string
	Deduplication string
	Sequence      string
	TraceHeader   string
	Source        string // the queue that gave it up to this one
}

// An Outgoing is a message to be sent.
type Outgoing struct {
	Body          string
	Attributes    []spec.NamedAttribute
	Delay         *time.Duration // nil means the queue's own
	Group         string
	Deduplication string
}

// NamedAttribute is an attribute of a message with its name.
type NamedAttribute = spec.NamedAttribute

// NoQueue returns the error of a queue that a Source does not have.
func NoQueue(id string) error { return spec.NoQueue(id) }
