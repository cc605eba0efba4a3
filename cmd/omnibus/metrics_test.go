package main

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// await calls f until it reports success, and fails the test if it never does.
func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// scraped runs a command with -metrics until what it serves has all the lines given.
func scraped(t *testing.T, w *world, command string, lines ...string) {
	t.Helper()
	wait, log := w.startLogged(append(strings.Fields(command), "-metrics", ":0")...)
	var url string
	await(t, "the address of the metrics", func() bool {
		url = regexp.MustCompile(`http://127\.0\.0\.1:\d+/metrics`).FindString(log.String())
		return url != ""
	})
	var text, missing string
	defer func() {
		if t.Failed() {
			t.Logf("no line %s in\n%s", missing, text)
		}
	}()
	await(t, "the metrics of "+command, func() bool {
		text = get(t, url)
		for _, missing = range lines {
			if !regexp.MustCompile(`(?m)^` + missing + `$`).MatchString(text) {
				return false
			}
		}
		return true
	})
	if r := wait(true); r.status != 0 {
		t.Errorf("%s ended with %d, %s", command, r.status, r.stderr)
	}
	if answer, err := http.Get(url); err == nil {
		answer.Body.Close()
		t.Errorf("%s still answers after the command's end", url)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v", answer.StatusCode, err)
	}
	return string(text)
}

func TestProduceConsumeAndWatchServeMetrics(t *testing.T) {
	w := newWorld(t)
	if r := w.run("create", "-delay", "0s"); r.status != 0 {
		t.Fatal(r.stderr)
	}
	endless, _ := io.Pipe()
	w.input = io.MultiReader(strings.NewReader("1\n2\n3\n"), endless) // as from a terminal
	const queue = `messaging_destination_name="mynewq"`
	scraped(t, w, "produce -data -",
		`omnibus_queue_up{`+queue+`} 1`,
		`omnibus_queue_messages{`+queue+`,state="visible"} 3`,
		`messaging_client_sent_messages_total{.*`+queue+`.*} 3`,
		`messaging_client_operation_duration_seconds_count{.*`+queue+`.*} 3`,
	)
	scraped(t, w, "watch",
		`omnibus_queue_up{`+queue+`} 1`,
		`omnibus_queue_messages{`+queue+`,state="visible"} 3`,
		`omnibus_cost_dollars_total{`+queue+`} 0`,
	)
	scraped(t, w, "consume -consumers 2 -pause 1ms -drain-in 1m",
		`omnibus_queue_messages{`+queue+`,state="visible"} 0`,
		`omnibus_queue_messages{`+queue+`,state="in_flight"} 0`,
		`omnibus_queue_messages{`+queue+`,state="delayed"} 0`,
		`omnibus_queue_oldest_message_age_seconds{`+queue+`} 0`,
		`omnibus_queue_backlog_per_consumer{`+queue+`} 0`,
		`omnibus_queue_consumers_needed{`+queue+`} 0`,
		`omnibus_queue_drain_target_seconds{`+queue+`} 60`,
		`omnibus_cost_dollars_total{`+queue+`} 0`,
		`messaging_client_consumed_messages_total{.*`+queue+`.*} 3`,
		`messaging_process_duration_seconds_bucket{.*`+queue+`.*,le="\+Inf"} 3`,
		`omnibus_queue_duration_seconds_sum{.*`+queue+`.*} \S+`,
		`omnibus_consumer_received_total{.*`+queue+`.*} 3`,
		`omnibus_consumer_handled_total{.*`+queue+`.*} 3`,
		`omnibus_consumer_failed_total{.*`+queue+`.*} 0`,
		`omnibus_consumer_leases_lost_total{.*`+queue+`.*} 0`,
		`omnibus_consumer_in_hand{.*`+queue+`.*} 0`,
	)
}

func TestMetricsFlagsOutOfRangeAreBadCommandLines(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct{ line, want string }{
		{"consume -metrics 9464", "HOST:PORT"},
		{"produce -data - -metrics nowhere", "HOST:PORT"},
		{"consume -drain-in 0s", "-drain-in is 0s; it must be over 0s"},
		{"consume -consumers 0", "-consumers is 0; it must be 1 or more"},
		{"consume -log-level loud", `-log-level is "loud"; allowed are debug, info, warn and error`},
		{"produce -data - -log-format xml", `-log-format is "xml"; allowed are text and json`},
	} {
		w.wantFailure(w.run(strings.Fields(test.line)...), exitUsage, test.want)
	}
}

// A consumer that handles one message in 100 ms, four at a time, and rests for as long,
// handles twenty a second.
func TestThePaceOfAConsumerIsWhatItCanHandle(t *testing.T) {
	p := &pace{concurrency: 4, rest: 100 * time.Millisecond}
	if got := p.perSecond(); got != 0 {
		t.Errorf("%v before the first message, want 0 for not known", got)
	}
	p.n, p.mean = 1, 0.1
	if got := p.perSecond(); got != 20 {
		t.Errorf("%v a second, want 20", got)
	}
	p.most = 5
	if got := p.perSecond(); got != 5 {
		t.Errorf("%v a second, want no more than -rate 5", got)
	}
}
