package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/spec"
	"omnibus/bus/sqsserver"
)

// logged sends requests through a log, and returns its lines.
func logged(t *testing.T, format string, requests func(http.Handler)) []string {
	t.Helper()
	server := sqsserver.New(nil)
	if _, err := server.Engine().Create("donors", spec.QueueSettings{}); err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	log, err := newLogger(format, &lines)
	if err != nil {
		t.Fatal(err)
	}
	requests(&requestLog{next: &guard{next: server}, log: log})
	return strings.Split(strings.TrimSuffix(lines.String(), "\n"), "\n")
}

func TestTheLogTellsWhatWasAskedForAndHowItWasAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := logged(t, "text", func(h http.Handler) {
			send(h, "POST /000000000000/donors Action=SendMessage&MessageBody=Harper+Pierce", local)
			send(h, "POST /000000000000/donors Action=ReceiveMessage&VisibilityTimeout=600", local)
			send(h, "POST /000000000000/donors Action=ReceiveMessage&WaitTimeSeconds=20", local)
			send(h, "POST / {\"QueueUrl\":\"http://x/000000000000/no\"}", local, "X-Amz-Target: AmazonSQS.PurgeQueue")
			send(h, "GET /?Action=No", local)
			send(h, "GET /?Action=ListQueues", local, "Sec-Fetch-Site: cross-site")
		})
		for i, want := range []string{
			`time=2000-01-01T00:00:00.000Z account=000000000000 region=us-east-1 action=SendMessage queue=donors status=200 bytes=`,
			`time=2000-01-01T00:00:00.000Z account=000000000000 region=us-east-1 action=ReceiveMessage queue=donors status=200 bytes=`,
			`time=2000-01-01T00:00:20.000Z account=000000000000 region=us-east-1 action=ReceiveMessage queue=donors status=200 bytes=`,
			`time=2000-01-01T00:00:20.000Z account=000000000000 region=us-east-1 action=PurgeQueue queue=no status=400 bytes=`,
			`time=2000-01-01T00:00:20.000Z account=000000000000 region=us-east-1 action="" queue="" status=400 bytes=`,
			`time=2000-01-01T00:00:20.000Z account="" region="" action="" queue="" status=403 bytes=`,
		} {
			ms := " ms=0"
			if i == 2 {
				ms = " ms=20000"
			}
			if !strings.HasPrefix(lines[i], want) || !strings.HasSuffix(lines[i], ms) || strings.Contains(lines[i], "Pierce") {
				t.Errorf("line %d: %s\nwant %s…%s", i+1, lines[i], want, ms)
			}
		}
		if len(lines) != 6 {
			t.Errorf("%d lines", len(lines))
		}
	})
}

func TestTheLogInJSONHasTheSame(t *testing.T) {
	lines := logged(t, "json", func(h http.Handler) { send(h, "GET /000000000000/donors?Action=GetQueueAttributes", local) })
	var got struct {
		Time                           time.Time
		Account, Region, Action, Queue string
		Status                         int
		Bytes                          int64
		Ms                             *float64
		Level, Msg                     string
	}
	if err := json.Unmarshal([]byte(lines[0]), &got); err != nil || len(lines) != 1 || got.Time.IsZero() || got.Account != "000000000000" ||
		got.Region != "us-east-1" || got.Action != "GetQueueAttributes" || got.Queue != "donors" || got.Status != 200 || got.Bytes < 100 || got.Ms == nil || got.Level+got.Msg != "" {
		t.Errorf("%s: %v", lines, err)
	}
}

// A client writes nothing into the log but the lines of its requests.
func TestTheLogIsOfOneLineForARequestWhateverItSays(t *testing.T) {
	lines := logged(t, "text", func(h http.Handler) {
		send(h, "POST / Action=CreateQueue&QueueName=a%0Atime%3D2000+status%3D200"+strings.Repeat("x", 1000), local)
		send(h, "POST / Action=PurgeQueue%0A&QueueUrl=a%0Ab", local)
	})
	for _, line := range lines {
		if len(line) > 300 || !strings.HasPrefix(line, "time=") {
			t.Errorf("%q", line)
		}
	}
	if len(lines) != 2 {
		t.Errorf("%d lines", len(lines))
	}
}

func TestARequestWhoseClientHangsUpIsLoggedAs499(t *testing.T) {
	var lines bytes.Buffer
	log, err := newLogger("text", &lines)
	if err != nil {
		t.Fatal(err)
	}
	h := &requestLog{log: log, next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/part" {
			_, _ = io.WriteString(w, "part")
			panic(http.ErrAbortHandler)
		}
	})}
	send(h, "GET /", local)
	func() {
		defer func() { _ = recover() }()
		send(h, "GET /part", local)
	}()
	if got := lines.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "status=499 bytes=0") || !strings.Contains(got, "bytes=4") {
		t.Error(got)
	}
}
