package snsserver_test

import (
	"errors"
	"flag"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"omnibus/bus/internal/protocoltest"
	"omnibus/bus/snsserver"
	"omnibus/bus/sqsserver"
)

const (
	region   = "eu-central-1"
	account  = "123456789012"
	endpoint = "http://aws.test"
)

// rig is the AWS SDK on SNS and SQS at one address, without a socket.
type rig struct {
	sns    *sns.Client
	sqs    *sqs.Client
	server *snsserver.Server
	http   *http.Client
	t      *testing.T
}

func newRig(t *testing.T, opts ...func(*snsserver.Options)) *rig {
	queues := sqsserver.New(&sqsserver.Options{Region: region, Account: account})
	o := &snsserver.Options{Queues: queues, Region: region, Account: account}
	for _, set := range opts {
		set(o)
	}
	server := snsserver.New(o)
	client := snsserver.Client(snsserver.Beside(server, queues))
	return &rig{
		sns:    snsClient(client, region, "id"),
		sqs:    sqs.New(sqs.Options{Region: region, BaseEndpoint: aws.String(endpoint), HTTPClient: client, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""), RetryMaxAttempts: 1}),
		server: server,
		http:   client,
		t:      t,
	}
}

func snsClient(client *http.Client, region, key string) *sns.Client {
	return sns.New(sns.Options{
		Region: region, BaseEndpoint: aws.String(endpoint), HTTPClient: client,
		Credentials: credentials.NewStaticCredentialsProvider(key, "secret", ""), RetryMaxAttempts: 1,
	})
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, code, text string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.HasPrefix(e.ErrorMessage(), text) {
		t.Errorf("error %v, want %s: %s", err, code, text)
	}
}

func pairs(list []string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(list); i += 2 {
		m[list[i]] = list[i+1]
	}
	return m
}

// topic creates a topic; attributes are names and values in turn.
func (r *rig) topic(name string, attributes ...string) *string {
	r.t.Helper()
	in := &sns.CreateTopicInput{Name: &name, Attributes: pairs(attributes)}
	if strings.HasSuffix(name, ".fifo") {
		in.Attributes["FifoTopic"] = "true"
	}
	out, err := r.sns.CreateTopic(r.t.Context(), in)
	ok(r.t, err)
	return out.TopicArn
}

// queue creates a queue and returns its URL and ARN.
func (r *rig) queue(name string) (url *string, arn string) {
	r.t.Helper()
	in := &sqs.CreateQueueInput{QueueName: &name}
	if strings.HasSuffix(name, ".fifo") {
		in.Attributes = map[string]string{"FifoQueue": "true"}
	}
	out, err := r.sqs.CreateQueue(r.t.Context(), in)
	ok(r.t, err)
	a, err := r.sqs.GetQueueAttributes(r.t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: out.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{"QueueArn"}})
	ok(r.t, err)
	return out.QueueUrl, a.Attributes["QueueArn"]
}

// subscribed creates a queue that is subscribed to a topic, and returns its URL
// and the subscription's ARN.
func (r *rig) subscribed(topic *string, name string, attributes ...string) (url, subscription *string) {
	r.t.Helper()
	url, arn := r.queue(name)
	out, err := r.sns.Subscribe(r.t.Context(), &sns.SubscribeInput{TopicArn: topic, Protocol: new("sqs"), Endpoint: &arn, Attributes: pairs(attributes)})
	ok(r.t, err)
	return url, out.SubscriptionArn
}

// receive returns what a queue has, up to ten messages.
func (r *rig) receive(url *string) []sqstypes.Message {
	r.t.Helper()
	out, err := r.sqs.ReceiveMessage(r.t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{"All"},
	})
	ok(r.t, err)
	return out.Messages
}

func (r *rig) publish(topic *string, message string) *sns.PublishOutput {
	r.t.Helper()
	out, err := r.sns.Publish(r.t.Context(), &sns.PublishInput{TopicArn: topic, Message: &message})
	ok(r.t, err)
	return out
}

func text(value string) snstypes.MessageAttributeValue {
	return snstypes.MessageAttributeValue{DataType: new("String"), StringValue: &value}
}

var update = flag.Bool("update", false, "write what the server answers into testdata/protocol")

// TestProtocol plays the files of testdata/protocol.
func TestProtocol(t *testing.T) {
	p := protocoltest.Player{
		Client: func() *http.Client {
			queues := sqsserver.New(nil)
			return snsserver.Client(snsserver.Beside(snsserver.New(&snsserver.Options{Queues: queues}), queues))
		},
		Address: endpoint,
		Update:  *update,
		Words: map[string]*regexp.Regexp{
			"SUBSCRIPTION": regexp.MustCompile(`SubscriptionArn>(arn:[^<]*)<`),
			"NUMBER":       regexp.MustCompile(`SequenceNumber>(\d{20})<`),
			"CERTIFICATE":  regexp.MustCompile(`SimpleNotificationService-(\w+)`),
			"SIGNATURE":    regexp.MustCompile(`Signature(?:\\"|&quot;|&#34;) : (?:\\"|&quot;|&#34;)([\w+/=]+)`),
			"RECEIPT":      regexp.MustCompile(`ReceiptHandle>([\w-]+)<`),
			"MD5":          regexp.MustCompile(`MD5OfBody>(\w+)<`),
			"TOKEN":        regexp.MustCompile(`Token=(\w{64})`),
		},
	}
	p.Play(t, "testdata/protocol/*.txt")
}

func TestServerHasAllActions(t *testing.T) {
	want := strings.Fields(`AddPermission ConfirmSubscription CreateTopic DeleteTopic GetCallerIdentity GetSubscriptionAttributes GetTopicAttributes
		ListSubscriptions ListSubscriptionsByTopic ListTagsForResource ListTopics Publish PublishBatch RemovePermission
		SetSubscriptionAttributes SetTopicAttributes Subscribe TagResource Unsubscribe UntagResource`)
	if got := snsserver.Actions(); !slices.Equal(got, want) {
		t.Errorf("actions %v", got)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	queues := sqsserver.New(nil)
	for _, o := range []snsserver.Options{{}, {Queues: queues, Region: "us east"}, {Queues: queues, Account: "12"}, {Queues: queues, Account: "12345678901x"}} {
		if snsserver.CheckOptions(&o) == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	ok(t, snsserver.CheckOptions(&snsserver.Options{Queues: queues}))
}
