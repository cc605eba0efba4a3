package engine

import (
	"cmp"
	"fmt"
	"time"

	"omnibus/bus/spec"
)

// set changes the attributes given. The caller has checked their ranges.
func (q *queue) set(s spec.QueueSettings) error {
	if s.FIFO != nil && *s.FIFO != q.attrs.FIFO {
		return spec.Errorf(spec.InvalidAttributeValue, "FifoQueue %t does not fit the name %s: the names of FIFO queues, and no others, end in %s", *s.FIFO, q.name, spec.FIFOSuffix)
	}
	if s.ContentBasedDeduplication != nil && !q.attrs.FIFO {
		return spec.Errorf(spec.InvalidAttributeName, "ContentBasedDeduplication is for FIFO queues only; %s is a standard queue", q.name)
	}
	if s.GroupDeduplication != nil && !q.attrs.FIFO {
		return spec.Errorf(spec.InvalidAttributeName, "DeduplicationScope is for FIFO queues only; %s is a standard queue", q.name)
	}
	if d := s.DeadLetter; d != nil && *d != (spec.DeadLetter{}) && spec.IsFIFOName(d.Queue) != q.attrs.FIFO {
		return spec.Errorf(spec.InvalidAttributeValue, "dead-letter queue %s is not of the type of %s: both must be FIFO or both standard", d.Queue, q.name)
	}
	give(&q.attrs.Delay, s.Delay)
	give(&q.attrs.Visibility, s.Visibility)
	give(&q.attrs.Retention, s.Retention)
	give(&q.attrs.Wait, s.Wait)
	give(&q.attrs.MaxMessageBytes, s.MaxMessageBytes)
	give(&q.attrs.ContentBasedDeduplication, s.ContentBasedDeduplication)
	give(&q.attrs.GroupDeduplication, s.GroupDeduplication)
	give(&q.attrs.DeadLetter, s.DeadLetter)
	give(&q.sources, s.DeadLetterSources)
	q.kept = keep(q.kept, s.Kept)
	q.attrs.Modified = time.Unix(0, q.now)
	return nil
}

// differs names the first attribute given that is not as the queue has it, with
// both values, or returns "".
func (q *queue) differs(s spec.QueueSettings) string {
	a := q.attrs
	return cmp.Or(
		unlike("DelaySeconds", a.Delay, s.Delay),
		unlike("VisibilityTimeout", a.Visibility, s.Visibility),
		unlike("MessageRetentionPeriod", a.Retention, s.Retention),
		unlike("ReceiveMessageWaitTimeSeconds", a.Wait, s.Wait),
		unlike("MaximumMessageSize", a.MaxMessageBytes, s.MaxMessageBytes),
		unlike("FifoQueue", a.FIFO, s.FIFO),
		unlike("ContentBasedDeduplication", a.ContentBasedDeduplication, s.ContentBasedDeduplication),
		unlike("DeduplicationScope", a.GroupDeduplication, s.GroupDeduplication),
		unlike("RedrivePolicy", a.DeadLetter, s.DeadLetter),
		unlikeSources(q.sources, s.DeadLetterSources),
		unlikeKept(q.kept, s.Kept),
	)
}

func unlike[T comparable](name string, has T, given *T) string {
	if given == nil || *given == has {
		return ""
	}
	return fmt.Sprintf("%s %v, not %v", name, has, *given)
}

func give[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}
