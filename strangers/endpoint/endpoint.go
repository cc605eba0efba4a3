//go:build strangers

// Package endpoint starts sqsd for tests, and calls it as programs do.
package endpoint

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// An Sqsd is a running OMNIBUS_BIN/sqsd.
type Sqsd struct {
	Base string // its address
	Page string // the address of its page, with -ui

	t   testing.TB
	log io.Writer
	cmd *exec.Cmd
}

// Start starts sqsd with these flags, and ends it with the test. What it logs goes to
// log.
func Start(t testing.TB, log io.Writer, args ...string) *Sqsd {
	t.Helper()
	s := &Sqsd{t: t, log: log}
	s.Run(args...)
	t.Cleanup(s.Stop)
	return s
}

// Run starts sqsd again.
func (s *Sqsd) Run(args ...string) {
	s.t.Helper()
	s.cmd = exec.Command(filepath.Join(os.Getenv("OMNIBUS_BIN"), "sqsd"), args...)
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	last := "BUS_URL="
	if slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "-ui") }) {
		last = "sqsd: page at "
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		if base, ok := strings.CutPrefix(line, "sqsd: listening on "); ok {
			s.Base, _, _ = strings.Cut(base, ",")
		}
		if page, ok := strings.CutPrefix(line, "sqsd: page at "); ok {
			s.Page = page
		}
		if strings.HasPrefix(line, last) {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return
		}
	}
	s.t.Fatal("sqsd ended")
}

// Stop ends sqsd.
func (s *Sqsd) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // an error is that it has ended
	_ = s.cmd.Wait()
}

// URL returns that of a queue.
func (s *Sqsd) URL(queue string) string { return s.Base + "/000000000000/" + queue }

// Send sends a message.
func (s *Sqsd) Send(queue, body string) {
	s.t.Helper()
	s.Call("SendMessage", map[string]any{"QueueUrl": s.URL(queue), "MessageBody": body})
}

// Call calls an action of SQS.
func (s *Sqsd) Call(action string, in map[string]any) (out map[string]any) {
	s.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.Base, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && len(answer) > 0 {
		err = json.Unmarshal(answer, &out)
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %d, %s, %v", action, resp.StatusCode, answer, err)
	}
	return out
}
