//go:build strangers

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

// A side is one of the two endpoints, with what only it can know: its queues' URLs
// and its receipt handles.
type side struct {
	client  *sqs.Client
	urls    map[string]string   // by queue
	handles map[string][]string // by the body of the message, all that were given
	ids     map[string]bool     // of messages that were sent
}

func newSide(origin string) *side {
	return &side{
		client: sqs.New(sqs.Options{
			BaseEndpoint: &origin,
			Region:       "us-east-1",
			Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
			Retryer:      aws.NopRetryer{},
		}),
		urls:    map[string]string{},
		handles: map[string][]string{},
		ids:     map[string]bool{},
	}
}

// url returns the URL of a queue. One that was never created gets a URL like the
// others.
func (s *side) url(queue string) *string {
	if u, ok := s.urls[queue]; ok {
		return &u
	}
	for _, u := range s.urls {
		return aws.String(u[:strings.LastIndex(u, "/")+1] + queue)
	}
	return aws.String("http://127.0.0.1/000000000000/" + queue)
}

// handle returns the latest receipt handle of a message, or an earlier one.
func (s *side) handle(body string, latest bool) *string {
	hs := s.handles[body]
	switch {
	case len(hs) == 0:
		return aws.String("nonsense")
	case latest:
		return &hs[len(hs)-1]
	}
	return &hs[0]
}

// seen returns what an answer to a send says of the message's id.
func (s *side) seen(id *string) string {
	known := s.ids[aws.ToString(id)]
	s.ids[aws.ToString(id)] = true
	if known {
		return " as before"
	}
	return ""
}

// counts are the numbers of messages that a queue tells.
type counts struct{ visible, inFlight, delayed int }

const countsFormat = "%d visible, %d in flight, %d delayed"

func (c counts) String() string { return fmt.Sprintf(countsFormat, c.visible, c.inFlight, c.delayed) }

// counts asks a queue for its counts.
func (s *side) counts(ctx context.Context, queue string) (c counts, err error) {
	s.settle(ctx, queue)
	names := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	out, err := s.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: s.url(queue), AttributeNames: names})
	if err != nil {
		return c, err
	}
	for i, n := range []*int{&c.visible, &c.inFlight, &c.delayed} {
		if *n, err = strconv.Atoi(out.Attributes[string(names[i])]); err != nil {
			return c, err
		}
	}
	return c, nil
}

// settle waits for what an endpoint does in a timer of no delay: it is done when the
// endpoint answers a request that came later.
func (s *side) settle(ctx context.Context, queue string) {
	time.Sleep(2 * time.Millisecond)
	s.client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &queue})
}

// A call is one call, to be played to both sides.
type call struct {
	what  string
	queue string
	body  string                                    // of a send
	play  func(ctx context.Context, s *side) string // returns the answer, as far as it is compared
	learn func(ours string)                         // is told our answer; nil if it changes nothing that is known
}

// failed returns the code of an error, without the prefixes that depend on the
// protocol.
func failed(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fmt.Sprintf("error %q", err)
	}
	code := api.ErrorCode()
	code = code[strings.LastIndex(code, "#")+1:]
	code = code[strings.LastIndex(code, ".")+1:]
	return "error " + code
}

// received returns the messages of an answer in the order of their groups, keeps
// their receipt handles, and leaves out what is random.
func (s *side) received(out *sqs.ReceiveMessageOutput) string {
	var lines []string
	for _, m := range out.Messages {
		body := aws.ToString(m.Body)
		s.handles[body] = append(s.handles[body], aws.ToString(m.ReceiptHandle))
		var attributes []string
		for name, a := range m.MessageAttributes {
			attributes = append(attributes, fmt.Sprintf("%s=%s:%s%x", name, aws.ToString(a.DataType), aws.ToString(a.StringValue), a.BinaryValue))
		}
		slices.Sort(attributes)
		lines = append(lines, fmt.Sprintf("{%q attributes=%v md5=%s}", body, attributes, aws.ToString(m.MD5OfMessageAttributes)))
	}
	// Bodies begin with their group, and only within it does the order count.
	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(groupOf(a), groupOf(b)) })
	return fmt.Sprint(lines)
}

// groupOf returns the group of a message in an answer of a FIFO queue, and all of
// it for a standard queue, which may answer in any order.
func groupOf(line string) string {
	if group, _, ok := strings.Cut(line, "/"); ok {
		return group
	}
	return line
}
