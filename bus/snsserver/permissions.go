package snsserver

import (
	"errors"
	"slices"

	"omnibus/bus/internal/accesspolicy"
	"omnibus/bus/spec"
)

// AddPermission and RemovePermission.
//
// Supported: both change the attribute Policy as on AWS, where each permission
// is a statement with its label as Sid.
//
// Not as on AWS: policies are kept, and not enforced.

// permissible are the actions that a permission can name.
var permissible = []string{
	"*", "AddPermission", "DeleteTopic", "GetDataProtectionPolicy", "GetTopicAttributes", "ListSubscriptionsByTopic", "ListTagsForResource",
	"Publish", "PutDataProtectionPolicy", "RemovePermission", "SetTopicAttributes", "Subscribe",
}

func (c *call) addPermission() error {
	arn, err := c.topicARN("TopicArn")
	if err != nil {
		return err
	}
	p := accesspolicy.Permission{
		Label:     c.params["Label"],
		Partition: c.arn("").Partition,
		Accounts:  c.params.texts("AWSAccountId.member"),
		Resource:  arn,
	}
	for _, name := range c.params.texts("ActionName.member") {
		if !slices.Contains(permissible, name) {
			return invalid("Policy statement action out of service scope!")
		}
		p.Actions = append(p.Actions, "SNS:"+name)
	}
	switch {
	case spec.CheckBatchEntryID(p.Label) != nil: // the same rule
		return invalid("Label")
	case len(p.Accounts) == 0:
		return missing("aWSAccountId")
	case slices.ContainsFunc(p.Accounts, func(id string) bool { return !spec.IsAccount(id) }):
		return invalid("AWSAccountId")
	case len(p.Actions) == 0:
		return missing("actionName")
	}
	return c.changePolicy(arn, func(policy string) (string, error) { return accesspolicy.Add(policy, "", p) })
}

func (c *call) removePermission() error {
	arn, err := c.topicARN("TopicArn")
	if err != nil {
		return err
	}
	return c.changePolicy(arn, func(policy string) (string, error) { return accesspolicy.Remove(policy, c.params["Label"]) })
}

func (c *call) changePolicy(arn string, change func(string) (string, error)) error {
	err := c.server.topics.ChangePolicy(arn, change)
	switch {
	case errors.Is(err, accesspolicy.ErrExists):
		return invalid("Statement already exists")
	case errors.Is(err, accesspolicy.ErrNone):
		return invalid("Label Reason: %v", err)
	case errors.Is(err, accesspolicy.ErrNoPolicy):
		return invalid("Policy Reason: %v", err)
	}
	return err
}
