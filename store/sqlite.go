package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/larder-cache/larder/store/record"
)

// sqliteDialect speaks to SQLite 3.43 and later through modernc.org/sqlite. Text compares byte for byte there, so there are no
// look-alikes, and a conditional upsert's row count alone tells what happened. Values are compared as bytes, because other programs may have
// stored them as BLOBs.
type sqliteDialect struct{}

const sqliteNow = "unixepoch()"

const sqlitePutTail = ` ON CONFLICT("key") DO UPDATE SET value=excluded.value,expiration=excluded.expiration`

// sqliteIncrement serves what PHP itself writes for an integer, which the comparison with its own re-rendering leaves; up to 18 digits
// and a step of up to 2^62, so that the sum never overflows (SQLite would go on in floating point).
const sqliteIncrement = `UPDATE "{cache}" SET value='i:'||(CAST(substr(value,3,length(value)-3) AS INTEGER)+?)||';'` +
	` WHERE "key"=? AND expiration>{now} AND length(value)<=22` +
	` AND value='i:'||CAST(substr(value,3,length(value)-3) AS INTEGER)||';'` +
	` AND CAST(substr(value,3,length(value)-3) AS INTEGER) BETWEEN -999999999999999999 AND 999999999999999999` +
	` RETURNING CAST(substr(value,3,length(value)-3) AS INTEGER)`

// sqlitePutIfLocked needs its WHERE also for the parser, which would take ON CONFLICT for a join's ON without one.
const sqlitePutIfLocked = `INSERT INTO "{cache}" ("key",value,expiration)` +
	` SELECT ?,?,{now}+? FROM "{locks}" WHERE "key"=? AND "key"=? AND owner=? AND expiration>{now}` + sqlitePutTail

// Pruning has MySQL's shape: SQLite has one writer, whom a DELETE of 199 rows keeps waiting for milliseconds, and one of all of them for
// as long as it takes.
const (
	// sqliteIndexed takes an index on part of the rows for none. "key" and a name in quotes would each be the other's where they do not exist,
	// hence the single quotes.
	sqliteIndexed = `SELECT ` +
		`EXISTS(SELECT 1 FROM pragma_index_list('{cache}') l, pragma_index_info(l.name) c WHERE l.partial=0 AND c.seqno=0 AND c.name='expiration'),` +
		`EXISTS(SELECT 1 FROM pragma_index_list('{locks}') l, pragma_index_info(l.name) c WHERE l.partial=0 AND c.seqno=0 AND c.name='expiration')`

	// sqliteSample chooses by the number of the row, which says when it was first written and nothing of its key; SQLite has no hash.
	sqliteSample = `rowid%?=0`
)

// sqliteExactClock counts from the Unix epoch as a Julian day: unixepoch() has fractions from SQLite 3.42 on only.
const sqliteExactClock = `SELECT (julianday('now')-2440587.5)*86400.0`

const sqliteAbout = `SELECT sqlite_version(),(SELECT journal_mode FROM pragma_journal_mode),` +
	`COALESCE((SELECT file FROM pragma_database_list WHERE name='main'),'')`

func (sqliteDialect) server(ctx context.Context, conn *sqlx.Conn) (Server, error) {
	about := Server{Product: "SQLite", Local: true}
	err := conn.QueryRowContext(ctx, sqliteAbout).Scan(&about.Version, &about.JournalMode, &about.File)
	return about, err
}

const sqliteShapes = `SELECT m.name AS name,MAX(c.name='value') AS value,MAX(c.name='owner') AS owner FROM sqlite_master m,pragma_table_info(m.name) c` +
	` WHERE m.type='table' AND c.name IN ('key','value','owner','expiration') GROUP BY m.name HAVING SUM(c.name IN ('key','expiration'))=2 ORDER BY m.name`

// A statement that writes, and finds nothing to write, is refused at once for a file that is not to be written. BEGIN IMMEDIATE is not: there it
// begins a transaction that reads.
const (
	sqliteProbe   = `DELETE FROM "{table}" WHERE 1=0`
	sqliteWait    = `SELECT timeout FROM pragma_busy_timeout`
	sqliteSetWait = `PRAGMA busy_timeout=%d`
)

// rights does not wait for another writer, during whom it would find out no more: what may not be written is refused before.
func (sqliteDialect) rights(ctx context.Context, conn *sqlx.Conn, table, lockTable string) (of []TableRights, err error) {
	var wait int
	if err := conn.QueryRowContext(ctx, sqliteWait).Scan(&wait); err != nil {
		return nil, err
	}
	set := func(wait int) error {
		_, err := conn.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf(sqliteSetWait, wait))
		return err
	}
	if err := set(0); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, set(wait)) }()
	for _, name := range []string{table, lockTable} {
		t := TableRights{Table: name}
		_, err := conn.ExecContext(ctx, strings.ReplaceAll(sqliteProbe, "{table}", name))
		switch code := sqliteCode(err); {
		case code == sqlite3.SQLITE_READONLY, code == sqlite3.SQLITE_PERM, code == sqlite3.SQLITE_CANTOPEN:
			t.Denied = []string{"INSERT", "UPDATE", "DELETE"}
		case err == nil, code == sqlite3.SQLITE_BUSY, code == sqlite3.SQLITE_LOCKED, code == sqlite3.SQLITE_ERROR: // the last is that of a missing table
		default:
			return nil, err
		}
		of = append(of, t)
	}
	return of, nil
}

func (sqliteDialect) now() string { return sqliteNow }

// snapshot is one that reads: every other transaction of the pools takes the write lock when it begins.
func (sqliteDialect) snapshot() *sql.TxOptions { return &sql.TxOptions{ReadOnly: true} }

func (sqliteDialect) statements(r *strings.Replacer) statements {
	return statements{
		get:  r.Replace(`SELECT "key",value,expiration,{now} FROM "{cache}" WHERE "key"=?`),
		has:  r.Replace(`SELECT "key",expiration,{now} FROM "{cache}" WHERE "key"=?`),
		many: r.Replace(`SELECT "key",value,expiration,{now} FROM "{cache}" WHERE "key" IN `),
		// piece gives the file's own encoding, which is other bytes in one of UTF-16: there a value has no size, and is read whole.
		about: r.Replace(`SELECT "key",CASE WHEN (SELECT encoding FROM pragma_encoding)='UTF-8' THEN octet_length(value) END,NULL,expiration,{now}` +
			` FROM "{cache}" WHERE "key"=?`),
		piece:   r.Replace(`SELECT substr(CAST(value AS BLOB),?,?) FROM "{cache}" WHERE "key"=?`),
		put:     r.Replace(`INSERT INTO "{cache}" ("key",value,expiration) VALUES `),
		putRow:  r.Replace(`(?,?,{now}+?)`),
		putTail: sqlitePutTail,
		add: r.Replace(`INSERT INTO "{cache}" ("key",value,expiration) VALUES (?,?,{now}+?)` + sqlitePutTail +
			` WHERE expiration<={now}`),
		touch:     r.Replace(`UPDATE "{cache}" SET expiration={now}+? WHERE "key"=? AND "key"=? AND expiration>{now}`),
		forget:    r.Replace(`DELETE FROM "{cache}" WHERE "key" IN (?,?) AND "key" IN (?,?)`),
		take:      r.Replace(`DELETE FROM "{cache}" WHERE "key"=? AND "key"=? AND CAST(value AS BLOB)=CAST(? AS BLOB) AND expiration=?`),
		increment: r.Replace(sqliteIncrement),
		replace:   r.Replace(`UPDATE "{cache}" SET value=? WHERE "key"=? AND "key"=? AND CAST(value AS BLOB)=CAST(? AS BLOB) AND expiration>{now}`),
		acquire: r.Replace(`INSERT INTO "{locks}" ("key",owner,expiration) VALUES (?,?,{now}+?)` +
			` ON CONFLICT("key") DO UPDATE SET owner=excluded.owner,expiration=excluded.expiration` +
			` WHERE expiration<={now} OR owner=excluded.owner`),
		refresh:      r.Replace(`UPDATE "{locks}" SET expiration={now}+? WHERE "key"=? AND "key"=? AND owner=? AND expiration>{now}`),
		release:      r.Replace(`DELETE FROM "{locks}" WHERE "key"=? AND "key"=? AND owner=?`),
		forceRelease: r.Replace(`DELETE FROM "{locks}" WHERE "key"=? AND "key"=?`),
		currentOwner: r.Replace(`SELECT "key",owner,expiration,{now} FROM "{locks}" WHERE "key"=? AND expiration>{now}`),
		putIfLocked:  r.Replace(sqlitePutIfLocked),
		// octet_length stands in the row's header; length(CAST(value AS BLOB)) would load the value, of megabytes perhaps.
		list: r.Replace(`SELECT "key",octet_length(value),substr(value,1,300),expiration,{now}` +
			` FROM "{cache}"`),
		isLive:     r.Replace(`expiration>{now}`),
		isExpired:  r.Replace(`expiration<={now}`),
		afterKey:   `"key">?`,
		byKey:      `"key"`,
		byExpiry:   `expiration,"key"`,
		byIndex:    `expiration`,
		bySize:     `octet_length(value) DESC,"key"`,
		keys:       r.Replace(`SELECT "key" FROM "{cache}"`),
		keysOf:     `SELECT * FROM (%s) AS p%d`, // SQLite takes no ORDER BY and LIMIT in parts of a union
		deleteKeys: r.Replace(`DELETE FROM "{cache}" WHERE "key" IN `),
		keyIsNot:   `"key" NOT IN `,

		expirations:     r.Replace(`SELECT "key",0,'',expiration,{now} FROM "{cache}"`),
		sizes:           r.Replace(`SELECT "key",octet_length(value),'',expiration,{now} FROM "{cache}"`),
		lockExpirations: r.Replace(`SELECT "key",0,'',expiration,{now} FROM "{locks}"`),
		deleteLocks:     r.Replace(`DELETE FROM "{locks}" WHERE "key" IN `),
		fromExpiration:  `expiration>=?`,
		stillExpired:    r.Replace(`expiration+0<={now}`),
		unchanged:       `("key"=? AND expiration+0=?)`,
		indexed:         r.Replace(sqliteIndexed),
		locks:           r.Replace(`SELECT "key",0,owner,expiration,{now} FROM "{locks}"`),
		lockKeys:        r.Replace(`SELECT "key" FROM "{locks}"`),
		count:           r.Replace(`SELECT COUNT(*) FROM "{cache}"`),
		countLocks:      r.Replace(`SELECT COUNT(*) FROM "{locks}"`),
		importRow:       `(?,?,?)`,
		keyIn:           `"key" IN `,
		clock:           r.Replace(`SELECT {now}`),
		sample:          sqliteSample,
		exactClock:      sqliteExactClock,
		shapes:          sqliteShapes,
	}
}

func (sqliteDialect) added(a answer) outcome  { return appliedIf(a.affected > 0) }
func (sqliteDialect) locked(a answer) outcome { return appliedIf(a.affected > 0) }

func appliedIf(changed bool) outcome {
	if changed {
		return applied
	}
	return held
}

func (sqliteDialect) extended(a answer) bool    { return a.affected > 0 }
func (sqliteDialect) fencedWrite(a answer) bool { return a.affected > 0 }

func (sqliteDialect) incremented(ctx context.Context, on *sql.Conn, text, rowKey string, by int64) (int64, outcome, error) {
	if by > maxFastStep || by < -maxFastStep {
		return 0, notPlain, nil
	}
	var n int64
	err := on.QueryRowContext(ctx, text, by, rowKey).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, notPlain, nil // or missing: the slower path tells
	}
	return n, applied, err
}

// toColumn stores a value that contains a NUL byte as base64, as Laravel does on SQLite since 11.38, because SQLite's own tools
// cut text there; and so one that its reader would else take for base64, which no serialization is, but a corrupt value that is copied may be.
func (sqliteDialect) toColumn(serialized string) (string, error) {
	if strings.IndexByte(serialized, 0) >= 0 || !strings.ContainsAny(serialized, ":;") {
		return base64.StdEncoding.EncodeToString([]byte(serialized)), nil
	}
	return serialized, nil
}

// fromColumn follows Laravel's reader: text with neither ":" nor ";", which every serialized value has, is base64.
func (sqliteDialect) fromColumn(stored []byte) []byte {
	if bytes.ContainsAny(stored, ":;") {
		return stored
	}
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(stored)))
	n, err := base64.StdEncoding.Decode(raw, stored)
	if err != nil {
		return stored // neither: corrupt, and shown as it is
	}
	return raw[:n]
}

// headFromColumn decodes what a beginning of base64 holds of whole bytes.
func (d sqliteDialect) headFromColumn(head []byte) []byte {
	if bytes.ContainsAny(head, ":;") {
		return head
	}
	return d.fromColumn(head[:len(head)&^3])
}

// withPrefix is the range from the prefix to the next string of its length: UTF-8 has no byte 0xFF, so that one exists.
func (sqliteDialect) withPrefix(prefix string) (string, []any) {
	if prefix == "" {
		return "", nil
	}
	last := len(prefix) - 1
	// Of two lower ends of one column SQLite goes in by the first, and passes by everything up to the other. likely makes that the cursor,
	// where there is one: a list of a million rows took three minutes without it, because each page began at the prefix's first row.
	return `likely("key">=?) AND "key"<?`, []any{prefix, prefix[:last] + string([]byte{prefix[last] + 1})}
}

func (d sqliteDialect) withPrefixAnywhere(prefix string) (string, []any) { return d.withPrefix(prefix) }

func (sqliteDialect) wrongCharset(error) bool { return false }

func (sqliteDialect) verdict(err error) verdict {
	switch sqliteCode(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return notApplied
	case sqlite3.SQLITE_INTERRUPT:
		return unknown
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return unknown // the statement may have ended just before the context did
	}
	return final
}

// sqliteCode returns the error's primary result code, 0 if it is not SQLite's.
func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

func (sqliteDialect) cause(err error) record.Cause {
	switch sqliteCode(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return record.Busy
	}
	return record.Interrupted
}

func (sqliteDialect) equatesKeys() bool { return false }

func (sqliteDialect) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case sqliteCode(err) == sqlite3.SQLITE_ERROR && strings.Contains(err.Error(), "no such table"):
		return fmt.Errorf("%w: %w", ErrNoTable, err)
	case sqliteCode(err) == sqlite3.SQLITE_TOOBIG:
		return &LimitError{What: "value", Limit: "at most 1,000,000,000 bytes, SQLite's own limit", cause: err}
	}
	return err
}
