package spec

// SubscriptionSettings say what a queue gets of a topic that it subscribes to. The
// zero value is everything.
type SubscriptionSettings struct {
	// Filter is a filter policy of SNS, in JSON: the queue gets the messages that it
	// wants. "" wants all.
	// https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
	Filter string

	// FilterBody has the filter look at the members of the body, a JSON object,
	// rather than at attributes. Metadata are attributes.
	FilterBody bool
}
