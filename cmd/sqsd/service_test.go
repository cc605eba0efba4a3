package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// get returns the status and the answer of a GET.
func (d *daemon) get(path string) (int, string) {
	d.t.Helper()
	return d.do(http.MethodGet, path)
}

func (d *daemon) do(method, path string) (int, string) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.base+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// What waits for LocalStack looks for these words.
func TestHealthIsAnsweredWithoutAKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("[a]\naws_access_key_id=a\naws_secret_access_key=b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := start(t, "-keys", path)
	for _, path := range []string{"/health", "/_localstack/health"} {
		if status, got := d.get(path); status != http.StatusOK || !strings.Contains(got, `"sqs": "running"`) || !json.Valid([]byte(got)) {
			t.Errorf("%s: %d, %s", path, status, got)
		}
	}
	if status, got := d.get("/messages?QueueUrl=donors"); status != http.StatusForbidden {
		t.Errorf("/messages: %d, %s", status, got)
	}
	if status, got := d.do(http.MethodPost, "/reset"); status != http.StatusForbidden {
		t.Errorf("/reset: %d, %s", status, got)
	}
}

func TestHealthcheckExitsWithWhatItFinds(t *testing.T) {
	d := start(t)
	addr := strings.TrimPrefix(d.base, "http://")
	var out bytes.Buffer
	if status := run(t.Context(), []string{"-healthcheck", "-addr", addr}, &out, &out); status != 0 || out.Len() > 0 {
		t.Errorf("of one that runs: status %d, %s", status, &out)
	}
	d.stop()
	<-d.done
	if status := run(t.Context(), []string{"-healthcheck", "-addr", addr}, &out, &out); status != exitFailed || !strings.Contains(out.String(), "refused") {
		t.Errorf("of none: status %d, %s", status, &out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { _ = http.Serve(l, http.NotFoundHandler()) }()
	out.Reset()
	if status := run(t.Context(), []string{"-healthcheck", "-addr", l.Addr().String()}, &out, &out); status != exitFailed || !strings.Contains(out.String(), "answers 404") {
		t.Errorf("of another program: status %d, %s", status, &out)
	}
}

func TestMessagesAreShownAndNotReceived(t *testing.T) {
	d := start(t)
	d.call(d.base, "Action=CreateQueue&QueueName=donors")
	for _, body := range []string{"a", "b", "c"} {
		d.call(d.bus, "Action=SendMessage&MessageBody="+body+"&MessageAttribute.1.Name=n&MessageAttribute.1.Value.DataType=Number&MessageAttribute.1.Value.StringValue=1")
	}
	for path, want := range map[string]string{
		"/messages?QueueUrl=" + url.QueryEscape(d.bus): "abc",
		"/messages?Max=2&QueueUrl=donors":              "ab",
	} {
		for range 2 { // the second time as the first
			status, got := d.get(path)
			var answer struct {
				Messages []struct {
					Body, ReceiptHandle string
					Attributes          map[string]string
					MessageAttributes   map[string]struct{ DataType, StringValue string }
				}
			}
			if err := json.Unmarshal([]byte(got), &answer); status != http.StatusOK || err != nil {
				t.Fatalf("%s: %d, %s", path, status, got)
			}
			bodies := ""
			for _, m := range answer.Messages {
				bodies += m.Body
				if m.ReceiptHandle != "" || m.Attributes["ApproximateReceiveCount"] != "0" || m.MessageAttributes["n"].StringValue != "1" {
					t.Errorf("%s: %+v", path, m)
				}
			}
			if bodies != want {
				t.Errorf("%s: %s; want %s", path, bodies, want)
			}
		}
	}
	for path, want := range map[string]string{
		"/messages":                          "MissingRequiredParameterException",
		"/messages?QueueUrl=no":              "QueueDoesNotExist",
		"/messages?QueueUrl=donors&Max=0":    "InvalidParameterValue",
		"/messages?QueueUrl=donors&Max=1e3":  "InvalidParameterValue",
		"/messages?QueueUrl=" + d.base + "/": "InvalidAddress",
	} {
		if status, got := d.get(path); status != http.StatusBadRequest || !strings.Contains(got, want) {
			t.Errorf("%s: %d, %s; want %s", path, status, got, want)
		}
	}
}

func TestResetBringsTheStateOfTheStartBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queues.json")
	if err := os.WriteFile(path, []byte(`{"donors": {}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	d := start(t, "-queues", path)
	d.call(d.bus, "Action=SendMessage&MessageBody=a")
	d.call(d.base, "Action=CreateQueue&QueueName=other")
	d.call(d.base, "Action=DeleteQueue&QueueUrl=other") // whose name would not be free for a minute
	d.call(d.bus, "Action=PurgeQueue")                  // nor this possible again
	d.call(d.bus, "Action=SendMessage&MessageBody=b")
	polled := make(chan string, 1)
	d.call(d.base, "Action=CreateQueue&QueueName=empty")
	go func() { polled <- d.call(d.base, "Action=ReceiveMessage&QueueUrl=empty&WaitTimeSeconds=20") }()
	time.Sleep(50 * time.Millisecond) // real time: the poll is on a socket
	begun := time.Now()
	if status, got := d.do(http.MethodPost, "/reset"); status != http.StatusOK {
		t.Fatal(status, got)
	}
	if got := <-polled; !strings.Contains(got, "<ReceiveMessageResult></ReceiveMessageResult>") || time.Since(begun) > 5*time.Second {
		t.Errorf("a poll on what was: %s", got)
	}
	if got := d.call(d.base, "Action=ListQueues"); strings.Count(got, "<QueueUrl>") != 1 || !strings.Contains(got, "/donors<") {
		t.Error(got)
	}
	if got := d.call(d.bus, "Action=ReceiveMessage"); strings.Contains(got, "<Message>") {
		t.Error(got)
	}
	for _, action := range []string{"CreateQueue&QueueName=other", "PurgeQueue&QueueUrl=donors"} {
		if got := d.call(d.base, "Action="+action); !strings.Contains(got, "Response>") || strings.Contains(got, "ErrorResponse") {
			t.Errorf("%s: %s", action, got)
		}
	}
	if status, _ := d.get("/reset"); status != http.StatusNotFound {
		t.Errorf("GET of /reset: %d", status)
	}
}

func TestPagesForTestsAreNotThereForOtherMachines(t *testing.T) {
	for _, test := range []struct {
		inspect bool
		status  int
	}{{false, 404}, {true, 200}} {
		c, err := parse(nil, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		s, err := newService(t.Context(), c, test.inspect)
		if err != nil {
			t.Fatal(err)
		}
		send(s, "POST / Action=CreateQueue&QueueName=donors", local)
		if w := send(s, "GET /messages?QueueUrl=donors", local); w.Code != test.status {
			t.Errorf("-inspect=%t, /messages: %d, %s", test.inspect, w.Code, w.Body)
		}
		if w := send(s, "GET /queues", local); w.Code != test.status {
			t.Errorf("-inspect=%t, /queues: %d, %s", test.inspect, w.Code, w.Body)
		}
		if w := send(s, "POST /reset", local); (w.Code == 200) != test.inspect {
			t.Errorf("-inspect=%t, /reset: %d, %s", test.inspect, w.Code, w.Body)
		}
	}
}

func TestQueueURLsBeginWithTheExternalURL(t *testing.T) {
	d := start(t, "-external-url", "https://sqs.example/queues/")
	const want = "https://sqs.example/queues/000000000000/donors"
	if d.bus != want {
		t.Errorf("BUS_URL is %s; want %s", d.bus, want)
	}
	if got := d.call(d.base, "Action=CreateQueue&QueueName=donors"); !strings.Contains(got, "<QueueUrl>"+want+"</QueueUrl>") {
		t.Error(got)
	}
}
