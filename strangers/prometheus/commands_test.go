package main

import (
	"bufio"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// What produce, consume and sqsd serve is read by Prometheus' own parser: all metrics are
// there, and those that a few messages move have moved.
func TestPrometheusReadsWhatCommandsServe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("commands are ended by an interrupt, which Windows does not have")
	}
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin+"/", "./cmd/omnibus", "./cmd/sqsd")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s, %v", out, err)
	}
	address := start(t, nil, `listening on (http://\S+),`, filepath.Join(bin, "sqsd"), "-addr", "127.0.0.1:0")
	queue := address + "/000000000000/donors"
	env := []string{"BUS_URL=" + queue, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "HOME=" + bin}
	create := exec.Command(filepath.Join(bin, "omnibus"), "create", "-delay", "0s")
	create.Env = env
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("%s, %v", out, err)
	}
	served := `(http://127\.0\.0\.1:\d+/metrics)`
	produced := start(t, env, served, filepath.Join(bin, "omnibus"), "produce", "-preset", "fast", "-delay", "0s", "-every", "100ms", "-metrics", ":0")
	wait(t, produced, map[string]float64{
		"omnibus_queue_up":                            1,
		"omnibus_queue_messages":                      1,
		"messaging_client_sent_messages_total":        3,
		"messaging_client_operation_duration_seconds": 3,
		"omnibus_requests_total":                      3,
		"omnibus_cost_dollars_total":                  1e-6,
	}, "omnibus_requests_failed_total")
	consumed := start(t, env, served, filepath.Join(bin, "omnibus"), "consume", "-pause", "10ms", "-metrics", ":0")
	wait(t, consumed, map[string]float64{
		"omnibus_queue_up":                         1,
		"omnibus_queue_drain_target_seconds":       300,
		"omnibus_requests_total":                   3,
		"omnibus_cost_dollars_total":               1e-6,
		"messaging_client_consumed_messages_total": 3,
		"messaging_process_duration_seconds":       3,
		"omnibus_queue_duration_seconds":           3,
		"omnibus_consumer_received_total":          3,
		"omnibus_consumer_handled_total":           3,
	}, "omnibus_queue_messages", "omnibus_queue_backlog_per_consumer", "omnibus_queue_consumers_needed", "omnibus_consumer_in_hand",
		"omnibus_consumer_redelivered_total", "omnibus_consumer_failed_total", "omnibus_consumer_retried_total", "omnibus_consumer_dead_total",
		"omnibus_consumer_leases_renewed_total", "omnibus_consumer_leases_lost_total", "omnibus_requests_failed_total")
	wait(t, address+"/metrics", map[string]float64{
		"omnibus_queue_up":           1,
		"omnibus_requests_total":     6,
		"omnibus_cost_dollars_total": 2e-6,
	}, "omnibus_queue_messages", "omnibus_requests_failed_total")
}

// start starts a program, which ends with the test, and returns what a pattern finds in
// its output.
func start(t *testing.T, env []string, pattern, program string, args ...string) string {
	t.Helper()
	r, w := io.Pipe()
	c := exec.CommandContext(t.Context(), program, args...)
	c.Env, c.Stdout, c.Stderr = env, w, w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Wait(); w.Close() })
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(lines.Text()); m != nil {
			go io.Copy(io.Discard, r)
			return m[1]
		}
	}
	t.Fatalf("%s %v ends without %s", program, args, pattern)
	return ""
}

// wait reads metrics until all that are named are there, those of least with at least
// that sum over their series.
func wait(t *testing.T, url string, least map[string]float64, there ...string) {
	t.Helper()
	for _, name := range there {
		least[name] = 0
	}
	var missing []string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		families := read(t, url)
		missing = nil
		for name, n := range least {
			if f := families[name]; f == nil || sum(f) < n {
				missing = append(missing, name)
			}
		}
		if missing == nil {
			return
		}
	}
	t.Errorf("%s has no %s, or too little of it", url, strings.Join(missing, ", "))
}

func read(t *testing.T, url string) map[string]*dto.MetricFamily {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got := answer.Header.Get("Content-Type"); got != string(expfmt.NewFormat(expfmt.TypeTextPlain)) {
		t.Fatalf("the type is %s", got)
	}
	p := expfmt.NewTextParser(model.LegacyValidation)
	families, err := p.TextToMetricFamilies(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

func sum(f *dto.MetricFamily) (total float64) {
	for _, m := range f.Metric {
		total += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return total
}
