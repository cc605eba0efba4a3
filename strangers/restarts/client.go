//go:build strangers

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	batchSize  = 10
	visibility = 2        // seconds that a message is hidden by a receive
	hidden     = 6 * 3600 // seconds that one is hidden for the rest of the campaign
)

// A client is of one goroutine. It does not try again by itself.
type client struct {
	*sqs.Client
	queue string
}

func newClient(address, queue string) *client {
	return &client{sqs.New(sqs.Options{
		BaseEndpoint: aws.String("http://" + address),
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
		Retryer:      aws.NopRetryer{},
	}), queue}
}

func create(ctx context.Context, address string) (string, error) {
	out, err := newClient(address, "").CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("restarts"), Attributes: map[string]string{"VisibilityTimeout": strconv.Itoa(visibility)}})
	if err != nil {
		return "", err
	}
	return *out.QueueUrl, nil
}

// pause waits after a call that failed: the server is being started.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Millisecond):
	}
}

var padding = strings.Repeat("x", 8000)

// send sends batches until ctx ends. A message is its number and some padding.
func (l *ledger) send(ctx context.Context, c *client, n int) {
	for i := 0; ctx.Err() == nil; i++ {
		in := &sqs.SendMessageBatchInput{QueueUrl: &c.queue}
		var names []string
		for j := range 1 + rand.IntN(batchSize) {
			name := fmt.Sprintf("%d.%d.%d", n, i, j)
			names = append(names, name)
			in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(j)), MessageBody: aws.String(name + " " + padding[:rand.IntN(len(padding))])})
		}
		out, err := c.SendMessageBatch(context.WithoutCancel(ctx), in)
		if err != nil {
			l.unsureSends(len(names))
			pause(ctx)
			continue
		}
		for _, e := range out.Successful {
			j, err := strconv.Atoi(*e.Id)
			if err == nil {
				l.noteSent(names[j])
			}
		}
	}
}

// receive receives batches until ctx ends, and deletes most of what it gets; some it
// hides, and some it leaves to come back.
func (l *ledger) receive(ctx context.Context, c *client) {
	for ctx.Err() == nil {
		began := time.Now()
		out, err := c.ReceiveMessage(context.WithoutCancel(ctx), &sqs.ReceiveMessageInput{QueueUrl: &c.queue, MaxNumberOfMessages: batchSize, WaitTimeSeconds: 1})
		if err != nil {
			pause(ctx)
			continue
		}
		in := &sqs.DeleteMessageBatchInput{QueueUrl: &c.queue}
		var names []string
		for _, m := range out.Messages {
			name := l.noteReceived(m, began)
			switch rand.IntN(20) {
			case 0:
				l.hide(ctx, c, m, name)
			case 1, 2, 3:
			default:
				in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(len(names))), ReceiptHandle: m.ReceiptHandle})
				names = append(names, name)
			}
		}
		l.delete(ctx, c, in, names)
	}
}

// hide hides a message for the rest of the campaign.
func (l *ledger) hide(ctx context.Context, c *client, m types.Message, name string) {
	l.unsureHidden(name)
	if _, err := c.ChangeMessageVisibility(context.WithoutCancel(ctx), &sqs.ChangeMessageVisibilityInput{QueueUrl: &c.queue, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: hidden}); err == nil {
		l.noteHidden(name)
	}
}

func (l *ledger) delete(ctx context.Context, c *client, in *sqs.DeleteMessageBatchInput, names []string) {
	if len(names) == 0 {
		return
	}
	l.unsureDeleted(names)
	out, err := c.DeleteMessageBatch(context.WithoutCancel(ctx), in)
	if err != nil {
		pause(ctx)
		return
	}
	for _, e := range out.Successful {
		if j, err := strconv.Atoi(*e.Id); err == nil {
			l.noteDeleted(names[j])
		}
	}
}

// drain receives and deletes all that becomes visible, and returns how many messages are
// hidden in the end. A receive that fails is made again: what it took becomes visible.
func (l *ledger) drain(ctx context.Context, c *client) (left int, err error) {
	for empty := time.Now(); time.Since(empty) < (visibility+2)*time.Second; {
		began := time.Now()
		out, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &c.queue, MaxNumberOfMessages: batchSize, WaitTimeSeconds: 1})
		if err != nil {
			fmt.Fprintln(os.Stderr, "restarts: made again:", err)
			empty = time.Now()
			pause(ctx)
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			continue
		}
		in := &sqs.DeleteMessageBatchInput{QueueUrl: &c.queue}
		var names []string
		for i, m := range out.Messages {
			empty = time.Now()
			names = append(names, l.noteReceived(m, began))
			in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
		}
		l.delete(ctx, c, in, names)
	}
	out, err := c.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &c.queue, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
	if err != nil {
		return 0, err
	}
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"} {
		n, err := strconv.Atoi(out.Attributes[name])
		if err != nil {
			return 0, err
		}
		left += n
	}
	return left, nil
}
