package main

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"omnibus/bus/sqsserver"
	"omnibus/watch"
	"omnibus/watch/metrics"
)

const metricsPath = "/metrics"

// requestMetrics counts the requests of all actions, for GET /metrics.
type requestMetrics struct {
	next http.Handler

	actions              sync.Map // name of an action: *actionCount
	billed, billedToFIFO atomic.Int64
}

type actionCount struct{ requests, failed atomic.Int64 }

func (m *requestMetrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &measuredAnswer{ResponseWriter: w}
	defer m.count(a, r.ContentLength) // of a handler that gave up, too
	m.next.ServeHTTP(a, r)
}

// count counts a request if it was one to SQS, SNS or STS.
func (m *requestMetrics) count(a *measuredAnswer, sent int64) {
	if !a.described {
		return
	}
	name := cmp.Or(a.action, "unknown")
	known, ok := m.actions.Load(name)
	if !ok {
		known, _ = m.actions.LoadOrStore(name, new(actionCount))
	}
	c := known.(*actionCount)
	c.requests.Add(1)
	if a.status >= http.StatusBadRequest {
		c.failed.Add(1)
	}
	billed := &m.billed
	if a.fifo {
		billed = &m.billedToFIFO
	}
	billed.Add(max(1, (max(sent, a.bytes)+watch.Chunk-1)/watch.Chunk))
}

// measuredAnswer is an answer that is counted. It hands on what requests ask for to a
// log around it.
type measuredAnswer struct {
	http.ResponseWriter
	action          string
	described, fifo bool
	status          int
	bytes           int64
}

func (a *measuredAnswer) Describe(account, region, action, queue string) {
	a.described, a.action, a.fifo = true, action, strings.HasSuffix(queue, ".fifo")
	if log, ok := a.ResponseWriter.(sqsserver.Describer); ok {
		log.Describe(account, region, action, queue)
	}
}

func (a *measuredAnswer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *measuredAnswer) Write(b []byte) (int, error) {
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (a *measuredAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// families returns what GET /metrics shows.
func (s *service) families(context.Context) []metrics.Family {
	var samples []watch.Sample
	e := s.server.Load().Engine()
	for _, name := range e.List("") {
		q, err := e.Queue(name)
		if err != nil {
			continue // deleted meanwhile
		}
		a, err := q.Attributes()
		if err != nil {
			continue
		}
		c := a.Counts
		samples = append(samples, watch.Sample{
			Name: name, Counts: watch.Counts{Visible: c.Visible, InFlight: c.InFlight, Delayed: c.Delayed}, Oldest: c.OldestAge,
		})
	}
	return append(metrics.Queues(samples), s.metrics.families()...)
}

func (m *requestMetrics) families() []metrics.Family {
	made := metrics.Family{Name: "omnibus_requests_total", Help: "Requests answered, by action.", Kind: metrics.Counter}
	failed := metrics.Family{Name: "omnibus_requests_failed_total", Help: "Requests answered with an error, by action.", Kind: metrics.Counter}
	counts := map[string]*actionCount{}
	m.actions.Range(func(name, c any) bool {
		counts[name.(string)] = c.(*actionCount)
		return true
	})
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		made.Add(float64(counts[name].requests.Load()), "rpc_method", name)
		failed.Add(float64(counts[name].failed.Load()), "rpc_method", name)
	}
	cost := metrics.Family{
		Name: "omnibus_cost_dollars_total", Kind: metrics.Counter,
		Help: "What the requests would have cost on AWS, by the list price of SQS and their whole length.",
	}
	price := watch.ListPrice()
	for _, row := range []struct {
		queue  string
		billed *atomic.Int64
	}{{"standard", &m.billed}, {"fifo", &m.billedToFIFO}} {
		cost.Add(price.Dollars([]watch.Request{{Billed: row.billed.Load()}}, row.queue == "fifo"), "queue_type", row.queue)
	}
	return []metrics.Family{made, failed, cost}
}
