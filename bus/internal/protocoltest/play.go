// Package protocoltest plays requests of HTTP that stand in files against a
// server, and compares its answers with those in the files, byte for byte.
//
// A file begins with an introduction. Then come requests, each behind a line
// "-- request": its method and path, header lines, a line that is empty, and the
// body up to a line "-- answer", in which line breaks do not count. Behind that
// line comes the answer: status, type of content, other headers that are asked
// for, a line that is empty, and the body.
//
// What differs each time stands as a word: UUIDs as UUID, and what the caller
// adds. Such a word in a request stands for what it last stood for in an answer.
package protocoltest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
)

// A Player says how to play files.
type Player struct {
	Client  func() *http.Client // of a new server, for each file
	Address string              // where it is: scheme and host
	Header  string              // a header of answers that is shown, if it is there
	Update  bool                // write the answers into the files

	// Words are what stands in the files for what differs each time: for the
	// first group of each pattern.
	Words map[string]*regexp.Regexp
}

const (
	requestMark = "-- request\n"
	answerMark  = "-- answer\n"
)

var uuid = regexp.MustCompile(`[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// Play plays the files, each in a synctest bubble, where it is midnight of
// 2000-01-01 UTC.
func (p *Player) Play(t *testing.T, pattern string) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatal(err, "no files")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { p.file(t, file) })
		})
	}
}

func (p *Player) file(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	intro, rest, _ := strings.Cut(string(text), requestMark)
	var played strings.Builder
	played.WriteString(intro)
	client := p.Client()
	last := map[string]string{}
	for exchange := range strings.SplitSeq(rest, requestMark) {
		request, want, _ := strings.Cut(exchange, answerMark)
		sent := request
		for word, value := range last {
			sent = strings.ReplaceAll(sent, word, value)
		}
		got := p.request(t, client, sent)
		for word, pattern := range p.Words {
			if m := pattern.FindStringSubmatch(got); m != nil {
				last[word] = m[1]
			}
			if last[word] != "" {
				got = strings.ReplaceAll(got, last[word], word)
			}
		}
		got = uuid.ReplaceAllString(got, "UUID")
		if got != want && !p.Update {
			t.Errorf("%s\nanswered\n%s\nwant\n%s", request, got, want)
		}
		played.WriteString(requestMark + request + answerMark + got)
	}
	if p.Update {
		if err := os.WriteFile(file, []byte(played.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// request sends a request and returns the answer as the files have it.
func (p *Player) request(t *testing.T, client *http.Client, request string) string {
	t.Helper()
	head, body, _ := strings.Cut(request, "\n\n")
	lines := strings.Split(strings.TrimSuffix(head, "\n"), "\n")
	method, path, _ := strings.Cut(lines[0], " ")
	r, err := http.NewRequestWithContext(t.Context(), method, p.Address+path, strings.NewReader(strings.ReplaceAll(body, "\n", "")))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("Content-Length") != fmt.Sprint(len(answer)) || resp.Header.Get("x-amzn-RequestId") == "" {
		t.Errorf("headers %v", resp.Header)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%d %s\n", resp.StatusCode, resp.Header.Get("Content-Type"))
	if value := resp.Header.Get(p.Header); value != "" {
		fmt.Fprintf(&out, "%s: %s\n", p.Header, value)
	}
	fmt.Fprintf(&out, "\n%s\n", answer)
	return out.String()
}
