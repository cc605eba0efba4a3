// Command databases shows that an outbox loses nothing and invents nothing: processes
// write orders into a database, each with its message in the same transaction, others
// relay the messages to the local SQS endpoint, others have their effect in the database,
// and all of them are ended with SIGKILL at random while new ones take their places. Then
// it counts.
//
//	go run .                    # 20,000 orders on PostgreSQL
//	go run . -sqlite            # the same on SQLite
//	go run . -orders 2000       # seconds
//
// Every committed order's message must have had its effect once, however often it was sent
// and delivered, and none of an order that was rolled back may have arrived.
//
// It runs on loopback and on a socket in a temporary directory, starts a PostgreSQL server
// of its own from Debian's package, ends its own processes only, and those end when it
// does. The tests of this module hold package outbox on both databases.
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"omnibus/outbox"
)

func main() {
	var c campaign
	flag.IntVar(&c.orders, "orders", 20_000, "orders to write")
	flag.BoolVar(&c.sqlite, "sqlite", false, "use SQLite in place of PostgreSQL")
	flag.DurationVar(&c.every, "every", 300*time.Millisecond, "mean `time` between kills")
	limit := flag.Duration("timeout", 10*time.Minute, "`time` after which to give up")
	var w worker
	flag.StringVar(&w.role, "be", "", "be a process of the campaign: writer, relay or consumer")
	flag.StringVar(&w.database, "database", "", "`name` of the database, with -be")
	flag.StringVar(&w.queue, "queue", "", "`URL` of the queue, with -be")
	flag.IntVar(&w.part, "part", 0, "which part of the orders to write, with -be")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	run := c.run
	if w.role != "" {
		w.orders, w.sqlite = c.orders, c.sqlite
		run = w.run
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "databases:", err)
		os.Exit(1)
	}
}

// open opens a database.
func open(sqlite bool, name string) (*sql.DB, outbox.Dialect, error) {
	driver, dialect := "pgx", outbox.PostgreSQL
	if sqlite {
		driver, dialect = "sqlite", outbox.SQLite
	}
	db, err := sql.Open(driver, name)
	return db, dialect, err
}

// sqliteName returns the name of a database in a directory, for modernc.org/sqlite.
func sqliteName(dir string) string {
	return "file:" + filepath.Join(dir, "db") + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_txlock=immediate"
}
