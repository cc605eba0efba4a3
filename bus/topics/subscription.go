package topics

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"omnibus/bus/spec"
)

// A subscription is one subscription to a topic. It is never changed; a change
// makes another one in its place.
type subscription struct {
	number   uint64 // in the order of all subscriptions of the engine
	arn      string
	topic    string // its ARN
	protocol string
	endpoint string
	owner    string            // the account that subscribed
	attrs    map[string]string // those that were set

	confirmed            bool
	confirmedByOwner     bool   // confirmed in a request of the owner's, not by a link
	authenticateToRemove bool   // unsubscribing takes a request of the owner's
	token                string // confirms or restores the subscription
	tokenEnds            int64

	// What the attributes mean.
	raw    bool
	filter *Filter
	byBody bool // the filter looks at the body
	dead   string
}

// tokenLives is how long a token confirms a subscription.
const tokenLives = 48 * 3600 * 1e9 // two days

// maxFilters is how many subscriptions of a topic may have a filter policy.
const maxFilters = 200

// subscriptionAttributes are the attributes that can be set, with what checks
// each by itself.
var subscriptionAttributes = map[string]func(value string) (normal, why string){
	"DeliveryPolicy":      checkSubscriptionDeliveryPolicy,
	"FilterPolicy":        anyText, // ParseFilter checks it
	"FilterPolicyScope":   checkScope,
	"RawMessageDelivery":  boolean,
	"RedrivePolicy":       anyText, // deadLetterQueue checks it
	"SubscriptionRoleArn": anyText,
}

const byAttributes, byBody = "MessageAttributes", "MessageBody"

func checkScope(value string) (string, string) {
	if value == byAttributes || value == byBody {
		return value, ""
	}
	return "", fmt.Sprintf("Invalid value [%.80s]. Please use either %s or %s", value, byBody, byAttributes)
}

// checkEndpoint reports an endpoint that a topic cannot have, by its protocol.
func (t *topic) checkEndpoint(protocol, endpoint string) error {
	what := map[string]string{"lambda": "Lambda endpoint ARN", "firehose": "Firehose endpoint ARN", "application": "Application endpoint ARN"}
	switch protocol {
	case "sqs":
		a, err := ParseARN("", endpoint)
		if err != nil || a.Service != "sqs" || spec.CheckQueueName(a.Resource) != nil {
			return invalid("SQS endpoint ARN")
		}
		if spec.IsFIFOName(a.Resource) && !t.fifo {
			return invalid("Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics")
		}
	case "http", "https":
		u, err := url.Parse(endpoint)
		if err != nil || u.Scheme != protocol || u.Host == "" {
			return invalid("Endpoint must match the specified protocol")
		}
	case "email", "email-json":
		if at := strings.IndexByte(endpoint, '@'); at < 1 || at == len(endpoint)-1 {
			return invalid("Email address")
		}
	case "sms":
		digits := strings.TrimPrefix(endpoint, "+")
		if digits == "" || strings.Trim(digits, "0123456789-./ ()") != "" {
			return spec.Errorf(InvalidParameter, "Invalid SMS endpoint: %.80s", endpoint)
		}
	case "lambda", "firehose", "application":
		if _, err := ParseARN("", endpoint); err != nil {
			return invalid("%s", what[protocol])
		}
	default:
		return invalid("Amazon SNS does not support this protocol string: %.80s", protocol)
	}
	if t.fifo && protocol != "sqs" {
		return invalid("Invalid protocol type: %s", protocol)
	}
	return nil
}

// takesLarge reports whether the subscription takes messages larger than the
// default.
func (s *subscription) takesLarge() bool {
	return s.protocol == "sqs" || s.protocol == "lambda" || s.protocol == "firehose"
}

func (s *subscription) overHTTP() bool { return s.protocol == "http" || s.protocol == "https" }

// with returns the subscription with attributes set besides those that it has.
// before begins the text of an error about one of them.
func (s *subscription) with(t *topic, attrs map[string]string, before string) (*subscription, error) {
	c := *s
	c.attrs = map[string]string{}
	maps.Copy(c.attrs, s.attrs)
	for _, name := range slices.Sorted(maps.Keys(attrs)) { // so that of two errors it is always the same
		check, value := subscriptionAttributes[name], attrs[name]
		if check == nil {
			if before != "" {
				return nil, invalid("%sUnknown attribute: %.80s", before, name)
			}
			return nil, invalid("AttributeName")
		}
		if removes(name, value) {
			delete(c.attrs, name)
			continue
		}
		normal, why := check(value)
		if why != "" {
			return nil, invalid("%s%s: %s", before, name, why)
		}
		c.attrs[name] = normal
	}
	return &c, c.apply(t, before)
}

// removes reports whether setting an attribute to a value removes it.
func removes(name, value string) bool {
	switch name {
	case "FilterPolicy", "RedrivePolicy", "DeliveryPolicy":
		return value == "" || value == "{}"
	case "SubscriptionRoleArn":
		return value == ""
	}
	return false
}

// apply has the attributes take effect.
func (s *subscription) apply(t *topic, before string) error {
	s.raw = s.attrs["RawMessageDelivery"] == "true"
	if s.raw && s.protocol != "sqs" && s.protocol != "firehose" && !s.overHTTP() {
		return invalid("%sDelivery protocol [%s] does not support raw message delivery.", before, s.protocol)
	}
	s.filter, s.byBody = nil, s.attrs["FilterPolicyScope"] == byBody
	if policy := s.attrs["FilterPolicy"]; policy != "" {
		f, err := ParseFilter(policy)
		if err != nil {
			return invalid("%sFilterPolicy: %v", before, err)
		}
		if f.nested && !s.byBody {
			return invalid("%sFilter policy scope MessageAttributes does not support nested filter policy", before)
		}
		s.filter = f
	}
	var why string
	if s.dead, why = s.deadLetterQueue(t); why != "" {
		return invalid("%sRedrivePolicy: %s", before, why)
	}
	return nil
}

// deadLetterQueue returns the ARN of the queue that the redrive policy names, or
// why that is refused.
func (s *subscription) deadLetterQueue(t *topic) (arn, why string) {
	policy := s.attrs["RedrivePolicy"]
	if policy == "" {
		return "", ""
	}
	n, bad := parseJSON(policy)
	if bad != nil {
		return "", "failed to parse JSON. " + bad.text + location(policy, bad.at)
	}
	for _, name := range n.names {
		if name != "deadLetterTargetArn" {
			return "", fmt.Sprintf("invalid JSON. Attribute %.80s is unknown.", name)
		}
	}
	target := n.member("deadLetterTargetArn")
	if target == nil || target.kind != text {
		return "", "deadLetterTargetArn is an invalid arn"
	}
	a, err := ParseARN("", target.text)
	if err != nil || a.Service != "sqs" || spec.CheckQueueName(a.Resource) != nil {
		return "", "deadLetterTargetArn is an invalid arn"
	}
	switch fifo := spec.IsFIFOName(a.Resource); {
	case !fifo && spec.IsFIFOName(s.endpoint):
		return "", "must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic."
	case fifo && !t.fifo:
		return "", "must use a standard queue as DLQ for a subscription to a standard Topic."
	}
	return target.text, ""
}

// sameAs returns an error if subscribing the endpoint again would change the
// subscription.
func (s *subscription) sameAs(attrs map[string]string) error {
	for name, value := range attrs {
		check := subscriptionAttributes[name]
		if check == nil {
			return invalid("Attributes Reason: Unknown attribute: %.80s", name)
		}
		if removes(name, value) {
			value = ""
		} else if normal, why := check(value); why == "" {
			value = normal
		}
		has := s.attrs[name]
		if has == "" && name == "RawMessageDelivery" {
			has = "false"
		}
		if has == "" && name == "FilterPolicyScope" {
			has = byAttributes
		}
		if has != value {
			return invalid("Attributes Reason: Subscription already exists with different attributes")
		}
	}
	return nil
}

// attributes returns what GetSubscriptionAttributes answers.
func (s *subscription) attributes(t *topic) map[string]string {
	all := map[string]string{}
	maps.Copy(all, s.attrs)
	maps.Copy(all, map[string]string{
		"SubscriptionArn":              s.arn,
		"TopicArn":                     s.topic,
		"Protocol":                     s.protocol,
		"Endpoint":                     s.endpoint,
		"Owner":                        s.owner,
		"SubscriptionPrincipal":        principal(t.arn.Partition, s.owner),
		"PendingConfirmation":          strconv.FormatBool(!s.confirmed),
		"ConfirmationWasAuthenticated": strconv.FormatBool(s.confirmedByOwner),
		"RawMessageDelivery":           strconv.FormatBool(s.raw),
	})
	delete(all, "FilterPolicyScope")
	if s.filter != nil {
		all["FilterPolicyScope"] = byAttributes
		if s.byBody {
			all["FilterPolicyScope"] = byBody
		}
	}
	if s.overHTTP() {
		all["EffectiveDeliveryPolicy"] = jsonText(s.effectivePolicy(t.effectivePolicy()))
	}
	return all
}

// principal returns the ARN of who acts for an account.
func principal(partition, account string) string {
	return "arn:" + partition + ":iam::" + account + ":root"
}

// member returns the value of a member of an object, or nil.
func (n *node) member(name string) *node {
	if i := slices.Index(n.names, name); n.kind == object && i >= 0 {
		return n.items[i]
	}
	return nil
}
