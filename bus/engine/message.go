package engine

import (
	"time"

	"omnibus/bus/spec"
)

// state is where a message is. A message is in exactly one.
type state uint8

const (
	delayed  state = iota // sent, its delay not over
	ready                 // a receive would find it
	inFlight              // received, its visibility timeout not over
	gone                  // deleted, expired, purged or moved
)

// The two intrusive lists that a message is on: one by the time its state ends
// (or, when ready, in the order of delivery) and one by the time it was sent.
const (
	byDue  = 0
	bySent = 1
)

// link is a message's place in one list.
type link struct {
	prev, next *message
	lane       *lane // the lane it waits in; nil on lists that are not lanes
}

// message is one message held by a queue. All times are nanoseconds on the
// engine's clock.
type message struct {
	body     string
	attrs    []spec.NamedAttribute
	extra    *extra
	group    *group // of a FIFO queue's message
	links    [2]link
	id       uint64 // unique in the engine, kept when the message moves to another queue
	seq      uint64 // the order in which it came to this queue
	sent     int64
	first    int64 // first receive; 0 before
	taken    int64 // latest receive
	due      int64 // when its delay or its visibility timeout ends; of a ready one its rank among those
	receives int32 // also the number of its latest receipt
	state    state
	parked   bool // ready, and on its tenant's list
	settled  bool // its latest delivery was given back, and names it no more
}

// holds reports whether the delivery of a receipt holds the message.
func (m *message) holds(r receipt) bool {
	return m.state == inFlight && m.receives == r.delivery && !m.settled
}

// extra holds what few messages have.
type extra struct {
	group  string
	dedup  string
	trace  string
	tenant *tenant // of a standard queue's message with a group

	// Of a message that a redrive policy moved to this queue: the queue it came
	// from, and how often it had been received when it came. SQS counts receives
	// across queues, a redrive policy those of its own queue.
	source        string
	receivesThere int32
}

func (m *message) extras() extra {
	if m.extra == nil {
		return extra{}
	}
	return *m.extra
}

// receivesHere returns how often the queue that holds the message delivered it.
func (m *message) receivesHere() int {
	return int(m.receives - m.extras().receivesThere)
}

// list is a doubly linked list of messages through their links of one kind.
type list struct {
	head, tail *message
	which      uint8
}

// run is a part of a list of ready messages: from one, which is nil if there is
// none, up to another, or to the list's end.
type run struct{ from, to *message }

func (l *list) pushBack(m *message) { l.insertAfter(l.tail, m) }

// insertAfter puts m behind at, or in front of all when at is nil.
func (l *list) insertAfter(at, m *message) {
	k := &m.links[l.which]
	k.prev = at
	if at == nil {
		k.next, l.head = l.head, m
	} else {
		k.next, at.links[l.which].next = at.links[l.which].next, m
	}
	if k.next == nil {
		l.tail = m
	} else {
		k.next.links[l.which].prev = m
	}
}

func (l *list) remove(m *message) {
	k := &m.links[l.which]
	if k.prev == nil {
		l.head = k.next
	} else {
		k.prev.links[l.which].next = k.next
	}
	if k.next == nil {
		l.tail = k.prev
	} else {
		k.next.links[l.which].prev = k.prev
	}
	*k = link{}
}

// A Message is what a sender gives to a queue.
type Message struct {
	Body       string // 1 byte to the queue's MaxMessageBytes, attributes counted
	Attributes []spec.NamedAttribute

	// Delay holds the message back, 0 to 15 minutes; nil means the queue's own
	// delay. A FIFO queue delays all messages by its own; it takes 0, which
	// changes nothing, and refuses other delays.
	Delay *time.Duration

	// Group is the message group id: required on a FIFO queue. On a standard
	// one it names the tenant, whose messages yield to those of others while
	// many are in flight.
	Group string

	// Deduplication is the deduplication id, for FIFO queues only: required
	// unless the queue deduplicates by content.
	Deduplication string

	// TraceHeader is the system attribute AWSTraceHeader, carried along.
	TraceHeader string
}

// Sent is what a queue answers to a sender.
type Sent struct {
	ID             string
	SequenceNumber string // of a FIFO queue's message, else ""
	Duplicate      bool   // a message sent before had the same deduplication id; none was added
}

// A Delivery is one receive of one message.
type Delivery struct {
	ID               string
	ReceiptHandle    string // names this delivery, not the message
	Body             string
	Attributes       []spec.NamedAttribute // shared; not to be changed
	Sent             time.Time
	FirstReceived    time.Time
	ReceiveCount     int // this receive counted
	VisibleAt        time.Time
	Group            string
	Deduplication    string
	SequenceNumber   string
	DeadLetterSource string // the queue that gave the message up to this one
	TraceHeader      string
}
