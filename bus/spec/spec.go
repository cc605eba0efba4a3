// Package spec writes down, once, what Amazon SQS specifies: quotas, defaults,
// the characters and names it allows, its error codes with their texts, and the
// attributes of queues with their form on the wire. Every backend checks against
// this package, so that a message which memory accepts is a message which SQS
// accepts, and what is refused is refused in the same words.
//
// The words are AWS's where they are known. What they leave out, such as the name
// of the queue, is an error's Detail, which does not travel.
//
// The sources are the quotas pages of the Amazon SQS Developer Guide
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-quotas.html)
// and the SQS API Reference
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/).
//
// One deviation runs through it: SQS counts whole seconds, this package counts
// in [time.Duration], so a backend in memory can be run faster than the clock.
// Backends on the wire refuse fractions of a second with [CheckWholeSeconds].
//
// All functions are pure and safe for concurrent use.
package spec

import "time"

// Quotas and defaults of a queue.
const (
	DefaultVisibility = 30 * time.Second // VisibilityTimeout
	MaxVisibility     = 12 * time.Hour   // also the limit of all extensions of one receive together

	MaxDelay = 15 * time.Minute // DelaySeconds, of a queue and of a message

	MinRetention     = time.Minute // MessageRetentionPeriod
	DefaultRetention = 4 * 24 * time.Hour
	MaxRetention     = 14 * 24 * time.Hour

	MaxWait = 20 * time.Second // ReceiveMessageWaitTimeSeconds, WaitTimeSeconds

	MaxInFlight = 120_000 // messages received and not yet deleted

	MinReceives = 1 // maxReceiveCount of a redrive policy
	MaxReceives = 1000

	MaxSourceQueues = 10 // of a redrive allow policy

	DeduplicationWindow = 5 * time.Minute // FIFO queues: of messages, and of receives by ReceiveRequestAttemptId
	PurgeInterval       = time.Minute     // PurgeQueue works once in this time
	DeleteInterval      = time.Minute     // a deleted queue's name is free after this time
)

// Quotas of messages and batches.
const (
	MinMessageBytesLimit = 1024    // the least MaximumMessageSize
	MaxMessageBytes      = 1 << 20 // body, and attributes' names, types and values
	MaxBatchEntries      = 10      // also the most messages of one receive
	MaxAttributes        = 10      // message attributes of one message
)

// Quotas of message move tasks.
const (
	MaxMoveRate  = 500 // messages a second, and the rate of a task that names none
	MaxMoveTasks = 10  // tasks of a queue that are remembered, and listed
)

// When a message group of a standard queue is a noisy neighbour: it has over a
// tenth of all messages in flight, and this many, and was sent to lately
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html).
const (
	NoisyShare    = 10 // one in so many of the messages in flight
	NoisyInFlight = 30
	NoisyWindow   = 5 * time.Minute
)

// Quotas of what a queue keeps for its owner.
const (
	MaxTags       = 50
	MaxTagKey     = 128 // characters
	MaxTagValue   = 256
	MaxListResult = 1000 // queues on one page
)
