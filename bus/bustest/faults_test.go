package bustest

import (
	"context"
	"net/url"
	"slices"
	"time"

	"gocloud.dev/gcerrors"
	cdk "gocloud.dev/pubsub/driver"

	"omnibus/bus"
	"omnibus/bus/driver"
	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// A fault is a way for a backend to be broken. Functions that are nil, and the
// zero value, change nothing.
type fault struct {
	name   string
	breaks string // the promises, separated by spaces; "all" is all that are run
	may    string // those that hang on what goroutine comes first

	plain    bool          // the backend declares no control
	claims   []bus.Control // what it declares besides
	slack    time.Duration // what it says it needs
	lenient  bool          // of the engine
	ahead    int           // how many messages it fetches at a time
	handlers int           // how many fetches of its portable type run at a time; 0 means one, of one message
	batch    int           // how many it sends at a time, each failing with the others
	uncoded  bool          // its ends give errors no code
	accepts  bool          // it accepts options that it does not know

	opener  func(*wrapper) driver.Opener
	queue   func(*end, *controls) driver.Queue
	send    func(*end, *engine.Message) bool // false loses the message
	receive func(*end, context.Context, engine.ReceiveRequest) ([]engine.Delivery, error)
	message func(*cdk.Message)
	details func(*engine.Delivery, *driver.Details)
	ack     func(*end, engine.Delivery) error // what is told of the acknowledgement
	tell    func(*driver.Settling, error)
	nack    func(*end, engine.Delivery)
}

// sound are wrappers that differ in what they may.
var sound = []fault{
	{name: "as it is"},
	{name: "fetches ten messages at a time", ahead: 10},
	// What it fetched behind a message stays ahead of it after a nack; how much that
	// is, the portable type makes out by how fast it was asked.
	{name: "lets the portable type fetch ahead", handlers: 1, may: "group-order"},
	{name: "has no control", plain: true},
	{name: "polls", slack: 230 * time.Millisecond, receive: poll},
	{name: "takes its time", slack: 10 * time.Millisecond,
		send: func(*end, *engine.Message) bool {
			time.Sleep(3 * time.Millisecond)
			return true
		},
		receive: func(e *end, ctx context.Context, r engine.ReceiveRequest) ([]engine.Delivery, error) {
			time.Sleep(2 * time.Millisecond)
			return e.q.Receive(ctx, r)
		},
		ack: func(e *end, d engine.Delivery) error {
			time.Sleep(4 * time.Millisecond)
			return e.ack(d)
		},
		nack: func(e *end, d engine.Delivery) {
			time.Sleep(4 * time.Millisecond)
			e.q.ChangeHeld(d.ReceiptHandle, 0)
		}},
	{name: "does not know its dead letters' source", details: func(_ *engine.Delivery, d *driver.Details) { d.DeadLetterSource = "" }},
}

// poll receives four times a second.
func poll(e *end, ctx context.Context, r engine.ReceiveRequest) ([]engine.Delivery, error) {
	r.Wait = new(time.Duration(0))
	for {
		ds, err := e.q.Receive(ctx, r)
		if len(ds) > 0 || err != nil {
			return ds, err
		}
		select {
		case <-time.After(230 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// opener is a wrapper whose opening, creating and listing are replaced.
type opener struct {
	*wrapper
	open   func(context.Context, *url.URL) (driver.Queue, error)
	create func(context.Context, *url.URL, spec.QueueSettings) (string, error)
	list   func(context.Context, *url.URL, string) ([]string, error)
}

func (o opener) OpenQueue(ctx context.Context, u *url.URL) (driver.Queue, error) {
	if o.open != nil {
		return o.open(ctx, u)
	}
	return o.wrapper.OpenQueue(ctx, u)
}

func (o opener) CreateQueue(ctx context.Context, u *url.URL, s spec.QueueSettings) (string, error) {
	if o.create != nil {
		return o.create(ctx, u, s)
	}
	return o.wrapper.CreateQueue(ctx, u, s)
}

func (o opener) ListQueues(ctx context.Context, u *url.URL, prefix string) ([]string, error) {
	if o.list != nil {
		return o.list(ctx, u, prefix)
	}
	return o.wrapper.ListQueues(ctx, u, prefix)
}

// creates makes a fault of the settings with which queues are created.
func creates(change func(*spec.QueueSettings)) func(*wrapper) driver.Opener {
	return func(w *wrapper) driver.Opener {
		return opener{wrapper: w, create: func(ctx context.Context, u *url.URL, s spec.QueueSettings) (string, error) {
			change(&s)
			return w.CreateQueue(ctx, u, s)
		}}
	}
}

// replaces makes a fault of a queue's controls.
func replaces(change func(*end, *controls)) func(*end, *controls) driver.Queue {
	return func(e *end, c *controls) driver.Queue {
		change(e, c)
		return c
	}
}

// hides makes a fault of the visibility timeout of receives.
func hides(change func(time.Duration) time.Duration) func(*end, context.Context, engine.ReceiveRequest) ([]engine.Delivery, error) {
	return func(e *end, ctx context.Context, r engine.ReceiveRequest) ([]engine.Delivery, error) {
		a, err := e.q.Attributes()
		if err != nil {
			return nil, err
		}
		if r.Visibility != nil {
			a.Visibility = *r.Visibility
		}
		r.Visibility = new(change(a.Visibility))
		return e.q.Receive(ctx, r)
	}
}

// A control of one method each, as a function.
type (
	changer  func(context.Context, []driver.VisibilityChange) []error
	renewer  func(context.Context, []string) []error
	giver    func(context.Context, []string, time.Duration) []error
	burier   func(context.Context, string, string) error
	receiver func(driver.ReceiverOptions) (driver.Queue, error)
	setter   func(context.Context, spec.QueueSettings) error
	getter   func(context.Context) (spec.QueueAttributes, error)
	purger   func(context.Context) error
	deleter  func(context.Context) error
	redriver func(context.Context, string, int) (int, error)
	peeker   func(context.Context, int) ([]driver.Peeked, error)
	counter  func() int64
	pauser   func(func()) func()

	subscriber func(context.Context, *url.URL, spec.SubscriptionSettings) error
)

func (f changer) ChangeVisibility(ctx context.Context, cs []driver.VisibilityChange) []error {
	return f(ctx, cs)
}
func (f setter) SetAttributes(ctx context.Context, s spec.QueueSettings) error { return f(ctx, s) }
func (f getter) Attributes(ctx context.Context) (spec.QueueAttributes, error)  { return f(ctx) }
func (f purger) Purge(ctx context.Context) error                               { return f(ctx) }
func (f deleter) Delete(ctx context.Context) error                             { return f(ctx) }
func (f redriver) Redrive(ctx context.Context, to string, n int) (int, error)  { return f(ctx, to, n) }
func (f peeker) Peek(ctx context.Context, n int) ([]driver.Peeked, error)      { return f(ctx, n) }
func (f counter) LateAcks() int64                                              { return f() }
func (f pauser) Pause(idle func()) func()                                      { return f(idle) }
func (f renewer) Renew(ctx context.Context, hs []string) []error               { return f(ctx, hs) }
func (f burier) Bury(ctx context.Context, h, reason string) error              { return f(ctx, h, reason) }
func (f receiver) OpenReceiver(o driver.ReceiverOptions) (driver.Queue, error) { return f(o) }
func (f subscriber) SubscribeTo(ctx context.Context, topic *url.URL, s spec.SubscriptionSettings) error {
	return f(ctx, topic, s)
}
func (f giver) GiveBack(ctx context.Context, hs []string, after time.Duration) []error {
	return f(ctx, hs, after)
}

// faults are those of all families.
var faults = slices.Concat(deliveryFaults, waitingFaults, timeFaults, receiptFaults, settleFaults, messageFaults, queueFaults, fifoFaults, nameFaults)

// nth returns how many messages have been sent.
func (w *wrapper) nth() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent
}

// newest returns the latest delivery's receipt handle of the message that handle
// names.
func (w *wrapper) newest(handle string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.latest[w.ids[handle]]
}

// uncodes takes the code away from the errors of controls.
func uncodes(e *end, c *controls) driver.Queue {
	c.Queue = code{e, func(error) gcerrors.ErrorCode { return gcerrors.Unknown }}
	return c
}
