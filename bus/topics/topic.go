package topics

import (
	"maps"
	"strconv"
	"strings"

	"omnibus/bus/spec"
)

// A topic is one topic as a state machine: its methods take the time, if they
// need it, and return values. It has neither clock nor lock nor goroutine.
type topic struct {
	arn   ARN
	name  string // the ARN as it is written
	fifo  bool
	attrs map[string]string // those that were set
	tags  map[string]string

	// What the attributes mean.
	maxBytes     int
	contentDedup bool // of a FIFO topic
	groupDedup   bool // of a FIFO topic: deduplicates within a group

	// subs are the subscriptions in the order in which they were made. The list
	// and what it holds are never changed, only replaced, so that a publication
	// can go on with the list that it began with.
	subs    []*subscription
	removed []*subscription // those that can be restored
	deleted int             // how many subscriptions have been

	dedup    dedup  // of a FIFO topic
	sequence uint64 // of the latest message of a FIFO topic
}

const (
	defaultMaxBytes = 256 << 10
	minMaxBytes     = 1 << 10

	// maxLargeSubscriptions is how many subscriptions a topic may have whose
	// messages may be larger than the default.
	maxLargeSubscriptions = 100

	maxTopicName   = 256
	maxDisplayName = 100
)

// newTopic makes a topic. attrs are checked and in their normal form.
func newTopic(arn ARN, attrs, tags map[string]string, sequence uint64) *topic {
	t := &topic{
		arn:      arn,
		name:     arn.String(),
		fifo:     spec.IsFIFOName(arn.Resource),
		attrs:    map[string]string{},
		tags:     maps.Clone(tags),
		sequence: sequence,
	}
	maps.Copy(t.attrs, attrs)
	t.apply()
	return t
}

// checkTopicName reports a name that SNS would refuse, and a suffix .fifo that
// does not fit the attribute FifoTopic.
func checkTopicName(name string, fifo bool) error {
	base := strings.TrimSuffix(name, spec.FIFOSuffix)
	ok := base != "" && len(name) <= maxTopicName && fifo == spec.IsFIFOName(name)
	for _, c := range base {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')
	}
	switch {
	case ok:
		return nil
	case fifo:
		return invalid("Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long.")
	}
	return invalid("Topic Name")
}

// apply has the attributes take effect.
func (t *topic) apply() {
	t.contentDedup = t.attrs["ContentBasedDeduplication"] == "true"
	t.groupDedup = t.attrs["FifoThroughputScope"] == "MessageGroup"
	t.maxBytes = defaultMaxBytes
	if n, err := strconv.Atoi(t.attrs["MaximumMessageSize"]); err == nil {
		t.maxBytes = n
	}
}

// set sets one attribute after creation. An empty value removes it.
func (t *topic) set(name, value string) error {
	rule, ok := topicAttributes[name]
	if !ok || rule.creationOnly || rule.fifoOnly && !t.fifo {
		return invalid("AttributeName")
	}
	if value == "" {
		delete(t.attrs, name)
		t.apply()
		return nil
	}
	value, why := rule.check(value)
	if why != "" {
		return invalid("%s: %s", name, why)
	}
	if n, _ := strconv.Atoi(value); name == "MaximumMessageSize" && n > defaultMaxBytes && !t.mayBeLarge() {
		return invalid("MaximumMessageSize: a topic with messages over %d bytes has at most %d subscriptions, all of them of queues", defaultMaxBytes, maxLargeSubscriptions)
	}
	t.attrs[name] = value
	t.apply()
	return nil
}

// mayBeLarge reports whether the subscriptions are such that messages may be
// larger than the default.
func (t *topic) mayBeLarge() bool {
	for _, s := range t.subs {
		if !s.takesLarge() {
			return false
		}
	}
	return len(t.subs) <= maxLargeSubscriptions
}

// sameAs returns an error if creating the topic again would change it.
func (t *topic) sameAs(attrs, tags map[string]string) error {
	for name, value := range attrs {
		if t.attribute(name) != value {
			return invalid("Attributes Reason: Topic already exists with different attributes")
		}
	}
	for key, value := range tags {
		if has, ok := t.tags[key]; !ok || has != value {
			return invalid("Tags Reason: Topic already exists with different tags")
		}
	}
	return nil
}

// attribute returns the value that an attribute has, set or not.
func (t *topic) attribute(name string) string {
	if value, ok := t.attrs[name]; ok {
		return value
	}
	switch name {
	case "FifoTopic", "ContentBasedDeduplication":
		return strconv.FormatBool(name == "FifoTopic" && t.fifo)
	case "SignatureVersion":
		return "1"
	case "TracingConfig":
		return "PassThrough"
	case "FifoThroughputScope":
		return "Topic"
	case "MaximumMessageSize":
		return strconv.Itoa(defaultMaxBytes)
	case "Policy":
		return defaultTopicPolicy(t.name, t.arn.Account)
	}
	return ""
}

// attributes returns what GetTopicAttributes answers.
func (t *topic) attributes() map[string]string {
	all := maps.Clone(t.attrs)
	confirmed := 0
	for _, s := range t.subs {
		if s.confirmed {
			confirmed++
		}
	}
	maps.Copy(all, map[string]string{
		"TopicArn":                t.name,
		"Owner":                   t.arn.Account,
		"DisplayName":             t.attribute("DisplayName"),
		"Policy":                  t.attribute("Policy"),
		"EffectiveDeliveryPolicy": jsonText(t.effectivePolicy()),
		"SubscriptionsConfirmed":  strconv.Itoa(confirmed),
		"SubscriptionsPending":    strconv.Itoa(len(t.subs) - confirmed),
		"SubscriptionsDeleted":    strconv.Itoa(t.deleted),
	})
	if t.fifo {
		all["FifoTopic"] = "true"
		all["ContentBasedDeduplication"] = t.attribute("ContentBasedDeduplication")
	} else {
		delete(all, "FifoTopic")
	}
	return all
}

// tag adds tags, or changes those that are there.
func (t *topic) tag(tags map[string]string) error {
	all := map[string]string{}
	maps.Copy(all, t.tags)
	maps.Copy(all, tags)
	if len(all) > spec.MaxTags {
		return spec.Errorf(TagLimitExceeded, "Could not complete request: tag quota of per resource exceeded")
	}
	if err := checkTags(tags); err != nil {
		return err
	}
	t.tags = all
	return nil
}

// checkTags reports what SQS would refuse too, with the code of SNS.
func checkTags(tags map[string]string) error {
	if err := spec.CheckTags(tags); err != nil {
		_, why, _ := strings.Cut(err.Error(), ": ")
		return invalid("%s", why)
	}
	return nil
}
