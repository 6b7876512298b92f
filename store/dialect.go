package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/larder-cache/larder/store/record"
)

// A dialect is everything that differs between engines: the texts of the statements, what their answers mean, and what
// their errors mean. All SQL of this package stands in the dialects' files, each statement with the reason for its shape.
type dialect interface {
	// now is the SQL expression for the server's clock in Unix seconds.
	now() string

	// snapshot is how to begin a transaction whose statements all read the table as it was at one moment.
	snapshot() *sql.TxOptions

	statements(*strings.Replacer) statements

	// What an answer says of the statement that was executed.
	added(answer) outcome    // add
	locked(answer) outcome   // acquire
	extended(answer) bool    // touch, refresh
	fencedWrite(answer) bool // putIfLocked

	// incremented runs the fast increment, which serves canonical integers. An outcome other than applied changed nothing.
	incremented(ctx context.Context, on *sql.Conn, text, rowKey string, by int64) (int64, outcome, error)

	// toColumn returns the text that stores a serialized value, which is mostly itself, or a LimitError; fromColumn undoes it.
	toColumn(serialized string) (string, error)
	fromColumn(stored []byte) []byte
	headFromColumn(head []byte) []byte // the same for the column's first characters

	// withPrefix is a condition on the key column for the row keys that begin, byte for byte, with the prefix.
	withPrefix(prefix string) (condition string, args []any)
	// withPrefixAnywhere is the same for columns whose character set the first form cannot be compared with.
	withPrefixAnywhere(prefix string) (condition string, args []any)
	wrongCharset(err error) bool

	// verdict tells what an error says about the statement's effect; explain makes a typed error of the server's where
	// there is one.
	verdict(err error) verdict
	explain(err error) error

	// cause names an error after which a statement is repeated.
	cause(err error) record.Cause

	// server asks the connection's server about itself.
	server(ctx context.Context, conn *sqlx.Conn) (Server, error)

	// rights asks what the connection's account may not do with the two tables.
	rights(ctx context.Context, conn *sqlx.Conn, table, lockTable string) ([]TableRights, error)

	// equatesKeys tells whether the key column may take different keys for one, as a collation does.
	equatesKeys() bool
}

// statements are the texts of one store's statements, table names and clock filled in. Those with lists end where the
// list begins.
type statements struct {
	get     string // row key
	has     string // row key
	many    string // IN list follows
	about   string // row key; get with the value's size and checksum, NULL if it needs none, in place of it
	piece   string // first byte, from 1, how many, row key; a part of the value
	put     string // tuple list and putTail follow
	putRow  string // one tuple of put
	putTail string

	add       string // row key, value, ttl
	touch     string // ttl, row key twice
	forget    string // row key and companion, both twice
	take      string // row key twice, value, expiration
	increment string // as incremented passes them
	replace   string // new value, row key twice, old value

	// How these texts calculate an expiration, and how they do if it is not to be later than what an INT column holds; "" where columns have
	// no width.
	expires, expiresClamped string

	acquire      string // row key, owner, ttl
	refresh      string // ttl, row key twice, owner
	release      string // row key twice, owner
	forceRelease string // row key twice
	currentOwner string // row key; returns it as it is stored, the owner, the expiration and the time
	putIfLocked  string // row key, value, ttl, lock's row key twice, owner

	list       string // conditions, order and limit follow
	isLive     string // a condition
	isExpired  string // a condition
	afterKey   string // a condition; row key
	byKey      string // an order
	byExpiry   string // an order
	byIndex    string // an order; the one that the index on expiration has
	bySize     string // an order
	keys       string // conditions, order and limit follow
	keysOf     string // a format of a numbered part of a union: of a selection of keys, which has an order and a limit of its own
	deleteKeys string // IN list follows
	keyIsNot   string // IN list follows

	// Pruning. What reads rows returns list's columns, those that it leaves out empty.
	expirations     string // conditions, order and limit follow
	sizes           string // the same with the sizes of the values
	lockExpirations string // expirations of the lock table
	deleteLocks     string // IN list follows
	fromExpiration  string // a condition; expiration
	stillExpired    string // a condition, for rows that are named by key
	unchanged       string // the same; row key, expiration
	indexed         string // tells for the cache table and the lock table whether an index begins with expiration

	// The lock table as a whole.
	locks     string // list's columns, with the owner in place of the value's head; conditions, order and limit follow
	lockKeys  string // conditions, order and limit follow
	keyIn     string // a condition; IN list follows
	importRow string // one tuple of put with its own expiration

	// A value that is sent before the statement that stores it. "" where an engine need not, being in the same process.
	firstPart   string // text, NULL to forget it
	nextPart    string // text
	partsSize   string // tells how many bytes have arrived
	importParts string // importRow with this value in place of its own

	clock      string // the time
	countLocks string // conditions follow

	count  string // conditions follow
	sample string // a condition that one row in n meets; n

	exactClock string // the time with its fractions

	shapes string // tells the name of each table with the columns key and expiration, and whether it has the columns value and owner
}

// An answer is what the server says about a statement that was executed.
type answer struct {
	affected int64
	id       int64 // MySQL's LAST_INSERT_ID(), which carries the statements' outcome codes
}

type outcome int

const (
	applied   outcome = iota
	missing           // no live row of that key
	held              // a live row or lock stands in the way
	lookalike         // a live row of a different key that the collation equates stands in the way
	notPlain          // increment: the row is live and not a canonical integer of up to 18 digits
)

// A verdict is what an error says about a statement's effect.
type verdict int

const (
	final      verdict = iota // trying again would not help
	notApplied                // certainly not applied: may be repeated
	unknown                   // may have been applied: idempotent statements may be repeated
)

func dialectOf(driver string) (dialect, error) {
	switch driver {
	case "mysql":
		return mysqlDialect{}, nil
	case "sqlite":
		return sqliteDialect{}, nil
	}
	return nil, fmt.Errorf("database driver %q: want \"mysql\" (go-sql-driver/mysql) or \"sqlite\" (modernc.org/sqlite)", driver)
}
