package sqsserver_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"omnibus/bus/engine"
	"omnibus/bus/sqsserver"
)

const (
	region   = "eu-central-1"
	account  = "123456789012"
	endpoint = "http://sqs.test"
)

// sdk is the AWS SDK on a server, without a socket. The SDK checks the MD5s of
// all it sends and receives.
type sdk struct {
	*sqs.Client
	server *sqsserver.Server
	t      *testing.T
}

func newSDK(t *testing.T, opts *engine.Options) *sdk {
	t.Helper()
	server := sqsserver.New(&sqsserver.Options{Engine: engine.New(opts), Region: region, Account: account})
	return &sdk{
		Client: sqs.New(sqs.Options{
			Region:           region,
			BaseEndpoint:     aws.String(endpoint),
			HTTPClient:       server.Client(),
			Credentials:      credentials.NewStaticCredentialsProvider("id", "secret", ""),
			RetryMaxAttempts: 1,
		}),
		server: server,
		t:      t,
	}
}

// create creates a queue and returns its URL. Attributes are names and values in
// turn.
func (c *sdk) create(name string, attributes ...string) *string {
	c.t.Helper()
	in := &sqs.CreateQueueInput{QueueName: &name, Attributes: pairs(attributes)}
	if strings.HasSuffix(name, ".fifo") {
		in.Attributes["FifoQueue"] = "true"
	}
	out, err := c.CreateQueue(c.t.Context(), in)
	if err != nil {
		c.t.Fatal(err)
	}
	return out.QueueUrl
}

func pairs(list []string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(list); i += 2 {
		m[list[i]] = list[i+1]
	}
	return m
}

func (c *sdk) send(url *string, body string) *sqs.SendMessageOutput {
	c.t.Helper()
	out, err := c.SendMessage(c.t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body})
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// sendGroup sends to a FIFO queue, with the body as the deduplication id.
func (c *sdk) sendGroup(url *string, group, body string) *sqs.SendMessageOutput {
	c.t.Helper()
	out, err := c.SendMessage(c.t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body, MessageGroupId: &group, MessageDeduplicationId: &body})
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// receive receives up to ten messages, with all that belongs to them, and fails
// the test unless they have the bodies want, as in "a b".
func (c *sdk) receive(url *string, want string) []types.Message {
	c.t.Helper()
	out, err := c.ReceiveMessage(c.t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: 10,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
		MessageAttributeNames:       []string{"All"},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	var bodies []string
	for _, m := range out.Messages {
		bodies = append(bodies, *m.Body)
	}
	if got := strings.Join(bodies, " "); got != want {
		c.t.Fatalf("received %q, want %q", got, want)
	}
	return out.Messages
}

func (c *sdk) attributes(url *string, names ...types.QueueAttributeName) map[string]string {
	c.t.Helper()
	out, err := c.GetQueueAttributes(c.t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: names})
	if err != nil {
		c.t.Fatal(err)
	}
	return out.Attributes
}

// wantCounts fails the test unless so many messages are visible, in flight and
// delayed.
func (c *sdk) wantCounts(url *string, want string) {
	c.t.Helper()
	a := c.attributes(url, "All")
	got := a["ApproximateNumberOfMessages"] + " " + a["ApproximateNumberOfMessagesNotVisible"] + " " + a["ApproximateNumberOfMessagesDelayed"]
	if got != want {
		c.t.Fatalf("counts %s, want %s", got, want)
	}
}

// wantError fails the test unless err has the code that the SDKs read from the
// header x-amzn-query-error, and the text.
func wantError(t *testing.T, err error, code, text string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) {
		t.Errorf("error %v, want %s", err, code)
		return
	}
	if e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), text) {
		t.Errorf("error %s %q, want %s %q", e.ErrorCode(), e.ErrorMessage(), code, text)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
