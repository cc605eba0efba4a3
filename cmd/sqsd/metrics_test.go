package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lines returns those of an answer that begin with a prefix, without it.
func lines(text, prefix string) (out []string) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			out = append(out, strings.TrimSuffix(rest, "\n"))
		}
	}
	return out
}

func TestMetricsShowQueuesAndRequests(t *testing.T) {
	h, _, _ := uiService(t, false)
	do := func(request string) {
		t.Helper()
		if w := send(h, request, local); w.Code != http.StatusOK && !strings.Contains(request, "nosuch") {
			t.Fatalf("%s: %d, %s", request, w.Code, w.Body)
		}
	}
	do("POST / Action=CreateQueue&QueueName=donors")
	do("POST / Action=CreateQueue&QueueName=donors.fifo&Attribute.1.Name=FifoQueue&Attribute.1.Value=true")
	for range 3 {
		do("POST /000000000000/donors Action=SendMessage&MessageBody=a")
	}
	do("POST /000000000000/donors Action=SendMessage&MessageBody=a&DelaySeconds=60")
	do("POST /000000000000/donors Action=SendMessage&MessageBody=" + strings.Repeat("a", 100<<10)) // two chunks
	do("POST /000000000000/donors Action=ReceiveMessage")
	do("POST /000000000000/nosuch Action=ReceiveMessage")
	do("POST /000000000000/donors.fifo Action=ReceiveMessage")
	send(h, "GET /?Action=Strange%0A", local)
	do("GET /health")
	w := send(h, "GET /metrics", local)
	got := w.Body.String()
	for _, want := range []string{
		`omnibus_queue_up{messaging_destination_name="donors"} 1`,
		`omnibus_queue_messages{messaging_destination_name="donors",state="visible"} 3`,
		`omnibus_queue_messages{messaging_destination_name="donors",state="in_flight"} 1`,
		`omnibus_queue_messages{messaging_destination_name="donors",state="delayed"} 1`,
		`omnibus_queue_oldest_message_age_seconds{messaging_destination_name="donors.fifo"} 0`,
		`omnibus_requests_total{rpc_method="SendMessage"} 5`,
		`omnibus_requests_total{rpc_method="ReceiveMessage"} 3`,
		`omnibus_requests_failed_total{rpc_method="ReceiveMessage"} 1`,
		`omnibus_requests_failed_total{rpc_method="SendMessage"} 0`,
		`omnibus_requests_total{rpc_method="unknown"} 1`,
		`omnibus_cost_dollars_total{queue_type="fifo"} 1e-06`, // created, and received from
		`# TYPE omnibus_requests_total counter`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no line %s in\n%s", want, got)
		}
	}
	if cost := lines(got, `omnibus_cost_dollars_total{queue_type="standard"} `); len(cost) != 1 || cost[0] != "4e-06" {
		t.Errorf("cost %v; want that of nine requests, one of them of two chunks", cost)
	}
	if w.Header().Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Error(w.Header())
	}
}

// Beyond loopback, and without a signature, metrics are there when asked for.
func TestMetricsBeyondLoopbackAreAskedFor(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte("[a]\naws_access_key_id=a\naws_secret_access_key=b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args    []string
		inspect bool
		want    int
	}{
		{nil, true, http.StatusOK},
		{nil, false, http.StatusNotFound},
		{[]string{"-metrics"}, false, http.StatusOK},
		{[]string{"-keys", keys}, true, http.StatusForbidden},
		{[]string{"-keys", keys, "-metrics"}, false, http.StatusOK},
	} {
		c, err := parse(test.args, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		s, err := newService(t.Context(), c, test.inspect)
		if err != nil {
			t.Fatal(err)
		}
		h := c.handler(s, !test.inspect, io.Discard)
		if w := send(h, "GET /metrics", local); w.Code != test.want {
			t.Errorf("%v, inspect %t: %d, %s", test.args, test.inspect, w.Code, w.Body)
		}
		if w := send(h, "GET /metrics", "evil.example"); w.Code != http.StatusForbidden {
			t.Errorf("%v: a foreign Host is answered with %d", test.args, w.Code)
		}
	}
}
