package spec

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// QueueAttributes are the attributes of a queue: what its owner set, and what the
// queue itself counts.
type QueueAttributes struct {
	Delay                     time.Duration
	Visibility                time.Duration
	Retention                 time.Duration
	Wait                      time.Duration
	MaxMessageBytes           int
	FIFO                      bool
	ContentBasedDeduplication bool
	GroupDeduplication        bool
	DeadLetter                DeadLetter        // zero without a redrive policy
	DeadLetterSources         DeadLetterSources // zero without a redrive allow policy
	Kept                      map[string]string // as in QueueSettings; without those that have their default

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

// Settings returns the settings with which a queue has these attributes: all are
// given, those of FIFO queues for a FIFO queue only.
func (a QueueAttributes) Settings() QueueSettings {
	s := QueueSettings{
		Delay: &a.Delay, Visibility: &a.Visibility, Retention: &a.Retention, Wait: &a.Wait, MaxMessageBytes: &a.MaxMessageBytes,
		DeadLetter: &a.DeadLetter, DeadLetterSources: &a.DeadLetterSources, Kept: maps.Clone(a.Kept),
	}
	if a.FIFO {
		s.FIFO, s.ContentBasedDeduplication, s.GroupDeduplication = &a.FIFO, &a.ContentBasedDeduplication, &a.GroupDeduplication
	}
	return s
}

// Set changes the attributes that s gives. The caller has checked them.
func (a *QueueAttributes) Set(s QueueSettings) {
	give(&a.Delay, s.Delay)
	give(&a.Visibility, s.Visibility)
	give(&a.Retention, s.Retention)
	give(&a.Wait, s.Wait)
	give(&a.MaxMessageBytes, s.MaxMessageBytes)
	give(&a.FIFO, s.FIFO)
	give(&a.ContentBasedDeduplication, s.ContentBasedDeduplication)
	give(&a.GroupDeduplication, s.GroupDeduplication)
	give(&a.DeadLetter, s.DeadLetter)
	give(&a.DeadLetterSources, s.DeadLetterSources)
	a.DeadLetterSources.Queues = slices.Clone(a.DeadLetterSources.Queues)
	a.Kept = keep(a.Kept, s.Kept)
}

func give[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// CheckDelay reports a message's delay outside 0 to 15 minutes.
func CheckDelay(d time.Duration) error {
	if d < 0 || d > MaxDelay {
		return InvalidParameter(SecondsText(d), "DelaySeconds", "DelaySeconds must be >= 0 and <= "+SecondsText(MaxDelay)+".")
	}
	return nil
}

// CheckVisibility reports a visibility timeout to receive with that is outside 0
// to 12 hours.
func CheckVisibility(d time.Duration) error {
	if d < 0 || d > MaxVisibility {
		return InvalidParameter(SecondsText(d), "VisibilityTimeout", "Must be >= 0 and <= "+SecondsText(MaxVisibility)+", if provided.")
	}
	return nil
}

// CheckVisibilityChange reports a visibility timeout to be changed to that is
// outside 0 to 12 hours.
func CheckVisibilityChange(d time.Duration) error {
	if d < 0 || d > MaxVisibility {
		return InvalidParameter(SecondsText(d), "VisibilityTimeout", "VisibilityTimeout must be an integer between 0 and "+SecondsText(MaxVisibility)+".")
	}
	return nil
}

// HiddenTooLong returns the error of a visibility timeout that would hide a
// message for over 12 hours since its receive, which was that long ago.
func HiddenTooLong(d, ago time.Duration) *Error {
	e := InvalidParameter(SecondsText(d), "VisibilityTimeout", "Total VisibilityTimeout for the message is beyond the limit ["+SecondsText(MaxVisibility)+" seconds].")
	return e.detail("it was received %v ago", ago)
}

// CheckWait reports a receive's wait outside 0 to 20 seconds.
func CheckWait(d time.Duration) error {
	if d < 0 || d > MaxWait {
		return InvalidParameter(SecondsText(d), "WaitTimeSeconds", "Must be >= 0 and <= "+SecondsText(MaxWait)+", if provided.")
	}
	return nil
}

// CheckMaxMessages reports a number of messages to receive outside 1 to 10.
func CheckMaxMessages(n int) error {
	if n < 1 || n > MaxBatchEntries {
		return InvalidParameter(strconv.Itoa(n), "MaxNumberOfMessages", "Must be between 1 and "+strconv.Itoa(MaxBatchEntries)+", if provided.")
	}
	return nil
}

// CheckWholeSeconds reports a duration that has a fraction of a second, which
// the SQS protocols cannot carry.
func CheckWholeSeconds(name string, d time.Duration) error {
	if d%time.Second != 0 {
		return Errorf(InvalidParameterValue, "%s %v has a fraction of a second; SQS counts whole seconds", name, d)
	}
	return nil
}
