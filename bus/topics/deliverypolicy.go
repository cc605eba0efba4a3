package topics

import (
	"encoding/json"
	"time"
)

// Delivery policies, of topics and of subscriptions: how deliveries over HTTP are
// tried again, and the type of content they have
// (https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html).
// Both are shown as AWS shows them, which is not as they were given.

type topicPolicy struct {
	HTTP struct {
		Retry    *retryPolicy    `json:"defaultHealthyRetryPolicy,omitempty"`
		NoOther  bool            `json:"disableSubscriptionOverrides"`
		Throttle *throttlePolicy `json:"defaultThrottlePolicy,omitempty"`
		Request  *requestPolicy  `json:"defaultRequestPolicy,omitempty"`
	} `json:"http"`
}

type subscriptionPolicy struct {
	Retry      *retryPolicy    `json:"healthyRetryPolicy"`
	Sickly     *retryPolicy    `json:"sicklyRetryPolicy"`
	Throttle   *throttlePolicy `json:"throttlePolicy"`
	Request    *requestPolicy  `json:"requestPolicy"`
	Guaranteed bool            `json:"guaranteed"`
}

type retryPolicy struct {
	MinDelay       *int    `json:"minDelayTarget,omitempty"` // seconds
	MaxDelay       *int    `json:"maxDelayTarget,omitempty"`
	Retries        *int    `json:"numRetries,omitempty"`
	MaxDelays      *int    `json:"numMaxDelayRetries,omitempty"`
	NoDelays       *int    `json:"numNoDelayRetries,omitempty"`
	MinDelays      *int    `json:"numMinDelayRetries,omitempty"`
	BackoffBetween *string `json:"backoffFunction,omitempty"`
}

type throttlePolicy struct {
	MaxReceives *int `json:"maxReceivesPerSecond,omitempty"`
}

type requestPolicy struct {
	ContentType string `json:"headerContentType"`
}

const (
	maxRetryDelay = 3600 // seconds
	maxRetries    = 100
)

const defaultContentType = "text/plain; charset=UTF-8"

// confirmationDelays are those of the documents that ask an endpoint to confirm.
var confirmationDelays = new(defaultRetryPolicy()).delays()

func defaultRetryPolicy() retryPolicy {
	return retryPolicy{new(20), new(20), new(3), new(0), new(0), new(0), new("linear")}
}

// filled returns the policy with the default in the place of what it lacks.
func (p *retryPolicy) filled() *retryPolicy {
	full := defaultRetryPolicy()
	if p == nil {
		return &full
	}
	for _, f := range []struct{ to, from **int }{
		{&full.MinDelay, &p.MinDelay}, {&full.MaxDelay, &p.MaxDelay}, {&full.Retries, &p.Retries},
		{&full.MaxDelays, &p.MaxDelays}, {&full.NoDelays, &p.NoDelays}, {&full.MinDelays, &p.MinDelays},
	} {
		if *f.from != nil {
			*f.to = *f.from
		}
	}
	if p.BackoffBetween != nil {
		full.BackoffBetween = p.BackoffBetween
	}
	return &full
}

func (p *retryPolicy) check() string {
	full := p.filled()
	switch {
	case *full.MinDelay < 1 || *full.MaxDelay > maxRetryDelay || *full.MinDelay > *full.MaxDelay:
		return "minDelayTarget and maxDelayTarget must be between 1 and 3600, and the first not above the second"
	case *full.Retries < 0 || *full.Retries > maxRetries:
		return "numRetries must be between 0 and 100"
	case *full.NoDelays < 0 || *full.MinDelays < 0 || *full.MaxDelays < 0 || *full.NoDelays+*full.MinDelays+*full.MaxDelays > *full.Retries:
		return "numNoDelayRetries, numMinDelayRetries and numMaxDelayRetries must not be above numRetries together"
	}
	return ""
}

func checkTopicDeliveryPolicy(value string) (string, string) {
	var p topicPolicy
	if json.Unmarshal([]byte(value), &p) != nil {
		return "", "failed to parse JSON."
	}
	return jsonText(p), p.HTTP.Retry.check()
}

func checkSubscriptionDeliveryPolicy(value string) (string, string) {
	var p subscriptionPolicy
	if json.Unmarshal([]byte(value), &p) != nil {
		return "", "failed to parse JSON."
	}
	return jsonText(p), p.Retry.check()
}

// effectivePolicy returns a topic's delivery policy with all that it lacks.
func (t *topic) effectivePolicy() topicPolicy {
	var p topicPolicy
	_ = json.Unmarshal([]byte(t.attrs["DeliveryPolicy"]), &p) // it was checked, and none is fine
	p.HTTP.Retry = p.HTTP.Retry.filled()
	if p.HTTP.Request == nil {
		p.HTTP.Request = &requestPolicy{defaultContentType}
	}
	return p
}

// effectivePolicy returns the delivery policy of a subscription to a topic that
// has another.
func (s *subscription) effectivePolicy(topic topicPolicy) subscriptionPolicy {
	var p subscriptionPolicy
	of := topic.HTTP
	if !of.NoOther {
		_ = json.Unmarshal([]byte(s.attrs["DeliveryPolicy"]), &p)
	}
	if p.Retry == nil {
		p.Retry = of.Retry
	}
	p.Retry = p.Retry.filled()
	if p.Throttle == nil {
		p.Throttle = of.Throttle
	}
	if p.Request == nil {
		p.Request = of.Request
	}
	return p
}

// delays returns how long a delivery waits before each time it is tried again.
// Between the shortest and the longest delay it grows evenly, whatever the
// backoff function.
func (p *retryPolicy) delays() []time.Duration {
	var out []time.Duration
	shortest, longest := time.Duration(*p.MinDelay)*time.Second, time.Duration(*p.MaxDelay)*time.Second
	between := *p.Retries - *p.NoDelays - *p.MinDelays - *p.MaxDelays
	for i := range *p.Retries {
		switch step := i - *p.NoDelays - *p.MinDelays; {
		case i < *p.NoDelays:
			out = append(out, 0)
		case step < 0:
			out = append(out, shortest)
		case step >= between:
			out = append(out, longest)
		case between == 1:
			out = append(out, shortest)
		default:
			out = append(out, shortest+(longest-shortest)*time.Duration(step)/time.Duration(between-1))
		}
	}
	return out
}
