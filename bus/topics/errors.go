package topics

import (
	"strings"

	"omnibus/bus/spec"
)

// Codes of the errors of SNS, as its protocol spells them.
const (
	AuthorizationError           spec.Code = "AuthorizationError"
	BatchEntryIdsNotDistinct     spec.Code = "BatchEntryIdsNotDistinct"
	BatchRequestTooLong          spec.Code = "BatchRequestTooLong"
	EmptyBatchRequest            spec.Code = "EmptyBatchRequest"
	FilterPolicyLimitExceeded    spec.Code = "FilterPolicyLimitExceeded"
	InvalidBatchEntryID          spec.Code = "InvalidBatchEntryId"
	InvalidParameter             spec.Code = "InvalidParameter"
	NotFound                     spec.Code = "NotFound"
	ParameterValueInvalid        spec.Code = "ParameterValueInvalid"
	ResourceNotFound             spec.Code = "ResourceNotFound"
	TagLimitExceeded             spec.Code = "TagLimitExceeded"
	TooManyEntriesInBatchRequest spec.Code = "TooManyEntriesInBatchRequest"
)

var (
	errNoTopic        = spec.Errorf(NotFound, "Topic does not exist")
	errNoSubscription = spec.Errorf(NotFound, "Subscription does not exist")
)

// invalid is the error of a parameter. AWS's texts all begin so.
func invalid(format string, args ...any) error {
	return spec.Errorf(InvalidParameter, "Invalid parameter: "+format, args...)
}

// An ARN names a topic, a subscription or a queue:
//
//	arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE
type ARN struct {
	Partition, Service, Region, Account, Resource string
}

// ParseARN reads an ARN. parameter is what the error calls it.
func ParseARN(parameter, s string) (ARN, error) {
	p := strings.SplitN(s, ":", 6)
	if len(p) < 6 {
		return ARN{}, invalid("%s Reason: An ARN must have at least 6 elements, not %d", parameter, len(p))
	}
	return ARN{p[1], p[2], p[3], p[4], p[5]}, nil
}

// String returns the ARN as it is written.
func (a ARN) String() string {
	return strings.Join([]string{"arn", a.Partition, a.Service, a.Region, a.Account, a.Resource}, ":")
}

// parseTopicARN reads the ARN of a topic, whatever its name.
func parseTopicARN(s string) (ARN, error) {
	a, err := ParseARN("TopicArn", s)
	if err == nil && (a.Service != "sns" || a.Resource == "" || strings.Contains(a.Resource, ":")) {
		err = invalid("TopicArn")
	}
	return a, err
}

// splitSubscriptionARN returns the ARN of a subscription's topic, and its id.
func splitSubscriptionARN(s string) (topic, id string, err error) {
	if s == "" {
		return "", "", invalid("SubscriptionArn Reason: no value for required parameter")
	}
	a, err := ParseARN("SubscriptionArn", s)
	if err != nil {
		return "", "", err
	}
	_, id, _ = strings.Cut(a.Resource, ":")
	if a.Service != "sns" || !isUUID(id) {
		return "", "", invalid("SubscriptionId")
	}
	return strings.TrimSuffix(s, ":"+id), id, nil
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range s {
		switch dash := i == 8 || i == 13 || i == 18 || i == 23; {
		case dash != (c == '-'):
			return false
		case !dash && !strings.ContainsRune("0123456789abcdef", c):
			return false
		}
	}
	return true
}
