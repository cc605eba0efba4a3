// Command service takes orders by HTTP and collects the money for them by a queue: a
// service to start from. README.md says how to run it.
package main

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	"gocloud.dev/pubsub"
	_ "modernc.org/sqlite"

	"omnibus/bus"
	_ "omnibus/bus/membus"
	_ "omnibus/bus/sqsbus"
	"omnibus/outbox"
	"omnibus/workers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	metrics, err1 := prometheus.New()
	spans, err2 := autoexport.NewSpanExporter(ctx) // what OTEL_TRACES_EXPORTER says
	s, err3 := newShop(ctx, cmp.Or(os.Getenv("DATABASE"), "orders.db"), charge)
	q, err4 := bus.Open(ctx, cmp.Or(os.Getenv("BUS_URL"), "mem://orders?dlq=orders-dead&maxreceives=5"))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	traces := trace.NewTracerProvider(trace.WithBatcher(spans))
	otel.SetTracerProvider(traces)
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(metrics)))
	defer traces.Shutdown(context.WithoutCancel(ctx))
	defer s.box.DB.Close()
	defer q.Shutdown(context.WithoutCancel(ctx))
	server := &http.Server{Addr: cmp.Or(os.Getenv("ADDR"), "127.0.0.1:8080"), Handler: s.handler()}
	return workers.Run(ctx, &workers.HTTPServer{Server: server}, s.relay(q), s.consumer(q))
}

type order struct {
	ID       string `json:"id"`
	Customer string `json:"customer"`
	Cents    int    `json:"cents"`
}

type shop struct {
	box    *outbox.Outbox
	inbox  *outbox.Inbox
	charge func(context.Context, order) error // calls whoever takes the money
}

func newShop(ctx context.Context, file string, charge func(context.Context, order) error) (*shop, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	s := &shop{box: &outbox.Outbox{DB: db, Dialect: outbox.SQLite}, inbox: &outbox.Inbox{DB: db, Dialect: outbox.SQLite}, charge: charge}
	_, err = db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, customer TEXT, cents INTEGER, state TEXT)")
	return s, errors.Join(err, s.box.Create(ctx), s.inbox.Create(ctx))
}

func (s *shop) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", s.place)
	mux.Handle("GET /metrics", promhttp.Handler())
	return otelhttp.NewHandler(mux, "shop")
}

// place stores an order and a message about it, both or neither. An order that is there
// already is left as it is, so that a client may try again.
func (s *shop) place(w http.ResponseWriter, r *http.Request) {
	var o order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	err := s.box.Transact(r.Context(), func(tx *sql.Tx) error {
		placed, err := tx.ExecContext(r.Context(), "INSERT INTO orders VALUES (?, ?, ?, 'placed') ON CONFLICT DO NOTHING", o.ID, o.Customer, o.Cents)
		if err != nil {
			return err
		}
		if n, err := placed.RowsAffected(); n == 0 || err != nil {
			return err
		}
		body, err := json.Marshal(o)
		return errors.Join(err, s.box.Put(r.Context(), tx, "orders", &pubsub.Message{Body: body}))
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (s *shop) relay(q *bus.Queue) *outbox.Relay {
	return &outbox.Relay{Outbox: s.box, Name: "orders", Queue: q}
}

func (s *shop) consumer(q *bus.Queue) *workers.Consumer {
	around := []workers.Middleware{workers.Trace(q, nil), workers.Metrics(q, nil), workers.Log(nil)}
	return &workers.Consumer{Queue: q, Concurrency: 8, Middleware: around, Handler: workers.JSON(s.collect)}
}

// collect charges for an order. Its error has the message come again, later each time; a
// permanent one makes it a dead letter.
func (s *shop) collect(ctx context.Context, o order, m *pubsub.Message) error {
	if o.Cents <= 0 {
		return workers.Permanent(fmt.Errorf("order %s is for %d cents", o.ID, o.Cents))
	}
	if err := s.charge(ctx, o); err != nil {
		return err
	}
	return s.inbox.Once(ctx, m, func(tx *sql.Tx) error { // once, however often the message comes
		_, err := tx.ExecContext(ctx, "UPDATE orders SET state = 'paid' WHERE id = ?", o.ID)
		return err
	})
}

// charge is where whoever takes the money would be called, with the order's id, by which
// it knows what it has charged already: a message may come twice.
func charge(context.Context, order) error { return nil }
