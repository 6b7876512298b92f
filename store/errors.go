package store

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound is returned when a key has no live row: it was never stored, was forgotten, or has expired.
	ErrNotFound = errors.New("key not found")

	// ErrCorrupt is returned when a row's stored bytes are no PHP serialization. It concerns that key alone.
	ErrCorrupt = errors.New("stored value is corrupt")

	// ErrNotNumber is returned by Increment and Decrement when the live value is not a number as PHP counts it.
	ErrNotNumber = errors.New("value is not a number")

	// ErrOverflow is returned by Increment and Decrement when the result does not fit 64 bits. The row is untouched.
	// Laravel would turn the counter into a float and lose its last digits.
	ErrOverflow = errors.New("result does not fit a 64-bit integer")

	// ErrLookalikeKey is returned by Add and by lock acquisition when a live row has a different key that the column's
	// collation takes for the same: under utf8mb4_unicode_ci, "Foo", "foo", "fóo" and "foo " share one row, and so do all emoji.
	// Nothing was stored and nothing is held. A column with a binary collation has no look-alikes.
	ErrLookalikeKey = errors.New("a look-alike key holds the row")

	// ErrOutcomeUnknown is returned when the connection was lost, or the context ended, after a statement that writes was sent and
	// before its answer arrived: it may have been applied, and mostly was. Add, Increment, Decrement and Pull are not repeated then,
	// because that could apply them twice: read the key to find out. The others are repeated, and return it when that fails too; after a
	// Lock's Acquire or Block, Release makes sure that the lock is not held. A context that ends before anything is sent, as while all
	// connections are in use, is returned as the context's own error.
	ErrOutcomeUnknown = errors.New("connection lost before the answer arrived: the change may or may not have been applied")

	// ErrNoTable is returned when the cache table or the lock table does not exist.
	ErrNoTable = errors.New("table does not exist (create it with: larder migrate)")

	// ErrNoAccess is returned when the server does not let the user in, or at the table, or has no database of that name. It stays so until
	// somebody changes a setting, here or there.
	ErrNoAccess = errors.New("no access to the database")

	// ErrLockTimeout is returned by Lock.Block when the lock stayed with another owner for the whole wait.
	ErrLockTimeout = errors.New("lock is still held by another owner")

	// ErrPruning is returned by Prune when another pruner of the same table is at work, anywhere in the fleet, or has taken its place. There
	// is nothing to do: the other one does it.
	ErrPruning = errors.New("another pruner is at work on this table")

	// ErrOtherLocks is returned by PutIfLocked for a lock that stands in another lock table, or in another database, than the store's: nothing there
	// says whether it is held. Stores share their locks, whatever their prefixes, if their lock tables have one name and they are over one pool or
	// were opened with the same host and database.
	ErrOtherLocks = errors.New("the lock is one of another lock table or database")

	// ErrNoPrefix is returned by Flush and FlushLocks when the store has no prefix, so that they would empty a table that other
	// applications may share. FlushAll and FlushAllLocks do that when it is meant.
	ErrNoPrefix = errors.New("the prefix is empty, so a flush would delete every row of the table: use FlushAll or FlushAllLocks if that is meant")

	// ErrSameTable is returned by Locks and FlushLocks, and those of all prefixes, when the lock table's name is the cache table's: what is
	// in it are no locks. Acquiring one fails there too, for want of the column owner.
	ErrSameTable = errors.New("the lock table is the cache table: give the locks a table of their own (WithLockTable)")
)

// A LimitError reports input that was refused, and that nothing was written.
type LimitError struct {
	What   string // what was refused: "row key", "value", "expiration"
	Limit  string // what it may be: "255 characters"
	Got    string // what it was: "300 characters"
	Remedy string // what to do instead, "" if the limit says it
	cause  error  // the server's own refusal, if it was the server that refused
}

func (e *LimitError) Error() string {
	text := fmt.Sprintf("%s: want %s", e.What, e.Limit)
	if e.Got != "" {
		text += ", got " + e.Got
	}
	if e.Remedy != "" {
		text += " (" + e.Remedy + ")"
	}
	return text
}

// Unwrap returns the server's refusal, or nil if the input was refused before it was sent.
func (e *LimitError) Unwrap() error { return e.cause }
