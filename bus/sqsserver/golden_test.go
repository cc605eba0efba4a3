package sqsserver_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"omnibus/bus/sqsserver"
)

var update = flag.Bool("update", false, "write what the server answers into testdata/protocol")

// TestProtocol plays the files of testdata/protocol: requests, each with the
// answer that the server gives, byte for byte. A file has its own server, with
// the clock at midnight of 2000-01-01 UTC.
//
// A request is its method and path, header lines, a line that is empty, and the
// body on the lines up to a line "-- answer", where line breaks in it do not
// count. In answers, UUIDs and receipt handles stand as UUID and RECEIPT; the
// latter in a request stands for the last receipt handle that was answered.
func TestProtocol(t *testing.T) {
	files, err := filepath.Glob("testdata/protocol/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(err, "no files")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playFile(t, file) })
		})
	}
}

const (
	requestMark = "-- request\n"
	answerMark  = "-- answer\n"
)

func playFile(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	ok(t, err)
	intro, rest, _ := strings.Cut(string(text), requestMark)
	var played strings.Builder
	played.WriteString(intro)
	client := sqsserver.New(nil).Client()
	receipt := "RECEIPT"
	for exchange := range strings.SplitSeq(rest, requestMark) {
		request, want, _ := strings.Cut(exchange, answerMark)
		got := play(t, client, strings.ReplaceAll(request, "RECEIPT", receipt))
		if m := receiptHandle.FindStringSubmatch(got); m != nil {
			receipt = m[1]
		}
		got = strings.ReplaceAll(got, receipt, "RECEIPT")
		got = uuid.ReplaceAllString(got, "UUID")
		if got != want && !*update {
			t.Errorf("%s\nanswered\n%s\nwant\n%s", request, got, want)
		}
		played.WriteString(requestMark + request + answerMark + got)
	}
	if *update {
		ok(t, os.WriteFile(file, []byte(played.String()), 0o666))
	}
}

var (
	receiptHandle = regexp.MustCompile(`ReceiptHandle(?:":"|>)([\w-]{27})`)
	uuid          = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
)

// play sends a request and returns the answer as the files have it.
func play(t *testing.T, client *http.Client, request string) string {
	t.Helper()
	head, body, _ := strings.Cut(request, "\n\n")
	lines := strings.Split(strings.TrimSuffix(head, "\n"), "\n")
	method, path, _ := strings.Cut(lines[0], " ")
	r, err := http.NewRequestWithContext(t.Context(), method, "http://sqs.test"+path, strings.NewReader(strings.ReplaceAll(body, "\n", "")))
	ok(t, err)
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	resp, err := client.Do(r)
	ok(t, err)
	answer, err := io.ReadAll(resp.Body)
	ok(t, err)
	if resp.Header.Get("Content-Length") != fmt.Sprint(len(answer)) || resp.Header.Get("x-amzn-RequestId") == "" {
		t.Errorf("headers %v", resp.Header)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%d %s\n", resp.StatusCode, resp.Header.Get("Content-Type"))
	if code := resp.Header.Get("x-amzn-query-error"); code != "" {
		fmt.Fprintf(&out, "x-amzn-query-error: %s\n", code)
	}
	fmt.Fprintf(&out, "\n%s\n", answer)
	return out.String()
}
