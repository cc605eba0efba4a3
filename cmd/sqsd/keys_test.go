package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
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

// behindKeys returns a service, and the handler before it that asks for signatures.
func behindKeys(t *testing.T, args ...string) (*service, http.Handler) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("[a]\naws_access_key_id = AKIDDONORS\naws_secret_access_key = a secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := parse(append(args, "-keys", path), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newService(t.Context(), c, true)
	if err != nil {
		t.Fatal(err)
	}
	return s, c.handler(s, false, io.Discard)
}

// Every path of the service is asked for without a signature, with the parameters of
// the links that need none and without.
func TestWithKeysOnlyProbesLinksAndCertificatesNeedNoSignature(t *testing.T) {
	paths := []string{"/", "/health", "/_localstack/health", "/messages?QueueUrl=q", "/queues", "/reset", "/metrics", "/000000000000/q", "/health/", "//",
		"/SimpleNotificationService-0123456789abcdef.pem"}
	for _, args := range [][]string{nil, {"-metrics"}} {
		s, h := behindKeys(t, args...)
		send(s, "POST / Action=CreateQueue&QueueName=q", local)
		for _, path := range paths {
			for _, action := range []string{"", "Action=Unsubscribe", "Action=ConfirmSubscription", "Action=Unsubscribe&Version=2010-03-31"} {
				for _, method := range []string{"GET", "HEAD", "POST"} {
					target := path
					if action != "" {
						separator := "?"
						if strings.Contains(path, "?") {
							separator = "&"
						}
						target += separator + action
					}
					link := path == "/" && action != "" || strings.HasSuffix(path, ".pem")
					open := isHealth(path) || path == metricsPath && args != nil || link && method != "POST"
					if w := send(h, method+" "+target, local); (w.Code != http.StatusForbidden) != open {
						t.Errorf("%v: %s %s: %d, %s", args, method, target, w.Code, w.Body)
					}
				}
			}
		}
	}
}

// What AWS takes unsigned, the links of SNS and its certificate, lets in nothing
// else.
func TestNothingComesInAsALink(t *testing.T) {
	s, h := behindKeys(t)
	const certificate = "/SimpleNotificationService-0123456789abcdef.pem"
	scope := func(service string) string {
		return "Authorization: AWS4-HMAC-SHA256 Credential=AKIDDONORS/20260304/us-east-1/" + service + "/aws4_request, SignedHeaders=host, Signature=" + strings.Repeat("0", 64)
	}
	send(s, "POST / Action=CreateTopic&Name=t", local)
	send(s, "POST / Action=CreateQueue&QueueName=q", local)
	for _, test := range []struct{ request, header string }{
		{"GET /?Action=Unsubscribe&Action=DeleteTopic&TopicArn=arn:aws:sns:us-east-1:000000000000:t", ""},
		{"GET /?Action=Unsubscribe&%41ction=DeleteTopic&TopicArn=arn:aws:sns:us-east-1:000000000000:t", ""},
		{"GET /?Action=Unsubscribe&Version=2010-03-31&Action=DeleteTopic&TopicArn=arn:aws:sns:us-east-1:000000000000:t", ""},
		{"GET /?Action=Unsubscribe&Action=DeleteQueue&QueueUrl=q&Version=2012-11-05", ""},
		{"GET /?Action=Unsubscribe&Action=DeleteQueue&QueueUrl=q", scope("sqs")},
		{"GET /000000000000/q?Action=Unsubscribe&%41ction=DeleteQueue&Version=2012-11-05", scope("sqs")},
		{"GET " + certificate + "?Action=DeleteQueue&QueueUrl=q", scope("sqs")},
		{"POST " + certificate + " Action=DeleteQueue&QueueUrl=q", ""},
		{"POST /?Action=Unsubscribe Action=DeleteQueue&QueueUrl=q", ""},
		{"POST /health/ Action=DeleteQueue&QueueUrl=q", ""},
		{"GET /?Action=Unsubscribe {}", "X-Amz-Target: AmazonSQS.PurgeQueue"},
	} {
		var headers []string
		if test.header != "" {
			headers = []string{test.header}
		}
		if w := send(h, test.request, local, headers...); w.Code != http.StatusForbidden {
			t.Errorf("%s, %s: %d, %s", test.request, test.header, w.Code, w.Body)
		}
	}
	for request, want := range map[string]string{"Action=ListQueues": "/q<", "Action=ListTopics": ":t<"} {
		if w := send(s, "POST / "+request, local); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %s", request, w.Body)
		}
	}
}

// Only who has a key ends a subscription that was confirmed with
// AuthenticateOnUnsubscribe: a signature that nobody made is no better than none.
func TestAForgedSignatureEndsNoSubscription(t *testing.T) {
	s, h := behindKeys(t)
	const topic, credential = "arn:aws:sns:us-east-1:000000000000:t", "nobody/20000101/us-east-1/sns/aws4_request"
	send(s, "POST / Action=CreateTopic&Name=t", local)
	endpoint := make(chan string, 1)
	l := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var document struct{ Token string }
		_ = json.NewDecoder(r.Body).Decode(&document)
		endpoint <- document.Token
	}))
	defer l.Close()
	send(s, "POST / Action=Subscribe&Protocol=http&TopicArn="+topic+"&Endpoint="+url.QueryEscape(l.URL), local)
	w := send(s, "POST / Action=ConfirmSubscription&AuthenticateOnUnsubscribe=true&TopicArn="+topic+"&Token="+<-endpoint, local, "Authorization: AWS4-HMAC-SHA256 Credential="+credential)
	_, rest, _ := strings.Cut(w.Body.String(), "<SubscriptionArn>")
	arn, _, _ := strings.Cut(rest, "</SubscriptionArn>")
	if !strings.HasPrefix(arn, topic) {
		t.Fatal(w.Body)
	}
	link := "GET /?Action=Unsubscribe&SubscriptionArn=" + arn
	for what, w := range map[string]*httptest.ResponseRecorder{
		"no signature":       send(h, link, local),
		"one in the header":  send(h, link, local, "Authorization: AWS4-HMAC-SHA256 Credential="+credential),
		"one in the URL":     send(h, link+"&X-Amz-Credential="+credential, local),
		"one of another day": send(h, link, local, "Authorization: AWS4-HMAC-SHA256 Credential=AKIDDONORS/20000101/us-east-1/sns/aws4_request, SignedHeaders=host, Signature="+strings.Repeat("0", 64)),
	} {
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: %d, %s", what, w.Code, w.Body)
		}
	}
	if w := send(s, "POST / Action=ListSubscriptions", local); !strings.Contains(w.Body.String(), arn) {
		t.Errorf("it has gone: %s", w.Body)
	}
}
