package metrics_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"omnibus/watch"
	"omnibus/watch/metrics"
)

func written(t *testing.T, families ...metrics.Family) string {
	t.Helper()
	var b strings.Builder
	if err := metrics.Write(&b, families); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMetricsAreWrittenAsPrometheusReadsThem(t *testing.T) {
	got := written(t,
		*(&metrics.Family{Name: "a_total", Help: "Line\none, \\.", Kind: metrics.Counter}).Add(3, "x", "say \"hi\"\n\\", "y", "\xff").Add(0.5),
		metrics.Family{Name: "none", Help: "Has no series.", Kind: metrics.Gauge},
		metrics.Family{Name: "t_seconds", Help: "Times.", Kind: metrics.Histogram, Series: []metrics.Series{
			{Labels: metrics.Labels{"q", "a"}, Bounds: []float64{0.005, 10}, Counts: []uint64{2, 0, 1}, Sum: 20.5},
		}},
	)
	want := `# HELP a_total Line\none, \\.
# TYPE a_total counter
a_total{x="say \"hi\"\n\\",y="` + "\uFFFD" + `"} 3
a_total 0.5
# HELP t_seconds Times.
# TYPE t_seconds histogram
t_seconds_bucket{q="a",le="0.005"} 2
t_seconds_bucket{q="a",le="10"} 2
t_seconds_bucket{q="a",le="+Inf"} 3
t_seconds_sum{q="a"} 20.5
t_seconds_count{q="a"} 3
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAutoscalersSeeBacklogAndConsumersNeeded(t *testing.T) {
	sample := func(visible, inFlight int) []watch.Sample {
		return []watch.Sample{{Name: "q", Counts: watch.Counts{Visible: visible, InFlight: inFlight, Delayed: 1000}}}
	}
	scale := metrics.Scale{Consumers: 4, DrainIn: time.Minute, PerSecond: 2} // 120 messages a consumer in the time
	for _, test := range []struct {
		scale           metrics.Scale
		samples         []watch.Sample
		backlog, needed string // "" if it is not to be there
	}{
		{scale, sample(0, 0), "0", "0"},
		{scale, sample(1, 0), "0.25", "1"},
		{scale, sample(110, 10), "30", "1"},
		{scale, sample(111, 10), "30.25", "2"},
		{metrics.Scale{DrainIn: time.Minute}, sample(5, 0), "5", ""},
		{metrics.Scale{DrainIn: time.Minute}, sample(0, 0), "0", "0"},
		{scale, []watch.Sample{{Name: "q", Error: "gone"}}, "", ""},
	} {
		got := written(t, test.scale.Families(test.samples)...)
		for name, want := range map[string]string{"omnibus_queue_backlog_per_consumer": test.backlog, "omnibus_queue_consumers_needed": test.needed} {
			line := fmt.Sprintf("\n%s{%s=\"q\"} ", name, metrics.Queue)
			if want == "" && strings.Contains(got, line) || want != "" && !strings.Contains(got, line+want+"\n") {
				t.Errorf("%+v, %+v: want %s%s in\n%s", test.scale, test.samples, line[1:], want, got)
			}
		}
	}
}

func TestAQueueThatCannotBeReadIsDownAndHasNoCounts(t *testing.T) {
	got := written(t, metrics.Queues([]watch.Sample{{Name: "a", Error: "gone"}, {Name: "b", Counts: watch.Counts{Visible: 1}}})...)
	if !strings.Contains(got, `omnibus_queue_up{messaging_destination_name="a"} 0`) || !strings.Contains(got, `omnibus_queue_up{messaging_destination_name="b"} 1`) ||
		strings.Count(got, `"a"`) != 1 || strings.Contains(got, "oldest_message_age_seconds{") {
		t.Errorf("%s\nwant a down, and no age of the message in b, which is not known", got)
	}
}

// Without a host an address is loopback's, where a foreign Host is refused.
func TestTheServerIsOnLoopbackUnlessTold(t *testing.T) {
	s, err := metrics.Listen(":0", func(context.Context) []metrics.Family {
		return []metrics.Family{*(&metrics.Family{Name: "a", Kind: metrics.Gauge}).Add(1)}
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	if !s.Loopback() || !strings.HasPrefix(s.URL(), "http://127.0.0.1:") {
		t.Errorf("it is at %s", s.URL())
	}
	for _, test := range []struct {
		method, path, host string
		status             int
		text               string
	}{
		{"GET", "/metrics", "", http.StatusOK, "# HELP a \n# TYPE a gauge\na 1\n"},
		{"GET", "/metrics", "localhost", http.StatusOK, "a 1\n"},
		{"GET", "/metrics", "evil.example", http.StatusForbidden, "evil.example"},
		{"POST", "/metrics", "", http.StatusMethodNotAllowed, "GET"},
		{"GET", "/health", "", http.StatusOK, "ok\n"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), test.method, strings.TrimSuffix(s.URL(), "/metrics")+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = test.host
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != test.status || !strings.Contains(string(body), test.text) {
			t.Errorf("%+v: %d, %q, %v", test, answer.StatusCode, body, err)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, addr := range []string{"9464", "nowhere", "127.0.0.1:x"} {
		if _, err := metrics.Listen(addr, nil); err == nil {
			t.Errorf("it listens on %q", addr)
		}
	}
}
