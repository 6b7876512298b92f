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
			rows int64
			err  error
		)
		op := s.begin(record.LockList, "")
		defer func() { op.end(ctx, record.Done, rows, err) }() // also when the loop's body panics
		err = s.eachLock(ctx, prefix, func(row listed) error {
			if rows++; !yield(lockEntry(row, prefix), nil) {
				return errStop
			}
			return nil
		})
		if errors.Is(err, errStop) {
			err = nil
		}
		if err != nil {
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

// eachLock visits the rows of the lock table that begin with the prefix.
func (s *Store) eachLock(ctx context.Context, prefix string, visit func(listed) error) error {
	if err := s.checkLockTable(); err != nil {
		return err
	}
	err := s.withPrefix(prefix, func(condition string, args []any) error {
		rows := selection{read: s.sql.locks, where: []string{condition}, args: args, limit: listPage}
		return s.pages(ctx, rows, func(page []listed) error { return eachOf(page, visit) })
	})
	return s.noRowsIfNotStorable(err)
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

// checkLockTable goes by the names, as Laravel's hasSeparateLockStore does. Names that differ in case only count as one, because on
// many servers, and on SQLite, they are.
func (s *Store) checkLockTable() error {
	if strings.EqualFold(s.table, s.lockTable) {
		return ErrSameTable
	}
	return nil
}
