package claimcheck_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/engine"
	"omnibus/bus/membus"
	"omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
	_ "omnibus/internal/cleanenv"
	"omnibus/workers"
	"omnibus/workers/claimcheck"
)

// A place is a backend and a bucket.
type place struct {
	t      *testing.T
	mux    *bus.Mux
	base   string
	bodies *claimcheck.Bodies
}

// onPlaces runs a test with queues in memory and on SQS's protocol, and with buckets in
// memory and in files, in virtual time.
func onPlaces(t *testing.T, test func(t *testing.T, p *place)) {
	for backend, base := range map[string]string{"membus": "mem://", "sqsbus": "http://127.0.0.1:9324/000000000000/"} {
		for _, kind := range []string{"memblob", "fileblob"} {
			t.Run(backend+", "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := &place{t: t, mux: new(bus.Mux), base: base}
					p.mux.Register(membus.Scheme, membus.New(nil))
					sqsbus.New(&sqsbus.Options{HTTPClient: sqsserver.New(&sqsserver.Options{Engine: engine.New(nil)}).Client()}).Register(p.mux)
					bucket := memblob.OpenBucket(nil)
					if kind == "fileblob" {
						var err error
						if bucket, err = fileblob.OpenBucket(t.TempDir(), &fileblob.Options{NoTempDir: true}); err != nil {
							t.Fatal(err)
						}
					}
					defer bucket.Close()
					p.bodies = &claimcheck.Bodies{Bucket: bucket, Name: "payloads", Prefix: "donors/"}
					test(t, p)
				})
			})
		}
	}
}

func (p *place) queue(name string, s bus.QueueSettings) *bus.Queue {
	p.t.Helper()
	url, err := p.mux.Create(p.t.Context(), p.base+name, s)
	if err != nil {
		p.t.Fatal(err)
	}
	q, err := p.mux.Open(p.t.Context(), url)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { q.Shutdown(context.Background()) })
	return q
}

// keys returns the keys of the bucket.
func (p *place) keys() (keys []string) {
	p.t.Helper()
	page, _, err := p.bodies.Bucket.ListPage(p.t.Context(), blob.FirstPageToken, 1000, &blob.ListOptions{Prefix: "donors/"})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, o := range page {
		keys = append(keys, o.Key)
	}
	return keys
}

// run runs a consumer for an hour.
func (p *place) run(c *workers.Consumer) {
	p.t.Helper()
	ctx, stop := context.WithTimeout(p.t.Context(), time.Hour)
	defer stop()
	c.OnDone = func(workers.Done) {}
	if err := c.Run(ctx); err != nil {
		p.t.Error(err)
	}
	if err := p.bodies.Shutdown(context.Background()); err != nil {
		p.t.Error(err)
	}
}

func TestALargeBodyArrivesAsItWasSentAndIsRemovedAfterTheAcknowledgement(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		p.bodies.Remove = true
		q := p.queue("large", bus.QueueSettings{})
		large := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16)
		binary := bytes.Repeat([]byte{0, 255, 128}, 1<<20/3+1)
		var sent [][]byte
		for _, body := range [][]byte{large, binary, []byte("small"), []byte(`["not", {"a": "reference"}]`)} {
			m := &pubsub.Message{Body: body, Metadata: map[string]string{"Kind": "x"}}
			if err := p.bodies.Offload(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if err := q.Topic.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			sent = append(sent, body)
		}
		if n := len(p.keys()); n != 2 {
			t.Errorf("%d bodies are in the bucket, want 2", n)
		}
		arrived := 0
		p.run(&workers.Consumer{Queue: q, Middleware: []workers.Middleware{p.bodies.Restore()}, Handler: func(_ context.Context, m *pubsub.Message) error {
			for _, body := range sent {
				if bytes.Equal(m.Body, body) {
					arrived++
				}
			}
			if m.Metadata["Kind"] != "x" || m.Metadata[claimcheck.SizeAttribute] != "" {
				t.Errorf("the metadata is %v", m.Metadata)
			}
			return nil
		}})
		if arrived != 4 {
			t.Errorf("%d of 4 arrived as they were sent", arrived)
		}
		if keys := p.keys(); len(keys) != 0 {
			t.Errorf("left in the bucket are %v", keys)
		}
	})
}

func TestABodyStaysWhileItsMessageIsNotAcknowledged(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		p.bodies.Remove, p.bodies.Limit = true, -1
		dead := p.queue("dead", bus.QueueSettings{})
		q := p.queue("retried", bus.QueueSettings{})
		for _, body := range []string{"later", "never"} {
			m := &pubsub.Message{Body: []byte(body)}
			for range 2 { // the second time it is a reference already
				if err := p.bodies.Offload(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			if err := q.Topic.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		laters := 0
		p.run(&workers.Consumer{Queue: q, DeadLetter: dead, Middleware: []workers.Middleware{p.bodies.Restore()}, Handler: func(_ context.Context, m *pubsub.Message) error {
			if string(m.Body) == "never" {
				return workers.Permanent(errors.New("no"))
			}
			if laters++; laters < 3 {
				return errors.New("not yet")
			}
			return nil
		}})
		if laters != 3 || len(p.keys()) != 1 {
			t.Errorf("it was tried %d times, and the bucket has %v; want the body of the dead letter", laters, p.keys())
		}
		var got string
		p.run(&workers.Consumer{Queue: dead, Middleware: []workers.Middleware{p.bodies.Restore()}, Handler: func(_ context.Context, m *pubsub.Message) error {
			got = string(m.Body)
			return nil
		}})
		if got != "never" || len(p.keys()) != 0 {
			t.Errorf("the dead letter is %q, and the bucket has %v", got, p.keys())
		}
	})
}

func TestTheBodyOfADroppedMessageIsRemoved(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		p.bodies.Remove, p.bodies.Limit = true, -1
		q := p.queue("dropped", bus.QueueSettings{})
		drop := func(m *pubsub.Message) error {
			if string(m.Body) == "worthless" {
				return workers.Drop(errors.New("not worth it"))
			}
			return errors.New("not yet")
		}
		for name, c := range map[string]*workers.Consumer{
			"single": {Middleware: []workers.Middleware{p.bodies.Restore()}, Handler: func(_ context.Context, m *pubsub.Message) error { return drop(m) }},
			"batch": {BatchHandler: p.bodies.RestoreBatch()(func(_ context.Context, ms []*pubsub.Message) (errs []error) {
				for _, m := range ms {
					errs = append(errs, drop(m))
				}
				return errs
			})},
		} {
			for _, body := range []string{"worthless", "kept"} {
				m := &pubsub.Message{Body: []byte(body)}
				if err := errors.Join(p.bodies.Offload(t.Context(), m), q.Topic.Send(t.Context(), m)); err != nil {
					t.Fatal(err)
				}
			}
			c.Queue, c.Logger = q, slog.New(slog.DiscardHandler)
			p.run(c)
			keys := p.keys()
			if s := c.Stats(); s.Dropped != 1 || len(keys) != 1 {
				t.Errorf("%s: stats are %+v, and the bucket has %v; want one dropped, and the body of the other", name, s, keys)
			}
			for _, k := range keys {
				if body, err := p.bodies.Bucket.ReadAll(t.Context(), k); err != nil || string(body) != "kept" {
					t.Errorf("%s: the bucket has %q, %v", name, body, err)
				}
			}
			if err := q.Purge(t.Context()); err != nil {
				t.Error(err)
			}
			for _, k := range keys {
				p.bodies.Bucket.Delete(t.Context(), k)
			}
			time.Sleep(2 * time.Minute) // SQS purges a queue once a minute
		}
	})
}

func TestAMissingBodyIsAPermanentErrorThatSaysSo(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		p.bodies.Limit = -1
		dead := p.queue("dead", bus.QueueSettings{})
		q := p.queue("missing", bus.QueueSettings{})
		m := &pubsub.Message{Body: []byte("gone")}
		if err := p.bodies.Offload(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(q.Topic.Send(t.Context(), m), p.bodies.Bucket.Delete(t.Context(), p.keys()[0])); err != nil {
			t.Fatal(err)
		}
		called := false
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		c := &workers.Consumer{Queue: q, DeadLetter: dead, OnDone: func(workers.Done) {}, Middleware: []workers.Middleware{p.bodies.Restore()},
			Handler: func(context.Context, *pubsub.Message) error { called = true; return nil }}
		if err := c.Run(ctx); err != nil {
			t.Fatal(err)
		}
		letter, err := dead.Subscription.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		letter.Ack()
		if reason := letter.Metadata[bus.DeadLetterReason]; called || !strings.Contains(reason, "is missing") || !strings.Contains(reason, `"donors/`) {
			t.Errorf("the handler was called: %v; the reason is %q", called, reason)
		}
	})
}

// handled returns the error of a handler with restored bodies for a message that another
// one sent.
func (p *place) handled(q *bus.Queue, m *pubsub.Message, handler workers.Handler) (err error) {
	p.t.Helper()
	if err := q.Topic.Send(p.t.Context(), m); err != nil {
		p.t.Fatal(err)
	}
	got, err := q.Subscription.Receive(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	defer got.Ack()
	return p.bodies.Restore()(handler)(p.t.Context(), got)
}

func TestWhatIsNoReferenceToTheBucketIsRefused(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("forged", bus.QueueSettings{})
		if err := p.bodies.Bucket.WriteAll(t.Context(), "there", []byte("0123456789"), nil); err != nil {
			t.Fatal(err)
		}
		p.bodies.Most = 5
		for body, want := range map[string]string{
			`["c", {"s3BucketName": "others", "s3Key": "secret"}]`: `refers to the bucket "others"; "payloads" is allowed`,
			`["c", {"s3BucketName": "payloads"}]`:                  "lacks",
			`{"s3BucketName": "payloads", "s3Key": "k"}`:           "is none",
			`["c", {"s3BucketName": "payloads", "s3Key": "k"}, 1]`: "array of 3",
			`not JSON`: "is none",
			`["c", {"s3BucketName": "payloads", "s3Key": "there"}]`: "10 bytes; 5 are allowed",
		} {
			m := &pubsub.Message{Body: []byte(body)}
			bus.SetAttribute(m, claimcheck.SizeAttribute, bus.Number("7"))
			err := p.handled(q, m, func(context.Context, *pubsub.Message) error { t.Errorf("%s was handled", body); return nil })
			if !workers.IsPermanent(err) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want a permanent error with %q", body, err, want)
			}
		}
		many := &pubsub.Message{Body: []byte(strings.Repeat("x", 1<<20)), Metadata: map[string]string{}}
		for i := range 10 {
			many.Metadata[fmt.Sprint("k", i)] = "v"
		}
		if err := p.bodies.Offload(t.Context(), many); !workers.IsPermanent(err) || !strings.Contains(err.Error(), "9 are allowed") {
			t.Errorf("a message that has no room for the mark: %v", err)
		}
	})
}

// References as the README and the source of Amazon's extended clients have them:
// https://github.com/awslabs/amazon-sqs-java-extended-client-lib (version 2 writes no
// spaces), https://github.com/awslabs/amazon-sqs-python-extended-client-lib (json.dumps
// writes one after each comma and colon), and both with their older names.
func TestReferencesOfTheExtendedClientsForJavaAndPythonAreRead(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("theirs", bus.QueueSettings{})
		const key = "0c1f6e2c-6c3f-4d3e-9a57-0e6a9f6f7d11"
		if err := p.bodies.Bucket.WriteAll(t.Context(), key, []byte("grüße, 1"), nil); err != nil {
			t.Fatal(err)
		}
		for _, theirs := range []struct{ client, attribute, body string }{
			{"Java", "ExtendedPayloadSize", `["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"payloads","s3Key":"` + key + `"}]`},
			{"Java, legacy", "SQSLargePayloadSize", `["com.amazon.sqs.javamessaging.MessageS3Pointer",{"s3BucketName":"payloads","s3Key":"` + key + `"}]`},
			{"Python", "ExtendedPayloadSize", `["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": "payloads", "s3Key": "` + key + `"}]`},
			{"Python, legacy", "SQSLargePayloadSize", `["com.amazon.sqs.javamessaging.MessageS3Pointer", {"s3BucketName": "payloads", "s3Key": "` + key + `"}]`},
		} {
			m := &pubsub.Message{Body: []byte(theirs.body)}
			bus.SetAttribute(m, theirs.attribute, bus.Number("10"))
			got := ""
			if err := p.handled(q, m, func(_ context.Context, m *pubsub.Message) error { got = string(m.Body); return nil }); err != nil || got != "grüße, 1" {
				t.Errorf("%s: %q, %v", theirs.client, got, err)
			}
		}
	})
}

// theirs reads a message as the documentation of the extended clients has it: the
// attribute is a Number with the body's size in bytes, and the body an array of the name
// of the class and of an object with two members, no more.
func theirs(m *pubsub.Message, attribute, class string) (bucket, key string, size string, err error) {
	a := bus.Details(m).Attributes[attribute]
	if a.DataType != "Number" {
		return "", "", "", fmt.Errorf("the attribute %s is %+v", attribute, a)
	}
	var parts [2]json.RawMessage
	if err := json.Unmarshal(m.Body, &parts); err != nil {
		return "", "", "", err
	}
	if string(parts[0]) != `"`+class+`"` {
		return "", "", "", fmt.Errorf("the class is %s", parts[0])
	}
	var members map[string]string
	if err := json.Unmarshal(parts[1], &members); err != nil || len(members) != 2 {
		return "", "", "", fmt.Errorf("the object is %s: %v", parts[1], err)
	}
	return members["s3BucketName"], members["s3Key"], a.StringValue, nil
}

func TestOurReferencesAreWhatTheExtendedClientsRead(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("ours", bus.QueueSettings{})
		p.bodies.Limit = 10
		for _, form := range []struct {
			legacy           bool
			attribute, class string
		}{
			{false, "ExtendedPayloadSize", "software.amazon.payloadoffloading.PayloadS3Pointer"},
			{true, "SQSLargePayloadSize", "com.amazon.sqs.javamessaging.MessageS3Pointer"},
		} {
			p.bodies.Legacy = form.legacy
			producer := &workers.Producer{Queue: q, Prepare: p.bodies.Prepare, Source: func(yield func([]byte, error) bool) { yield([]byte("grüße <&> 12345"), nil) }}
			if err := producer.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			m, err := q.Subscription.Receive(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			m.Ack()
			bucket, key, size, err := theirs(m, form.attribute, form.class)
			if err != nil || bucket != "payloads" || !strings.HasPrefix(key, "donors/") || size != "17" {
				t.Errorf("%s: %q, %q, %q, %v", m.Body, bucket, key, size, err)
			}
			body, err := p.bodies.Bucket.ReadAll(t.Context(), key)
			if err != nil || string(body) != "grüße <&> 12345" {
				t.Errorf("the body is %q, %v", body, err)
			}
		}
	})
}

func TestABatchGetsWholeBodiesAndAMissingOneFailsAlone(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		p.bodies.Limit, p.bodies.Remove = 100, true
		q := p.queue("batch", bus.QueueSettings{})
		lost := ""
		for i := range 6 {
			m := &pubsub.Message{Body: []byte(strings.Repeat(fmt.Sprint(i), 90*(i%3+1)))}
			before := p.keys()
			if err := p.bodies.Offload(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if i == 5 {
				for _, k := range p.keys() {
					if !strings.Contains(strings.Join(before, " "), k) {
						lost = k
					}
				}
			}
			if err := q.Topic.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.bodies.Bucket.Delete(t.Context(), lost); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		got := map[string]int{}
		failed := 0
		c := &workers.Consumer{Queue: q, OnDone: func(d workers.Done) {
			if d.Err != nil {
				failed++
				stop()
			}
		}, BatchHandler: p.bodies.RestoreBatch()(func(_ context.Context, ms []*pubsub.Message) []error {
			for _, m := range ms {
				got[string(m.Body[:1])] = len(m.Body)
			}
			return nil
		})}
		if err := c.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if err := p.bodies.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := map[string]int{"0": 90, "1": 180, "2": 270, "3": 90, "4": 180}; fmt.Sprint(got) != fmt.Sprint(want) || failed != 1 {
			t.Errorf("handled were %v, and %d failed; want %v and one", got, failed, want)
		}
		if keys := p.keys(); len(keys) != 0 {
			t.Errorf("left in the bucket are %v", keys)
		}
	})
}

func TestLargeBodiesComposeWithCodecsAndDeduplication(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		p.bodies.Limit, p.bodies.Remove = 1000, true
		q := p.queue("typed", bus.QueueSettings{})
		codec := workers.Gzip(workers.JSONCodec())
		var numbers []int
		for i := range 10000 {
			numbers = append(numbers, i*i*7919%100003)
		}
		for range 2 {
			m, err := codec.Message(numbers)
			if err != nil {
				t.Fatal(err)
			}
			m.Metadata[workers.DeduplicationID] = "one"
			if err := p.bodies.Offload(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if err := q.Topic.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		handled := 0
		c := &workers.Consumer{Queue: q,
			Middleware: []workers.Middleware{workers.Deduplicate(new(workers.MemoryStore), nil), p.bodies.Restore()},
			Handler: workers.JSON(func(_ context.Context, got []int, m *pubsub.Message) error {
				if handled++; fmt.Sprint(got) != fmt.Sprint(numbers) {
					t.Errorf("%d numbers arrived, not those that were sent", len(got))
				}
				return nil
			}, codec)}
		if err := c.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if handled != 1 || c.Stats().Deleted != 2 {
			t.Errorf("handled %d times, %d deleted", handled, c.Stats().Deleted)
		}
	})
}
