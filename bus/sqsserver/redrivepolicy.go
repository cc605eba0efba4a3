package sqsserver

import (
	"encoding/json"
	"strconv"
	"strings"

	"omnibus/bus/spec"
)

// RedrivePolicy and RedriveAllowPolicy, which are JSON in the value of a queue
// attribute, with ARNs in the place of names.

// redrivePolicy reads the redrive policy of a queue. An empty value removes it.
func (c *call) redrivePolicy(queue, value string) (*spec.DeadLetter, error) {
	if value == "" {
		return &spec.DeadLetter{}, nil
	}
	refuse := func(reason string) (*spec.DeadLetter, error) {
		return nil, invalidParameter(value, "RedrivePolicy", reason)
	}
	var p struct {
		DeadLetterTargetArn *string         `json:"deadLetterTargetArn"`
		MaxReceiveCount     json.RawMessage `json:"maxReceiveCount"` // a number, or a number in quotes
	}
	switch err := json.Unmarshal([]byte(value), &p); {
	case err != nil:
		return refuse("Redrive policy is not a valid JSON map.")
	case p.DeadLetterTargetArn == nil:
		return refuse("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
	case p.MaxReceiveCount == nil:
		return refuse("Redrive policy does not contain mandatory attribute: maxReceiveCount.")
	}
	n, err := strconv.Atoi(strings.Trim(string(p.MaxReceiveCount), `"`))
	if err != nil || n < spec.MinReceives || n > spec.MaxReceives {
		return refuse("Invalid value for maxReceiveCount: " + strings.Trim(string(p.MaxReceiveCount), `"`) + ", valid values are from 1 to 1000 both inclusive.")
	}
	name, ok := c.server.nameInARN(*p.DeadLetterTargetArn)
	if !ok || spec.CheckQueueName(name) != nil {
		return refuse("Invalid value for deadLetterTargetArn.")
	}
	if _, err := c.server.engine.Queue(name); err != nil {
		return refuse("Dead letter target does not exist.")
	}
	if spec.IsFIFOName(name) != spec.IsFIFOName(queue) {
		return refuse("Dead-letter queue must be same type of queue as the source.")
	}
	return &spec.DeadLetter{Queue: name, MaxReceives: n}, nil
}

func (c *call) redrivePolicyText(d spec.DeadLetter) string {
	return jsonText(struct {
		DeadLetterTargetArn string `json:"deadLetterTargetArn"`
		MaxReceiveCount     int    `json:"maxReceiveCount"`
	}{c.server.arn(d.Queue), d.MaxReceives})
}

// allowPolicy is a redrive allow policy as it travels.
type allowPolicy struct {
	RedrivePermission spec.RedrivePermission `json:"redrivePermission"`
	SourceQueueArns   []string               `json:"sourceQueueArns,omitempty"`
}

// redriveAllowPolicy reads a redrive allow policy. An empty value removes it.
func (c *call) redriveAllowPolicy(value string) (*spec.DeadLetterSources, error) {
	if value == "" {
		return &spec.DeadLetterSources{}, nil
	}
	var p allowPolicy
	if json.Unmarshal([]byte(value), &p) != nil || p.RedrivePermission == "" {
		return nil, invalidAttribute("RedriveAllowPolicy", "")
	}
	d := &spec.DeadLetterSources{Permission: p.RedrivePermission}
	for _, arn := range p.SourceQueueArns {
		name, ok := c.server.nameInARN(arn)
		if !ok {
			return nil, invalidAttribute("RedriveAllowPolicy", "Invalid value for sourceQueueArns.")
		}
		d.Queues = append(d.Queues, name)
	}
	return d, nil
}

func (c *call) redriveAllowPolicyText(d spec.DeadLetterSources) string {
	p := allowPolicy{RedrivePermission: d.Permission}
	for _, name := range d.Queues {
		p.SourceQueueArns = append(p.SourceQueueArns, c.server.arn(name))
	}
	return jsonText(p)
}

// jsonText returns v in JSON.
func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // all values are structs of texts, numbers and JSON
	}
	return string(b)
}
