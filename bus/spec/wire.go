package spec

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// The names of the attributes that nobody sets, in the order in which SQS answers
// them.
const (
	QueueArn         = "QueueArn"
	visibleCount     = "ApproximateNumberOfMessages"
	inFlightCount    = "ApproximateNumberOfMessagesNotVisible"
	delayedCount     = "ApproximateNumberOfMessagesDelayed"
	createdTimestamp = "CreatedTimestamp"
	changedTimestamp = "LastModifiedTimestamp"
)

// QueueAttributeNames returns the names of all attributes of queues, in the order
// in which SQS answers them.
func QueueAttributeNames() []string {
	names := []string{QueueArn, visibleCount, inFlightCount, delayedCount, createdTimestamp, changedTimestamp}
	for _, a := range settings {
		names = append(names, a.name)
	}
	return names
}

// ParseQueueSettings reads the attributes of a queue as the protocols carry them,
// by name, and reports the first, in the order of names, that SQS would refuse for
// the queue of that name.
func ParseQueueSettings(queue string, wire map[string]string, n Namer) (QueueSettings, error) {
	var s QueueSettings
	for _, name := range slices.Sorted(maps.Keys(wire)) {
		a := findSetting(name)
		if a == nil {
			return s, UnknownAttribute(name)
		}
		if err := a.checkType(IsFIFOName(queue)); err != nil {
			return s, err
		}
		if err := a.parse(&s, wire[name], n); err != nil {
			return s, err
		}
		if err := a.check(&s); err != nil {
			return s, ofValues(err, wire)
		}
	}
	return s, ofValues(s.CheckFor(queue), wire)
}

// ofValues returns the error with the value in its text as the request had it.
func ofValues(err error, wire map[string]string) error {
	if e, ok := err.(*Error); ok {
		return e.OfValue(wire[redrivePolicy], redrivePolicy)
	}
	return err
}

// Wire returns the settings that are given as the protocols carry them, by name.
// Its caller has checked them with [QueueSettings.CheckFor] and
// [QueueSettings.CheckWholeSeconds].
func (s QueueSettings) Wire(n Namer) map[string]string {
	wire := map[string]string{}
	for _, a := range settings {
		if a.given(&s) && (a.name != fifoQueue || *s.FIFO) { // of a standard queue SQS refuses it
			wire[a.name] = a.format(&s, n)
		}
	}
	maps.Copy(wire, s.Kept) // with defaults, and with what is to be removed
	return wire
}

// Wire returns the attributes as SQS answers them, by name, but for the ARN.
// Durations are rounded down to whole seconds.
func (a QueueAttributes) Wire(n Namer) map[string]string {
	for _, d := range []*time.Duration{&a.Delay, &a.Visibility, &a.Retention, &a.Wait} {
		*d = d.Truncate(time.Second)
	}
	s := a.Settings()
	wire := map[string]string{
		visibleCount: strconv.Itoa(a.Visible), inFlightCount: strconv.Itoa(a.InFlight), delayedCount: strconv.Itoa(a.Delayed),
		createdTimestamp: strconv.FormatInt(a.Created.Unix(), 10), changedTimestamp: strconv.FormatInt(a.Modified.Unix(), 10),
	}
	for _, x := range settings {
		if text := x.format(&s, n); text != "" {
			wire[x.name] = text
		}
	}
	if a.Kept[kmsKey] == "" {
		delete(wire, kmsReusePeriod)
	}
	for name, value := range keptDefaults {
		if _, has := wire[name]; !has && findSetting(name).checkType(a.FIFO) == nil {
			wire[name] = value
		}
	}
	return wire
}

// ParseQueueAttributes reads attributes as SQS answers them. What is not there is
// zero. It leaves out values that it cannot read, as other endpoints have them, and
// returns those by name; it does not hold an endpoint to the ranges of AWS.
func ParseQueueAttributes(wire map[string]string, n Namer) (a QueueAttributes, odd map[string]string) {
	var s QueueSettings
	leaveOut := func(name string) {
		if odd == nil {
			odd = map[string]string{}
		}
		odd[name] = wire[name]
	}
	for _, x := range settings {
		if text, ok := wire[x.name]; ok && x.parse(&s, text, n) != nil {
			leaveOut(x.name)
		}
	}
	a.Set(s)
	number := func(name string) int64 {
		text, ok := wire[name]
		i, err := strconv.ParseInt(text, 10, 64)
		if ok && err != nil {
			leaveOut(name)
		}
		return i
	}
	a.Visible, a.InFlight, a.Delayed = int(number(visibleCount)), int(number(inFlightCount)), int(number(delayedCount))
	for name, at := range map[string]*time.Time{createdTimestamp: &a.Created, changedTimestamp: &a.Modified} {
		if seconds := number(name); seconds != 0 {
			*at = time.Unix(seconds, 0)
		}
	}
	return a, odd
}
