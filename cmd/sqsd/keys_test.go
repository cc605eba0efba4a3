package main

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
)

func client(d *daemon, id, secret string) *sqs.Client {
	return sqs.New(sqs.Options{
		Region: "us-east-1", BaseEndpoint: &d.base,
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, ""),
	})
}

func TestKeysLetInWhoSigns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("[a]\naws_access_key_id = AKIDDONORS\naws_secret_access_key = a secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := start(t, "-keys", path)
	ctx := t.Context()
	ours := client(d, "AKIDDONORS", "a secret")
	q, err := ours.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("donors"), Attributes: map[string]string{"VisibilityTimeout": "0"}})
	if err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("a donor é", 20_000)
	if _, err := ours.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: q.QueueUrl, MessageBody: &body}); err != nil {
		t.Fatal(err)
	}
	// The SDK may close a connection under an answer (docs/traps.md, 19), and then
	// asks again.
	got, err := ours.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: q.QueueUrl})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Messages) != 1 || *got.Messages[0].Body != body {
		t.Errorf("%d messages", len(got.Messages))
	}
	for _, test := range []struct{ id, secret, code string }{
		{"AKIDDONORS", "another", "SignatureDoesNotMatch"}, {"AKIDOTHER", "a secret", "InvalidClientTokenId"},
	} {
		_, err := client(d, test.id, test.secret).PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: q.QueueUrl})
		var e smithy.APIError
		if !errors.As(err, &e) || e.ErrorCode() != test.code {
			t.Errorf("%s, %s: %v; want %s", test.id, test.secret, err, test.code)
		}
	}
	if got := d.call(*q.QueueUrl, "Action=PurgeQueue"); !strings.Contains(got, "<Code>MissingAuthenticationToken</Code>") {
		t.Error(got)
	}
	resp, err := http.Post(*q.QueueUrl, "application/x-www-form-urlencoded", strings.NewReader(strings.Repeat("x", 4<<20)))
	if err == nil { // the server may hang up before all is sent
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Error(resp.Status)
		}
	}
}
