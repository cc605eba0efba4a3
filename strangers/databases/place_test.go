package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/engine"
	"omnibus/bus/membus"
	"omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
	"omnibus/outbox"
)

// postgres is the server of all tests.
var postgres *server

func TestMain(m *testing.M) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	var err error
	if postgres, err = startPostgres(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	cancel()
	code := m.Run()
	postgres.stop()
	os.Exit(code)
}

// A place is a database and a backend.
type place struct {
	t    *testing.T
	db   *sql.DB
	box  *outbox.Outbox
	mux  *bus.Mux
	base string
	log  *log
	cut  func(action string) bool // of requests to SQS, whether one is lost; guarded by mu
	mu   sync.Mutex
	tick time.Duration // the unit of waits: what is real time is to be short
}

// onPlaces runs a test on SQLite, in virtual time, with queues in memory and with SQS over
// the local endpoint, and on PostgreSQL, which has a clock of its own, in real time.
func onPlaces(t *testing.T, test func(t *testing.T, p *place)) {
	for _, backend := range []string{"membus", "sqsbus"} {
		t.Run("SQLite, "+backend, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newPlace(t, outbox.SQLite, backend)) })
		})
	}
	t.Run("PostgreSQL, membus", func(t *testing.T) { test(t, newPlace(t, outbox.PostgreSQL, "membus")) })
}

func newPlace(t *testing.T, d outbox.Dialect, backend string) *place {
	p := &place{t: t, mux: new(bus.Mux), base: "mem://", tick: time.Second, log: new(log)}
	if backend == "membus" {
		p.mux.Register(membus.Scheme, membus.New(nil))
	} else {
		server := sqsserver.New(&sqsserver.Options{Engine: engine.New(&engine.Options{Lenient: true})})
		p.base = "http://127.0.0.1:9324/000000000000/"
		client := server.Client()
		sqsbus.New(&sqsbus.Options{Logger: p.log.logger(), HTTPClient: doer(func(r *http.Request) (*http.Response, error) {
			_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
			p.mu.Lock()
			lost := p.cut != nil && p.cut(action)
			p.mu.Unlock()
			if lost {
				io.Copy(io.Discard, r.Body)
				return nil, errors.New("connection refused")
			}
			return client.Do(r)
		})}).Register(p.mux)
	}
	if d == outbox.PostgreSQL {
		p.db, p.tick = p.schema(), 20*time.Millisecond
	} else {
		p.db = p.open("sqlite", "file:"+filepath.Join(t.TempDir(), "db")+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_txlock=immediate")
	}
	p.box = &outbox.Outbox{DB: p.db, Dialect: d}
	if err := p.box.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.exec("CREATE TABLE orders (name TEXT)")
	return p
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

func (p *place) open(driver, name string) *sql.DB {
	db, err := sql.Open(driver, name)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { db.Close() })
	return db
}

// schema opens PostgreSQL with a schema of the test's own.
func (p *place) schema() *sql.DB {
	p.db = p.open("pgx", postgres.name())
	name := fmt.Sprintf("test%d", time.Now().UnixNano())
	p.exec("CREATE SCHEMA " + name)
	return p.open("pgx", postgres.name()+" search_path="+name)
}

func (p *place) exec(query string, args ...any) {
	p.t.Helper()
	if _, err := p.db.Exec(query, args...); err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
}

// number returns what a query counts.
func (p *place) number(query string) (n int) {
	p.t.Helper()
	if err := p.db.QueryRow(query).Scan(&n); err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// queue creates and opens a queue.
func (p *place) queue(name string, s bus.QueueSettings) *bus.Queue {
	p.t.Helper()
	url, err := p.mux.Create(p.t.Context(), p.base+name, s)
	if err != nil {
		p.t.Fatal(err)
	}
	q, err := p.mux.Open(p.t.Context(), url)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { q.Shutdown(context.Background()) })
	return q
}

// put puts messages into the outbox.
func (p *place) put(queue string, ms ...*pubsub.Message) {
	p.t.Helper()
	err := p.box.Transact(p.t.Context(), func(tx *sql.Tx) error { return p.box.Put(p.t.Context(), tx, queue, ms...) })
	if err != nil {
		p.t.Fatal(err)
	}
}

// relay returns a relay to q.
func (p *place) relay(q *bus.Queue) *outbox.Relay {
	return &outbox.Relay{Outbox: p.box, Queue: q, Every: p.tick, Lease: 15 * time.Second, Logger: p.log.logger(),
		Retry: func(error, int) time.Duration { return 2 * p.tick }}
}

// running runs a relay until stop is called.
func (p *place) running(r *outbox.Relay) (stop func()) {
	ctx, cancel := context.WithCancel(p.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Errorf("Run returned %v", err)
		}
	})
	p.t.Cleanup(stop)
	return stop
}

// receive receives and acknowledges n messages.
func (p *place) receive(q *bus.Queue, n int) (ms []*pubsub.Message) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 1000*p.tick)
	defer cancel()
	for range n {
		m, err := q.Subscription.Receive(ctx)
		if err != nil {
			p.t.Fatalf("after %d of %d messages: %v; the log: %s", len(ms), n, err, p.log)
		}
		m.Ack()
		ms = append(ms, m)
	}
	return ms
}

// until waits until something is so.
func (p *place) until(what string, is func() bool) {
	p.t.Helper()
	for range 1000 {
		if is() {
			return
		}
		time.Sleep(p.tick)
	}
	p.t.Fatalf("never %s; the log: %s", what, p.log)
}

func bodies(ms []*pubsub.Message) string {
	var all []string
	for _, m := range ms {
		all = append(all, string(m.Body))
	}
	return strings.Join(all, " ")
}

func text(body string) *pubsub.Message { return &pubsub.Message{Body: []byte(body)} }

// in returns a message of a group.
func in(group, body string) *pubsub.Message {
	m := text(body)
	bus.Group(m, group)
	return m
}

// A log is what was logged.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *log) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
