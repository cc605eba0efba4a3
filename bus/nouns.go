package bus

import (
	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// The types below are those of packages spec and driver, which backends share, with
// their fields.

// QueueSettings are the attributes of a queue that its owner can set. A nil field is
// not given: [Create] takes the default for it, [Queue.SetAttributes] leaves the
// attribute as it is.
//
//	Delay           *time.Duration // DelaySeconds: 0 to 15 min, default 0
//	Visibility      *time.Duration // VisibilityTimeout: 0 to 12 h, default 30 s
//	Retention       *time.Duration // MessageRetentionPeriod: 1 min to 14 days, default 4 days
//	Wait            *time.Duration // ReceiveMessageWaitTimeSeconds: 0 to 20 s, default 0
//	MaxMessageBytes *int           // MaximumMessageSize: 1,024 to 1,048,576 bytes, default the most
//	FIFO            *bool          // FifoQueue: set at creation only, and as the name's suffix says
//
//	// ContentBasedDeduplication derives the deduplication id of messages
//	// without one from the SHA-256 of their bodies. FIFO queues only.
//	ContentBasedDeduplication *bool
//
//	// GroupDeduplication has messages deduplicated within their group instead of
//	// in the whole queue: DeduplicationScope "messageGroup". FIFO queues only.
//	GroupDeduplication *bool
//
//	// DeadLetter is the redrive policy. The zero value of the struct it points
//	// to removes the policy.
//	DeadLetter *DeadLetter
//
//	// DeadLetterSources is the redrive allow policy. The zero value of the
//	// struct it points to removes the policy.
//	DeadLetterSources *DeadLetterSources
//
//	// Kept are attributes that a queue keeps for its owner, by their SQS names:
//	// Policy, KmsMasterKeyId, KmsDataKeyReusePeriodSeconds, SqsManagedSseEnabled
//	// and FifoThroughputLimit. In memory they have no effect. An empty value
//	// removes one.
//	Kept map[string]string
type QueueSettings = spec.QueueSettings

// QueueAttributes are all attributes of a queue, its [Counts] among them.
//
//	Delay                     time.Duration
//	Visibility                time.Duration
//	Retention                 time.Duration
//	Wait                      time.Duration
//	MaxMessageBytes           int
//	FIFO                      bool
//	ContentBasedDeduplication bool
//	GroupDeduplication        bool
//	DeadLetter                DeadLetter        // zero without a redrive policy
//	DeadLetterSources         DeadLetterSources // zero without a redrive allow policy
//	Kept                      map[string]string // as in QueueSettings; without those that have their default
//
//	Counts
//	Created  time.Time
//	Modified time.Time // when the settings last changed
type QueueAttributes = spec.QueueAttributes

// Counts are the numbers of messages in a queue, by state.
//
//	Visible  int // ApproximateNumberOfMessages: a receive would find them
//	InFlight int // ApproximateNumberOfMessagesNotVisible: received, not yet deleted
//	Delayed  int // ApproximateNumberOfMessagesDelayed: sent, not yet visible
//
//	// OldestAge is the age of the oldest message in any state, 0 when there is
//	// none or the backend does not tell. On AWS it is the CloudWatch metric
//	// ApproximateAgeOfOldestMessage, not an attribute.
//	OldestAge time.Duration
type Counts = spec.Counts

// DeadLetter is a redrive policy: a message received MaxReceives times without being
// deleted moves to the queue named Queue at the next receive.
//
//	Queue       string // name of a queue of the same type, FIFO or standard
//	MaxReceives int    // maxReceiveCount: 1 to 1,000
type DeadLetter = spec.DeadLetter

// DeadLetterSources is a redrive allow policy: it says which queues may have this one
// as their dead-letter queue.
//
//	Permission RedrivePermission // "" means all, as without a policy
//	Queues     []string          // names, with RedriveByQueue: 1 to 10
type DeadLetterSources = spec.DeadLetterSources

// SubscriptionSettings say what a queue gets of a topic.
//
//	// Filter is a filter policy of SNS, in JSON: the queue gets the messages that it
//	// wants. "" wants all.
//	// https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
//	Filter string
//
//	// FilterBody has the filter look at the members of the body, a JSON object,
//	// rather than at attributes. Metadata are attributes.
//	FilterBody bool
type SubscriptionSettings = spec.SubscriptionSettings

// Peeked is a message that was looked at and not received.
//
//	Body     []byte
//	Metadata map[string]string
//	Details  Details
type Peeked = driver.Peeked

// Attribute is a typed message attribute. [String], [Number] and [Binary] make them; a
// DataType may carry a label of the application's own, as in "Number.price".
//
//	DataType    string
//	StringValue string
//	BinaryValue []byte
type Attribute = spec.Attribute

// MessageDetails are what a received message tells beyond the portable type: see
// [Details]. Fields that a backend does not know are zero.
//
//	ID             string // message id
//	ReceiptHandle  string // names this delivery
//	ReceiveCount   int    // deliveries so far, this one counted
//	Sent           time.Time
//	FirstReceived  time.Time
//	Group          string // message group id
//	Deduplication  string // deduplication id
//	SequenceNumber string // in a FIFO queue
//
//	// Attributes are the typed attributes as they travelled. Portable metadata
//	// travels as String attributes with escaped names and values, and is found
//	// here in that form.
//	Attributes map[string]spec.Attribute
//
//	// VisibleAt is when the lease of this delivery ends: from then on another
//	// receiver may get the message. It follows changes of the visibility timeout
//	// and is zero once the lease is lost.
//	VisibleAt time.Time
//
//	// TraceHeader is the system attribute AWSTraceHeader.
//	TraceHeader string
//
//	// DeadLetterSource is the queue that gave the message up to this one.
//	DeadLetterSource string
type MessageDetails = driver.Details

// SentMessage is what a backend tells of a message it has sent: see [StoreSent].
//
//	ID             string // message id
//	SequenceNumber string // of a message to a FIFO queue, else ""
type SentMessage = driver.Sent

// ReceiverOptions are what receivers of one queue may differ in.
//
//	// Visibility is the visibility timeout of what is received, 0 to 12 hours; nil
//	// means that of the Queue that the receiver comes from.
//	Visibility *time.Duration
type ReceiverOptions = driver.ReceiverOptions

// RedrivePermission is the kind of a redrive allow policy.
type RedrivePermission = spec.RedrivePermission
