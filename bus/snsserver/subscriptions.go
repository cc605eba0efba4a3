package snsserver

import (
	"fmt"
	"strings"

	"omnibus/bus/topics"
)

// Subscribe, ConfirmSubscription, Unsubscribe, ListSubscriptions,
// ListSubscriptionsByTopic, GetSubscriptionAttributes and
// SetSubscriptionAttributes.
//
// Supported: queues, of the caller's account confirmed at once, of another after
// a document to it was confirmed; endpoints over HTTP on loopback addresses, with
// the documents to confirm, retries and content types of AWS; filter policies,
// raw delivery, dead-letter queues; links to confirm and to unsubscribe, by GET;
// pages of a hundred.
//
// Not as on AWS: endpoints of other protocols and on other addresses stay pending
// and get nothing. A request for another account's subscription is not refused.

func (c *call) subscribe() error {
	arn, err := c.topicARN("TopicArn")
	if err != nil {
		return err
	}
	protocol, given := c.params["Protocol"]
	if !given {
		return missing("protocol")
	}
	s, err := c.server.topics.Subscribe(topics.SubscribeRequest{
		TopicARN: arn, Protocol: protocol, Endpoint: c.params["Endpoint"],
		Attributes: c.params.attributes(), Account: c.account, Base: c.base(),
	})
	if err != nil {
		return err
	}
	if s.Pending && !strings.EqualFold(c.params["ReturnSubscriptionArn"], "true") {
		s.ARN = "pending confirmation"
	}
	c.xml.text("SubscriptionArn", s.ARN)
	return nil
}

func (c *call) confirmSubscription() error {
	topic, given := c.params["TopicArn"]
	if !given {
		return missing("topicArn")
	}
	if a, err := topics.ParseARN("", topic); err != nil || c.signed && a.Region != c.region {
		return invalid("Topic")
	}
	token, given := c.params["Token"]
	if !given {
		return missing("token")
	}
	authenticate := c.signed && strings.EqualFold(c.params["AuthenticateOnUnsubscribe"], "true")
	arn, err := c.server.topics.ConfirmSubscription(topic, token, c.signed, authenticate)
	if err != nil {
		return err
	}
	c.xml.text("SubscriptionArn", arn)
	return nil
}

func (c *call) unsubscribe() error {
	arn, given := c.params["SubscriptionArn"]
	if !given {
		return missing("subscriptionArn")
	}
	return c.server.topics.Unsubscribe(arn, c.base(), c.signed)
}

func (c *call) listSubscriptions() error {
	return c.writeSubscriptions(c.server.topics.Subscriptions(c.account, strings.TrimSuffix(c.arnPrefix(), c.account+":")))
}

func (c *call) listSubscriptionsByTopic() error {
	arn, err := c.topicARN("TopicArn")
	if err != nil {
		return err
	}
	list, err := c.server.topics.SubscriptionsByTopic(arn)
	if err != nil {
		return err
	}
	return c.writeSubscriptions(list)
}

// writeSubscriptions writes a page of a list in the order in which subscriptions
// were made.
func (c *call) writeSubscriptions(list []topics.Subscription) error {
	place := func(s topics.Subscription) string { return fmt.Sprintf("%020d", s.Number) }
	list, next, err := page(c, list, place)
	if err != nil {
		return err
	}
	c.xml.list("Subscriptions", len(list), func(i int) {
		s := list[i]
		if s.Pending {
			s.ARN = "PendingConfirmation"
		}
		c.xml.text("SubscriptionArn", s.ARN)
		c.xml.text("Owner", s.Owner)
		c.xml.text("Protocol", s.Protocol)
		c.xml.text("Endpoint", s.Endpoint)
		c.xml.text("TopicArn", s.TopicARN)
	})
	c.nextToken(next)
	return nil
}

func (c *call) getSubscriptionAttributes() error {
	arn, given := c.params["SubscriptionArn"]
	if !given {
		return missing("subscriptionArn")
	}
	attrs, err := c.server.topics.SubscriptionAttributes(arn)
	if err != nil {
		return err
	}
	c.xml.attributes(attrs)
	return nil
}

func (c *call) setSubscriptionAttributes() error {
	arn, given := c.params["SubscriptionArn"]
	if !given {
		return missing("subscriptionArn")
	}
	name, given := c.params["AttributeName"]
	if !given {
		return missing("attributeName")
	}
	return c.server.topics.SetSubscriptionAttribute(arn, name, c.params["AttributeValue"])
}
