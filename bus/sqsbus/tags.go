package sqsbus

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"omnibus/bus/driver"
)

// Tags returns the tags of the queue that the URL names.
func (b *Backend) Tags(ctx context.Context, queueURL string) (tags map[string]string, err error) {
	err = b.with(ctx, "list tags of", queueURL, func(client *sqs.Client, _ *address, queue *string) error {
		out, err := client.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: queue})
		if err == nil {
			tags = out.Tags
		}
		return err
	})
	return tags, err
}

// SetTags adds tags to the queue that the URL names, or gives those it has other
// values. SQS advises against more than 50.
func (b *Backend) SetTags(ctx context.Context, queueURL string, tags map[string]string) error {
	return b.with(ctx, "tag", queueURL, func(client *sqs.Client, _ *address, queue *string) error {
		_, err := client.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: queue, Tags: tags})
		return err
	})
}

// RemoveTags removes tags from the queue that the URL names. Those it does not
// have are no error.
func (b *Backend) RemoveTags(ctx context.Context, queueURL string, keys ...string) error {
	return b.with(ctx, "untag", queueURL, func(client *sqs.Client, _ *address, queue *string) error {
		_, err := client.UntagQueue(ctx, &sqs.UntagQueueInput{QueueUrl: queue, TagKeys: keys})
		return err
	})
}

// DeadLetterSources returns the URLs of the queues whose dead letters go to the
// queue that the URL names.
func (b *Backend) DeadLetterSources(ctx context.Context, queueURL string) (urls []string, err error) {
	err = b.with(ctx, "list dead-letter sources of", queueURL, func(client *sqs.Client, a *address, queue *string) error {
		pages := sqs.NewListDeadLetterSourceQueuesPaginator(client, &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: queue})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return err
			}
			for _, u := range page.QueueUrls {
				reachable, err := a.reachable(u)
				if err != nil {
					return err
				}
				urls = append(urls, reachable)
			}
		}
		return nil
	})
	return urls, err
}

// with calls f with a client for the queue that the URL names. Errors have a code
// for [omnibus/bus/driver.ErrorCode].
func (b *Backend) with(ctx context.Context, op, queueURL string, f func(client *sqs.Client, a *address, queue *string) error) error {
	err := func() error {
		u, err := driver.ParseURL(queueURL)
		if err != nil {
			return err
		}
		a, client, closeIdle, err := b.account(ctx, u, false)
		if err != nil {
			return err
		}
		defer closeIdle()
		return f(client, a, &a.queue)
	}()
	if err != nil {
		return fmt.Errorf("sqsbus: %s %s: %w", op, driver.Redact(queueURL), driver.RedactError(err, queueURL))
	}
	return nil
}
