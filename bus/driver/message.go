package driver

import (
	"slices"
	"sync"
	"time"

	"omnibus/bus/spec"
)

// SendOptions are what a sender may say of a message beyond the portable type.
// A backend offers them to a message's BeforeSend: its as function sets a
// **SendOptions to the options of the message about to be sent.
type SendOptions struct {
	Delay         *time.Duration // nil: the queue's own
	Attributes    []spec.NamedAttribute
	Group         string // message group id
	Deduplication string // deduplication id

	// Offered are attributes that are sent as far as there is room for them, see
	// [SendOptions.Fitting].
	Offered []spec.NamedAttribute

	// TraceHeader is the system attribute AWSTraceHeader. A backend that has none
	// ignores it.
	TraceHeader string
}

// Merge sets what o says in to, and leaves the rest.
func (o SendOptions) Merge(to *SendOptions) {
	if o.Delay != nil {
		to.Delay = o.Delay
	}
	to.Attributes = append(to.Attributes, o.Attributes...)
	if o.Group != "" {
		to.Group = o.Group
	}
	if o.Deduplication != "" {
		to.Deduplication = o.Deduplication
	}
	to.Offered = append(to.Offered, o.Offered...)
	if o.TraceHeader != "" {
		to.TraceHeader = o.TraceHeader
	}
}

// Fitting returns those of the attributes offered that a message has room for, which
// has the body and all other attributes given and may have maxBytes.
func (o SendOptions) Fitting(body string, attrs []spec.NamedAttribute, maxBytes int) []spec.NamedAttribute {
	if len(o.Offered) == 0 {
		return nil
	}
	all := slices.Clone(attrs)
	for _, a := range o.Offered {
		with := append(all, a)
		taken := slices.ContainsFunc(all, func(b spec.NamedAttribute) bool { return a.Name == b.Name })
		sound := spec.CheckAttributes([]spec.NamedAttribute{a}) == nil
		if sound && !taken && len(with) <= spec.MaxAttributes && spec.MessageSize(body, with) <= maxBytes {
			all = with
		}
	}
	return all[len(attrs):]
}

// CollectSendOptions calls a message's BeforeSend, which may be nil, and returns
// the options it sets. It is for backends whose BeforeSend knows no other types.
func CollectSendOptions(beforeSend func(as func(any) bool) error) (o SendOptions, err error) {
	if beforeSend == nil {
		return o, nil
	}
	held := new(SendOptions) // not o, which would be allocated for every message
	err = beforeSend(func(i any) bool {
		p, ok := i.(**SendOptions)
		if ok {
			*p = held
		}
		return ok
	})
	return *held, err
}

// Sent is what a backend tells of a message it has sent, through a message's
// AfterSend: its as function fills in a *Sent.
type Sent struct {
	ID             string // message id
	SequenceNumber string // of a message to a FIFO queue, else ""
}

// Details are what a received message tells beyond the portable type. A backend
// fills them in through the message's As, which takes a *Details. Fields that a
// backend does not know are zero.
type Details struct {
	ID             string // message id
	ReceiptHandle  string // names this delivery
	ReceiveCount   int    // deliveries so far, this one counted
	Sent           time.Time
	FirstReceived  time.Time
	Group          string // message group id
	Deduplication  string // deduplication id
	SequenceNumber string // in a FIFO queue

	// Attributes are the typed attributes as they travelled. Portable metadata
	// travels as String attributes with escaped names and values, and is found
	// here in that form.
	Attributes map[string]spec.Attribute

	// VisibleAt is when the lease of this delivery ends: from then on another
	// receiver may get the message. It follows changes of the visibility timeout
	// and is zero once the lease is lost.
	VisibleAt time.Time

	// TraceHeader is the system attribute AWSTraceHeader.
	TraceHeader string

	// DeadLetterSource is the queue that gave the message up to this one.
	DeadLetterSource string
}

// A Translator reads and writes [SendOptions] and [Details] on messages of a
// stock Go CDK driver, whose As types package bus does not know.
type Translator interface {
	// SetSendOptions merges o into the message about to be sent that as gives,
	// and reports false if as does not know the translator's types.
	SetSendOptions(as func(any) bool, o SendOptions) (bool, error)

	// Details returns the details of the received message that as gives.
	Details(as func(any) bool) (Details, bool)

	// Sent returns what is known of the message just sent that as gives.
	Sent(as func(any) bool) (Sent, bool)
}

var (
	translatorsMu sync.Mutex // guards translators
	translators   []Translator
)

// RegisterTranslator makes t known to package bus. Backends call it when they
// are initialized. It is safe for concurrent use.
func RegisterTranslator(t Translator) {
	translatorsMu.Lock()
	defer translatorsMu.Unlock()
	translators = append(slices.Clip(translators), t)
}

// Translators returns what has been registered.
func Translators() []Translator {
	translatorsMu.Lock()
	defer translatorsMu.Unlock()
	return translators
}
