package sqsbus

import (
	"context"
	"errors"
	"net/url"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"omnibus/bus/spec"
)

// SubscribeTo subscribes the queue to the SNS topic that the URL names, and has the
// queue's policy let the topic send to it. The URL says too how SNS is reached: by the
// parameter endpoint where it is not AWS. Messages come as they were sent, without an
// envelope, unless the queue was opened with that very topic as snstopicarn. On AWS a
// changed policy or filter can take minutes to be applied.
//
// The policy is read and then written: of two that change it at the same time, one can
// be lost. If the queue belongs to another account than the caller, its owner has to
// confirm the subscription, which is an error here.
func (r *receiving) SubscribeTo(ctx context.Context, u *url.URL, s spec.SubscriptionSettings) error {
	a, err := parse(u, true)
	if err != nil {
		return err
	}
	if a.topicARN == "" {
		return invalid("the URL of a topic here is %s:///arn:aws:sns:REGION:ACCOUNT:NAME", SchemeSNS)
	}
	cfg, closeIdle, err := r.backend.configure(ctx, a)
	if err != nil {
		return err
	}
	defer closeIdle()
	queueARN, err := r.ownARN(ctx)
	if err != nil {
		return err
	}
	client := r.backend.newSNS(cfg, r.backend.traffic(a.topicARN))
	arn, err := subscriptionOf(ctx, client, a.topicARN, queueARN, wantedAttributes(s, r.topicARN != a.topicARN))
	if err != nil {
		return err
	}
	if err := update(ctx, client, arn, s, r.topicARN != a.topicARN); err != nil {
		return err
	}
	return r.admit(ctx, queueARN, a.topicARN)
}

// admit has the queue's policy let the topic send to it.
func (q *queue) admit(ctx context.Context, queueARN, topicARN string) error {
	wire, err := q.attributes(ctx)
	if err != nil {
		return err
	}
	policy, err := admitTopic(wire[string(sqstypes.QueueAttributeNamePolicy)], queueARN, topicARN)
	if err != nil || policy == "" {
		return err
	}
	_, err = q.client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{
		QueueUrl: &q.url, Attributes: map[string]string{string(sqstypes.QueueAttributeNamePolicy): policy},
	})
	return err
}

// The attributes of a subscription that are set here.
const (
	rawDelivery = "RawMessageDelivery"
	filter      = "FilterPolicy"
	filterScope = "FilterPolicyScope"
)

func scopeOf(s spec.SubscriptionSettings) string {
	if s.FilterBody {
		return "MessageBody"
	}
	return "MessageAttributes"
}

// wantedAttributes returns the attributes of a new subscription.
func wantedAttributes(s spec.SubscriptionSettings, raw bool) map[string]string {
	attrs := map[string]string{rawDelivery: strconv.FormatBool(raw)}
	if s.Filter != "" {
		attrs[filter], attrs[filterScope] = s.Filter, scopeOf(s)
	}
	return attrs
}

// subscriptionOf returns the ARN of the queue's subscription to a topic, which is made
// if there is none.
func subscriptionOf(ctx context.Context, client *sns.Client, topicARN, queueARN string, attrs map[string]string) (string, error) {
	made, err := client.Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: &topicARN, Protocol: aws.String("sqs"), Endpoint: &queueARN, Attributes: attrs, ReturnSubscriptionArn: true,
	})
	if err == nil {
		return aws.ToString(made.SubscriptionArn), nil
	}
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "InvalidParameter" {
		return "", err
	}
	// It may be subscribed already, with other attributes.
	pages := sns.NewListSubscriptionsByTopicPaginator(client, &sns.ListSubscriptionsByTopicInput{TopicArn: &topicARN})
	for pages.HasMorePages() {
		page, listErr := pages.NextPage(ctx)
		if listErr != nil {
			return "", errors.Join(err, listErr)
		}
		for _, has := range page.Subscriptions {
			if aws.ToString(has.Endpoint) == queueARN && aws.ToString(has.Protocol) == "sqs" {
				return aws.ToString(has.SubscriptionArn), nil
			}
		}
	}
	return "", err
}

// update makes the attributes of a subscription those that are wanted. One that was
// there has whatever it was made with: SNS takes fewer attributes for the same ones.
func update(ctx context.Context, client *sns.Client, arn string, s spec.SubscriptionSettings, raw bool) error {
	has, err := client.GetSubscriptionAttributes(ctx, &sns.GetSubscriptionAttributesInput{SubscriptionArn: &arn})
	if err != nil {
		return err
	}
	if has.Attributes["PendingConfirmation"] == "true" {
		return spec.Errorf(spec.UnsupportedOperation, "subscription %s is pending: the owner of the queue has to confirm it", arn)
	}
	type attribute struct{ name, value string }
	wanted := []attribute{{rawDelivery, strconv.FormatBool(raw)}}
	switch policy, scope := (attribute{filter, s.Filter}), (attribute{filterScope, scopeOf(s)}); {
	case s.Filter == "" && has.Attributes[filter] != "":
		wanted = append(wanted, attribute{filter, "{}"}) // which is none
	case s.Filter == "":
	case s.FilterBody: // a body's filter may be nested, and that of attributes may not
		wanted = append(wanted, scope, policy)
	default:
		wanted = append(wanted, policy, scope)
	}
	for _, w := range wanted {
		if has.Attributes[w.name] == w.value {
			continue
		}
		if _, err := client.SetSubscriptionAttributes(ctx, &sns.SetSubscriptionAttributesInput{
			SubscriptionArn: &arn, AttributeName: &w.name, AttributeValue: &w.value,
		}); err != nil {
			return err
		}
	}
	return nil
}
