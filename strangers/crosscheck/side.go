//go:build strangers

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
)

// A side is one of the two endpoints, with what only it can know: its queues' URLs
// and its receipt handles.
type side struct {
	client  *sqs.Client
	urls    map[string]string   // by queue
	handles map[string][]string // by the body of the message, all that were given
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

// A call is one call, to be played to both sides.
type call struct {
	what  string
	queue string
	play  func(ctx context.Context, s *side) string // returns the answer, as far as it is compared
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

// sameAnswers reports whether the line of a call has the same answer twice.
func sameAnswers(line string) bool {
	_, answers, _ := strings.Cut(line, " -> ")
	ours, theirs, _ := strings.Cut(answers, " | ")
	return ours == theirs
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
	return fmt.Sprintf("%d %v", len(lines), lines)
}

// groupOf returns the group of a message in an answer of a FIFO queue, and all of
// it for a standard queue, which may answer in any order.
func groupOf(line string) string {
	if group, _, ok := strings.Cut(line, "/"); ok {
		return group
	}
	return line
}
