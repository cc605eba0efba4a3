package bus

import "omnibus/bus/driver"

// Control is something SQS can do and the portable types cannot say.
type Control = driver.Control

// The controls, for [Queue.Supports], with what a program uses each by.
const (
	ControlLimits        = driver.ControlLimits        // hold messages and names to SQS's limits of size, characters and number: [Queue.Supports]
	ControlDelay         = driver.ControlDelay         // hold a message back after it is sent: [Delay]
	ControlTypes         = driver.ControlTypes         // send attributes with types, and receive them as they were sent: [SetAttribute]
	ControlDetails       = driver.ControlDetails       // see what a delivery tells: id, receive count, times, group: [Details]
	ControlGroups        = driver.ControlGroups        // keep messages of a group in order and deduplicate them, in FIFO queues: [Group]
	ControlDeadLetter    = driver.ControlDeadLetter    // move a message that was received too often to another queue: [QueueSettings.DeadLetter]
	ControlVisibility    = driver.ControlVisibility    // set when a received message becomes visible again: [Queue.ChangeVisibility]
	ControlRenew         = driver.ControlRenew         // begin the visibility timeout of a received message anew: [Queue.Renew]
	ControlGiveBack      = driver.ControlGiveBack      // make a received message visible to all again after a delay: [Queue.GiveBack]
	ControlBury          = driver.ControlBury          // move a received message to the dead-letter queue at once: [Queue.Bury]
	ControlAckResults    = driver.ControlAckResults    // be told what became of an acknowledgement: [AfterAck]
	ControlLateAcks      = driver.ControlLateAcks      // count the acknowledgements that came too late: [Queue.LateAcks]
	ControlReceivers     = driver.ControlReceivers     // open further receivers of a queue, with visibility timeouts of their own: [Queue.OpenReceiver]
	ControlRelease       = driver.ControlRelease       // give back all that was fetched and not handed out: [Queue.Release]
	ControlAttributes    = driver.ControlAttributes    // read a queue's settings and counts: [Queue.Attributes]
	ControlSetAttributes = driver.ControlSetAttributes // change a queue's settings: [Queue.SetAttributes]
	ControlPurge         = driver.ControlPurge         // delete all messages: [Queue.Purge]
	ControlPeek          = driver.ControlPeek          // look at messages without receiving them: [Queue.Peek]
	ControlRedrive       = driver.ControlRedrive       // move dead letters back to their queues, or elsewhere: [Queue.Redrive]
	ControlCreate        = driver.ControlCreate        // create a queue with settings: [Create]
	ControlDelete        = driver.ControlDelete        // delete a queue: [Queue.Delete]
	ControlList          = driver.ControlList          // list queues: [List]
	ControlTopics        = driver.ControlTopics        // subscribe a queue to a topic, with a filter: [Queue.SubscribeTo]
)

// Controls returns all controls, in the order in which tables show them.
func Controls() []Control { return driver.Controls() }
