// Package outbox sends messages in the transaction of a change in a database: the message
// is stored beside the change, and sent once the transaction is committed. So there is no
// change without its message and no message without its change, whatever dies in between.
//
// An [Outbox] is a table of messages that wait to be sent. A program puts messages into
// it with the transaction that makes the change; a [Relay], in the same program or in
// another one, sends what is there to a queue of package bus and deletes what the queue
// has answered for. An [Inbox] is the other side of it: a handler's effect on a database
// and the mark that it was had are one transaction.
//
//	box := &outbox.Outbox{DB: db, Dialect: outbox.PostgreSQL}
//	err := box.Transact(ctx, func(tx *sql.Tx) error {
//		if _, err := tx.ExecContext(ctx, "INSERT INTO orders …"); err != nil {
//			return err
//		}
//		return box.Put(ctx, tx, "orders", &pubsub.Message{Body: order})
//	})
//
//	relay := &outbox.Relay{Outbox: box, Name: "orders", Queue: q}
//	err = relay.Run(ctx)
//
// It needs nothing but database/sql, and a driver of the program's choice: it is tested
// with github.com/jackc/pgx/v5/stdlib on PostgreSQL 15 and with modernc.org/sqlite.
//
// # Delivery
//
// At least once: a relay that dies between the queue's answer and the deletion has the
// message sent again. All that is sent of one row has the same deduplication id, by which
// a FIFO queue drops the second one for five minutes, and by which [workers.Deduplicate]
// and [Inbox] know it: see [Outbox.Put].
//
// Messages of one group (see [bus.Group]) are sent in their order: what was put after
// another message's transaction was committed, or after it in the same transaction, is
// sent after it. Of two transactions at the same time either may be first. A message that
// cannot be sent now holds back its group, and nothing else; one that can never be sent is
// set aside, and its group goes on without it. Messages without a group have no order.
//
// # What it does not promise
//
// A relay that stands still for longer than its lease, as with its machine, may send for a
// moment what the next one sends too. What is sent twice may come again after newer
// messages of its group, where the queue does not drop it.
//
// # PostgreSQL and SQLite
//
// On PostgreSQL times are the server's. On SQLite they are those of the process, and
// transactions wait for each other: give its driver a busy timeout, and let
// transactions that write begin with BEGIN IMMEDIATE, as modernc.org/sqlite does with
// "?_pragma=busy_timeout(10000)&_txlock=immediate" in the name of the database.
package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"gocloud.dev/pubsub"
)

// An Outbox is a table of messages that wait to be sent. Set its fields before its first
// use and keep them. Its methods are safe for concurrent use.
type Outbox struct {
	DB      *sql.DB // where the table is; Put alone does without
	Dialect Dialect // of the database

	// Table is the name of the table, a plain name or, on PostgreSQL, SCHEMA.NAME, of
	// letters, digits and underscores; "" means outbox. A second table has the same name with _relays
	// after it.
	Table string

	mu    sync.Mutex    // guards awake
	awake chan struct{} // closed by Wake, if not nil
}

// A Tx is what a message is put with: a *sql.Tx, or a *sql.Conn that has a transaction.
// With a *sql.DB a message would be sent without a change.
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Put stores messages to be sent to the queue of that name once tx is committed, and not
// at all if it is rolled back. The name is the one that a [Relay] has; it need not be
// that of a queue. After the commit call [Outbox.Wake], for a relay in this process to
// send the messages at once; [Outbox.Transact] does so.
//
// What travels with a message is what Topic.Send would have sent: body, metadata, typed
// attributes, group. Its delay counts from Put. The context of the trace in ctx travels
// too, if there is room. The deduplication id is the message's own, or else a new one: on
// a FIFO queue it is that of the queue, elsewhere the attribute [workers.DeduplicationID].
// So a message may have nine attributes of its own. An AfterSend is refused, since nobody
// would be there to be called. Put leaves messages as they are.
func (o *Outbox) Put(ctx context.Context, tx Tx, queue string, ms ...*pubsub.Message) error {
	s, err := o.statements()
	if err != nil {
		return err
	}
	if queue == "" {
		return fmt.Errorf("outbox: put a message: it needs the name of a queue, the one that its Relay has")
	}
	for i, m := range ms {
		stored, err := store(ctx, m)
		if err == nil {
			_, err = tx.ExecContext(ctx, s.put, queue, stored.group, stored.deduplication, stored.body, stored.details)
		}
		if err != nil {
			return fmt.Errorf("outbox: put message %d of %d for %s: %w", i+1, len(ms), queue, err)
		}
	}
	return nil
}

// Transact runs change in a transaction, commits it if change returns nil, and wakes the
// relays of this process. If change fails, panics, or ctx ends, the transaction is rolled
// back. An error of the commit may leave it open whether there was one, as with
// package sql.
func (o *Outbox) Transact(ctx context.Context, change func(tx *sql.Tx) error) error {
	if o.DB == nil {
		return errNoDB
	}
	if err := transact(ctx, o.DB, change); err != nil {
		return err
	}
	o.Wake()
	return nil
}

func transact(ctx context.Context, db *sql.DB, change func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("outbox: begin a transaction: %w", err)
	}
	defer tx.Rollback() // nothing after a commit
	if err := change(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("outbox: commit: %w", err)
	}
	return nil
}

// Wake has the relays of this Outbox in this process look for messages now, rather than
// when they do next. Those of other processes find them within Relay.Every.
func (o *Outbox) Wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.awake != nil {
		close(o.awake)
		o.awake = nil
	}
}

// woken returns a channel that the next Wake closes.
func (o *Outbox) woken() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.awake == nil {
		o.awake = make(chan struct{})
	}
	return o.awake
}
