//go:build unix

package snsserver_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"omnibus/bus/engine"
	"omnibus/bus/snsserver"
	"omnibus/bus/spec"
	"omnibus/bus/sqsserver"
)

// BenchmarkFanOut compares a publish to ten subscribed queues with ten sends to
// the queues, as a client does them: requests over a connection on loopback, with
// bodies of 200 bytes. cpu-ns/fanout is the processor time of client and server
// together for the ten messages, which other load on the machine does not disturb
// as it does the time that passes. fanout/sends is the ratio that counts: each
// round does both, in turn. The row "handler" is without connections, where
// nothing hides what a signature takes.
//
//	go test -bench FanOut -run '^$' ./bus/snsserver
func BenchmarkFanOut(b *testing.B) {
	raw := map[string]string{"RawMessageDelivery": "true"}
	filtered := map[string]string{"RawMessageDelivery": "true", "FilterPolicy": `{"kind":[{"prefix":"ne"}]}`}
	b.Run("enveloped", func(b *testing.B) { benchFanOut(b, nil, http.DefaultTransport) })
	b.Run("enveloped/handler", func(b *testing.B) { benchFanOut(b, nil, nil) })
	b.Run("raw", func(b *testing.B) { benchFanOut(b, raw, http.DefaultTransport) })
	b.Run("raw/handler", func(b *testing.B) { benchFanOut(b, raw, nil) })
	b.Run("filtered", func(b *testing.B) { benchFanOut(b, filtered, http.DefaultTransport) })
}

// benchFanOut measures with queues that subscribe with some attributes, over a
// transport; nil calls the handler.
func benchFanOut(b *testing.B, attributes map[string]string, transport http.RoundTripper) {
	const n = 10
	queues := sqsserver.New(&sqsserver.Options{Engine: engine.New(&engine.Options{Lenient: true})})
	topics := snsserver.New(&snsserver.Options{Queues: queues})
	handler := snsserver.Beside(topics, queues)
	l := httptest.NewServer(handler)
	defer l.Close()
	client := &http.Client{Transport: transport}
	if transport == nil {
		client = snsserver.Client(handler)
	}
	post := func(path string, form url.Values) string {
		resp, err := client.Post(l.URL+path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
		if err != nil {
			b.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		if resp.Body.Close(); resp.StatusCode != http.StatusOK {
			b.Fatalf("%s", answer)
		}
		return string(answer)
	}
	topic := "arn:aws:sns:us-east-1:000000000000:t"
	post("/", url.Values{"Action": {"CreateTopic"}, "Name": {"t"}})
	for i := range n {
		if _, err := queues.Engine().Create(fmt.Sprint("q", i), spec.QueueSettings{}); err != nil {
			b.Fatal(err)
		}
		form := url.Values{"Action": {"Subscribe"}, "TopicArn": {topic}, "Protocol": {"sqs"}, "Endpoint": {fmt.Sprint("arn:aws:sqs:us-east-1:000000000000:q", i)}}
		j := 0
		for key, value := range attributes {
			j++
			form.Set(fmt.Sprintf("Attributes.entry.%d.key", j), key)
			form.Set(fmt.Sprintf("Attributes.entry.%d.value", j), value)
		}
		post("/", form)
	}
	body := strings.Repeat("donor ", 33)
	publish := url.Values{"Action": {"Publish"}, "TopicArn": {topic}, "Message": {body},
		"MessageAttributes.entry.1.Name": {"kind"}, "MessageAttributes.entry.1.Value.DataType": {"String"}, "MessageAttributes.entry.1.Value.StringValue": {"new"}}
	send := url.Values{"Action": {"SendMessage"}, "MessageBody": {body},
		"MessageAttribute.1.Name": {"kind"}, "MessageAttribute.1.Value.DataType": {"String"}, "MessageAttribute.1.Value.StringValue": {"new"}}
	var fanout, sends time.Duration
	timed := func(sum *time.Duration, f func()) {
		begun := processorTime()
		f()
		*sum += processorTime() - begun
	}
	post("/", publish) // makes the key
	rounds := 0
	for b.Loop() {
		timed(&fanout, func() { post("/", publish) })
		timed(&sends, func() {
			for i := range n {
				post(fmt.Sprint("/000000000000/q", i), send)
			}
		})
		if rounds++; rounds%1000 == 0 {
			for i := range n {
				q, err := queues.Engine().Queue(fmt.Sprint("q", i))
				if err == nil {
					err = q.Purge()
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.ReportMetric(float64(fanout)/float64(b.N), "cpu-ns/fanout")
	b.ReportMetric(float64(sends)/float64(b.N), "cpu-ns/sends")
	b.ReportMetric(float64(fanout)/float64(sends), "fanout/sends")
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
