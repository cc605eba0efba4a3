package sqsserver_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"omnibus/bus/spec"
	"omnibus/bus/sqsserver"
)

func TestQueueURLsBeginWithWhatTheClientReaches(t *testing.T) {
	for _, test := range []struct {
		external, forwarded, want string
	}{
		{"", "", "http://sqs.test"},
		{"https://sqs.example/queues/", "", "https://sqs.example/queues"},
		{"https://sqs.example", "X-Forwarded-Host: other.example", "https://sqs.example"},
		{"", "X-Forwarded-Proto: https", "https://sqs.test"},
		{"", "X-Forwarded-Proto: HTTPS, http|X-Forwarded-Host: sqs.example:8443, inner|X-Forwarded-Prefix: /queues/", "https://sqs.example:8443/queues"},
		{"", "X-Forwarded-Proto: javascript|X-Forwarded-Host: a/b?c|X-Forwarded-Prefix: //evil.example", "http://sqs.test"},
		{"", "X-Forwarded-Host: a b|X-Forwarded-Prefix: /a?b", "http://sqs.test"},
		{"", "X-Forwarded-Host: user@evil.example|X-Forwarded-Prefix: queues", "http://sqs.test"},
	} {
		header := http.Header{}
		for line := range strings.SplitSeq(test.forwarded, "|") {
			if name, value, found := strings.Cut(line, ": "); found {
				header.Set(name, value)
			}
		}
		server := sqsserver.New(&sqsserver.Options{Account: account, ExternalURL: test.external})
		_, answer := post(t, server, "Action=CreateQueue&QueueName=q", header)
		if want := "<QueueUrl>" + test.want + "/" + account + "/q</QueueUrl>"; !strings.Contains(answer, want) {
			t.Errorf("external URL %q, %s: %s; want %s", test.external, test.forwarded, answer, want)
		}
		// Whatever the URL begins with, it is the queue's.
		if _, answer := post(t, server, "Action=SendMessage&MessageBody=a&QueueUrl="+test.want+"/"+account+"/q", nil); !strings.Contains(answer, "<MessageId>") {
			t.Error(answer)
		}
	}
}

func TestAClientThatSaysNoHostGetsAQueueURLWithOne(t *testing.T) {
	server := sqsserver.New(nil)
	_, err := server.Engine().Create("q", spec.QueueSettings{})
	ok(t, err)
	ts := httptest.NewServer(server)
	defer ts.Close()
	conn, err := net.Dial("tcp", ts.Listener.Addr().String())
	ok(t, err)
	defer conn.Close()
	fmt.Fprint(conn, "GET /?Action=GetQueueUrl&QueueName=q HTTP/1.0\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	ok(t, err)
	answer, err := io.ReadAll(resp.Body)
	ok(t, err)
	if want := "<QueueUrl>" + ts.URL + "/000000000000/q</QueueUrl>"; !strings.Contains(string(answer), want) {
		t.Errorf("%s; want %s", answer, want)
	}
}
