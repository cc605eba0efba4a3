package sqsbus

import (
	"context"
	"maps"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/spec"
	"omnibus/workers"
)

// This file tests queues that are opened with driver=stock, beside ours.

func TestStockAndOursReadEachOthersMessages(t *testing.T) {
	for _, name := range []string{"donors", "donors.fifo"} {
		for what, ends := range map[string][2]string{"stock to ours": {"?driver=stock", ""}, "ours to stock": {"", "?driver=stock"}} {
			t.Run(what+" on "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					e := newEndpoint()
					e.create(t, name, spec.QueueSettings{ContentBasedDeduplication: contentBased(name)})
					var mux bus.Mux
					e.backend().Register(&mux)
					var opened [2]*bus.Queue
					for i, params := range ends {
						var err error
						if opened[i], err = mux.Open(t.Context(), testOrigin+"/000000000000/"+name+params); err != nil {
							t.Fatal(err)
						}
						defer shutDown(t, opened[i])
					}
					for i, travelling := range interchanged(name) {
						exchange(t, i, travelling, opened[0], opened[1])
					}
				})
			})
		}
	}
}

func contentBased(name string) *bool {
	if spec.IsFIFOName(name) {
		return new(true)
	}
	return nil
}

// A traveller is a message with what is said of it.
type traveller struct {
	body       string
	metadata   map[string]string
	attributes map[string]bus.Attribute
	group      string
	delay      time.Duration
}

// interchanged are messages in which the two drivers might differ.
func interchanged(queue string) []traveller {
	group := ""
	if spec.IsFIFOName(queue) {
		group = "g"
	}
	typed := map[string]bus.Attribute{
		"Donation": {DataType: "Number.euro", StringValue: "97.50"},
		"Photo":    {DataType: "Binary.png", BinaryValue: []byte{0x89, 'P', 0, 0xff}},
		"Note":     {DataType: "String", StringValue: "100% of it"},
	}
	ts := []traveller{
		{body: "plain"},
		{body: "\xff\xfe\x00\x80 is not UTF-8"},
		{body: "aGVsbG8="},
		{body: `{"Type": "Notification", "MessageId": "1", "TopicArn": "x", "Timestamp": "t", "Message": "an envelope"}`},
		{body: "odd names", metadata: map[string]string{"a key": "1", "ключ": "2", ".dots..and": "3", "__0x41__": "4", "a/b?c%20": "5", "🎁": "6"}},
		{body: "odd values", metadata: map[string]string{"percent": "100%", "escaped": "%25", "unicode": "naïve — 日本", "lines": "a\nb\r\n\tc"}},
		{body: "typed", attributes: typed},
		{body: "\xff typed, with metadata", attributes: typed, metadata: map[string]string{"Job Type": "New/Donor"}},
	}
	if group == "" {
		ts = append(ts, traveller{body: "late", delay: 7 * time.Second})
	}
	for i := range ts {
		ts[i].group = group
	}
	return ts
}

// exchange sends a message from one queue to the other.
func exchange(t *testing.T, i int, sent traveller, from, to *bus.Queue) {
	t.Helper()
	m := &pubsub.Message{Body: []byte(sent.body), Metadata: maps.Clone(sent.metadata)}
	for name, a := range sent.attributes {
		bus.SetAttribute(m, name, a)
	}
	if sent.group != "" {
		bus.Group(m, sent.group)
	}
	if sent.delay > 0 {
		bus.Delay(m, sent.delay)
	}
	var stored bus.SentMessage
	bus.StoreSent(m, &stored)
	start := time.Now()
	if err := from.Topic.Send(t.Context(), m); err != nil {
		t.Errorf("message %d: %v", i, err)
		return
	}
	got := receive(t, to, 20*time.Second)
	defer got.Ack()
	d := bus.Details(got)
	if string(got.Body) != sent.body || d.ID == "" || d.ID != stored.ID || d.Group != sent.group || d.ReceiveCount != 1 || time.Since(start) < sent.delay {
		t.Errorf("message %d came as %q with %+v after %v; it was sent as %+v, %+v", i, got.Body, d, time.Since(start), sent, stored)
	}
	for key, want := range sent.metadata {
		if got.Metadata[key] != want {
			t.Errorf("message %d: metadata %q is %q; want %q", i, key, got.Metadata[key], want)
		}
	}
	for name, want := range sent.attributes {
		if a := d.Attributes[name]; !reflect.DeepEqual(a, want) {
			t.Errorf("message %d: attribute %s is %+v; want %+v", i, name, a, want)
		}
	}
	if want := len(sent.metadata) + len(sent.attributes); len(d.Attributes) != want || len(got.Metadata) != want {
		t.Errorf("message %d has %d attributes and %d metadata; want %d of both", i, len(d.Attributes), len(got.Metadata), want)
	}
}

func TestDetailsTellWhenTheLeaseOfAStockDeliveryEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{Visibility: new(5 * time.Second)})
		q := e.open(t, "?driver=stock")
		defer shutDown(t, q)
		send(t, q, "m")
		m := receive(t, q, time.Second)
		if left := time.Until(bus.Details(m).VisibleAt); left <= 4*time.Second || left > 5*time.Second {
			t.Errorf("the lease ends in %v; want 5s", left)
		}
		time.Sleep(5 * time.Second)
		if at := bus.Details(m).VisibleAt; !at.IsZero() {
			t.Errorf("the lease is over, and ends at %v", at)
		}
		m.Ack()
	})
}

func TestAConsumerHandlesWhatTheStockDriverReceives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?driver=stock&wait=20s")
		defer shutDown(t, q)
		const n = 30
		send(t, q, numbered(n)...)
		c := &workers.Consumer{Queue: q, Concurrency: 4, Max: n, Handler: func(context.Context, *pubsub.Message) error { return nil }}
		if err := c.Run(t.Context()); err != nil {
			t.Error(err)
		}
		if s := c.Stats(); s.Deleted != n || s.Lost != 0 {
			t.Errorf("%d messages were deleted of %d, %d lost", s.Deleted, n, s.Lost)
		}
		time.Sleep(time.Second)
		e.counts(t, 0, 0, 0)
	})
}

func TestTheStockDriverComesAsItIs(t *testing.T) {
	for params, idle := range map[string]int{"?driver=stock": 236, "?driver=stock&wait=20s": 3} {
		synctest.Test(t, func(t *testing.T) {
			e := newEndpoint()
			e.create(t, "donors", spec.QueueSettings{})
			b := e.backend()
			var mux bus.Mux
			b.Register(&mux)
			q, err := mux.Open(t.Context(), testQueue+params)
			if err != nil {
				t.Fatal(err)
			}
			defer shutDown(t, q)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute-time.Second)
			defer cancel()
			if _, err := q.Subscription.Receive(ctx); ctx.Err() == nil {
				t.Errorf("an empty queue gives %v", err)
			}
			if n := e.count("ReceiveMessage"); n < idle*9/10 || n > idle*11/10+1 {
				t.Errorf("%s: %d requests in an idle minute; the stock driver makes %d", params, n, idle)
			}
			if counts := b.Meter().Counts(); len(counts) != 2 || counts[1].Requests < int64(idle)*9/10 { // one reads the visibility timeout
				t.Errorf("counted are %+v", counts)
			}
			var client *sqs.Client
			if !q.Topic.As(&client) {
				t.Fatal("no *sqs.Client")
			}
			if tries := client.Options().Retryer.MaxAttempts(); tries != 3 {
				t.Errorf("its client tries %d times", tries)
			}
		})
	}
}
