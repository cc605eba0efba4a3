package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"time"

	"omnibus/bus"
	_ "omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
	"omnibus/outbox"
)

// A campaign is one run of the command.
type campaign struct {
	orders int
	sqlite bool
	every  time.Duration

	db       *sql.DB
	database string
	queue    *bus.Queue
	record   record
}

// writers is how many processes write orders, each a part of them.
const writers = 2

func (c *campaign) run(ctx context.Context) error {
	stop, err := c.prepare(ctx)
	if err != nil {
		return err
	}
	defer stop()
	began := time.Now()
	working, done := context.WithCancel(ctx)
	defer done()
	killed := make(chan error, 1)
	go func() { killed <- c.kill(working) }()
	err = c.finished(working, killed)
	done()
	if err = errors.Join(err, <-killed); err != nil {
		return err
	}
	return c.report(ctx, time.Since(began))
}

// prepare starts what the processes use: a database with its tables, and a queue.
func (c *campaign) prepare(ctx context.Context) (stop func(), err error) {
	var stops []func()
	end := func() {
		for _, f := range stops {
			defer f()
		}
	}
	defer func() {
		if err != nil {
			end()
		}
	}()
	if c.sqlite {
		dir, err := os.MkdirTemp("", "outbox")
		if err != nil {
			return nil, err
		}
		stops = append(stops, func() { os.RemoveAll(dir) })
		c.database = sqliteName(dir)
	} else {
		s, err := startPostgres(ctx)
		if err != nil {
			return nil, err
		}
		stops = append(stops, s.stop)
		c.database = s.name()
	}
	db, dialect, err := open(c.sqlite, c.database)
	if err != nil {
		return nil, err
	}
	stops = append(stops, func() { db.Close() })
	c.db = db
	if err := c.tables(ctx, dialect); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: sqsserver.New(nil)}
	go server.Serve(listener)
	stops = append(stops, func() { server.Close() })
	url, err := bus.Create(ctx, "http://"+listener.Addr().String()+"/000000000000/orders", bus.QueueSettings{Visibility: new(5 * time.Second)})
	if err != nil {
		return nil, err
	}
	if c.queue, err = bus.Open(ctx, url); err != nil {
		return nil, err
	}
	stops = append(stops, func() { c.queue.Shutdown(context.WithoutCancel(ctx)) })
	return end, nil
}

func (c *campaign) tables(ctx context.Context, d outbox.Dialect) error {
	for _, statement := range []string{
		"CREATE TABLE orders (number INTEGER UNIQUE, attempt TEXT PRIMARY KEY)",
		"CREATE TABLE effects (attempt TEXT NOT NULL)", // where two would be seen
	} {
		if _, err := c.db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return errors.Join((&outbox.Outbox{DB: c.db, Dialect: d}).Create(ctx), (&outbox.Inbox{DB: c.db, Dialect: d}).Create(ctx))
}

// finished returns when all orders are written, the outbox is empty, and so is the
// queue; or when killing has ended with an error.
func (c *campaign) finished(ctx context.Context, killed chan error) error {
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the time is over: %w", context.Cause(ctx))
		case err := <-killed:
			killed <- nil
			return err
		case <-time.After(200 * time.Millisecond):
		}
		var orders, waiting int
		err := c.db.QueryRowContext(ctx, "SELECT (SELECT COUNT(*) FROM orders), (SELECT COUNT(*) FROM outbox)").Scan(&orders, &waiting)
		if err != nil {
			return err
		}
		if orders < c.orders || waiting > 0 {
			continue
		}
		a, err := c.queue.Attributes(ctx)
		if err != nil {
			return err
		}
		if a.OldestAge = 0; a.Counts == (bus.Counts{}) {
			return nil
		}
	}
}

// kill keeps processes running and kills one of them now and then, until ctx ends. Then
// it stops them all.
func (c *campaign) kill(ctx context.Context) error {
	var running []*process
	defer func() {
		for _, p := range running {
			p.stop()
		}
	}()
	start := func(role string, part int) (*process, error) {
		args := []string{"-be", role, "-database", c.database, "-queue", c.queue.URL(), "-orders", fmt.Sprint(c.orders), "-part", fmt.Sprint(part)}
		if c.sqlite {
			args = append(args, "-sqlite")
		}
		return c.record.start(role, part, args)
	}
	for _, role := range []string{"writer", "relay", "consumer"} {
		for part := range writers {
			p, err := start(role, part)
			if err != nil {
				return err
			}
			running = append(running, p)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Duration(rand.ExpFloat64() * float64(c.every))):
		}
		i := rand.IntN(len(running))
		running[i].kill(&c.record)
		p, err := start(running[i].role, running[i].part)
		if err != nil {
			return err
		}
		running[i] = p
	}
}
