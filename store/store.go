// Package store is Laravel's database cache table as a Go library.
//
// [Open] connects; [Store.Get], [Store.Put], [Store.Add], [Store.Increment], [Store.Touch], [Store.Forget] and [Store.Many] are Laravel's methods of
// these names. [Remember] makes a missing value once; [Flexible] has a stale one made anew behind the callers' backs, together with PHP's;
// [Store.Memo] reads each key once in a request.
//
// [Store.Lock] is Cache::lock; [Store.PutIfLocked] writes only while a lock is held, [Lock.Hold] keeps one for as long as the work
// takes, [WithoutOverlapping] and [Store.Funnel] run a function under one.
//
// For operators, [Store.List] and [Store.Stats] show what is in the cache and [Store.Locks] who holds what; [Store.Prune] deletes what has expired,
// [Store.Flush] and [Store.FlushLocks] what begins with the prefix; [Store.Export] and [Store.Import] copy rows whole. Package storetest says of
// each what it promises, as tests that any engine can run.
//
// # Rows
//
// A row is a key, a value and an expiration in the table that Laravel's database cache driver uses (5.5 to 13). A row that
// this package writes is byte for byte what Laravel would have written, and it reads what any Laravel wrote:
//
//   - The row key is the prefix followed by the key, with no separator, at most 255 characters, UTF-8.
//   - The value is PHP's serialization (package php). Values written are null, bool, int, float, string and array; objects
//     are read and never written.
//   - The expiration is in whole Unix seconds. A row is live while expiration > now, and expired from then on. "Forever" is
//     now + 315,360,000 s (ten years of 365 days), as in Laravel.
//
// Keys, prefixes and patterns match byte for byte, whatever the column's collation says. Reading never deletes.
//
// # Time
//
// The clock is the database server's, read inside each statement, so that a fleet whose servers disagree about the time
// agrees about what is live. A TTL is rounded up to whole seconds. [Item.TTL] tells how long a row still lives, for holders
// that go on counting on their own monotonic clock.
//
// # Round trips
//
// Get, Item, Has, Many, Put, Add, Touch, Forget, Increment of an integer row, and acquiring, refreshing and releasing a lock
// are one statement each, and one round trip where the driver interpolates parameters, as [Open] makes it do. [WithMemory] answers hot keys
// without one.
//
// # Errors
//
// Input that cannot be stored exactly is refused with a [LimitError] before anything is written; nothing is ever truncated
// or replaced. A statement that certainly was not applied (deadlock, lock wait timeout, a cluster node that refuses, a
// refused connection, a busy SQLite file) is repeated up to ten times with jitter. When a connection is lost after the
// statement was sent, idempotent operations are repeated and the others return [ErrOutcomeUnknown].
//
// A Store and its locks are safe for concurrent use.
package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"
)

// ForeverTTL is how long a row lives that is stored "forever": ten years of 365 days, as Laravel has it since 5.8.9.
const ForeverTTL = 315_360_000 * time.Second

// companionPrefix is put before a key to name the row in which Laravel's Cache::flexible (11.24 and later) keeps the time
// the key's value was made.
const companionPrefix = "illuminate:cache:flexible:created:"

// A Store is Laravel's cache table and its lock table in one database, seen through one prefix.
type Store struct {
	config
	read, write *sqlx.DB // the same pool, but for a SQLite file, which has one writer
	owned       []*sqlx.DB
	place       string // which database Open has opened; "" if that is not known
	dialect     dialect
	sql         statements
	memory      *memory // nil if there is none

	flights  flightGroup // of Remember and Flexible
	failures sync.Map    // of Flexible: key to *refreshFailure, until a refresh succeeds and at most as long as the value lives
	closed   atomic.Bool // no more failures are remembered
}

// New returns a store over a pool that the caller has opened and will close.
//
// The pool's driver must be go-sql-driver/mysql, registered as "mysql", or modernc.org/sqlite, registered as "sqlite". For
// MySQL the DSN should set interpolateParams=true, or every operation costs two round trips; the connection's character set must be
// utf8mb4 (the driver's default), and its sql_mode strict (the servers' default), or the server cuts what does not fit. [Open] takes
// care of all three.
//
// It sends nothing. It returns an error for another driver, and the options' for what they refuse.
func New(db *sqlx.DB, opts ...Option) (*Store, error) {
	d, err := dialectOf(db.DriverName())
	if err != nil {
		return nil, err
	}
	return newStore(d, db, db, opts)
}

func newStore(d dialect, read, write *sqlx.DB, opts []Option) (*Store, error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	now := d.now()
	if c.clock != nil {
		now = clockPlaceholder // filled in by Store.text for each statement
	}
	r := strings.NewReplacer("{cache}", c.table, "{locks}", c.lockTable, "{now}", now)
	m, err := newMemory(c, d)
	if err != nil {
		return nil, err
	}
	return &Store{config: c, read: read, write: write, dialect: d, sql: d.statements(r), memory: m}, nil
}

// Prefix returns what stands before every key and lock name in the tables.
func (s *Store) Prefix() string { return s.prefix }

// Table returns the name of the cache table.
func (s *Store) Table() string { return s.table }

// LockTable returns the name of the table of the locks.
func (s *Store) LockTable() string { return s.lockTable }

// Close closes the connections that Open made, and empties the store's memory. It does nothing to a pool given to New. Functions that
// [Remember] and [Flexible] run in the background run on, and what they make is not stored any more if the connections were the store's: a program
// that wants to have it calls [Store.Wait] first.
func (s *Store) Close() error {
	s.memory.close()
	s.closed.Store(true)
	s.forgetFailures()
	var errs []error
	for _, db := range s.owned {
		errs = append(errs, db.Close())
	}
	return errors.Join(errs...)
}

// rowKey returns the key's spelling in the table, or an error if the table cannot hold it.
func (s *Store) rowKey(key string) (string, error) {
	rowKey := s.prefix + key
	return rowKey, checkRowKey(rowKey)
}

const clockPlaceholder = "{clock}"

// text returns a statement's text, with the injected clock's time if there is one. The ordinary clock is the server's and
// already part of the text.
func (s *Store) text(statement string) string {
	if s.clock == nil {
		return statement
	}
	return strings.ReplaceAll(statement, clockPlaceholder, fmt.Sprint(s.clock().Unix()))
}
