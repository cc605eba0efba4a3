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

	// Kept are attributes that a queue keeps for its owner, by their SQS names:
	// Policy, KmsMasterKeyId, KmsDataKeyReusePeriodSeconds, SqsManagedSseEnabled
	// and FifoThroughputLimit. In memory they have no effect. An empty value
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

// Merge returns s with what over gives in the place of what s gives. Of Kept it
// merges the entries. It changes neither.
func (s QueueSettings) Merge(over QueueSettings) QueueSettings {
	merged := QueueSettings{}
	for _, from := range []*QueueSettings{&s, &over} {
		for _, a := range settings {
			if a.given(from) {
				a.copy(&merged, from)
			}
		}
		for name, value := range from.Kept {
			setKept(&merged, name, value) // those too that Check will refuse
		}
	}
	return merged
}

// Check reports the first value that SQS would refuse for every queue.
func (s QueueSettings) Check() error {
	for _, a := range settings {
		if a.given(&s) {
			if err := a.check(&s); err != nil {
				return err
			}
		}
	}
	return checkKeptNames(s.Kept)
}

// CheckFor reports the first value that SQS would refuse for the queue of that
// name: what [QueueSettings.Check] reports, attributes of FIFO queues for a
// standard one, and a dead-letter queue of the other type. It takes a FIFO that
// is as the name says.
func (s QueueSettings) CheckFor(queue string) error {
	if err := s.Check(); err != nil {
		return err
	}
	fifo := IsFIFOName(queue)
	if s.FIFO != nil && *s.FIFO != fifo {
		err := badAttribute(fifoQueue, "Modifying queue type is not supported.")
		err.Detail = "the names of FIFO queues, and no others, end in " + FIFOSuffix
		return err
	}
	for _, a := range settings {
		if a.given(&s) && a.name != fifoQueue {
			if err := a.checkType(fifo); err != nil {
				return err
			}
		}
	}
	if d := s.DeadLetter; d != nil && *d != (DeadLetter{}) && IsFIFOName(d.Queue) != fifo {
		return InvalidParameter(d.text(), redrivePolicy, "Dead-letter queue must be same type of queue as the source.")
	}
	return nil
}

// CheckWholeSeconds reports the first duration that has a fraction of a second,
// which the SQS protocols cannot carry.
func (s QueueSettings) CheckWholeSeconds() error {
	for _, d := range []struct {
		name  string
		value *time.Duration
	}{
		{"DelaySeconds", s.Delay}, {"VisibilityTimeout", s.Visibility},
		{"MessageRetentionPeriod", s.Retention}, {"ReceiveMessageWaitTimeSeconds", s.Wait},
	} {
		if d.value != nil {
			if err := CheckWholeSeconds(d.name, *d.value); err != nil {
				return err
			}
		}
	}
	return nil
}

// Differs returns the SQS name of the first attribute given that is not as the
// queue with the attributes a has it, with both values; "" if there is none.
func (s QueueSettings) Differs(a QueueAttributes) (name, has, given string) {
	now := a.Settings()
	for _, x := range settings {
		if !x.given(&s) || x.name == fifoQueue { // which the name says already
			continue
		}
		if has, given = x.format(&now, sameNames{}), x.format(&s, sameNames{}); has != given {
			return x.name, has, given
		}
	}
	return "", "", ""
}
