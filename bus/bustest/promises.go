package bustest

import "omnibus/bus"

// Names of controls, short enough for the table.
const (
	limits     = bus.ControlLimits
	delays     = bus.ControlDelay
	types      = bus.ControlTypes
	details    = bus.ControlDetails
	groups     = bus.ControlGroups
	deadLetter = bus.ControlDeadLetter
	visibility = bus.ControlVisibility
	renew      = bus.ControlRenew
	giveBack   = bus.ControlGiveBack
	bury       = bus.ControlBury
	ackResults = bus.ControlAckResults
	receivers  = bus.ControlReceivers
	release    = bus.ControlRelease
	lateAcks   = bus.ControlLateAcks
	attributes = bus.ControlAttributes
	settings   = bus.ControlSetAttributes
	purge      = bus.ControlPurge
	peek       = bus.ControlPeek
	redrive    = bus.ControlRedrive
	create     = bus.ControlCreate
	remove     = bus.ControlDelete
	list       = bus.ControlList
	topics     = bus.ControlTopics
)

// needs is a list of controls, in the table.
func needs(cs ...bus.Control) []bus.Control { return cs }

// promises are all promises, in the order in which they run.
var promises = []promise{
	{name: "controls", keep: keepsControls,
		says: "the controls that a queue supports are those that the backend declares"},
	{name: "unsupported", keep: keepsUnsupported,
		says: "using a control that is not declared fails with errors.ErrUnsupported and code Unimplemented, and names the control"},
	{name: "unknown-parameter", keep: keepsUnknownParameter,
		says: "a URL with a parameter that the backend does not know is refused"},

	{name: "delivery", keep: keepsDelivery,
		says: "a message arrives with the body and the metadata with which it was sent, once"},
	{name: "concurrent-delivery", keep: keepsConcurrentDelivery,
		says: "of the messages of many senders to many receivers none is lost and none comes twice"},
	{name: "send-batch", keep: keepsSendBatch,
		says: "a batch is sent message by message: one that is refused fails alone"},
	{name: "send-batch-order", keep: keepsSendBatchOrder, needs: needs(groups, create),
		says: "a batch to a FIFO queue arrives in the order of its messages"},
	{name: "competing-consumers", keep: keepsCompetingConsumers,
		says: "two Queues opened on one URL share its messages"},
	{name: "nack", keep: keepsNack,
		says: "a message given back with Nack comes again at once"},
	{name: "nack-others", keep: keepsNackOthers,
		says: "a message given back with Nack comes to another waiting consumer at once"},

	{name: "wake-up", keep: keepsWakeUp,
		says: "a waiting Receive returns a message when it is sent"},
	{name: "wake-up-many", keep: keepsWakeUpMany,
		says: "of 16 waiting Receives each returns a message when it is sent"},
	{name: "cancel", keep: keepsCancel,
		says: "a Receive whose context ends returns at once with the context's error, and no message is lost by it"},
	{name: "cancel-release", keep: keepsCancelRelease, needs: needs(release),
		says: "a Receive whose context has ended takes no message sent after Release: it comes to another consumer, for the first time"},
	{name: "release", keep: keepsRelease, needs: needs(release),
		says: "Release gives what was fetched and not handed out to other consumers at once"},
	{name: "shutdown", keep: keepsShutdown,
		says: "Shutdown returns, leaves nothing running, and ends sending and receiving"},
	{name: "shutdown-flush", keep: keepsShutdownFlush, leases: true,
		says: "Shutdown sends what is waiting to be sent and acknowledged"},
	{name: "shutdown-release", keep: keepsShutdownRelease, needs: needs(release),
		says: "Shutdown gives what was fetched and not handed out to other consumers at once"},

	{name: "delay", keep: keepsDelay, needs: needs(delays),
		says: "a delayed message comes when its delay is over, and not before"},
	{name: "delay-range", keep: keepsDelayRange, needs: needs(delays),
		says: "delays are 0 to 15 minutes; others are refused"},
	{name: "queue-delay", keep: keepsQueueDelay, needs: needs(delays, create),
		says: "a queue's own delay applies to messages without one"},

	{name: "visibility", keep: keepsVisibility, leases: true,
		says: "a received message stays hidden for the visibility timeout, and comes again when it is over"},
	{name: "receivers", keep: keepsReceivers, needs: needs(receivers),
		says: "receivers of one Queue have visibility timeouts of their own, at the same time, and leave its Topic open when they are shut down"},
	{name: "queue-visibility", keep: keepsQueueVisibility, needs: needs(create),
		says: "a queue's own visibility timeout applies to consumers without one"},
	{name: "change-visibility", keep: keepsChangeVisibility, needs: needs(visibility), leases: true,
		says: "a message's visibility timeout can be extended, shortened and ended"},
	{name: "change-visibility-batch", keep: keepsChangeVisibilityBatch, needs: needs(visibility), leases: true,
		says: "many visibility timeouts are changed at once, and a change that is refused fails alone"},
	{name: "lost-lease", keep: keepsLostLease, any: needs(visibility, renew, giveBack), leases: true,
		says: "a delivery whose visibility timeout is over can be neither changed nor renewed nor given back: that fails with ErrLeaseLost"},
	{name: "renew", keep: keepsRenew, needs: needs(renew), leases: true,
		says: "Renew hides messages anew for the visibility timeout with which they were received, and one that has been lost fails alone"},
	{name: "give-back", keep: keepsGiveBack, needs: needs(giveBack),
		says: "a message that is given back comes again after the delay asked for, whatever Nack or Ack follows"},
	{name: "bury", keep: keepsBury, needs: needs(bury, deadLetter, create),
		says: "a message that is buried is in the dead-letter queue at once, whole and with attributes that say why, and nowhere else"},
	{name: "bury-limits", keep: keepsBuryLimits, needs: needs(bury, deadLetter, create, types),
		says: "a message is buried whole whatever its attributes and the reason are, and stays where it is without a dead-letter queue"},
	{name: "visible-at", keep: keepsVisibleAt, needs: needs(visibility, details), leases: true,
		says: "Details tell when the visibility timeout ends, changes included, and zero when it has"},
	{name: "stale-ack", keep: keepsStaleAck, leases: true,
		says: "acknowledging an earlier delivery deletes nothing while a later one holds the message"},
	{name: "stale-nack", keep: keepsStaleNack, leases: true,
		says: "giving back an earlier delivery changes nothing while a later one holds the message"},
	{name: "late-acks", keep: keepsLateAcks, needs: needs(lateAcks), leases: true,
		says: "LateAcks counts the acknowledgements that came too late, and no others"},
	{name: "ack-results", keep: keepsAckResults, needs: needs(ackResults), leases: true,
		says: "AfterAck tells once what became of an acknowledgement: nothing if the message is deleted, ErrLeaseLost if it came too late"},
	{name: "details", keep: keepsDetails, needs: needs(details), leases: true,
		says: "Details tell a message's id, how often it was received, and when it was sent and first received"},

	{name: "typed-attributes", keep: keepsTypedAttributes, needs: needs(types),
		says: "attributes of every type arrive as they were sent, with metadata beside them"},
	{name: "attribute-types", keep: keepsAttributeTypes, needs: needs(types),
		says: "attributes that are neither text nor numbers nor bytes, or have the name of another, are refused"},
	{name: "attribute-limits", keep: keepsAttributeLimits, needs: needs(types, limits),
		says: "a message has at most 10 attributes, metadata counted, with names and values that SQS allows; one that is offered fills the room that is left"},
	{name: "message-size", keep: keepsMessageSize, needs: needs(types, attributes, limits),
		says: "a message of exactly the size that the queue allows is accepted, one byte more is refused"},
	{name: "message-characters", keep: keepsMessageCharacters, needs: needs(limits),
		says: "bodies are not empty and have the characters that SQS allows; others are refused"},
	{name: "bad-message", keep: keepsBadMessage, needs: needs(types),
		says: "a message that is refused fails alone among those sent at the same time"},

	{name: "counts", keep: keepsCounts, needs: needs(delays, attributes), leases: true,
		says: "the counts of visible, delayed and in-flight messages are right, also when nobody polls"},
	{name: "settings", keep: keepsSettings, needs: needs(create, attributes, settings),
		says: "a queue has the settings it was created with, and those changed since"},
	{name: "settings-range", keep: keepsSettingsRange, needs: needs(create),
		says: "settings out of their ranges are refused"},
	{name: "settings-kept", keep: keepsSettingsKept, needs: needs(create, attributes),
		says: "every setting that is given is kept, or refused"},
	{name: "queue-names", keep: keepsQueueNames, needs: needs(create, limits),
		says: "queues have names that SQS allows; others are refused"},
	{name: "retention", keep: keepsRetention, needs: needs(create), virtual: true,
		says: "a message outlives the retention period in no state"},
	{name: "purge", keep: keepsPurge, needs: needs(delays, purge), leases: true,
		says: "a purge removes visible, delayed and in-flight messages, and none that is sent later"},
	{name: "purge-interval", keep: keepsPurgeInterval, needs: needs(purge),
		says: "a second purge within a minute is refused"},
	{name: "peek", keep: keepsPeek, needs: needs(delays, peek), leases: true,
		says: "a peek shows the visible messages, next to be received first, and changes nothing"},

	{name: "group-order", keep: keepsGroupOrder, needs: needs(groups, create),
		says: "messages of one group come in the order in which they were sent, also after a nack"},
	{name: "group-lock", keep: keepsGroupLock, needs: needs(groups, create),
		says: "while a message of a group is in flight, nobody gets a later one of the group"},
	{name: "groups-parallel", keep: keepsGroupsParallel, needs: needs(groups, create),
		says: "while a message of a group is in flight, other groups' messages come"},
	{name: "deduplication", keep: keepsDeduplication, needs: needs(groups, create),
		says: "within 5 minutes, a second message with the same deduplication id is accepted and not delivered"},
	{name: "content-deduplication", keep: keepsContentDeduplication, needs: needs(groups, create),
		says: "a queue that deduplicates by content takes the body for the id of messages without one"},
	{name: "fifo-rules", keep: keepsFIFORules, needs: needs(groups, create),
		says: "a FIFO queue refuses messages without group or deduplication id, or with a delay of their own"},

	{name: "dead-letters", keep: keepsDeadLetters, needs: needs(deadLetter, create, details),
		says: "a message received as often as the redrive policy allows moves to the dead-letter queue as it is"},
	{name: "redrive", keep: keepsRedrive, needs: needs(redrive, deadLetter, create, details, attributes),
		says: "dead letters go back to where they came from, or elsewhere, as new messages"},
	{name: "redrive-rules", keep: keepsRedriveRules, needs: needs(redrive, deadLetter, create),
		says: "redriving a queue that is no dead-letter queue is refused"},

	{name: "topics", keep: keepsTopics, needs: needs(topics, types),
		says: "a queue gets what is sent to a topic after it subscribed and what its filter wants, as it was sent, and no other queue does"},
	{name: "topic-filters", keep: keepsTopicFilters, needs: needs(topics),
		says: "filters look at attributes, metadata among them, or at the body, and subscribing again replaces them; one that is none is refused and changes nothing"},

	{name: "create-again", keep: keepsCreateAgain, needs: needs(create),
		says: "creating a queue again with the same settings gives the same queue, with others AlreadyExists"},
	{name: "list", keep: keepsList, needs: needs(create, list, remove),
		says: "the list has the queues that start with the prefix, and no deleted ones"},
	{name: "deleted-queue", keep: keepsDeletedQueue, needs: needs(create, remove),
		says: "everything done with a deleted queue fails with NotFound, in errors that name operation and queue"},
}
