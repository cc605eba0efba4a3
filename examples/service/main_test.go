package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"omnibus/bus"
	"omnibus/bus/membus"
	"omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
	"omnibus/workers"
)

// A trial is a shop that works in virtual time.
type trial struct {
	*shop
	t       *testing.T
	q, dead *bus.Queue
	charges []order // so far
}

// onQueues runs a test in memory, and on SQS's protocol as it is on AWS and on sqsd.
// charge is what comes of each attempt to charge for an order, counted from 1.
func onQueues(t *testing.T, charge func(ctx context.Context, attempt int) error, test func(t *testing.T, s *trial)) {
	for name, base := range map[string]string{"memory": "mem://", "SQS": "http://127.0.0.1:9324/000000000000/"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mux := new(bus.Mux)
				membus.New(nil).Register(mux)
				sqsbus.New(&sqsbus.Options{HTTPClient: sqsserver.New(nil).Client()}).Register(mux)
				s := &trial{t: t}
				open := func(name string, settings bus.QueueSettings) *bus.Queue {
					url, err := mux.Create(t.Context(), base+name, settings)
					must(t, err)
					q, err := mux.Open(t.Context(), url)
					must(t, err)
					t.Cleanup(func() { must(t, q.Shutdown(context.Background())) })
					return q
				}
				s.dead = open("orders-dead", bus.QueueSettings{})
				s.q = open("orders", bus.QueueSettings{DeadLetter: &bus.DeadLetter{Queue: "orders-dead", MaxReceives: 5}})
				var mu sync.Mutex // guards s.charges
				var err error
				s.shop, err = newShop(t.Context(), filepath.Join(t.TempDir(), "orders.db"), func(ctx context.Context, o order) error {
					mu.Lock()
					s.charges = append(s.charges, o)
					n := len(s.charges)
					mu.Unlock()
					return charge(ctx, n)
				})
				must(t, err)
				defer s.box.DB.Close()
				test(t, s)
			})
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start has the shop work until stop is called.
func (s *trial) start() (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- workers.Run(ctx, s.relay(s.q), s.consumer(s.q)) }()
	return func() { cancel(); must(s.t, <-ended) }
}

// post makes a request, and checks the status of its answer.
func (s *trial) post(body string, status int) {
	s.t.Helper()
	answer := httptest.NewRecorder()
	s.handler().ServeHTTP(answer, httptest.NewRequestWithContext(s.t.Context(), "POST", "/orders", strings.NewReader(body)))
	if answer.Code != status {
		s.t.Fatalf("POST %s: %d %s; want %d", body, answer.Code, answer.Body, status)
	}
}

// expect checks the states of all orders, how often a charge was tried, and the number of
// dead letters.
func (s *trial) expect(states string, charges, dead int) {
	s.t.Helper()
	var got string
	must(s.t, s.box.DB.QueryRow("SELECT coalesce(group_concat(id || ' ' || state, ', '), '') FROM (SELECT * FROM orders ORDER BY id)").Scan(&got))
	a, err := s.dead.Attributes(context.Background())
	must(s.t, err)
	if got != states || len(s.charges) != charges || a.Visible != dead {
		s.t.Errorf("orders: %s; charged %d times, %d dead letters; want %s, %d and %d", got, len(s.charges), a.Visible, states, charges, dead)
	}
}

const ofOdile = `{"id": "17", "customer": "Odile Verity", "cents": 1995}`

func fine(context.Context, int) error { return nil }

func TestAnOrderIsChargedOnceHoweverOftenItIsPlaced(t *testing.T) {
	onQueues(t, fine, func(t *testing.T, s *trial) {
		stop := s.start()
		s.post(ofOdile, http.StatusAccepted)
		s.post(ofOdile, http.StatusAccepted)
		s.post(`{"id": "18", "customer": "Bram Oakes", "cents": 5}`, http.StatusAccepted)
		time.Sleep(10 * time.Second)
		s.post(ofOdile, http.StatusAccepted)
		time.Sleep(10 * time.Second)
		stop()
		s.expect("17 paid, 18 paid", 2, 0)
	})
}

func TestWhatIsNoOrderIsRefusedAndSendsNothing(t *testing.T) {
	onQueues(t, fine, func(t *testing.T, s *trial) {
		stop := s.start()
		s.post("no JSON", http.StatusBadRequest)
		s.post(`{"id": 17}`, http.StatusBadRequest)
		time.Sleep(10 * time.Second)
		stop()
		s.expect("", 0, 0)
	})
}

func TestAnOrderIsChargedAgainWhenThatFailed(t *testing.T) {
	onQueues(t, func(_ context.Context, attempt int) error {
		if attempt < 4 {
			return errors.New("the bank is closed")
		}
		return nil
	}, func(t *testing.T, s *trial) {
		stop := s.start()
		s.post(ofOdile, http.StatusAccepted)
		time.Sleep(2 * time.Minute)
		stop()
		s.expect("17 paid", 4, 0)
	})
}

func TestAnOrderThatCannotBeChargedBecomesADeadLetter(t *testing.T) {
	onQueues(t, func(context.Context, int) error { return errors.New("no money") }, func(t *testing.T, s *trial) {
		stop := s.start()
		s.post(ofOdile, http.StatusAccepted)                                  // five times
		s.post(`{"id": "18", "customer": "Bram Oakes"}`, http.StatusAccepted) // not once
		time.Sleep(2 * time.Minute)
		stop()
		s.expect("17 placed, 18 placed", 5, 2)
	})
}

func TestAStopFinishesTheOrdersInHand(t *testing.T) {
	onQueues(t, func(ctx context.Context, _ int) error {
		select {
		case <-time.After(10 * time.Second):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}, func(t *testing.T, s *trial) {
		stop := s.start()
		s.post(ofOdile, http.StatusAccepted)
		time.Sleep(5 * time.Second)
		stop()
		s.expect("17 paid", 1, 0)
	})
}

// An order that is placed while nothing else works waits in the outbox.
func TestAnOrderSurvivesAStop(t *testing.T) {
	onQueues(t, fine, func(t *testing.T, s *trial) {
		s.post(ofOdile, http.StatusAccepted)
		time.Sleep(2 * time.Minute)
		s.expect("17 placed", 0, 0)
		stop := s.start()
		time.Sleep(10 * time.Second)
		stop()
		s.expect("17 paid", 1, 0)
	})
}

func TestOneTraceGoesFromTheRequestToTheHandler(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	otel.SetTracerProvider(trace.NewTracerProvider(trace.WithSpanProcessor(spans)))
	onQueues(t, fine, func(t *testing.T, s *trial) {
		spans.Reset()
		stop := s.start()
		s.post(ofOdile, http.StatusAccepted)
		time.Sleep(10 * time.Second)
		stop()
		request, linked := "", ""
		for _, span := range spans.Ended() {
			switch {
			case strings.HasPrefix(span.Name(), "POST") || span.Name() == "shop":
				request = span.SpanContext().TraceID().String()
			case strings.HasPrefix(span.Name(), "process"):
				for _, link := range span.Links() {
					linked = link.SpanContext.TraceID().String()
				}
			}
		}
		if request == "" || linked != request {
			t.Errorf("the handler's span links to trace %q; want the request's, %q", linked, request)
		}
	})
}

func TestTheServiceHasAtMost120Lines(t *testing.T) {
	files, err := filepath.Glob("*.go")
	must(t, err)
	n := 0
	for _, file := range files {
		code, err := os.ReadFile(file)
		must(t, err)
		for line := range strings.Lines(string(code)) {
			line = strings.TrimSpace(line)
			if !strings.HasSuffix(file, "_test.go") && line != "" && !strings.HasPrefix(line, "//") {
				n++
			}
		}
	}
	if n > 120 {
		t.Errorf("%d lines of code, imports too; want no more than 120", n)
	}
}
