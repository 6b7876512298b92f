package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/larder-cache/larder/store/record"
)

// A LockEntry is what Locks tells of a row of the lock table.
type LockEntry struct {
	Name       string        // without prefix; the whole row key from AllLocks
	Owner      string        // who acquired it last
	Expiration int64         // Unix seconds, as in the column
	TTL        time.Duration // how long the lock is still held, by the database server's clock; 0 or less if it has expired
}

// Live reports whether the lock was held when its row was read. A row that is not is left of a holder that did not release it: anybody can
// acquire the lock, and Prune deletes the row.
func (e LockEntry) Live() bool { return e.TTL > 0 }

// Locks returns the locks of the store's prefix, held and expired, by name as the column's collation sorts, as they are found.
//
// It reads page after page, as List does by key: locks that are acquired or released meanwhile may or may not be seen, and none is seen
// twice. The sequence ends with an error, if there is one, as its last element; [ErrSameTable] if there is no lock table.
//
// Laravel (13) has no such thing.
func (s *Store) Locks(ctx context.Context) iter.Seq2[LockEntry, error] {
	return s.locksOf(ctx, s.prefix)
}

// AllLocks is Locks for every row of the lock table, whatever its prefix. Among them may be that of a pruner, larder:prune:cache.
func (s *Store) AllLocks(ctx context.Context) iter.Seq2[LockEntry, error] { return s.locksOf(ctx, "") }

func (s *Store) locksOf(ctx context.Context, prefix string) iter.Seq2[LockEntry, error] {
	return func(yield func(LockEntry, error) bool) {
		var (
			rows    int64
			stopped bool
			err     error
		)
		op := s.begin(record.LockList, "")
		defer func() { op.end(ctx, record.Done, rows, err) }() // also when the loop's body panics
		if err = s.checkLockTable(); err == nil {
			err = s.withPrefix(prefix, func(condition string, args []any) error {
				return s.eachLock(ctx, condition, args, func(row listed) bool {
					rows++
					stopped = !yield(lockEntry(row, prefix), nil)
					return !stopped
				})
			})
		}
		err = noRowsIfNotStorable(err)
		if err != nil && !stopped {
			yield(LockEntry{}, fmt.Errorf("list locks: %w", err))
		}
	}
}

func lockEntry(row listed, prefix string) LockEntry {
	return LockEntry{
		Name: row.key[len(prefix):], Owner: string(row.head),
		Expiration: row.expiration, TTL: remaining(row.expiration, row.now),
	}
}

// eachLock shows the rows that meet the condition, a page at a time, until the visitor has seen enough.
func (s *Store) eachLock(ctx context.Context, condition string, args []any, visit func(listed) bool) error {
	where := "1=1" + and(condition)
	args = append([]any(nil), args...)
	for first := true; ; first = false {
		page, err := s.page(ctx, s.text(fmt.Sprintf("%s WHERE %s ORDER BY %s LIMIT %d", s.sql.locks, where, s.sql.byKey, listPage)), args)
		if err != nil {
			return err
		}
		for _, row := range page {
			if !visit(row) {
				return nil
			}
		}
		if len(page) < listPage {
			return nil
		}
		if first {
			where, args = where+and(s.sql.afterKey), append(args, nil)
		}
		args[len(args)-1] = page[len(page)-1].key
	}
}

// FlushLocks deletes every lock whose row key begins with the store's prefix, held or expired, and returns how many there were. A holder
// finds out when it refreshes or releases its lock, and with [Lock.Hold] its context is canceled; until then its work may overlap with that of
// the next one. Cache rows and locks of other prefixes are left alone. FlushLocks returns [ErrNoPrefix] if the store has no prefix, and
// [ErrSameTable] if the lock table is the cache table.
//
// It works in batches, as Flush does. Laravel's flushLocks (13.0 and later) deletes all of the table, whatever the prefix.
func (s *Store) FlushLocks(ctx context.Context) (int64, error) {
	return s.flushLocks(ctx, s.prefix, s.prefix == "")
}

// FlushAllLocks deletes every row of the lock table, whatever its prefix, and returns how many there were. A pruner at work loses its lock too,
// and stops. Otherwise it is as FlushLocks.
func (s *Store) FlushAllLocks(ctx context.Context) (int64, error) {
	return s.flushLocks(ctx, "", false)
}

func (s *Store) flushLocks(ctx context.Context, prefix string, refused bool) (deleted int64, err error) {
	op := s.begin(record.LockFlush, "")
	defer func() { op.end(ctx, record.Forgotten, deleted, err) }()
	if refused {
		return 0, fmt.Errorf("flush locks: %w", ErrNoPrefix)
	}
	err = s.checkLockTable()
	if err == nil {
		deleted, err = s.flush(ctx, s.sql.lockKeys, s.sql.deleteLocks, prefix, nil)
	}
	if err != nil {
		return deleted, fmt.Errorf("flush locks: %w", err)
	}
	return deleted, nil
}

// noRowsIfNotStorable returns nil for the error that the key column's character set has no such characters as the prefix: there is no such row.
func noRowsIfNotStorable(err error) error {
	var limit *LimitError
	if errors.As(err, &limit) && limit.What == "row key" {
		return nil
	}
	return err
}

// checkLockTable goes by the names, as Laravel's hasSeparateLockStore does. Names that differ in case only count as one, because on
// many servers, and on SQLite, they are.
func (s *Store) checkLockTable() error {
	if strings.EqualFold(s.table, s.lockTable) {
		return ErrSameTable
	}
	return nil
}
