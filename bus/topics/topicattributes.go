package topics

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The attributes of topics that can be set
// (https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html), and
// what values they have.

// An attributeRule is what an attribute may be. check returns a value in its
// normal form, or why it is refused.
type attributeRule struct {
	creationOnly bool // it is set when its topic is created
	fifoOnly     bool // FIFO topics have it only
	check        func(value string) (normal, why string)
}

var topicAttributes = map[string]attributeRule{
	"DisplayName":               {check: shortText},
	"Policy":                    {check: jsonObject},
	"DeliveryPolicy":            {check: checkTopicDeliveryPolicy},
	"FifoTopic":                 {creationOnly: true, check: boolean},
	"ContentBasedDeduplication": {fifoOnly: true, check: boolean},
	"FifoThroughputScope":       {fifoOnly: true, check: oneOf("Topic", "MessageGroup")},
	"ArchivePolicy":             {fifoOnly: true, check: jsonObject},
	"SignatureVersion":          {check: oneOf("1", "2")},
	"TracingConfig":             {check: oneOf("PassThrough", "Active")},
	"MaximumMessageSize":        {check: messageSize},
	"KmsMasterKeyId":            {check: anyText},
}

// Each protocol that reports deliveries has three attributes, which are kept.
func init() {
	for _, protocol := range []string{"Application", "Firehose", "HTTP", "Lambda", "SQS"} {
		for _, name := range []string{"SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn"} {
			topicAttributes[protocol+name] = attributeRule{check: anyText}
		}
	}
}

// checkTopicAttributes returns the attributes of a topic to be created in their
// normal form.
func checkTopicAttributes(attrs map[string]string, fifo bool) (map[string]string, error) {
	out := map[string]string{}
	for name, value := range attrs {
		rule, ok := topicAttributes[name]
		if !ok {
			return nil, invalid("Attributes Reason: Unknown attribute: %.80s", name)
		}
		if rule.fifoOnly && !fifo {
			return nil, invalid("Attributes Reason: %s: Only FIFO topics have this attribute", name)
		}
		if value == "" && name != "FifoTopic" {
			continue
		}
		normal, why := rule.check(value)
		if why != "" {
			return nil, invalid("Attributes Reason: %s: %s", name, why)
		}
		out[name] = normal
	}
	return out, nil
}

func anyText(value string) (string, string) { return value, "" }

func shortText(value string) (string, string) {
	if utf8.RuneCountInString(value) > maxDisplayName {
		return "", fmt.Sprintf("Must be at most %d characters long", maxDisplayName)
	}
	return value, ""
}

func boolean(value string) (string, string) {
	if normal := strings.ToLower(value); normal == "true" || normal == "false" {
		return normal, ""
	}
	return "", fmt.Sprintf("Invalid value [%.80s]. Must be true or false.", value)
}

func oneOf(values ...string) func(string) (string, string) {
	return func(value string) (string, string) {
		if slices.Contains(values, value) {
			return value, ""
		}
		return "", fmt.Sprintf("Invalid value [%.80s]. Please use either %s", value, strings.Join(values, " or "))
	}
}

func messageSize(value string) (string, string) {
	n, err := strconv.Atoi(value)
	if err != nil || n < minMaxBytes || n > maxBatchBytes {
		return "", fmt.Sprintf("Invalid value [%.80s]. Must be an integer between %d and %d", value, minMaxBytes, maxBatchBytes)
	}
	return strconv.Itoa(n), ""
}

// jsonObject takes an object and keeps its text as it is.
func jsonObject(value string) (string, string) {
	n, bad := parseJSON(value)
	switch {
	case bad != nil:
		return "", "failed to parse JSON. " + bad.text + location(value, bad.at)
	case n.kind != object:
		return "", "must be a JSON object"
	}
	return value, ""
}

// defaultTopicPolicy is the policy of a topic that none was set for.
func defaultTopicPolicy(arn, account string) string {
	return `{"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{"Sid":"__default_statement_ID","Effect":"Allow","Principal":{"AWS":"*"},` +
		`"Action":["SNS:GetTopicAttributes","SNS:SetTopicAttributes","SNS:AddPermission","SNS:RemovePermission","SNS:DeleteTopic","SNS:Subscribe",` +
		`"SNS:ListSubscriptionsByTopic","SNS:Publish"],"Resource":"` + arn + `","Condition":{"StringEquals":{"AWS:SourceOwner":"` + account + `"}}}]}`
}

// jsonText returns v in JSON.
func jsonText(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // all values are structs and maps of texts, numbers and booleans
	}
	return strings.TrimSuffix(b.String(), "\n")
}
