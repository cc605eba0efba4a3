package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/workers"
)

// An Inbox is a table of messages that were handled, by a key. A handler whose effect is
// a change in the same database makes the mark in the transaction of the change: then the
// effect is had once, however often the message is delivered or was sent, as long as the
// mark is kept. What a handler does elsewhere is not undone with the transaction.
//
//	Handler: func(ctx context.Context, m *pubsub.Message) error {
//		return inbox.Once(ctx, m, func(tx *sql.Tx) error {
//			_, err := tx.ExecContext(ctx, "UPDATE accounts …")
//			return err
//		})
//	},
//
// Set its fields before its first use and keep them. Its methods are safe for concurrent
// use.
type Inbox struct {
	DB      *sql.DB // where the table is; First alone does without
	Dialect Dialect // of the database

	// Table is the name of the table, as that of an [Outbox]; "" means inbox. Consumers
	// of different queues that have the same messages, as of a topic, need a table each.
	Table string

	// Key returns what is the same for messages that are to have their effect once. Nil
	// means [workers.DeduplicationKey], which is right for what a [Relay] sent and for
	// FIFO queues; of others it is the same only as long as the message is not sent
	// again.
	Key func(m *pubsub.Message) string
}

// Once runs effect in a transaction with the mark that it was had, unless there is that
// mark already: then it returns nil. If effect fails there is neither. Of two at the same
// time the second waits for the first.
func (in *Inbox) Once(ctx context.Context, m *pubsub.Message, effect func(tx *sql.Tx) error) error {
	if in.DB == nil {
		return errNoDB
	}
	key := in.Key
	if key == nil {
		key = workers.DeduplicationKey
	}
	return transact(ctx, in.DB, func(tx *sql.Tx) error {
		first, err := in.First(ctx, tx, key(m))
		if err != nil || !first {
			return err
		}
		return effect(tx)
	})
}

// First marks a key as had in tx, and reports whether it was not before: if not, the
// effect is there already, and is not to be had again. A transaction that had the key and
// is not committed yet is waited for.
func (in *Inbox) First(ctx context.Context, tx Tx, key string) (bool, error) {
	table, err := in.Dialect.check(in.Table, "inbox")
	if err != nil {
		return false, err
	}
	if key == "" {
		return false, errors.New("outbox: the message has no key by which to know it again")
	}
	n, err := exec(ctx, tx, fmt.Sprintf("INSERT INTO %s (key, at) VALUES ($1, %s) ON CONFLICT (key) DO NOTHING", table, in.Dialect.now()), key)
	if err != nil {
		return false, fmt.Errorf("outbox: mark %q: %w", key, err)
	}
	return n > 0, nil
}

// Forget deletes the marks that are older than age, and returns how many. A message that
// comes again after that has its effect again, so age is to be longer than the queue's
// retention period, and than dead letters are kept.
func (in *Inbox) Forget(ctx context.Context, age time.Duration) (int, error) {
	table, err := in.Dialect.check(in.Table, "inbox")
	if err == nil && in.DB == nil {
		err = errNoDB
	}
	if err != nil {
		return 0, err
	}
	n, err := exec(ctx, in.DB, fmt.Sprintf("DELETE FROM %s WHERE at < %s - CAST($1 AS BIGINT)", table, in.Dialect.now()), age.Milliseconds())
	if err != nil {
		return 0, fmt.Errorf("outbox: forget marks: %w", err)
	}
	return n, nil
}

// Schema returns the statements that create the table.
func (in *Inbox) Schema() (string, error) {
	table, err := in.Dialect.check(in.Table, "inbox")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %[1]s (
	key TEXT PRIMARY KEY,
	at BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS %[2]s_at ON %[1]s (at);
`, table, plain(table)), nil
}

// Create creates the table if it does not exist.
func (in *Inbox) Create(ctx context.Context) error {
	schema, err := in.Schema()
	if err != nil {
		return err
	}
	return in.Dialect.create(ctx, in.DB, schema)
}
