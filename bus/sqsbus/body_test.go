package sqsbus

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"omnibus/bus"
	"omnibus/bus/spec"
)

// lateReader is an HTTP client that has read a request's body when it answers, as
// net/http has, and looks for its end later.
type lateReader struct {
	endpoint *endpoint
	bodies   []io.Reader
}

func (l *lateReader) Do(r *http.Request) (*http.Response, error) {
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		return nil, err
	}
	l.bodies = append(l.bodies, r.Body)
	read := r.WithContext(r.Context())
	read.Body = io.NopCloser(bytes.NewReader(body))
	return l.endpoint.Do(read)
}

// ends looks for the ends of the bodies as net/http does.
func (l *lateReader) ends() error {
	for _, body := range l.bodies {
		if n, err := io.CopyBuffer(io.Discard, body, make([]byte, 10)); n > 0 || err != nil {
			return err
		}
	}
	return nil
}

func TestARequestsBodyEndsWellAfterItsAnswer(t *testing.T) {
	e := newEndpoint()
	e.create(t, "donors", spec.QueueSettings{})
	client := &lateReader{endpoint: e}
	var mux bus.Mux
	config := aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("k", "s", "")}
	New(&Options{HTTPClient: client, Config: &config}).Register(&mux)
	q, err := mux.Open(t.Context(), testQueue)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Attributes(t.Context()); err != nil {
		t.Fatal(err)
	}
	shutDown(t, q)
	if err := client.ends(); err != nil || len(client.bodies) == 0 {
		t.Errorf("the ends of %d bodies: %v", len(client.bodies), err)
	}
}

func TestAStockRequestsBodyEndsInAnError(t *testing.T) {
	e := newEndpoint()
	e.create(t, "donors", spec.QueueSettings{})
	client := &lateReader{endpoint: e}
	stock := sqs.New(sqs.Options{
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("k", "s", ""),
		BaseEndpoint: new(testOrigin),
		HTTPClient:   client,
	})
	if _, err := stock.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: new(testQueue)}); err != nil {
		t.Fatal(err)
	}
	if err := client.ends(); err != io.EOF {
		t.Errorf("the end of a body: %v; a trap less", err)
	}
}
