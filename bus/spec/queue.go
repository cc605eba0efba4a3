package spec

import "time"

// QueueSettings are the attributes of a queue that its owner can set. A nil
// field is not given: creating a queue takes the default, changing one leaves
// the attribute as it is, and creating one that exists does not compare it.
type QueueSettings struct {
	Delay           *time.Duration // DelaySeconds: 0 to 15 min, default 0
	Visibility      *time.Duration // VisibilityTimeout: 0 to 12 h, default 30 s
	Retention       *time.Duration // MessageRetentionPeriod: 1 min to 14 days, default 4 days
	Wait            *time.Duration // ReceiveMessageWaitTimeSeconds: 0 to 20 s, default 0
	MaxMessageBytes *int           // MaximumMessageSize: 1,024 to 1,048,576 bytes, default the most
	FIFO            *bool          // FifoQueue: set at creation only, and as the name's suffix says

	// ContentBasedDeduplication derives the deduplication id of messages
	// without one from the SHA-256 of their bodies. FIFO queues only.
	ContentBasedDeduplication *bool

	// GroupDeduplication has messages deduplicated within their group instead of
	// in the whole queue: DeduplicationScope "messageGroup". FIFO queues only.
	GroupDeduplication *bool

	// DeadLetter is the redrive policy. The zero value of the struct it points
	// to removes the policy.
	DeadLetter *DeadLetter

	// DeadLetterSources is the redrive allow policy. The zero value of the
	// struct it points to removes the policy.
	DeadLetterSources *DeadLetterSources

	// Kept are attributes by their SQS names that a queue keeps for its owner
	// and that have no effect, such as Policy and KmsMasterKeyId. An empty value
	// removes one.
	Kept map[string]string
}

// DeadLetterSources says which queues may name this one as their dead-letter
// queue: a RedriveAllowPolicy.
type DeadLetterSources struct {
	Permission RedrivePermission // "" means all, as without a policy
	Queues     []string          // names, with RedriveByQueue: 1 to 10
}

// A RedrivePermission is the kind of a redrive allow policy.
type RedrivePermission string

// The kinds of redrive allow policies.
const (
	RedriveAllowAll RedrivePermission = "allowAll"
	RedriveDenyAll  RedrivePermission = "denyAll"
	RedriveByQueue  RedrivePermission = "byQueue"
)

// A DeadLetter is a queue's redrive policy: a message received MaxReceives
// times without being deleted moves to the queue named Queue at the next
// receive.
type DeadLetter struct {
	Queue       string // name of a queue of the same type, FIFO or standard
	MaxReceives int    // maxReceiveCount: 1 to 1,000
}

// Check reports the first value out of its range.
func (s QueueSettings) Check() error {
	for _, r := range []struct {
		name     string
		value    *time.Duration
		min, max time.Duration
	}{
		{"DelaySeconds", s.Delay, 0, MaxDelay},
		{"VisibilityTimeout", s.Visibility, 0, MaxVisibility},
		{"MessageRetentionPeriod", s.Retention, MinRetention, MaxRetention},
		{"ReceiveMessageWaitTimeSeconds", s.Wait, 0, MaxWait},
	} {
		if r.value != nil {
			if err := checkRange(InvalidAttributeValue, r.name, *r.value, r.min, r.max); err != nil {
				return err
			}
		}
	}
	if n := s.MaxMessageBytes; n != nil && (*n < MinMessageBytesLimit || *n > MaxMessageBytes) {
		return Errorf(InvalidAttributeValue, "MaximumMessageSize %d is out of range; allowed are %d to %d bytes", *n, MinMessageBytesLimit, MaxMessageBytes)
	}
	if d := s.DeadLetter; d != nil && *d != (DeadLetter{}) {
		if err := CheckQueueName(d.Queue); err != nil {
			return err
		}
		if d.MaxReceives < MinReceives || d.MaxReceives > MaxReceives {
			return Errorf(InvalidAttributeValue, "maxReceiveCount %d is out of range; allowed are %d to %d", d.MaxReceives, MinReceives, MaxReceives)
		}
	}
	if d := s.DeadLetterSources; d != nil {
		return d.check()
	}
	return nil
}

func (d DeadLetterSources) check() error {
	switch d.Permission {
	case "", RedriveAllowAll, RedriveDenyAll:
		if len(d.Queues) > 0 {
			return Errorf(InvalidAttributeValue, "redrivePermission %q takes no source queues; only %s does", d.Permission, RedriveByQueue)
		}
	case RedriveByQueue:
		if n := len(d.Queues); n < 1 || n > 10 {
			return Errorf(InvalidAttributeValue, "redrivePermission %s names %d source queues; allowed are 1 to 10", RedriveByQueue, n)
		}
	default:
		return Errorf(InvalidAttributeValue, "redrivePermission %q is unknown; allowed are %s, %s and %s", d.Permission, RedriveAllowAll, RedriveDenyAll, RedriveByQueue)
	}
	return nil
}

// CheckDelay reports a message's delay outside 0 to 15 minutes.
func CheckDelay(d time.Duration) error {
	return checkRange(InvalidParameterValue, "DelaySeconds", d, 0, MaxDelay)
}

// CheckVisibility reports a visibility timeout outside 0 to 12 hours.
func CheckVisibility(d time.Duration) error {
	return checkRange(InvalidParameterValue, "VisibilityTimeout", d, 0, MaxVisibility)
}

// CheckWait reports a receive's wait outside 0 to 20 seconds.
func CheckWait(d time.Duration) error {
	return checkRange(InvalidParameterValue, "WaitTimeSeconds", d, 0, MaxWait)
}

// CheckWholeSeconds reports a duration that has a fraction of a second, which
// the SQS protocols cannot carry.
func CheckWholeSeconds(name string, d time.Duration) error {
	if d%time.Second != 0 {
		return Errorf(InvalidParameterValue, "%s %v has a fraction of a second; SQS counts whole seconds", name, d)
	}
	return nil
}

func checkRange(code Code, name string, d, min, max time.Duration) error {
	if d < min || d > max {
		return Errorf(code, "%s %v is out of range; allowed are %d to %d seconds", name, d, int(min/time.Second), int(max/time.Second))
	}
	return nil
}

// QueueAttributes are the attributes of a queue: what its owner set, except the
// redrive allow policy and what is only kept, and what the queue itself counts.
type QueueAttributes struct {
	Delay                     time.Duration
	Visibility                time.Duration
	Retention                 time.Duration
	Wait                      time.Duration
	MaxMessageBytes           int
	FIFO                      bool
	ContentBasedDeduplication bool
	GroupDeduplication        bool
	DeadLetter                DeadLetter // zero without a redrive policy

	Counts
	Created  time.Time
	Modified time.Time // when the settings last changed
}

// Counts are the numbers of messages a queue holds, by state. SQS calls them
// approximate; the engine's are exact.
type Counts struct {
	Visible  int // ApproximateNumberOfMessages: a receive would find them
	InFlight int // ApproximateNumberOfMessagesNotVisible: received, not yet deleted
	Delayed  int // ApproximateNumberOfMessagesDelayed: sent, not yet visible

	// OldestAge is the age of the oldest message in any state, 0 when there is
	// none or the backend does not tell. On AWS it is the CloudWatch metric
	// ApproximateAgeOfOldestMessage, not an attribute.
	OldestAge time.Duration
}
