package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
)

// recorder notes the actions that requests ask for, by queue.
type recorder struct {
	next *http.Client

	mu      sync.Mutex // guards actions
	actions map[string]map[string]bool
}

func (r *recorder) Do(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	var of struct{ QueueURL, QueueName string }
	if err := json.Unmarshal(body, &of); err != nil {
		return nil, err
	}
	queue := of.QueueName
	if queue == "" {
		queue = path.Base(of.QueueURL)
	}
	_, action, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	r.mu.Lock()
	if r.actions[queue] == nil {
		r.actions[queue] = map[string]bool{}
	}
	r.actions[queue][strings.TrimSuffix(action, "Batch")] = true // which needs the same permission
	r.mu.Unlock()
	return r.next.Do(req)
}

// take returns the permissions on a queue that what has been noted needs, and forgets it.
func (r *recorder) take(queue string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for _, action := range slices.Sorted(maps.Keys(r.actions[queue])) {
		names = append(names, "`sqs:"+action+"`")
	}
	delete(r.actions, queue)
	return strings.Join(names, ", ")
}

// unwritable is output that fails.
type unwritable struct{}

func (unwritable) Write([]byte) (int, error) { return 0, errors.New("nobody reads this") }

// The README's table of permissions is what the commands ask an endpoint for. A message
// that cannot be printed is one that a consumer gives back, or buries.
func TestREADMEPermissionsAreWhatCommandsNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{next: sqsserver.New(nil).Client(), actions: map[string]map[string]bool{}}
		w := newWorld(t)
		w.sqs = sqsbus.New(&sqsbus.Options{HTTPClient: r})
		w.sqs.Register(w.mux)
		const endpoint = "http://127.0.0.1/000000000000/"
		w.env["BUS_URL"] = endpoint + "donors"
		w.stdin = "1\n2\n3\n"
		run := func(command string, status int) {
			t.Helper()
			wait := w.start(strings.Fields(command)...)
			time.Sleep(time.Minute)
			if got := wait(true); got.status != status {
				t.Errorf("%s: %d, %s", command, got.status, got.stderr)
			}
		}
		run("create -queue "+endpoint+"dead", 0)
		r.take("dead")
		var want strings.Builder
		fmt.Fprint(&want, "| command | permissions |\n|---|---|\n")
		row := func(says, queue string) { fmt.Fprintf(&want, "| %s | %s |\n", says, r.take(queue)) }
		run("create -delay 0s", 0)
		row("`create`", "donors")
		run("status -once", 0)
		row("`status`", "donors")
		run("produce -data -", 0)
		row("`produce`", "donors")
		run("consume -max 1", 0)
		w.output = unwritable{}
		run("consume", exitFailed)
		row("`consume`", "donors")
		run("consume -max-receives 1 -dead-letter "+endpoint+"dead", exitFailed)
		row("`consume -dead-letter URL`, on that queue", "dead")
		w.output = nil
		r.take("donors")
		run("purge -yes", 0)
		row("`purge`", "donors")
		run("delete -yes -queue "+endpoint+"dead", 0)
		row("`delete`", "dead")
		run("attributes", 0)
		row("`attributes`", "donors")
		run("attributes visibility=60s", 0)
		row("`attributes NAME=VALUE`", "donors")
		run("tag", 0)
		row("`tag`", "donors")
		run("tag a=b", 0)
		run("tag -remove a", 0)
		row("`tag KEY=VALUE`, `-remove`", "donors")
		run("send hello", 0)
		row("`send`", "donors")
		run("peek -receive", 0)
		row("`peek -receive`", "donors")
		readme, err := os.ReadFile("../../README.md")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(readme), want.String()) {
			t.Errorf("README.md does not have this table:\n%s", want.String())
		}
	})
}
