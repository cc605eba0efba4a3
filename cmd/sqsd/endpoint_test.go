package main

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// SNS and STS answer at the address of SQS: a queue gets what is published, and
// the links in it work.
func TestTopicsFeedQueues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("[a]\naws_access_key_id = AKIDDONORS\naws_secret_access_key = a secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	open, keyed := start(t), start(t, "-keys", path)
	open.call(open.base, "Action=CreateQueue&QueueName=donors")
	for body, want := range map[string]string{
		"Action=GetCallerIdentity":  "<Account>000000000000</Account>",
		"Action=CreateTopic&Name=t": "<TopicArn>arn:aws:sns:us-east-1:000000000000:t</TopicArn>",
		"Action=ListQueues":         "/000000000000/donors</QueueUrl>",
	} {
		if got := open.call(open.base, body); !strings.Contains(got, want) {
			t.Errorf("%s: %s", body, got)
		}
	}
	const topic = "arn:aws:sns:us-east-1:000000000000:t"
	open.call(open.base, "Action=Subscribe&TopicArn="+topic+"&Protocol=sqs&Endpoint=arn:aws:sqs:us-east-1:000000000000:donors")
	open.call(open.base, "Action=Publish&Message=hello&TopicArn="+topic)
	var answer struct {
		Body string `xml:"ReceiveMessageResult>Message>Body"`
	}
	if err := xml.Unmarshal([]byte(open.call(open.base+"/000000000000/donors", "Action=ReceiveMessage")), &answer); err != nil {
		t.Fatal(err)
	}
	var envelope struct{ Message, SigningCertURL, UnsubscribeURL string }
	if err := json.Unmarshal([]byte(answer.Body), &envelope); err != nil || envelope.Message != "hello" {
		t.Fatalf("%v in %s", err, answer.Body)
	}
	for _, link := range []string{envelope.SigningCertURL, envelope.UnsubscribeURL} {
		if status, got := get(t, link); status != http.StatusOK {
			t.Errorf("%s: %d, %s", link, status, got)
		}
		// With -keys too: it cannot be signed. The other endpoint has neither the
		// certificate nor the subscription, and says so.
		if status, got := get(t, keyed.base+strings.TrimPrefix(link, open.base)); strings.Contains(got, "MissingAuthenticationToken") {
			t.Errorf("%s with keys: %d, %s", link, status, got)
		}
	}
	if got := open.call(open.base, "Action=ListSubscriptions&Version=2010-03-31"); !strings.Contains(got, "<Subscriptions/>") {
		t.Error(got)
	}
	if got := keyed.call(keyed.base, "Action=Unsubscribe&SubscriptionArn=x"); !strings.Contains(got, "MissingAuthenticationToken") {
		t.Error(got)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
