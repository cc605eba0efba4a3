package sqsserver_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"omnibus/bus/sqsserver"
)

// from returns a client of the same server in another region, with another access
// key, at another endpoint.
func (c *sdk) from(region, key, endpoint string) *sdk {
	return &sdk{server: c.server, t: c.t, Client: sqs.New(sqs.Options{
		Region: region, BaseEndpoint: aws.String(endpoint), HTTPClient: c.server.Client(),
		Credentials: credentials.NewStaticCredentialsProvider(key, "secret", ""), RetryMaxAttempts: 1,
	})}
}

// Region and account of a request are those of its signature, as with AWS; that an
// access key of twelve digits is an account is a convention of local endpoints.
func TestRegionsAndAccountsHaveQueuesOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := newSDK(t, nil)
		const other = "999999999999"
		all := map[string]*sdk{ // by what their queues' URLs have between host and name
			"/" + account + "/":             own,
			"/us-west-2/" + account + "/":   own.from("us-west-2", "id", endpoint),
			"/" + other + "/":               own.from(region, other, endpoint),
			"/us-gov-west-1/" + other + "/": own.from("us-gov-west-1", other, endpoint),
			"/eu-west-1/" + account + "/":   own.from("eu-west-1", "id", "http://sqs.us-east-1.localhost:9324"), // which says another
			"1.example/" + account + "/":    own.from("ap-south-1", "id", "http://sqs.ap-south-1.example"),
		}
		urls := map[string]*string{}
		for where, c := range all {
			url := c.create("q")
			if !strings.HasSuffix(*url, where+"q") {
				t.Errorf("a queue at %s has the URL %s", where, *url)
			}
			urls[where] = url
			c.send(url, where)
		}
		for where, c := range all {
			list, err := c.ListQueues(t.Context(), &sqs.ListQueuesInput{})
			if err != nil || len(list.QueueUrls) != 1 || list.QueueUrls[0] != *urls[where] {
				t.Errorf("%s lists %v, %v", where, list.QueueUrls, err)
			}
			got, err := c.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: new("q")})
			if err != nil || *got.QueueUrl != *urls[where] {
				t.Errorf("%s finds %v, %v", where, got, err)
			}
			// The URL leads there whoever uses it.
			m := receiveOne(t, own, *urls[where])
			if *m.Body != where {
				t.Errorf("%s gives the message of %s", *urls[where], *m.Body)
			}
		}
		arns := map[string]bool{}
		for _, url := range urls {
			arns[own.attributes(url, "QueueArn")["QueueArn"]] = true
		}
		for _, want := range []string{
			"arn:aws:sqs:" + region + ":" + account + ":q", "arn:aws:sqs:us-west-2:" + account + ":q", "arn:aws:sqs:" + region + ":" + other + ":q",
			"arn:aws-us-gov:sqs:us-gov-west-1:" + other + ":q", "arn:aws:sqs:eu-west-1:" + account + ":q", "arn:aws:sqs:ap-south-1:" + account + ":q",
		} {
			q, err := own.server.Queue(want)
			if !arns[want] || err != nil {
				t.Errorf("%s is not the ARN of a queue: %v, %v", want, q, err)
			}
		}
		theirs, err := own.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: new("q"), QueueOwnerAWSAccountId: new(other)})
		if err != nil || *theirs.QueueUrl != *urls["/"+other+"/"] {
			t.Errorf("with an owner: %v, %v", theirs, err)
		}
		for _, arn := range []string{"arn:aws:sqs:us-west-2:" + other + ":q", "arn:aws-cn:sqs:" + region + ":" + account + ":q", "q", "arn:aws:sns:" + region + ":" + account + ":q"} {
			if _, err := own.server.Queue(arn); err == nil {
				t.Errorf("there is a queue %s", arn)
			}
		}
	})
}

func receiveOne(t *testing.T, c *sdk, url string) types.Message {
	t.Helper()
	out, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &url, MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err != nil || len(out.Messages) != 1 {
		t.Fatalf("%s gives %v, %v", url, out, err)
	}
	return out.Messages[0]
}

// Dead letters lead from one region and account to the other, by ARNs, and tell
// where they came from.
func TestDeadLettersCrossRegionsAndAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := newSDK(t, nil)
		far := own.from("us-west-2", "999999999999", endpoint)
		dead := far.create("dead")
		q := own.create("q", "VisibilityTimeout", "1", "RedrivePolicy", redrive("arn:aws:sqs:us-west-2:999999999999:dead", 1))
		if policy := own.attributes(q, "RedrivePolicy")["RedrivePolicy"]; policy != redrive("arn:aws:sqs:us-west-2:999999999999:dead", 1) {
			t.Errorf("the policy is %s", policy)
		}
		own.send(q, "m")
		receiveOne(t, own, *q)
		time.Sleep(time.Second)
		if out, err := own.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: q}); err != nil || len(out.Messages) != 0 {
			t.Errorf("%v, %v", out, err)
		}
		m := receiveOne(t, far, *dead)
		if source := m.Attributes["DeadLetterQueueSourceArn"]; source != "arn:aws:sqs:"+region+":"+account+":q" {
			t.Errorf("the dead letter came from %s", source)
		}
		sources, err := far.ListDeadLetterSourceQueues(t.Context(), &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: dead})
		if err != nil || len(sources.QueueUrls) != 1 || sources.QueueUrls[0] != *q {
			t.Errorf("the sources are %v, %v", sources, err)
		}
	})
}

// A presigned request has its scope in the URL.
func TestPresignedRequestsSayTheirRegion(t *testing.T) {
	server := sqsserver.New(nil)
	get := "/?Action=CreateQueue&QueueName=q&X-Amz-Credential=999999999999%2F20260101%2Fus-west-2%2Fsqs%2Faws4_request"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://sqs.test"+get, nil)
	ok(t, err)
	resp, err := server.Client().Do(r)
	ok(t, err)
	resp.Body.Close()
	if _, err := server.Queue("arn:aws:sqs:us-west-2:999999999999:q"); err != nil {
		t.Error(err)
	}
}

// redrive returns a redrive policy as the server writes it.
func redrive(arn string, count int) string {
	return fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, arn, count)
}

// Who writes a URL by hand knows of one region, whatever the SDK was told elsewhere.
func TestAURLWithoutARegionIsOfTheCallersWhereTheServersOwnHasNoSuchQueue(t *testing.T) {
	own := newSDK(t, nil)
	west := own.from("us-west-2", "id", endpoint)
	url := endpoint + "/" + account + "/q"
	west.send(west.create("q"), "west")
	if m := receiveOne(t, west, url); *m.Body != "west" {
		t.Errorf("%s has %q", url, *m.Body)
	}
	var missing *types.QueueDoesNotExist
	for name, c := range map[string]*sdk{"own": own, "a third": own.from("eu-west-3", "id", endpoint)} {
		if _, err := c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url}); !errors.As(err, &missing) {
			t.Errorf("from %s region: %v", name, err)
		}
	}
	own.send(own.create("q"), "own") // and now the URL is of this one, whoever uses it
	if m := receiveOne(t, west, url); *m.Body != "own" {
		t.Errorf("%s has %q", url, *m.Body)
	}
}

func TestARegionInAPathHasTheFormOfAWSsNames(t *testing.T) {
	c := newSDK(t, nil)
	own := *c.create("q")
	for name, isRegion := range map[string]bool{
		"us-west-2": true, "us-gov-west-1": true, "ap-southeast-2": true,
		"-1": false, "west-1": false, "u-west-1": false, "us-west": false, "us-west-10": false, "us--west-1": false, "us-w3st-1": false, "US-west-1": false,
	} {
		url := strings.Replace(own, "/"+account+"/", "/"+name+"/"+account+"/", 1)
		_, err := c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url})
		if found := err == nil; found == isRegion { // what is no region says nothing, and the queue is in the server's own
			t.Errorf("%s: found %t, %v; is a region: %t", url, found, err, isRegion)
		}
	}
}
