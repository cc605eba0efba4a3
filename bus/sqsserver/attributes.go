package sqsserver

import (
	"errors"
	"slices"

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
		return spec.Missing("Attributes")
	}
	settings, err := spec.ParseQueueSettings(q.Name(), a.attributes, c.server)
	if err != nil {
		return err
	}
	c.server.policies.Lock()
	defer c.server.policies.Unlock()
	return ofPolicy(q.SetAttributes(settings), a.attributes)
}

// ofPolicy returns the error of a redrive policy that the engine refuses with the
// policy as the request had it.
func ofPolicy(err error, attributes map[string]string) error {
	const name = "RedrivePolicy"
	if e, ok := errors.AsType[*spec.Error](err); ok {
		return e.OfValue(attributes[name], name)
	}
	return err
}

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
			return spec.UnknownAttribute(name)
		}
	}
	if len(a.names) == 0 {
		return nil
	}
	all, err := c.attributes(q)
	if err != nil {
		return err
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
var queueAttributeNames = spec.QueueAttributeNames()

// attributes returns all attributes of a queue, by name.
func (c *call) attributes(q *engine.Queue) (map[string]string, error) {
	a, err := q.Attributes()
	if err != nil {
		return nil, err
	}
	all := a.Wire(c.server)
	all[spec.QueueArn] = c.server.ARN(q.Name())
	return all, nil
}
