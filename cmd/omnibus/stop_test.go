package main

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus"
	"omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
)

// endpoint is an SQS endpoint that can be made to fail.
type endpoint struct {
	http.RoundTripper
	fault  func(*http.Request) (*http.Response, error) // of requests that write, and of all after the first of them if it lasts
	lasts  bool
	broken atomic.Bool // the fault is there
	struck atomic.Bool // it has met a request
}

func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	target := r.Header.Get("X-Amz-Target")
	writes := strings.Contains(target, "Delete") || strings.Contains(target, "Send")
	if !e.broken.Load() || !writes && !(e.lasts && e.struck.Load()) {
		return e.RoundTripper.RoundTrip(r)
	}
	e.struck.Store(true)
	return e.fault(r)
}

// newSQSWorld returns a world with a queue on an endpoint.
func newSQSWorld(t *testing.T) (*world, *endpoint) {
	e := &endpoint{RoundTripper: sqsserver.New(nil).Client().Transport}
	w := &world{t: t, mux: &bus.Mux{}, env: map[string]string{"BUS_URL": "http://127.0.0.1:9324/000000000000/mynewq"}}
	sqsbus.New(&sqsbus.Options{HTTPClient: &http.Client{Transport: e}}).Register(w.mux)
	w.wantOK(w.run("create", "-delay", "0s"), w.env["BUS_URL"])
	return w, e
}

func TestStoppedCommandsEndThoughTheEndpointDoesNotAnswer(t *testing.T) {
	for _, fault := range []struct {
		name  string
		lasts bool
		f     func(*http.Request) (*http.Response, error)
	}{
		{"killed", true, func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }},
		{"stopped", true, func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}},
		{"503 for deletes and sends", false, func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
		}},
	} {
		for _, test := range []struct {
			line  string
			limit time.Duration
		}{
			{"consume -pause 200ms", 10 * time.Second},
			{"consume -pause 200ms -drain-timeout 3s", 3 * time.Second},
			{"produce -preset fast", 10 * time.Second},
			{"produce -preset fast -drain-timeout 3s", 3 * time.Second},
			{"lab", 10 * time.Second},
		} {
			t.Run(fault.name+"/"+test.line, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w, e := newSQSWorld(t)
					e.fault, e.lasts = fault.f, fault.lasts
					if strings.HasPrefix(test.line, "consume") {
						w.wantOK(w.run("produce", "-preset", "fast", "-every", "0s", "-delay", "0s"), "50 messages sent")
					}
					if test.line == "lab" {
						w.env["BUS_URL"] += "lab"
					}
					wait := w.start(strings.Fields(test.line)...)
					time.Sleep(5500 * time.Millisecond)
					e.broken.Store(true)
					time.Sleep(3 * time.Second)
					stopped := time.Now()
					r := wait(true)
					w.wantFailure(r, exitFailed, w.env["BUS_URL"])
					if test.line != "lab" && !regexp.MustCompile(`, [1-9]\d* not confirmed\n$`).MatchString(r.stdout) {
						t.Errorf("the output is\n%s\nwant a summary that tells how many were not confirmed", r.stdout)
					}
					if took := time.Since(stopped); took > test.limit {
						t.Errorf("the command ended %v after the signal, want %v at most", took, test.limit)
					}
				})
			})
		}
	}
}

// The first signal ends a command that waits for a line which nobody writes.
func TestStoppedCommandsDoNotWaitForTheirInput(t *testing.T) {
	for _, test := range []struct {
		line string
		tty  bool
		want result
	}{
		{"produce -data -", false, result{stdout: "0 messages sent\n"}},
		{"produce -data - -lines", false, result{stdout: "0 messages sent\n"}},
		{"purge", true, result{status: exitFailed, stderr: "Delete all messages of " + sharedURL + "? [y/N] omnibus purge: nothing was deleted\n"}},
	} {
		t.Run(test.line, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.run("create")
				r, pipe := io.Pipe()
				defer pipe.Close()
				w.input, w.tty = r, test.tty
				wait := w.start(strings.Fields(test.line)...)
				time.Sleep(time.Hour)
				stopped := time.Now()
				if got := wait(true); got != test.want || time.Since(stopped) != 0 {
					t.Errorf("the command ended %v after the signal with %+v, want at once and %+v", time.Since(stopped), got, test.want)
				}
			})
		})
	}
}

func TestInterruptedConsumerGivesBackWhatItDidNotHandle(t *testing.T) {
	for _, concurrency := range []string{"1", "16"} {
		t.Run(concurrency, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _ := newSQSWorld(t)
				w.wantOK(w.run("produce", "-preset", "fast", "-every", "0s", "-delay", "0s"), "50 messages sent")
				wait := w.start("consume", "-preset", "slow", "-concurrency", concurrency)
				time.Sleep(9 * time.Second)
				w.wantOK(wait(true), "deleted, 0 redelivered\n")
				w.wantOK(w.run("status", "-once"), "\n0 ApproximateNumberOfMessagesNotVisible\n")
			})
		})
	}
}
