package snsserver

import (
	"maps"
	"slices"

	"omnibus/bus/topics"
)

// CreateTopic, DeleteTopic, ListTopics, GetTopicAttributes and
// SetTopicAttributes.
//
// Supported: creation with attributes and tags, which gives the existing topic
// when none given differs; standard and FIFO topics; all attributes that AWS has,
// of which those of archives, encryption, tracing and delivery logs have no
// effect; deletion of what does not exist; pages of a hundred.
//
// Not as on AWS: the data protection policy is not taken, and topics of another
// account are there for everybody.

func (c *call) createTopic() error {
	name, given := c.params["Name"]
	if !given {
		return missing("name")
	}
	tags, err := c.tags()
	if err != nil {
		return err
	}
	arn := c.arn(name)
	if err := c.server.topics.CreateTopic(arn, c.params.attributes(), tags); err != nil {
		return err
	}
	c.xml.text("TopicArn", arn.String())
	return nil
}

func (c *call) deleteTopic() error {
	arn, err := c.topicARN("TopicArn")
	if err != nil {
		return err
	}
	return c.server.topics.DeleteTopic(arn)
}

func (c *call) listTopics() error {
	arns, next, err := page(c, c.server.topics.Topics(c.arnPrefix()), func(arn string) string { return arn })
	if err != nil {
		return err
	}
	c.xml.list("Topics", len(arns), func(i int) { c.xml.text("TopicArn", arns[i]) })
	c.nextToken(next)
	return nil
}

func (c *call) nextToken(next string) {
	if next != "" {
		c.xml.text("NextToken", next)
	}
}

func (c *call) getTopicAttributes() error {
	arn, err := c.topicARN("TopicArn")
	if err != nil {
		return err
	}
	attrs, err := c.server.topics.TopicAttributes(arn)
	if err != nil {
		return err
	}
	c.xml.attributes(attrs)
	return nil
}

func (c *call) setTopicAttributes() error {
	arn, err := c.topicARN("TopicArn")
	if err != nil {
		return err
	}
	name, given := c.params["AttributeName"]
	if !given {
		return missing("attributeName")
	}
	return c.server.topics.SetTopicAttribute(arn, name, c.params["AttributeValue"])
}

// ListTagsForResource, TagResource and UntagResource.
//
// Supported: 50 tags a topic, with keys of 128 and values of 256 characters, of
// those that AWS allows, and no key that begins with aws:.

// tags returns the parameter Tags.
func (c *call) tags() (map[string]string, error) {
	tags := map[string]string{}
	for _, prefix := range c.params.elements("Tags.member") {
		key := c.params[prefix+"Key"]
		if _, there := tags[key]; there {
			return nil, invalid("Duplicated keys are not allowed.")
		}
		tags[key] = c.params[prefix+"Value"]
	}
	return tags, nil
}

func (c *call) listTagsForResource() error {
	arn, err := c.topicARN("ResourceArn")
	if err != nil {
		return err
	}
	tags, err := c.server.topics.Tags(arn)
	if err != nil {
		return err
	}
	keys := slices.Sorted(maps.Keys(tags))
	c.xml.list("Tags", len(keys), func(i int) {
		c.xml.text("Key", keys[i])
		c.xml.text("Value", tags[keys[i]])
	})
	return nil
}

func (c *call) tagResource() error {
	arn, err := c.topicARN("ResourceArn")
	if err != nil {
		return err
	}
	tags, err := c.tags()
	if err != nil {
		return err
	}
	return c.server.topics.Tag(arn, tags)
}

func (c *call) untagResource() error {
	arn, err := c.topicARN("ResourceArn")
	if err != nil {
		return err
	}
	return c.server.topics.Untag(arn, c.params.texts("TagKeys.member"))
}

var _ topics.Signer = (*signer)(nil)
