package driver

import (
	"reflect"
	"slices"
)

// A Control is something SQS can do and the portable types cannot say.
type Control string

// The controls. [ControlTable] says how a backend has each.
const (
	ControlLimits        Control = "sqs-limits"       // hold messages and names to SQS's limits of size, characters and number
	ControlDelay         Control = "delay"            // hold a message back after it is sent
	ControlTypes         Control = "typed-attributes" // send attributes with types, and receive them as they were sent
	ControlDetails       Control = "details"          // see what a delivery tells: id, receive count, times, group
	ControlGroups        Control = "groups"           // keep messages of a group in order and deduplicate them, in FIFO queues
	ControlDeadLetter    Control = "dead-letters"     // move a message that was received too often to another queue
	ControlVisibility    Control = "visibility"       // set when a received message becomes visible again
	ControlRenew         Control = "renew"            // begin the visibility timeout of a received message anew
	ControlGiveBack      Control = "give-back"        // make a received message visible to all again after a delay
	ControlBury          Control = "bury"             // move a received message to the dead-letter queue at once
	ControlAckResults    Control = "ack-results"      // be told what became of an acknowledgement
	ControlReceivers     Control = "receivers"        // open further receivers of a queue, with visibility timeouts of their own
	ControlRelease       Control = "release"          // give back all that was fetched and not handed out
	ControlLateAcks      Control = "late-acks"        // count the acknowledgements that came too late
	ControlAttributes    Control = "attributes"       // read a queue's settings and counts
	ControlSetAttributes Control = "set-attributes"   // change a queue's settings
	ControlPurge         Control = "purge"            // delete all messages
	ControlPeek          Control = "peek"             // look at messages without receiving them
	ControlRedrive       Control = "redrive"          // move dead letters back to their queues, or elsewhere
	ControlCreate        Control = "create"           // create a queue with settings
	ControlDelete        Control = "delete"           // delete a queue
	ControlList          Control = "list"             // list queues
	ControlTopics        Control = "topics"           // subscribe a queue to a topic, with a filter
)

// A ControlKind says how it is found out whether a backend has a control.
type ControlKind string

// The kinds of controls.
const (
	OfOpener ControlKind = "opener"   // the Opener implements an interface
	OfQueue  ControlKind = "queue"    // the Queue implements an interface
	Declared ControlKind = "declared" // the Queue's MessageControls has it, since it shows in no method set
)

// A ControlInfo is the row of a control in [ControlTable].
type ControlInfo struct {
	Control Control
	Means   string      // what a program does with it, in a few words
	Use     string      // the function, method or field of package bus for it
	Kind    ControlKind // how a backend has it
	Backend string      // what a backend implements (an interface of this package), or where the control shows in what it declares

	has func(Opener, Queue) bool
}

// controlTable is the one place that knows of all controls.
var controlTable = []ControlInfo{
	declared(ControlLimits, "hold messages and names to SQS's limits of size, characters and number", "Queue.Supports", "errors of package spec"),
	declared(ControlDelay, "hold a message back after it is sent", "Delay", "SendOptions.Delay"),
	declared(ControlTypes, "send attributes with types, and receive them as they were sent", "SetAttribute", "SendOptions.Attributes, Details.Attributes"),
	declared(ControlDetails, "see what a delivery tells: id, receive count, times, group", "Details", "Details"),
	declared(ControlGroups, "keep messages of a group in order and deduplicate them, in FIFO queues", "Group", "SendOptions.Group, SendOptions.Deduplication"),
	declared(ControlDeadLetter, "move a message that was received too often to another queue", "QueueSettings.DeadLetter", "QueueSettings.DeadLetter"),
	ofQueue[VisibilityChanger](ControlVisibility, "set when a received message becomes visible again", "Queue.ChangeVisibility"),
	ofQueue[Renewer](ControlRenew, "begin the visibility timeout of a received message anew", "Queue.Renew"),
	ofQueue[GiverBack](ControlGiveBack, "make a received message visible to all again after a delay", "Queue.GiveBack"),
	ofQueue[Burier](ControlBury, "move a received message to the dead-letter queue at once", "Queue.Bury"),
	declared(ControlAckResults, "be told what became of an acknowledgement", "AfterAck", "Settling"),
	ofQueue[AckCounter](ControlLateAcks, "count the acknowledgements that came too late", "Queue.LateAcks"),
	ofQueue[ReceiverOpener](ControlReceivers, "open further receivers of a queue, with visibility timeouts of their own", "Queue.OpenReceiver"),
	ofQueue[Pauser](ControlRelease, "give back all that was fetched and not handed out", "Queue.Release"),
	ofQueue[AttributesGetter](ControlAttributes, "read a queue's settings and counts", "Queue.Attributes"),
	ofQueue[AttributesSetter](ControlSetAttributes, "change a queue's settings", "Queue.SetAttributes"),
	ofQueue[Purger](ControlPurge, "delete all messages", "Queue.Purge"),
	ofQueue[Peeker](ControlPeek, "look at messages without receiving them", "Queue.Peek"),
	ofQueue[Redriver](ControlRedrive, "move dead letters back to their queues, or elsewhere", "Queue.Redrive"),
	ofOpener[Creator](ControlCreate, "create a queue with settings", "Create"),
	ofQueue[Deleter](ControlDelete, "delete a queue", "Queue.Delete"),
	ofOpener[Lister](ControlList, "list queues", "List"),
	ofQueue[TopicSubscriber](ControlTopics, "subscribe a queue to a topic, with a filter", "Queue.SubscribeTo"),
}

func ofOpener[T any](c Control, means, use string) ControlInfo {
	has := func(o Opener, _ Queue) bool { _, ok := Find[T](o); return ok }
	return ControlInfo{Control: c, Means: means, Use: use, Kind: OfOpener, Backend: reflect.TypeFor[T]().Name(), has: has}
}

func ofQueue[T any](c Control, means, use string) ControlInfo {
	has := func(_ Opener, q Queue) bool { _, ok := Find[T](q); return ok }
	return ControlInfo{Control: c, Means: means, Use: use, Kind: OfQueue, Backend: reflect.TypeFor[T]().Name(), has: has}
}

func declared(c Control, means, use, backend string) ControlInfo {
	has := func(_ Opener, q Queue) bool {
		m, ok := Find[MessageController](q)
		return ok && slices.Contains(m.MessageControls(), c)
	}
	return ControlInfo{Control: c, Means: means, Use: use, Kind: Declared, Backend: backend, has: has}
}

// ControlTable returns what there is to know of each control, in the order in
// which tables show them.
func ControlTable() []ControlInfo { return slices.Clone(controlTable) }

// Controls returns all controls, in the order of [ControlTable].
func Controls() []Control {
	controls := make([]Control, len(controlTable))
	for i, info := range controlTable {
		controls[i] = info.Control
	}
	return controls
}

// A MessageController is a [Queue] that declares the controls of the kind
// [Declared] that it has.
type MessageController interface {
	MessageControls() []Control
}

// Supports reports whether a queue, or the opener it came from, has a control.
// Both may be nil.
func Supports(o Opener, q Queue, c Control) bool {
	i := slices.IndexFunc(controlTable, func(info ControlInfo) bool { return info.Control == c })
	return i >= 0 && controlTable[i].has(o, q)
}
