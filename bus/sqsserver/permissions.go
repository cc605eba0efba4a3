package sqsserver

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"omnibus/bus/engine"
	"omnibus/bus/internal/accesspolicy"
	"omnibus/bus/spec"
)

// AddPermission and RemovePermission.
//
// Supported: both change the attribute Policy as on AWS, where each permission
// is a statement with its label as Sid.
//
// Not as on AWS: policies are kept, and not enforced. A policy set as an
// attribute must be JSON; its contents are not looked at.

type addPermission struct {
	queueAction
	label    string
	accounts []string
	actions  []string
}

func (a *addPermission) member(name []byte, r *jsonReader) {
	switch string(name) {
	case "Label":
		a.label = r.text()
	case "AWSAccountIds":
		a.accounts = r.texts()
	case "Actions":
		a.actions = r.texts()
	default:
		a.queueAction.member(name, r)
	}
}

// permissible are the actions that a permission can name.
var permissible = []string{
	"*", "ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl",
	"ListDeadLetterSourceQueues", "PurgeQueue", "ReceiveMessage", "SendMessage",
}

const maxPermissionActions = 7

func (a *addPermission) run(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	if err := a.check(); err != nil {
		return err
	}
	arn := c.server.ARN(q.Name())
	p := accesspolicy.Permission{Label: a.label, Partition: strings.Split(arn, ":")[1], Accounts: a.accounts, Resource: arn}
	for _, name := range a.actions {
		p.Actions = append(p.Actions, "SQS:"+name)
	}
	err = c.changePolicy(q, func(policy string) (string, error) {
		return accesspolicy.Add(policy, p.Resource+"/SQSDefaultPolicy", p)
	})
	if errors.Is(err, accesspolicy.ErrExists) {
		return spec.InvalidParameter(a.label, "Label", "Already exists.")
	}
	return err
}

func (a *addPermission) check() error {
	if err := checkLabel(a.label); err != nil {
		return err
	}
	if len(a.accounts) == 0 {
		return spec.Missing("AWSAccountIds")
	}
	if len(a.actions) == 0 {
		return spec.Missing("Actions")
	}
	if len(a.actions) > maxPermissionActions {
		return spec.Errorf(spec.OverLimit, "%d Actions were found, maximum allowed is %d.", len(a.actions), maxPermissionActions)
	}
	for _, id := range a.accounts {
		if !spec.IsAccount(id) {
			return spec.InvalidParameter(id, "PrincipalId", "Unable to verify.")
		}
	}
	for _, name := range a.actions {
		if !slices.Contains(permissible, name) {
			return spec.InvalidParameter("SQS:"+name, "ActionName", "Only the queue owner is allowed to invoke this action.")
		}
	}
	return nil
}

func checkLabel(label string) error {
	if label == "" {
		return spec.Missing("Label")
	}
	if spec.CheckBatchEntryID(label) != nil { // the same rule
		return spec.InvalidParameter(label, "Label", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	return nil
}

// jsonText returns v in JSON.
func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // all values are structs of texts, numbers and JSON
	}
	return string(b)
}

// changePolicy changes the policy of a queue. One without statements is removed.
func (c *call) changePolicy(q *engine.Queue, change func(policy string) (string, error)) error {
	c.server.policies.Lock()
	defer c.server.policies.Unlock()
	a, err := q.Attributes()
	if err != nil {
		return err
	}
	policy, err := change(a.Kept["Policy"])
	if errors.Is(err, accesspolicy.ErrNoPolicy) {
		return spec.Errorf(spec.UnsupportedOperation, "The queue's Policy is not one that permissions can be added to or removed from.")
	}
	if err != nil {
		return err
	}
	return q.SetAttributes(spec.QueueSettings{Kept: map[string]string{"Policy": policy}})
}

type removePermission struct {
	queueAction
	label string
}

func (a *removePermission) member(name []byte, r *jsonReader) {
	if string(name) == "Label" {
		a.label = r.text()
		return
	}
	a.queueAction.member(name, r)
}

func (a *removePermission) run(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	if err := checkLabel(a.label); err != nil {
		return err
	}
	err = c.changePolicy(q, func(policy string) (string, error) { return accesspolicy.Remove(policy, a.label) })
	if errors.Is(err, accesspolicy.ErrNone) {
		return spec.InvalidParameter(a.label, "Label", "can't find label.")
	}
	return err
}
