package snsserver

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"omnibus/bus/spec"
	"omnibus/bus/topics"
)

// Publish and PublishBatch.
//
// Supported: subjects, typed attributes of any number, message structure json,
// groups and deduplication of FIFO topics, groups for standard queues, the trace
// header, sizes up to the topic's maximum. A batch in which one message is bad
// publishes the others, except where AWS refuses the batch as a whole.
//
// Not as on AWS: there are no text messages to phones and no mobile endpoints.

func (c *call) publish() error {
	arn, err := c.target()
	if err != nil {
		return err
	}
	m, err := c.message("", "")
	if err != nil {
		return err
	}
	p, err := c.server.topics.Publish(arn, c.base(), m)
	if err != nil {
		return err
	}
	c.published(p)
	return nil
}

// target returns the topic to publish to.
func (c *call) target() (string, error) {
	if arn, ok := c.params["TargetArn"]; ok {
		if a, err := topics.ParseARN("TargetArn", arn); err == nil && (a.Service != "sns" || strings.Contains(a.Resource, "/")) {
			return "", invalid("TargetArn Reason: No endpoint found for the target arn specified")
		}
		return c.topicARN("TargetArn")
	}
	if phone, ok := c.params["PhoneNumber"]; ok {
		return "", invalid("PhoneNumber Reason: %.40s is not valid to publish to", phone)
	}
	if _, ok := c.params["TopicArn"]; !ok {
		return "", invalid("TopicArn or TargetArn Reason: no value for required parameter")
	}
	return c.topicARN("TopicArn")
}

// message reads the message whose parameters begin with prefix. member is what
// errors call what it is in.
func (c *call) message(prefix, member string) (topics.Message, error) {
	body, given := c.params[prefix+"Message"]
	if !given {
		return topics.Message{}, missing(member + "message")
	}
	m := topics.Message{
		Body:          body,
		Structured:    c.params[prefix+"MessageStructure"] == "json",
		Group:         c.params[prefix+"MessageGroupId"],
		Deduplication: c.params[prefix+"MessageDeduplicationId"],
		TraceHeader:   c.req.Header.Get("X-Amzn-Trace-Id"),
	}
	if subject, ok := c.params[prefix+"Subject"]; ok {
		m.Subject = &subject
	}
	for _, e := range c.params.elements(prefix + "MessageAttributes.entry") {
		a := spec.NamedAttribute{Name: c.params[e+"Name"]}
		a.StringValue = c.params[e+"Value.StringValue"]
		if a.DataType, given = c.params[e+"Value.DataType"]; !given {
			return m, missing(fmt.Sprintf("%smessageAttributes.%.80s.member.dataType", member, a.Name))
		}
		if blob := c.params[e+"Value.BinaryValue"]; blob != "" {
			var err error
			if a.BinaryValue, err = base64.StdEncoding.DecodeString(blob); err != nil {
				return m, spec.Errorf(topics.ParameterValueInvalid, "The message attribute '%.80s' has a binary value that is not Base64.", a.Name)
			}
		}
		m.Attributes = append(m.Attributes, a)
	}
	return m, nil
}

func (c *call) published(p topics.Published) {
	c.xml.text("MessageId", p.MessageID)
	if p.SequenceNumber != "" {
		c.xml.text("SequenceNumber", p.SequenceNumber)
	}
}

func (c *call) publishBatch() error {
	arn, err := c.topicARN("TopicArn")
	if err != nil {
		return err
	}
	ids, ms, err := c.batch()
	if err != nil {
		return err
	}
	out, errs, err := c.server.topics.PublishBatch(arn, c.base(), ms)
	if err != nil {
		return err
	}
	var good, bad []int
	for i := range ids {
		if errs[i] == nil {
			good = append(good, i)
		} else {
			bad = append(bad, i)
		}
	}
	c.xml.list("Successful", len(good), func(i int) {
		c.xml.text("Id", ids[good[i]])
		c.published(out[good[i]])
	})
	c.xml.list("Failed", len(bad), func(i int) {
		e := asSpecError(errs[bad[i]])
		c.xml.text("Id", ids[bad[i]])
		c.xml.text("Code", string(e.Code))
		c.xml.text("Message", e.Message)
		c.xml.text("SenderFault", "true")
	})
	return nil
}

// batch reads the entries of a batch: 1 to 10 with distinct ids.
func (c *call) batch() (ids []string, ms []topics.Message, err error) {
	const list = "PublishBatchRequestEntries.member"
	entries := c.params.elements(list)
	switch {
	case len(entries) == 0:
		return nil, nil, spec.Errorf(topics.EmptyBatchRequest, "The batch request doesn't contain any entries.")
	case len(entries) > spec.MaxBatchEntries:
		return nil, nil, spec.Errorf(topics.TooManyEntriesInBatchRequest, "The batch request contains more entries than permissible.")
	}
	for i, e := range entries {
		id := c.params[e+"Id"]
		switch {
		case spec.CheckBatchEntryID(id) != nil:
			return nil, nil, spec.Errorf(topics.InvalidBatchEntryID, "The Id of a batch entry in a batch request doesn't abide by the specification.")
		case slices.Contains(ids, id):
			return nil, nil, spec.Errorf(topics.BatchEntryIdsNotDistinct, "Two or more batch entries in the request have the same Id.")
		}
		m, err := c.message(e, fmt.Sprintf("publishBatchRequestEntries.%d.member.", i+1))
		if err != nil {
			return nil, nil, err
		}
		ids, ms = append(ids, id), append(ms, m)
	}
	return ids, ms, nil
}
