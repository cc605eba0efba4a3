// Package virtualtime shows a test of what takes its time on SQS, in virtual time.
package virtualtime

import (
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
)

// A message that its consumer forgets comes again when its visibility timeout is
// over. On AWS that takes 30 seconds, here milliseconds: the backend is the one for
// AWS and speaks SQS's protocol, to an endpoint in this process and in this bubble.
func TestAForgottenMessageComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		mux := new(bus.Mux)
		sqsbus.New(&sqsbus.Options{HTTPClient: sqsserver.New(nil).Client()}).Register(mux)
		url, err := mux.Create(ctx, "http://127.0.0.1/000000000000/donors", bus.QueueSettings{})
		if err != nil {
			t.Fatal(err)
		}
		q, err := mux.Open(ctx, url+"?visibility=30s")
		if err != nil {
			t.Fatal(err)
		}
		defer q.Shutdown(ctx)

		if err := q.Topic.Send(ctx, &pubsub.Message{Body: []byte("a donor")}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := q.Subscription.Receive(ctx); err != nil { // and no Ack
			t.Fatal(err)
		}
		m, err := q.Subscription.Receive(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if waited, n := time.Since(start), bus.Details(m).ReceiveCount; waited != 30*time.Second || n != 2 {
			t.Errorf("delivery %d came after %v; want the second after 30s", n, waited)
		}
		m.Ack()
	})
}
