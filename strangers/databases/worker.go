package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/outbox"
	"omnibus/workers"
)

// A worker is a process of the campaign. It works until its standard input ends, and
// writes lines of what it does, at once: what a pipe has been given outlives the process.
type worker struct {
	role, database, queue string
	sqlite                bool
	part, orders          int

	db    *sql.DB
	box   *outbox.Outbox
	inbox *outbox.Inbox
}

// An order is what messages say: its number, and which attempt to write it this was.
type order struct {
	Number  int
	Attempt string
}

func (w *worker) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // it ends when the campaign says so, or dies
		stop()
	}()
	db, dialect, err := open(w.sqlite, w.database)
	if err != nil {
		return err
	}
	defer db.Close()
	w.db, w.box, w.inbox = db, &outbox.Outbox{DB: db, Dialect: dialect}, &outbox.Inbox{DB: db, Dialect: dialect}
	if w.role == "writer" {
		return w.write(ctx)
	}
	q, err := bus.Open(ctx, w.queue)
	if err != nil {
		return err
	}
	defer q.Shutdown(context.WithoutCancel(ctx))
	if w.role == "relay" {
		r := &outbox.Relay{Outbox: w.box, Queue: q, Every: 50 * time.Millisecond, Lease: time.Second}
		return r.Run(ctx)
	}
	c := &workers.Consumer{Queue: q, Concurrency: 8, Handler: w.handle}
	return c.Run(ctx)
}

var errChangedMind = errors.New("this order is rolled back on purpose")

// write writes the orders of its part that are not there yet.
func (w *worker) write(ctx context.Context) error {
	for ctx.Err() == nil {
		missing, err := w.missing(ctx)
		if err != nil || len(missing) == 0 {
			<-ctx.Done()
			return nil
		}
		numbers := make(chan int)
		var writing sync.WaitGroup
		for range 4 {
			writing.Go(func() {
				for n := range numbers {
					w.writeOne(ctx, n)
				}
			})
		}
		for _, n := range missing {
			numbers <- n
		}
		close(numbers)
		writing.Wait()
	}
	return nil
}

func (w *worker) missing(ctx context.Context) ([]int, error) {
	rows, err := w.db.QueryContext(ctx, "SELECT number FROM orders")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	there := map[int]bool{}
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		there[n] = true
	}
	var missing []int
	for n := w.part; n < w.orders; n += writers {
		if !there[n] {
			missing = append(missing, n)
		}
	}
	return missing, rows.Err()
}

// writeOne writes an order and its message. One of ten is rolled back, before or after
// its message was put.
func (w *worker) writeOne(ctx context.Context, number int) {
	o := order{number, fmt.Sprintf("%d-%x", number, rand.Uint64())}
	chance := rand.IntN(20)
	body, _ := json.Marshal(o)
	err := w.box.Transact(ctx, func(tx *sql.Tx) error {
		if chance == 0 {
			fmt.Println("rolled", o.Attempt)
			return errChangedMind
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO orders (number, attempt) VALUES ($1, $2)", o.Number, o.Attempt); err != nil {
			return err
		}
		if err := w.box.Put(ctx, tx, "orders", &pubsub.Message{Body: body}); err != nil {
			return err
		}
		if chance == 1 {
			fmt.Println("rolled", o.Attempt)
			return errChangedMind
		}
		return nil
	})
	if err != nil && !errors.Is(err, errChangedMind) && ctx.Err() == nil {
		fmt.Println("failed", o.Attempt) // as when the one before it was killed in its commit
	}
}

// handle has the effect of a message.
func (w *worker) handle(ctx context.Context, m *pubsub.Message) error {
	var o order
	if err := json.Unmarshal(m.Body, &o); err != nil {
		return err
	}
	fmt.Println("delivered", o.Attempt, bus.Details(m).ID)
	return w.inbox.Once(ctx, m, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO effects (attempt) VALUES ($1)", o.Attempt)
		return err
	})
}
