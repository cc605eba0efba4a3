package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"omnibus/bus/engine"
	"omnibus/view/web"
	"omnibus/watch/metrics"
)

// service is the endpoint, with the pages beside it that are no part of AWS:
//
//	GET /health, /_localstack/health   says that it runs
//	GET /messages?QueueUrl=…           shows messages without receiving them
//	GET /queues                        is the file of -queues that makes the queues there are
//	POST /reset                        brings the state of the start back, but not with -data
//	GET /metrics                       has counts of queues and requests, for Prometheus
//
// All but the first and the last are for tests, and there only if inspect says so; the
// last is there with -metrics too.
type service struct {
	config  *config
	data    *engine.Engine // that of -data, or nil
	file    *queueFile
	inspect bool
	server  atomic.Pointer[endpoint] // a reset puts another in its place
	ui      *web.Handler             // the page of -ui, or nil
	metrics *requestMetrics          // what GET /metrics shows of requests; nil if it is not there

	mu       sync.Mutex // held by who puts a server in place
	draining bool
}

// newService returns a service in the state of the start.
func newService(ctx context.Context, c *config, inspect bool) (*service, error) {
	s := &service{config: c, file: &queueFile{}, inspect: inspect}
	if inspect || c.metrics {
		s.metrics = new(requestMetrics)
	}
	if c.queues != "" {
		var err error
		if s.file, err = readQueueFile(c.queues); err != nil {
			return nil, err
		}
	}
	if c.data != "" {
		var err error
		if s.data, err = c.openData(); err != nil {
			return nil, err
		}
	}
	if err := s.reset(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// openData opens the directory of -data.
func (c *config) openData() (*engine.Engine, error) {
	return engine.Open(c.data, &engine.Options{Lenient: c.lenient, NoSync: !c.sync, Report: c.report})
}

// close writes what is left to be written to the directory of -data.
func (s *service) close() error {
	if s.data == nil {
		return nil
	}
	return s.data.Close()
}

// reset puts a new server with the queues of the file in the place of what there
// is. Polls that wait on the old one end empty.
func (s *service) reset(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.data
	if e == nil {
		e = engine.New(&engine.Options{Lenient: s.config.lenient})
	}
	server := newEndpoint(s.config, e)
	if err := s.file.create(ctx, server, s.data != nil); err != nil {
		return fmt.Errorf("%s:%w", s.config.queues, err)
	}
	if s.draining {
		server.Drain()
	}
	if old := s.server.Swap(server); old != nil {
		old.Drain()
	}
	return nil
}

// drain ends the polls that wait, and lets none wait from now on.
func (s *service) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
	s.server.Load().Drain()
	if s.ui != nil {
		s.ui.Close()
	}
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case isHealth(path):
		writeJSON(w, `{"services": {"sns": "running", "sqs": "running", "sts": "running"}}`)
	case s.metrics != nil && path == metricsPath:
		metrics.Handler(s.families).ServeHTTP(w, r)
	case s.inspect && path == "/messages" && r.Method == http.MethodGet:
		s.server.Load().ServeMessages(w, r)
	case s.inspect && path == "/queues" && r.Method == http.MethodGet:
		text, err := dump(r.Context(), s.server.Load())
		if err != nil {
			failure{http.StatusInternalServerError, "InternalFailure", "InternalFailure"}.answer(w, r, err.Error())
			return
		}
		writeJSON(w, string(text))
	case s.inspect && path == "/reset" && r.Method == http.MethodPost && s.data != nil:
		failure{http.StatusConflict, "UnsupportedOperation", "UnsupportedOperation"}.answer(w, r, "POST /reset is not there with -data, whose directory outlasts it; purge or delete the queues, or start sqsd without -data")
	case s.inspect && path == "/reset" && r.Method == http.MethodPost:
		if err := s.reset(r.Context()); err != nil {
			failure{http.StatusInternalServerError, "InternalFailure", "InternalFailure"}.answer(w, r, err.Error())
			return
		}
		writeJSON(w, `{"reset": true}`)
	default:
		s.server.Load().ServeHTTP(w, r)
	}
}

// isHealth reports the paths where probes look: our own, and the one of LocalStack,
// whose answer this one can be taken for.
func isHealth(path string) bool { return path == "/health" || path == "/_localstack/health" }

func writeJSON(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, text+"\n") // an error is that the client has gone
}
