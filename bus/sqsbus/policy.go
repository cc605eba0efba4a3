package sqsbus

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// A queue's policy is a document with statements, of which each has an id, its Sid.

const policyVersion = "2012-10-17"

// admitTopic returns a queue's policy with a statement that lets an SNS topic send to
// the queue, besides what the policy says already. It returns "" if the statement is
// there.
func admitTopic(policy, queueARN, topicARN string) (string, error) {
	document := map[string]json.RawMessage{}
	if policy != "" {
		if err := json.Unmarshal([]byte(policy), &document); err != nil {
			return "", invalid("the queue's policy does not parse, and is left alone: %v", err)
		}
	}
	statements, err := statementsOf(document["Statement"])
	if err != nil {
		return "", invalid("the statements of the queue's policy do not parse, and are left alone: %v", err)
	}
	sum := sha256.Sum256([]byte(topicARN))
	id := "OmnibusTopic" + hex.EncodeToString(sum[:8]) // letters and digits are allowed
	for _, s := range statements {
		var has struct{ Sid string }
		if json.Unmarshal(s, &has) == nil && has.Sid == id {
			return "", nil
		}
	}
	added, err := json.Marshal(map[string]any{
		"Sid": id, "Effect": "Allow", "Principal": map[string]string{"Service": "sns.amazonaws.com"},
		"Action": "sqs:SendMessage", "Resource": queueARN,
		"Condition": map[string]any{"ArnEquals": map[string]string{"aws:SourceArn": topicARN}},
	})
	if err != nil {
		return "", err
	}
	if document["Statement"], err = json.Marshal(append(statements, added)); err != nil {
		return "", err
	}
	if document["Version"] == nil {
		document["Version"] = json.RawMessage(`"` + policyVersion + `"`)
	}
	text, err := json.Marshal(document)
	return string(text), err
}

// statementsOf returns the statements of a policy, which has a list of them or one.
func statementsOf(text json.RawMessage) (list []json.RawMessage, err error) {
	switch text = bytes.TrimSpace(text); {
	case len(text) == 0:
		return nil, nil
	case text[0] == '{':
		return []json.RawMessage{text}, nil
	}
	return list, json.Unmarshal(text, &list)
}
