package outbox

import (
	"context"
	"fmt"
	"time"
)

// Schema returns the statements that create the tables, each with a semicolon at its end,
// for those who keep their schema in files. What exists is left as it is.
//
// A row is a message. Its id counts up; due is when it may be tried again, in milliseconds
// since 1970, 0 if it has not failed; failure says why it was set aside. A row of the
// second table says which relay sends to a queue, and until when.
func (o *Outbox) Schema() (string, error) {
	table, err := o.Dialect.check(o.Table, "outbox")
	if err != nil {
		return "", err
	}
	counter, bytes := o.Dialect.types()
	return fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %[1]s (
	id %[3]s,
	queue TEXT NOT NULL,
	message_group TEXT NOT NULL,
	deduplication TEXT NOT NULL,
	body %[4]s NOT NULL,
	details TEXT NOT NULL,
	put_at BIGINT NOT NULL,
	attempts INTEGER NOT NULL DEFAULT 0,
	due BIGINT NOT NULL DEFAULT 0,
	failure TEXT
);
CREATE INDEX IF NOT EXISTS %[2]s_waiting ON %[1]s (queue, id) WHERE failure IS NULL;
CREATE INDEX IF NOT EXISTS %[2]s_held_back ON %[1]s (queue, message_group, id) WHERE due > 0;
CREATE TABLE IF NOT EXISTS %[1]s_relays (
	queue TEXT PRIMARY KEY,
	owner TEXT NOT NULL,
	until BIGINT NOT NULL
);
`, table, plain(table), counter, bytes), nil
}

// Create creates the tables that do not exist. It may be called by each process at its
// start.
func (o *Outbox) Create(ctx context.Context) error {
	schema, err := o.Schema()
	if err != nil {
		return err
	}
	return o.Dialect.create(ctx, o.DB, schema)
}

// statements are the statements that an Outbox needs. Parameters are numbered in the
// order in which they occur, since drivers differ in what else they take.
type statements struct {
	put     string // queue, group, deduplication id, body, details
	hold    string // queue, owner, how long: makes owner the relay of a queue, or changes nothing
	release string // queue, owner
	fetch   string // queue, how many
	fail    string // how long, id
	aside   string // failure, id
	sent    string // with a list of ids
	retry   string // queue
	status  string
}

func (o *Outbox) statements() (statements, error) {
	table, err := o.Dialect.check(o.Table, "outbox")
	if err != nil {
		return statements{}, err
	}
	now := o.Dialect.now()
	write := func(format string) string { return fmt.Sprintf(format, table, now) }
	return statements{
		put: write(`INSERT INTO %[1]s (queue, message_group, deduplication, body, details, put_at) VALUES ($1, $2, $3, $4, $5, %[2]s)`),
		hold: write(`INSERT INTO %[1]s_relays AS r (queue, owner, until) VALUES ($1, $2, %[2]s + CAST($3 AS BIGINT))
			ON CONFLICT (queue) DO UPDATE SET owner = excluded.owner, until = excluded.until
			WHERE r.owner = excluded.owner OR r.until <= %[2]s`),
		release: write(`DELETE FROM %[1]s_relays WHERE queue = $1 AND owner = $2`),
		// A message that is to be tried later holds back those after it in its group.
		fetch: write(`SELECT id, message_group, deduplication, body, details, attempts, %[2]s - put_at FROM %[1]s AS m
			WHERE queue = $1 AND failure IS NULL AND due <= %[2]s AND (message_group = '' OR NOT EXISTS (
				SELECT 1 FROM %[1]s AS b WHERE b.due > 0 AND b.queue = m.queue AND b.message_group = m.message_group
				AND b.id < m.id AND b.due > %[2]s AND b.failure IS NULL))
			ORDER BY id LIMIT $2`),
		fail:   write(`UPDATE %[1]s SET attempts = attempts + 1, due = %[2]s + CAST($1 AS BIGINT) WHERE id = $2`),
		aside:  write(`UPDATE %[1]s SET attempts = attempts + 1, failure = $1 WHERE id = $2`),
		sent:   write(`DELETE FROM %[1]s WHERE id IN (`),
		retry:  write(`UPDATE %[1]s SET failure = NULL, due = 0, attempts = 0 WHERE queue = $1 AND failure IS NOT NULL`),
		status: write(`SELECT queue, COUNT(*), COUNT(failure), COALESCE(MAX(CASE WHEN failure IS NULL THEN %[2]s - put_at END), 0) FROM %[1]s GROUP BY queue ORDER BY queue`),
	}, nil
}

// A Status is what an outbox has for one queue.
type Status struct {
	Queue     string        // the name that Put was given
	Waiting   int           // messages that are to be sent
	Aside     int           // messages that were set aside
	OldestAge time.Duration // time since the oldest that waits was put
}

// Status returns what there is for each queue, by name. A name that no relay has is a
// typing error in a Put. It reads the whole table.
func (o *Outbox) Status(ctx context.Context) ([]Status, error) {
	s, err := o.statements()
	if err == nil && o.DB == nil {
		err = errNoDB
	}
	if err != nil {
		return nil, err
	}
	rows, err := o.DB.QueryContext(ctx, s.status)
	if err != nil {
		return nil, fmt.Errorf("outbox: status: %w", err)
	}
	defer rows.Close()
	var all []Status
	for rows.Next() {
		var one Status
		var total int
		var age int64
		if err := rows.Scan(&one.Queue, &total, &one.Aside, &age); err != nil {
			return nil, fmt.Errorf("outbox: status: %w", err)
		}
		one.Waiting, one.OldestAge = total-one.Aside, max(0, time.Duration(age)*time.Millisecond)
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("outbox: status: %w", err)
	}
	return all, nil
}

// Retry has the messages for a queue that were set aside tried again, when what kept them
// from being sent is mended, and returns how many there are. The table's column failure
// says what it was. They come after those of their groups that were sent meanwhile.
func (o *Outbox) Retry(ctx context.Context, queue string) (int, error) {
	s, err := o.statements()
	if err == nil && o.DB == nil {
		err = errNoDB
	}
	if err != nil {
		return 0, err
	}
	n, err := exec(ctx, o.DB, s.retry, queue)
	if err != nil {
		return 0, fmt.Errorf("outbox: retry what was set aside for %s: %w", queue, err)
	}
	o.Wake()
	return n, nil
}

// exec executes a statement, and returns how many rows it touched.
func exec(ctx context.Context, db Tx, query string, args ...any) (int, error) {
	result, err := db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
