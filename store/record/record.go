// Package record is how a store tells what it does: to metrics, to a log, to a test.
//
// A [Recorder] is given to the store with store.WithRecorder and hears of every operation once, when it has ended, and of each time a
// statement is repeated. It never sees a value. [Slog] logs, [Counter] counts in memory, [Events] tells what Laravel's cache events tell, [Multi]
// puts several together. Without a recorder a store does not even look at the clock.
//
// The names of operations, outcomes and causes are few and fixed, so that they can be the labels of metrics. Keys are neither, and must not
// become labels.
package record

import (
	"context"
	"iter"
	"time"
)

// A Recorder hears what a store does. Its methods are called by the goroutine that works, many at the same time, and delay it.
type Recorder interface {
	// Operation is called once for each operation, when it has ended. The context is the operation's and may have ended too.
	Operation(ctx context.Context, o Operation)

	// Retry is called each time a statement has failed and is about to be repeated.
	Retry(ctx context.Context, r Retry)
}

// An Operation is one call of a method of a store or of a lock.
//
// What is made of other operations (Remember, Flexible, a Memo, Hold, WithoutOverlapping, Funnel) is recorded as those.
type Operation struct {
	Name     Name
	Outcome  Outcome
	Key      string        // without prefix, or the lock's name; "" if the operation is not about one key
	Rows     int64         // how many rows it found, wrote or deleted, as far as it knows; 0 after an error
	Duration time.Duration // from its beginning to its end, repeats and waits included
	Err      error         // why it failed; nil also for outcomes such as Miss, which a method may return as an error

	// Keys are the keys of an operation on several, each with what became of it; nil for other operations. It must not be kept.
	Keys iter.Seq2[string, Outcome]
}

// A Retry is one repetition of a statement that failed.
type Retry struct {
	Cause   Cause
	Attempt int   // of the repeats, from 1
	Err     error // as the driver gave it
}

// A Name says which operation it was.
type Name string

// The operations. Get is also that of Item, Flush of FlushAll and FlushWithProgress, Count of CountRows, OtherPrefixes and UsedPrefixes, LockList
// of AllLocks, LockFlush of FlushAllLocks, LockOwner of Holder, and LockAcquire of Block and Hold.
const (
	Get            Name = "get"
	Has            Name = "has"
	Many           Name = "many"
	Pull           Name = "pull"
	Put            Name = "put"
	Forever        Name = "forever"
	PutMany        Name = "put_many"
	PutIfLocked    Name = "put_if_locked"
	Add            Name = "add"
	Touch          Name = "touch"
	Forget         Name = "forget"
	Flush          Name = "flush"
	Increment      Name = "increment"
	Decrement      Name = "decrement"
	IncrementOrAdd Name = "increment_or_add"
	List           Name = "list"
	Stats          Name = "stats"
	Count          Name = "count"
	Row            Name = "row"
	Export         Name = "export"
	Import         Name = "import"
	Prune          Name = "prune"
	PruneBatch     Name = "prune_batch" // one statement of a Prune that deletes
	LockAcquire    Name = "lock_acquire"
	LockRefresh    Name = "lock_refresh"
	LockRelease    Name = "lock_release"
	LockForce      Name = "lock_force_release"
	LockOwner      Name = "lock_owner"
	LockList       Name = "lock_list"
	LockFlush      Name = "lock_flush"
)

// Names are all operations.
func Names() []Name {
	return []Name{
		Get, Has, Many, Pull, Put, Forever, PutMany, PutIfLocked, Add, Touch, Forget, Flush, Increment, Decrement, IncrementOrAdd,
		List, Stats, Count, Row, Export, Import, Prune, PruneBatch, LockAcquire, LockRefresh, LockRelease, LockForce, LockOwner, LockList, LockFlush,
	}
}

// An Outcome says how an operation ended.
type Outcome string

// The outcomes of operations that did what they are for.
const (
	Done      Outcome = "done"       // there is nothing more to say
	Hit       Outcome = "hit"        // a live row was found, or changed where it must exist; of several keys, all
	MemoryHit Outcome = "memory_hit" // the value came from the store's memory, and the database was not asked
	Miss      Outcome = "miss"       // there was no live row; of several keys, at least one was missing
	Stored    Outcome = "stored"     // a value was written
	NotStored Outcome = "not_stored" // it was not: Add found the key live, PutIfLocked the lock lost, or the ttl was zero
	Forgotten Outcome = "forgotten"  // what there was is deleted
	Acquired  Outcome = "acquired"   // the lock is this owner's
	Held      Outcome = "held"       // somebody has the lock; of a Prune: another pruner is at work
	Released  Outcome = "released"   // it was freed
	NotHeld   Outcome = "not_held"   // there was nothing to refresh, to release, or to name an owner of
)

// The outcomes of operations that failed, by what can be done about them.
const (
	Corrupt   Outcome = "corrupt"         // the stored bytes are no PHP serialization
	Mismatch  Outcome = "mismatch"        // the value is not of the type that was asked for, or no number
	Refused   Outcome = "refused"         // the input cannot be stored, or the result not be held
	Lookalike Outcome = "lookalike"       // a key that the column's collation equates stands in the way
	NoTable   Outcome = "no_table"        // the schema was not migrated
	NoAccess  Outcome = "no_access"       // the server refuses the user, or has no such database
	Unknown   Outcome = "outcome_unknown" // the connection was lost and the change may or may not have been applied
	Canceled  Outcome = "canceled"        // the context ended, and nothing was changed
	Failed    Outcome = "failed"          // anything else
)

// IsError reports whether the operation failed.
func (o Outcome) IsError() bool {
	switch o {
	case Corrupt, Mismatch, Refused, Lookalike, NoTable, NoAccess, Unknown, Canceled, Failed:
		return true
	}
	return false
}

// A Cause says why a statement was repeated.
type Cause string

// The causes of repeats. Until LostConnection the server certainly had not applied the statement.
const (
	Deadlock       Cause = "deadlock"
	LockWait       Cause = "lock_wait"       // waited too long for another transaction
	Busy           Cause = "busy"            // another process writes the SQLite file
	NotReady       Cause = "not_ready"       // a Galera node that has left its cluster or is joining it
	TooMany        Cause = "too_many"        // the server has no connection left
	Refusal        Cause = "connect"         // no connection could be made
	StaleRead      Cause = "stale_read"      // the row changed between reading and writing (MariaDB's snapshot isolation)
	LostConnection Cause = "lost_connection" // nobody knows whether the statement was applied; it can be repeated
	Interrupted    Cause = "interrupted"     // the server ended the statement or is shutting down
)

// Causes are all causes.
func Causes() []Cause {
	return []Cause{Deadlock, LockWait, Busy, NotReady, TooMany, Refusal, StaleRead, LostConnection, Interrupted}
}
