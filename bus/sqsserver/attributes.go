package sqsserver

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// GetQueueAttributes and SetQueueAttributes.
//
// Supported: all attributes that SQS has, All among the names. The counts are
// exact, at any time. A redrive allow policy is enforced.
//
// Not as on AWS: Policy, KmsMasterKeyId, KmsDataKeyReusePeriodSeconds and
// SqsManagedSseEnabled are kept and given back, and have no effect: nothing is
// encrypted and everybody may do everything. FifoThroughputLimit has no effect
// either, since nothing is throttled. A changed attribute holds at once instead
// of within a minute, and 15 for the retention period.

type setQueueAttributes struct {
	queueURL   string
	attributes map[string]string
}

func (a *setQueueAttributes) member(name []byte, r *jsonReader) {
	switch string(name) {
	case "QueueUrl":
		a.queueURL = r.text()
	case "Attributes":
		a.attributes = r.textMap()
	default:
		r.skip()
	}
}

func (a *setQueueAttributes) run(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	if len(a.attributes) == 0 {
		return missing("Attributes")
	}
	if v, ok := a.attributes["FifoQueue"]; ok && spec.IsFIFOName(q.Name()) && !isTrue(v) {
		return spec.Errorf(spec.InvalidAttributeValue, "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.")
	}
	c.server.policies.Lock()
	defer c.server.policies.Unlock()
	_, kept, err := q.Policies()
	if err != nil {
		return gone(err)
	}
	settings, err := c.settings(q.Name(), a.attributes, kept)
	if err != nil {
		return err
	}
	return gone(q.SetAttributes(settings))
}

// settings reads queue attributes as the protocols carry them. kept is what the
// queue keeps already.
func (c *call) settings(queue string, attributes, kept map[string]string) (spec.QueueSettings, error) {
	s := spec.QueueSettings{Kept: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		value := attributes[name]
		if err := c.setting(&s, queue, name, value); err != nil {
			return s, err
		}
		// What is refused now is this attribute.
		if err := s.Check(); err != nil {
			return s, invalidAttribute(name, asSpecError(err).Message)
		}
	}
	now := maps.Clone(kept)
	if now == nil {
		now = map[string]string{}
	}
	maps.Copy(now, s.Kept)
	if isTrue(attributes["SqsManagedSseEnabled"]) && now["KmsMasterKeyId"] != "" {
		return s, spec.Errorf(spec.InvalidAttributeName, "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.")
	}
	if s.Kept["KmsMasterKeyId"] != "" {
		s.Kept["SqsManagedSseEnabled"] = "false" // and it stays so when the key is taken away
	}
	if now["FifoThroughputLimit"] == "perMessageGroupId" && s.GroupDeduplication != nil && !*s.GroupDeduplication {
		return s, invalidAttribute("FifoThroughputLimit", "perMessageGroupId is allowed only when DeduplicationScope is messageGroup.")
	}
	return s, nil
}

// setting reads one attribute into s.
func (c *call) setting(s *spec.QueueSettings, queue, name, value string) error {
	fifo := spec.IsFIFOName(queue)
	var err error
	switch name {
	case "DelaySeconds":
		s.Delay, err = seconds(name, value)
	case "VisibilityTimeout":
		s.Visibility, err = seconds(name, value)
	case "MessageRetentionPeriod":
		s.Retention, err = seconds(name, value)
	case "ReceiveMessageWaitTimeSeconds":
		s.Wait, err = seconds(name, value)
	case "MaximumMessageSize":
		s.MaxMessageBytes, err = integer(name, value)
	case "RedrivePolicy":
		s.DeadLetter, err = c.redrivePolicy(queue, value)
	case "RedriveAllowPolicy":
		s.DeadLetterSources, err = c.redriveAllowPolicy(value)
	case "Policy":
		if value != "" && !json.Valid([]byte(value)) {
			return invalidAttribute(name, "")
		}
		s.Kept[name] = value
	case "KmsMasterKeyId":
		s.Kept[name] = value
	case "KmsDataKeyReusePeriodSeconds":
		if n, err := integer(name, value); err != nil || *n < 60 || *n > 86_400 {
			return invalidAttribute(name, "")
		}
		s.Kept[name] = value
	case "SqsManagedSseEnabled":
		var b *bool
		if b, err = boolean(name, value); err == nil {
			s.Kept[name] = unlessDefault(strconv.FormatBool(*b), "true")
		}
	case "FifoQueue", "ContentBasedDeduplication":
		if !fifo {
			return unknownAttribute(name)
		}
		return fifoSetting(s, name, value)
	case "DeduplicationScope", "FifoThroughputLimit":
		if !fifo {
			return spec.Errorf(spec.InvalidAttributeName, "You can specify the %s only when FifoQueue is set to true.", name)
		}
		return fifoSetting(s, name, value)
	default:
		return unknownAttribute(name)
	}
	return err
}

// fifoSetting reads an attribute that only FIFO queues have.
func fifoSetting(s *spec.QueueSettings, name, value string) error {
	var err error
	switch name {
	case "FifoQueue":
		s.FIFO, err = boolean(name, value)
	case "ContentBasedDeduplication":
		s.ContentBasedDeduplication, err = boolean(name, value)
	case "DeduplicationScope":
		if value != "queue" && value != "messageGroup" {
			return invalidAttribute(name, "")
		}
		s.GroupDeduplication = new(value == "messageGroup")
	case "FifoThroughputLimit":
		if value != "perQueue" && value != "perMessageGroupId" {
			return invalidAttribute(name, "")
		}
		s.Kept[name] = unlessDefault(value, "perQueue")
	}
	return err
}

// unlessDefault returns what is kept of a value: nothing of the default, which a
// queue that was never given one has as well.
func unlessDefault(value, byDefault string) string {
	if value == byDefault {
		return ""
	}
	return value
}

func unknownAttribute(name string) error {
	return spec.Errorf(spec.InvalidAttributeName, "Unknown Attribute %.200s.", name)
}

func invalidAttribute(name, reason string) error {
	if reason == "" {
		return spec.Errorf(spec.InvalidAttributeValue, "Invalid value for the parameter %s.", name)
	}
	return spec.Errorf(spec.InvalidAttributeValue, "Invalid value for the parameter %s. Reason: %s", name, reason)
}

func integer(name, value string) (*int, error) {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		return nil, invalidAttribute(name, "")
	}
	return new(int(n)), nil
}

func seconds(name, value string) (*time.Duration, error) {
	n, err := integer(name, value)
	if err != nil {
		return nil, err
	}
	return new(time.Duration(*n) * time.Second), nil
}

func boolean(name, value string) (*bool, error) {
	switch {
	case isTrue(value):
		return new(true), nil
	case value == "false", value == "FALSE", value == "False":
		return new(false), nil
	}
	return nil, invalidAttribute(name, "")
}

func isTrue(value string) bool { return value == "true" || value == "TRUE" || value == "True" }

type getQueueAttributes struct {
	queueURL   string
	names      []string
	attributes [][2]string
}

func (a *getQueueAttributes) member(name []byte, r *jsonReader) {
	switch string(name) {
	case "QueueUrl":
		a.queueURL = r.text()
	case "AttributeNames":
		a.names = r.texts()
	default:
		r.skip()
	}
}

func (a *getQueueAttributes) run(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	for _, name := range a.names {
		if name != "All" && !slices.Contains(queueAttributeNames, name) {
			return unknownAttribute(name)
		}
	}
	if len(a.names) == 0 {
		return nil
	}
	all, err := c.attributes(q)
	if err != nil {
		return gone(err)
	}
	for _, name := range queueAttributeNames {
		value, ok := all[name]
		if ok && (slices.Contains(a.names, "All") || slices.Contains(a.names, name)) {
			a.attributes = append(a.attributes, [2]string{name, value})
		}
	}
	return nil
}

func (a *getQueueAttributes) answer(w writer) {
	if len(a.attributes) == 0 {
		return
	}
	w.beginMap("Attributes")
	for _, attr := range a.attributes {
		w.textEntry("Attribute", "Name", attr[0], attr[1])
	}
	w.endMap()
}

// queueAttributeNames are all attributes of queues, in the order in which they
// are answered.
var queueAttributeNames = []string{
	"QueueArn",
	"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed",
	"CreatedTimestamp", "LastModifiedTimestamp",
	"VisibilityTimeout", "MaximumMessageSize", "MessageRetentionPeriod", "DelaySeconds", "ReceiveMessageWaitTimeSeconds",
	"Policy", "RedrivePolicy", "RedriveAllowPolicy",
	"FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit",
	"KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled",
}

// attributes returns all attributes of a queue, by name.
func (c *call) attributes(q *engine.Queue) (map[string]string, error) {
	a, err := q.Attributes()
	if err != nil {
		return nil, err
	}
	sources, kept, err := q.Policies()
	if err != nil {
		return nil, err
	}
	wholeSeconds := func(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
	all := map[string]string{
		"QueueArn":                              c.server.arn(q.Name()),
		"ApproximateNumberOfMessages":           strconv.Itoa(a.Visible),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(a.InFlight),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(a.Delayed),
		"CreatedTimestamp":                      strconv.FormatInt(a.Created.Unix(), 10),
		"LastModifiedTimestamp":                 strconv.FormatInt(a.Modified.Unix(), 10),
		"VisibilityTimeout":                     wholeSeconds(a.Visibility),
		"MaximumMessageSize":                    strconv.Itoa(a.MaxMessageBytes),
		"MessageRetentionPeriod":                wholeSeconds(a.Retention),
		"DelaySeconds":                          wholeSeconds(a.Delay),
		"ReceiveMessageWaitTimeSeconds":         wholeSeconds(a.Wait),
		"SqsManagedSseEnabled":                  strconv.FormatBool(kept["KmsMasterKeyId"] == ""),
	}
	if a.FIFO {
		all["FifoQueue"] = "true"
		all["ContentBasedDeduplication"] = strconv.FormatBool(a.ContentBasedDeduplication)
		all["DeduplicationScope"] = "queue"
		if a.GroupDeduplication {
			all["DeduplicationScope"] = "messageGroup"
		}
		all["FifoThroughputLimit"] = "perQueue"
	}
	if a.DeadLetter != (spec.DeadLetter{}) {
		all["RedrivePolicy"] = c.redrivePolicyText(a.DeadLetter)
	}
	if sources.Permission != "" {
		all["RedriveAllowPolicy"] = c.redriveAllowPolicyText(sources)
	}
	maps.Copy(all, kept)
	if kept["KmsMasterKeyId"] == "" {
		delete(all, "KmsDataKeyReusePeriodSeconds")
	}
	return all, nil
}
