package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// A Dialect is the SQL of a database.
type Dialect int

// The dialects.
const (
	PostgreSQL Dialect = iota + 1 // 9.5 or newer
	SQLite                        // 3.24 or newer
)

// String returns the database's name.
func (d Dialect) String() string {
	switch d {
	case PostgreSQL:
		return "PostgreSQL"
	case SQLite:
		return "SQLite"
	}
	return fmt.Sprintf("Dialect(%d)", int(d))
}

// now returns an expression for the time in milliseconds since 1970: of the server, so
// that the clocks of relays do not matter, or of the process, where there is no server. It
// is the same throughout a statement: were it not, a message could become due while those
// behind it in its group are looked at.
func (d Dialect) now() string {
	if d == SQLite {
		return fmt.Sprint(time.Now().UnixMilli())
	}
	return "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS BIGINT)"
}

// types returns the words for a number that counts rows, and for bytes.
func (d Dialect) types() (counter, bytes string) {
	if d == SQLite {
		return "INTEGER PRIMARY KEY AUTOINCREMENT", "BLOB"
	}
	return "BIGSERIAL PRIMARY KEY", "BYTEA"
}

var errNoDB = errors.New("outbox: the field DB is nil; it must be the database that has the table")

var tableName = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*\.)?[A-Za-z_][A-Za-z0-9_]*$`)

// check returns the name of a table, and reports one that is no plain name, and an
// unknown dialect.
func (d Dialect) check(table, preset string) (string, error) {
	if table == "" {
		table = preset
	}
	switch {
	case d != PostgreSQL && d != SQLite:
		return "", fmt.Errorf("outbox: the dialect is %v; it must be outbox.PostgreSQL or outbox.SQLite", d)
	case d == SQLite && plain(table) != table:
		return "", fmt.Errorf("outbox: the table is %q; SQLite takes a plain name", table)
	case !tableName.MatchString(table) || len(table) > 40:
		return "", fmt.Errorf("outbox: the table is %q; it must be NAME or SCHEMA.NAME of letters, digits and underscores, 40 characters at most", table)
	}
	return table, nil
}

// plain returns a table's name without its schema, as indexes are named for it.
func plain(table string) string { return table[strings.LastIndexByte(table, '.')+1:] }

// create runs the statements of a schema. On PostgreSQL two that create a table at the
// same time may fail, "if not exists" or not, so they take turns.
func (d Dialect) create(ctx context.Context, db *sql.DB, schema string) error {
	if db == nil {
		return errNoDB
	}
	err := transact(ctx, db, func(tx *sql.Tx) error {
		if d == PostgreSQL {
			const turn = 0x6f7574626f78 // "outbox"
			if _, err := tx.ExecContext(ctx, fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", turn)); err != nil {
				return err
			}
		}
		for statement := range strings.SplitSeq(schema, ";\n") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("outbox: create tables: %w", err)
	}
	return nil
}
