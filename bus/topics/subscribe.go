package topics

import (
	"cmp"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"

	"omnibus/bus/spec"
)

// A Subscription is what SNS lists of a subscription.
type Subscription struct {
	ARN      string
	TopicARN string
	Protocol string
	Endpoint string
	Owner    string // the account that subscribed
	Pending  bool   // it has not been confirmed
	Number   uint64 // in the order in which subscriptions were made
}

func (s *subscription) listed() Subscription {
	return Subscription{s.arn, s.topic, s.protocol, s.endpoint, s.owner, !s.confirmed, s.number}
}

// A SubscribeRequest says who subscribes to what.
type SubscribeRequest struct {
	TopicARN   string
	Protocol   string            // sqs, http, https, or another of SNS's
	Endpoint   string            // the ARN of a queue, or a URL
	Attributes map[string]string // of SNS: RawMessageDelivery, FilterPolicy, FilterPolicyScope, RedrivePolicy, …
	Account    string            // of the caller
	Base       string            // as for Publish: what the links in a document to confirm begin with
}

// Subscribe subscribes an endpoint to a topic. A queue of the caller's account is
// confirmed at once, and need not exist. Other queues and endpoints over HTTP are
// asked to confirm, again if they are subscribed a second time; all others stay
// unconfirmed. An endpoint that is subscribed already has its subscription
// returned, or an error if an attribute given differs from what that has.
func (e *Engine) Subscribe(r SubscribeRequest) (Subscription, error) {
	s, version, err := e.subscribe(r)
	if err != nil {
		return Subscription{}, err
	}
	if !s.confirmed {
		e.ask(s, version, subscribing, r.Base)
	}
	return s.listed(), nil
}

// subscribe returns the subscription, and the version of the topic's signatures.
func (e *Engine) subscribe(r SubscribeRequest) (*subscription, string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, err := e.topic(r.TopicARN)
	if err != nil {
		return nil, "", err
	}
	if err := t.checkEndpoint(r.Protocol, r.Endpoint); err != nil {
		return nil, "", err
	}
	if i := slices.IndexFunc(t.subs, func(s *subscription) bool { return s.protocol == r.Protocol && s.endpoint == r.Endpoint }); i >= 0 {
		return t.subs[i], t.attribute("SignatureVersion"), t.subs[i].sameAs(r.Attributes)
	}
	id := newID()
	s := &subscription{
		number: e.number + 1, arn: t.name + ":" + id, topic: t.name, protocol: r.Protocol, endpoint: r.Endpoint, owner: r.Account,
		token: newToken(), tokenEnds: e.now() + tokenLives,
	}
	if s, err = s.with(t.topic, r.Attributes, "Attributes Reason: "); err != nil {
		return nil, "", err
	}
	switch {
	case s.filter != nil && t.filters() >= maxFilters:
		return nil, "", errTooManyFilters
	case t.maxBytes > defaultMaxBytes && (len(t.subs) >= maxLargeSubscriptions || !s.takesLarge()):
		return nil, "", invalid("Subscription Reason: a topic whose MaximumMessageSize is above %d takes at most %d subscriptions, of queues only", defaultMaxBytes, maxLargeSubscriptions)
	}
	if s.protocol == "sqs" && accountIn(s.endpoint) == r.Account {
		s.confirmed, s.confirmedByOwner = true, true
	}
	e.number++
	t.subs = append(slices.Clip(t.subs), s)
	return s, t.attribute("SignatureVersion"), nil
}

var errTooManyFilters = spec.Errorf(FilterPolicyLimitExceeded, "Filter policy limit exceeded: a topic has at most %d subscriptions with a filter policy", maxFilters)

func (t *topic) filters() int {
	n := 0
	for _, s := range t.subs {
		if s.filter != nil {
			n++
		}
	}
	return n
}

func accountIn(arn string) string {
	a, _ := ParseARN("", arn) // it was checked
	return a.Account
}

// newToken returns a token that confirms one subscription.
func newToken() string {
	var b [32]byte
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return hex.EncodeToString(b[:])
}

func isToken(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == len(newToken())/2
}

// ConfirmSubscription confirms the subscription of a topic that a token is of,
// again if need be, or restores one that was removed. byOwner says that the
// owner's request does so, not a link. It returns the subscription's ARN.
func (e *Engine) ConfirmSubscription(topicARN, token string, byOwner, authenticateToRemove bool) (string, error) {
	if _, err := parseTopicARN(topicARN); err != nil {
		return "", invalid("Topic")
	}
	if !isToken(token) {
		return "", spec.Errorf(InvalidParameter, "Invalid token")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.topics[topicARN]
	if t == nil {
		return "", invalid("Token")
	}
	isIt := func(s *subscription) bool { return s.token == token && e.now() < s.tokenEnds }
	if i := slices.IndexFunc(t.subs, isIt); i >= 0 {
		if t.subs[i].confirmed {
			return t.subs[i].arn, nil
		}
		s := *t.subs[i]
		s.confirmed, s.confirmedByOwner, s.authenticateToRemove = true, byOwner, authenticateToRemove
		t.replace(i, &s)
		return s.arn, nil
	}
	if i := slices.IndexFunc(t.removed, isIt); i >= 0 {
		s := t.removed[i]
		t.removed = slices.Delete(t.removed, i, i+1)
		t.subs = append(slices.Clip(t.subs), s)
		t.deleted--
		return s.arn, nil
	}
	return "", invalid("Token")
}

// replace puts a subscription in the place of another.
func (t *topic) replace(i int, s *subscription) {
	t.subs = slices.Clone(t.subs)
	t.subs[i] = s
}

// find returns the topic of a subscription and its place there, or the error that
// there is none. e.mu is held.
func (e *Engine) find(arn string) (*handle, int, error) {
	topicARN, _, err := splitSubscriptionARN(arn)
	if err != nil {
		return nil, 0, err
	}
	if t := e.topics[topicARN]; t != nil {
		if i := slices.IndexFunc(t.subs, func(s *subscription) bool { return s.arn == arn }); i >= 0 {
			return t, i, nil
		}
	}
	return nil, 0, errNoSubscription
}

// Unsubscribe removes a subscription. One that does not exist is no error. byOwner
// says that a request of the owner's asks for it, not a link; it is needed if the
// one who confirmed wanted so. An endpoint over HTTP is told, with a link that
// restores the subscription.
func (e *Engine) Unsubscribe(arn, base string, byOwner bool) error {
	s, version, err := e.unsubscribe(arn, byOwner)
	if s != nil {
		e.ask(s, version, unsubscribing, base)
	}
	return err
}

// unsubscribe returns the subscription if its endpoint is to be told, and the
// version of the topic's signatures.
func (e *Engine) unsubscribe(arn string, byOwner bool) (*subscription, string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, i, err := e.find(arn)
	switch {
	case err == errNoSubscription:
		return nil, "", nil
	case err != nil:
		return nil, "", err
	case t.subs[i].authenticateToRemove && !byOwner:
		return nil, "", spec.Errorf(AuthorizationError, "This subscription is ended by an authenticated request of its owner only")
	}
	s := t.subs[i]
	t.subs = slices.Delete(slices.Clone(t.subs), i, i+1)
	t.deleted++
	t.removed = slices.DeleteFunc(t.removed, func(s *subscription) bool { return s.tokenEnds <= e.now() })
	if !s.overHTTP() || !s.confirmed {
		return nil, "", nil
	}
	restorable := *s
	restorable.token, restorable.tokenEnds = newToken(), e.now()+tokenLives
	t.removed = append(t.removed, &restorable)
	return &restorable, t.attribute("SignatureVersion"), nil
}

// Subscriptions returns the subscriptions of an account to topics whose ARNs
// start with prefix, in the order in which they were made.
func (e *Engine) Subscriptions(account, prefix string) []Subscription {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []Subscription
	for arn, t := range e.topics {
		if !strings.HasPrefix(arn, prefix) {
			continue
		}
		for _, s := range t.subs {
			if s.owner == account {
				list = append(list, s.listed())
			}
		}
	}
	slices.SortFunc(list, func(a, b Subscription) int { return cmp.Compare(a.Number, b.Number) })
	return list
}

// SubscriptionsByTopic returns the subscriptions of a topic, in the order in which
// they were made.
func (e *Engine) SubscriptionsByTopic(arn string) ([]Subscription, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, err := e.topic(arn)
	if err != nil {
		return nil, err
	}
	var list []Subscription
	for _, s := range t.subs {
		list = append(list, s.listed())
	}
	slices.SortFunc(list, func(a, b Subscription) int { return cmp.Compare(a.Number, b.Number) })
	return list, nil
}

// SubscriptionAttributes returns the attributes of a subscription, as SNS shows
// them.
func (e *Engine) SubscriptionAttributes(arn string) (map[string]string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, i, err := e.find(arn)
	if err != nil {
		return nil, err
	}
	return t.subs[i].attributes(t.topic), nil
}

// SetSubscriptionAttribute sets an attribute of a subscription, from the next
// message on.
func (e *Engine) SetSubscriptionAttribute(arn, name, value string) error {
	return e.SetSubscriptionAttributes(arn, map[string]string{name: value})
}

// SetSubscriptionAttributes sets attributes of a subscription, all or none, so that
// a filter policy and its scope can be changed together.
func (e *Engine) SetSubscriptionAttributes(arn string, attrs map[string]string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, i, err := e.find(arn)
	if err != nil {
		return err
	}
	s, err := t.subs[i].with(t.topic, attrs, "")
	if err != nil {
		return err
	}
	if s.filter != nil && t.subs[i].filter == nil && t.filters() >= maxFilters {
		return errTooManyFilters
	}
	t.replace(i, s)
	return nil
}
