package sqsbus

import (
	"context"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"omnibus/bus/spec"
)

// CreateQueue creates the queue that the URL names and returns the URL that opens
// it, with the host that the caller can reach. The URL's account is not looked at:
// it is that of the credentials. The dead-letter queue must exist.
func (b *Backend) CreateQueue(ctx context.Context, u *url.URL, s spec.QueueSettings) (string, error) {
	a, client, closeIdle, err := b.account(ctx, u, false)
	if err != nil {
		return "", err
	}
	defer closeIdle()
	if err := checkSettings(a.name, s); err != nil {
		return "", err
	}
	s.FIFO = new(spec.IsFIFOName(a.name))
	arn := ""
	if d := s.DeadLetter; d != nil && d.Queue != "" {
		if arn, err = arnOf(ctx, client, d.Queue); err != nil {
			return "", fmt.Errorf("dead-letter queue %s: %w", d.Queue, err)
		}
	} else if namesQueues(s) {
		if arn, err = someARN(ctx, client, s.DeadLetterSources.Queues); err != nil {
			return "", err
		}
	}
	out, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &a.name, Attributes: s.Wire(beside(arn))})
	if err != nil {
		return "", err
	}
	return a.reachable(aws.ToString(out.QueueUrl))
}

// ListQueues returns the URLs of the queues whose names start with prefix, in the
// account and region of the URL, which may be that of a queue or end at the host.
func (b *Backend) ListQueues(ctx context.Context, u *url.URL, prefix string) ([]string, error) {
	a, client, closeIdle, err := b.account(ctx, u, true)
	if err != nil {
		return nil, err
	}
	defer closeIdle()
	in := &sqs.ListQueuesInput{MaxResults: aws.Int32(pageSize)}
	if prefix != "" {
		in.QueueNamePrefix = &prefix
	}
	var urls []string
	for pages := sqs.NewListQueuesPaginator(client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, queue := range page.QueueUrls {
			reachable, err := a.reachable(queue)
			if err != nil {
				return nil, err
			}
			urls = append(urls, reachable)
		}
	}
	return urls, nil
}

// pageSize is the most that SQS lists at a time.
const pageSize = 1000

// account returns a client for what concerns no open queue.
func (b *Backend) account(ctx context.Context, u *url.URL, nameless bool) (*address, *sqs.Client, func(), error) {
	a, err := parse(u, nameless)
	if err != nil {
		return nil, nil, nil, err
	}
	if a.topicARN != "" {
		return nil, nil, nil, invalid("an SNS topic is neither created nor listed here")
	}
	cfg, closeIdle, err := b.configure(ctx, a)
	if err != nil {
		return nil, nil, nil, err
	}
	place := a.endpoint
	if place == "" {
		place = cfg.Region
	}
	return a, b.newSQS(cfg, b.traffic(place)), closeIdle, nil
}

// someARN returns the ARN of one of the queues named, of which one must exist: no
// request of SQS tells the account by itself.
func someARN(ctx context.Context, client *sqs.Client, names []string) (arn string, err error) {
	for _, name := range names {
		if arn, err = arnOf(ctx, client, name); err == nil {
			return arn, nil
		}
	}
	return "", fmt.Errorf("redrive allow policy: none of its queues exists yet; set it when one does: %w", err)
}

// arnOf returns the ARN of the queue named name, which must exist.
func arnOf(ctx context.Context, client *sqs.Client, name string) (string, error) {
	queue, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return "", err
	}
	const arn = types.QueueAttributeNameQueueArn
	out, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: queue.QueueUrl, AttributeNames: []types.QueueAttributeName{arn}})
	if err != nil {
		return "", err
	}
	return out.Attributes[string(arn)], nil
}
