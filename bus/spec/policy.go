package spec

import (
	"encoding/json"
	"strconv"
	"strings"
)

// RedrivePolicy and RedriveAllowPolicy are JSON in the value of an attribute, with
// ARNs in the place of names.

// A Namer translates between the names by which a backend knows queues and the
// ARNs by which policies name them on the wire.
type Namer interface {
	ARN(queue string) string
	QueueOf(arn string) (queue string, ok bool)
}

// sameNames has names in the place of ARNs.
type sameNames struct{}

func (sameNames) ARN(queue string) string           { return queue }
func (sameNames) QueueOf(arn string) (string, bool) { return arn, true }

// text returns the policy as it is quoted in errors.
func (d DeadLetter) text() string { return formatDeadLetter(d, sameNames{}) }

func formatDeadLetter(d DeadLetter, n Namer) string {
	if d == (DeadLetter{}) {
		return ""
	}
	return jsonText(struct {
		Target string `json:"deadLetterTargetArn"`
		Count  int    `json:"maxReceiveCount"`
	}{n.ARN(d.Queue), d.MaxReceives})
}

var deadLetterText = text[DeadLetter]{
	check: func(d DeadLetter) error {
		if d == (DeadLetter{}) {
			return nil
		}
		if err := CheckQueueName(PlainName(d.Queue)); err != nil {
			return InvalidParameter(d.text(), redrivePolicy, "Invalid value for deadLetterTargetArn.")
		}
		if d.MaxReceives < MinReceives || d.MaxReceives > MaxReceives {
			return badReceiveCount(d.text(), strconv.Itoa(d.MaxReceives))
		}
		return nil
	},
	parse: func(text string, n Namer) (d DeadLetter, err error) {
		if text == "" {
			return d, nil
		}
		const target, count = "deadLetterTargetArn", "maxReceiveCount"
		var p map[string]json.RawMessage
		refuse := func(reason string) (DeadLetter, error) { return d, InvalidParameter(text, redrivePolicy, reason) }
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			return refuse("Redrive policy is not a valid JSON map.")
		}
		for _, name := range []string{count, target} { // SQS misses the count first
			if p[name] == nil {
				return refuse("Redrive policy does not contain mandatory attribute: " + name + ".")
			}
		}
		if len(p) > 2 {
			return refuse("Only following attributes are supported: [" + target + ", " + count + "].")
		}
		digits := strings.Trim(string(p[count]), `"`) // a number, or a number in quotes
		if d.MaxReceives, err = strconv.Atoi(digits); err != nil {
			return d, badReceiveCount(text, digits)
		}
		var arn string
		if err := json.Unmarshal(p[target], &arn); err == nil {
			if name, ok := n.QueueOf(arn); ok {
				d.Queue = name
				return d, nil
			}
		}
		return refuse("Invalid value for deadLetterTargetArn.")
	},
	format: formatDeadLetter,
}

func badReceiveCount(text, count string) error {
	return InvalidParameter(text, redrivePolicy, "Invalid value for maxReceiveCount: "+count+", valid values are from "+
		strconv.Itoa(MinReceives)+" to "+strconv.Itoa(MaxReceives)+" both inclusive.")
}

// allowPolicy is a redrive allow policy as it travels.
type allowPolicy struct {
	Permission RedrivePermission `json:"redrivePermission"`
	Sources    []string          `json:"sourceQueueArns,omitempty"`
}

var sourcesText = text[DeadLetterSources]{
	check: func(d DeadLetterSources) error {
		switch n := len(d.Queues); d.Permission {
		case "", RedriveAllowAll, RedriveDenyAll:
			if n > 0 {
				return badAttribute(redriveAllowPolicy, "redrivePermission "+string(d.Permission)+" takes no source queues; only byQueue does.")
			}
		case RedriveByQueue:
			if n < 1 || n > MaxSourceQueues {
				return badAttribute(redriveAllowPolicy, "redrivePermission byQueue names "+strconv.Itoa(n)+" source queues; allowed are 1 to "+strconv.Itoa(MaxSourceQueues)+".")
			}
		default:
			return badAttribute(redriveAllowPolicy, "redrivePermission "+quoteShort(string(d.Permission))+" is unknown; allowed are allowAll, denyAll and byQueue.")
		}
		return nil
	},
	parse: func(text string, n Namer) (d DeadLetterSources, err error) {
		if text == "" {
			return d, nil
		}
		var p allowPolicy
		if json.Unmarshal([]byte(text), &p) != nil || p.Permission == "" {
			return d, badAttribute(redriveAllowPolicy, "")
		}
		d.Permission = p.Permission
		for _, arn := range p.Sources {
			name, ok := n.QueueOf(arn)
			if !ok {
				return d, badAttribute(redriveAllowPolicy, "Invalid value for sourceQueueArns.")
			}
			d.Queues = append(d.Queues, name)
		}
		return d, nil
	},
	format: func(d DeadLetterSources, n Namer) string {
		if d.Permission == "" {
			return ""
		}
		p := allowPolicy{Permission: d.Permission}
		for _, name := range d.Queues {
			p.Sources = append(p.Sources, n.ARN(name))
		}
		return jsonText(p)
	},
}

// jsonText returns v in JSON.
func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // all values are structs of texts and numbers
	}
	return string(b)
}
