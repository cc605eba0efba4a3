// Package accesspolicy changes the access policies of queues and topics by
// permissions, as AddPermission and RemovePermission of SQS and SNS do: each
// permission is a statement, whose Sid is the permission's label.
package accesspolicy

import (
	"encoding/json"
	"errors"
	"slices"
)

// Errors of changes.
var (
	ErrNoPolicy = errors.New("it is not a policy that permissions can be added to or removed from")
	ErrExists   = errors.New("a statement has the label already")
	ErrNone     = errors.New("no statement has the label")
)

// A Permission allows accounts some actions on a resource.
type Permission struct {
	Label     string
	Partition string   // of AWS: aws, aws-cn or aws-us-gov
	Accounts  []string // by their ids
	Actions   []string // with the service's prefix, as in SNS:Publish
	Resource  string   // an ARN
}

// policy is a policy, of which only the statements' labels are of interest here.
type policy struct {
	Version   string            `json:"Version,omitempty"`
	ID        string            `json:"Id,omitempty"`
	Statement []json.RawMessage `json:"Statement"`
}

// statement is a permission as it is written. Principal and Action are a text, or
// a list of several.
type statement struct {
	Sid       string         `json:"Sid"`
	Effect    string         `json:"Effect"`
	Principal map[string]any `json:"Principal"`
	Action    any            `json:"Action"`
	Resource  string         `json:"Resource"`
}

// Add returns the policy with a permission added. text is "" for none; then the
// new policy has the id given.
func Add(text, id string, p Permission) (string, error) {
	var all policy
	if text == "" {
		all = policy{Version: "2008-10-17", ID: id}
	} else if json.Unmarshal([]byte(text), &all) != nil {
		return "", ErrNoPolicy
	}
	if all.find(p.Label) >= 0 {
		return "", ErrExists
	}
	var accounts []string
	for _, id := range p.Accounts {
		accounts = append(accounts, "arn:"+p.Partition+":iam::"+id+":root")
	}
	all.Statement = append(all.Statement, jsonText(statement{
		Sid: p.Label, Effect: "Allow", Principal: map[string]any{"AWS": oneOrMany(accounts)},
		Action: oneOrMany(p.Actions), Resource: p.Resource,
	}))
	return string(jsonText(all)), nil
}

// Remove returns the policy without the permission that has a label, or "" if no
// statement is left.
func Remove(text, label string) (string, error) {
	var all policy
	if text != "" && json.Unmarshal([]byte(text), &all) != nil {
		return "", ErrNoPolicy
	}
	i := all.find(label)
	if i < 0 {
		return "", ErrNone
	}
	all.Statement = slices.Delete(all.Statement, i, i+1)
	if len(all.Statement) == 0 {
		return "", nil
	}
	return string(jsonText(all)), nil
}

// find returns the place of the statement with a label, -1 if there is none.
func (p *policy) find(label string) int {
	return slices.IndexFunc(p.Statement, func(raw json.RawMessage) bool {
		var s struct{ Sid string }
		return json.Unmarshal(raw, &s) == nil && s.Sid == label
	})
}

func oneOrMany(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

func jsonText(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // all values are structs of texts and JSON
	}
	return b
}
