package outbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	_ "omnibus/bus/membus"
	"omnibus/outbox"
	"omnibus/workers"
)

// An order and its message are one transaction. The driver of the database is imported
// by the program: github.com/jackc/pgx/v5/stdlib here.
func Example() {
	ctx := context.Background()
	db, err := sql.Open("pgx", "postgres://localhost/shop")
	if err != nil {
		log.Fatal(err)
	}
	box := &outbox.Outbox{DB: db, Dialect: outbox.PostgreSQL}
	if err := box.Create(ctx); err != nil {
		log.Fatal(err)
	}
	q, err := bus.Open(ctx, "mem://orders")
	if err != nil {
		log.Fatal(err)
	}
	defer q.Shutdown(ctx)
	relay := &outbox.Relay{Outbox: box, Queue: q}
	go relay.Run(ctx)

	err = box.Transact(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO orders (id) VALUES ($1)", 7); err != nil {
			return err
		}
		m := &pubsub.Message{Body: []byte("order 7")}
		bus.Group(m, "customer-3") // whose messages are sent in order
		return box.Put(ctx, tx, "orders", m)
	})
	if err != nil {
		log.Fatal(err)
	}
}

// The effect of a message and the mark that it was had are one transaction.
func ExampleInbox() {
	ctx := context.Background()
	db, err := sql.Open("pgx", "postgres://localhost/shipping")
	if err != nil {
		log.Fatal(err)
	}
	q, err := bus.Open(ctx, "mem://orders")
	if err != nil {
		log.Fatal(err)
	}
	defer q.Shutdown(ctx)
	inbox := &outbox.Inbox{DB: db, Dialect: outbox.PostgreSQL}
	c := &workers.Consumer{Queue: q, Handler: func(ctx context.Context, m *pubsub.Message) error {
		return inbox.Once(ctx, m, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO parcels (contents) VALUES ($1)", string(m.Body))
			return err
		})
	}}
	if err := c.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

// Schemas that are kept in files take the statements that Create would run.
func ExampleOutbox_Schema() {
	schema, err := (&outbox.Outbox{Dialect: outbox.SQLite, Table: "mail"}).Schema()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(schema)
	// Output:
	// CREATE TABLE IF NOT EXISTS mail (
	// 	id INTEGER PRIMARY KEY AUTOINCREMENT,
	// 	queue TEXT NOT NULL,
	// 	message_group TEXT NOT NULL,
	// 	deduplication TEXT NOT NULL,
	// 	body BLOB NOT NULL,
	// 	details TEXT NOT NULL,
	// 	put_at BIGINT NOT NULL,
	// 	attempts INTEGER NOT NULL DEFAULT 0,
	// 	due BIGINT NOT NULL DEFAULT 0,
	// 	failure TEXT
	// );
	// CREATE INDEX IF NOT EXISTS mail_waiting ON mail (queue, id) WHERE failure IS NULL;
	// CREATE INDEX IF NOT EXISTS mail_held_back ON mail (queue, message_group, id) WHERE due > 0;
	// CREATE TABLE IF NOT EXISTS mail_relays (
	// 	queue TEXT PRIMARY KEY,
	// 	owner TEXT NOT NULL,
	// 	until BIGINT NOT NULL
	// );
}
