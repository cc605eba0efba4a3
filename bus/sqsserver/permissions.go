package sqsserver

import (
	"encoding/json"
	"slices"

	"omnibus/bus/engine"
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

// policy is an access policy, of which only the statements' labels are of
// interest here.
type policy struct {
	Version   string            `json:"Version"`
	ID        string            `json:"Id"`
	Statement []json.RawMessage `json:"Statement"`
}

// statement is a permission as AddPermission writes it. Principal and Action are
// a text, or a list of several.
type statement struct {
	Sid       string         `json:"Sid"`
	Effect    string         `json:"Effect"`
	Principal map[string]any `json:"Principal"`
	Action    any            `json:"Action"`
	Resource  string         `json:"Resource"`
}

func (a *addPermission) run(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	if err := a.check(); err != nil {
		return err
	}
	var accounts, actions []string
	for _, id := range a.accounts {
		accounts = append(accounts, "arn:aws:iam::"+id+":root")
	}
	for _, name := range a.actions {
		actions = append(actions, "SQS:"+name)
	}
	return c.changePolicy(q, func(p *policy) error {
		if p.find(a.label) >= 0 {
			return spec.InvalidParameter(a.label, "Label", "Already exists.")
		}
		p.Statement = append(p.Statement, json.RawMessage(jsonText(statement{
			Sid: a.label, Effect: "Allow", Principal: map[string]any{"AWS": oneOrMany(accounts)},
			Action: oneOrMany(actions), Resource: c.server.ARN(q.Name()),
		})))
		return nil
	})
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
		if !isAccount(id) {
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

func isAccount(id string) bool {
	for _, c := range id {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(id) == 12
}

// jsonText returns v in JSON.
func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // all values are structs of texts, numbers and JSON
	}
	return string(b)
}

func oneOrMany(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

// find returns the place of the statement with a label, -1 if there is none.
func (p *policy) find(label string) int {
	return slices.IndexFunc(p.Statement, func(raw json.RawMessage) bool {
		var s struct{ Sid string }
		return json.Unmarshal(raw, &s) == nil && s.Sid == label
	})
}

// changePolicy changes the policy of a queue. One without statements is removed.
func (c *call) changePolicy(q *engine.Queue, change func(*policy) error) error {
	c.server.policies.Lock()
	defer c.server.policies.Unlock()
	a, err := q.Attributes()
	if err != nil {
		return err
	}
	p := policy{Version: "2008-10-17", ID: c.server.ARN(q.Name()) + "/SQSDefaultPolicy"}
	if text := a.Kept["Policy"]; text != "" && json.Unmarshal([]byte(text), &p) != nil {
		return spec.Errorf(spec.UnsupportedOperation, "The queue's Policy is not one that permissions can be added to or removed from.")
	}
	if err := change(&p); err != nil {
		return err
	}
	text := ""
	if len(p.Statement) > 0 {
		text = jsonText(p)
	}
	return q.SetAttributes(spec.QueueSettings{Kept: map[string]string{"Policy": text}})
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
	return c.changePolicy(q, func(p *policy) error {
		i := p.find(a.label)
		if i < 0 {
			return spec.InvalidParameter(a.label, "Label", "can't find label.")
		}
		p.Statement = slices.Delete(p.Statement, i, i+1)
		return nil
	})
}
