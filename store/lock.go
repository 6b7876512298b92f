package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/larder-cache/larder/store/record"
)

// DefaultLockTTL is how long a lock lasts for which no time is given, as in Laravel (8.53 to 13).
const DefaultLockTTL = 24 * time.Hour

// A Lock is a named lock in the lock table, for one owner. It excludes, and is excluded by, PHP's Cache::lock of the same name and
// prefix. It is safe for concurrent use, but all of its users are one owner.
type Lock struct {
	store *Store
	name  string
	owner string
	ttl   time.Duration
}

// Lock returns a lock with a new random owner. It does not acquire it. The ttl says for how long Acquire and Refresh hold it, rounded up
// to whole seconds; zero or less means [DefaultLockTTL], as in Laravel.
func (s *Store) Lock(name string, ttl time.Duration) *Lock {
	return s.RestoreLock(name, newOwner(), ttl)
}

// RestoreLock returns the lock of an owner that is known, to release or refresh what another process acquired.
func (s *Store) RestoreLock(name, owner string, ttl time.Duration) *Lock {
	if ttl <= 0 {
		ttl = DefaultLockTTL
	}
	return &Lock{store: s, name: name, owner: owner, ttl: ttl}
}

// newOwner is 16 lower-case letters and digits (80 bits), a form that Laravel's own owners have too.
func newOwner() string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	b := make([]byte, 16)
	_, _ = rand.Read(b) // crypto/rand never fails since Go 1.24
	for i := range b {
		b[i] = alphabet[b[i]%32]
	}
	return string(b)
}

// Name returns the lock's name, without prefix.
func (l *Lock) Name() string { return l.name }

// Owner returns who this lock's holder is, when it is held: a random text, or the one given to RestoreLock.
func (l *Lock) Owner() string { return l.owner }

// Acquire takes the lock if it is free, expired or already this owner's, and reports whether it did. Of any number of concurrent
// callers, exactly one gets a free lock.
//
// Acquire returns [ErrLookalikeKey] if the column's collation equates the name with that of another live lock. Any trouble with the
// database is an error, never "held"; Laravel takes all of it for "held". After [ErrOutcomeUnknown], as when ctx ends while the server is
// at it, the lock may be held by this owner: Release it.
func (l *Lock) Acquire(ctx context.Context) (bool, error) {
	acquired, err := l.acquireOnce(ctx)
	if err != nil {
		return false, fmt.Errorf("acquire lock %s: %w", shown(l.name), err)
	}
	return acquired, nil
}

// acquireOnce is one attempt that is an operation of its own.
func (l *Lock) acquireOnce(ctx context.Context) (bool, error) {
	op := l.store.begin(record.LockAcquire, l.name)
	acquired, err := l.acquire(ctx)
	outcome, rows := one(acquired, record.Acquired, record.Held)
	op.end(ctx, outcome, rows, err)
	return acquired, err
}

func (l *Lock) acquire(ctx context.Context) (bool, error) {
	rowKey, err := l.store.rowKey(l.name)
	if err != nil {
		return false, err
	}
	if err := checkOwner(l.owner); err != nil {
		return false, err
	}
	a, err := l.store.exec(ctx, idempotent, l.store.sql.acquire, rowKey, l.owner, wholeSeconds(l.ttl))
	if err != nil {
		return false, err
	}
	switch l.store.dialect.locked(a) {
	case lookalike:
		return false, ErrLookalikeKey
	case held:
		return false, nil
	}
	return true, nil
}

func checkOwner(owner string) error {
	if n := utf8.RuneCountInString(owner); n == 0 || n > maxRowKey {
		return &LimitError{What: "lock owner", Limit: fmt.Sprintf("1 to %d characters", maxRowKey), Got: fmt.Sprintf("%d", n)}
	}
	return checkText("lock owner", owner)
}

// betweenAttempts is how long Block sleeps, give or take a fifth, so that waiters do not meet in step. It is what Laravel sleeps.
const betweenAttempts = 250 * time.Millisecond

// Block acquires the lock, and while another owner holds it tries again for as long as wait lasts or ctx allows. It makes at least one
// attempt. It returns [ErrLockTimeout] when the wait is over and ctx.Err() when the context is; see Acquire for [ErrOutcomeUnknown].
func (l *Lock) Block(ctx context.Context, wait time.Duration) (err error) {
	op := l.store.begin(record.LockAcquire, l.name)
	defer func() { op.end(ctx, record.Acquired, 1, err) }()
	deadline := time.Now().Add(wait)
	for {
		acquired, err := l.acquire(ctx)
		if acquired {
			return nil
		}
		left := time.Until(deadline)
		if err == nil && left <= 0 {
			err = ErrLockTimeout
		}
		if err != nil {
			return fmt.Errorf("acquire lock %s: %w", shown(l.name), err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("acquire lock %s: %w", shown(l.name), ctx.Err())
		case <-time.After(min(left, jitter(betweenAttempts))):
		}
	}
}

// Refresh makes the lock last its ttl from now, if it is still held by this owner, and reports whether it is.
func (l *Lock) Refresh(ctx context.Context) (bool, error) { return l.RefreshFor(ctx, l.ttl) }

// RefreshFor is Refresh for another time than the lock's own. Zero or less means [DefaultLockTTL].
//
// Laravel's refresh (13.16 and later) answers false on MySQL when the expiration is already the same; here that is true.
func (l *Lock) RefreshFor(ctx context.Context, ttl time.Duration) (ours bool, err error) {
	op := l.store.begin(record.LockRefresh, l.name)
	defer func() {
		outcome, rows := one(ours, record.Acquired, record.NotHeld)
		op.end(ctx, outcome, rows, err)
	}()
	if ttl <= 0 {
		ttl = DefaultLockTTL
	}
	rowKey := l.store.prefix + l.name
	a, err := l.store.exec(ctx, idempotent, l.store.sql.refresh, wholeSeconds(ttl), rowKey, rowKey, l.owner)
	if err != nil {
		return false, fmt.Errorf("refresh lock %s: %w", shown(l.name), err)
	}
	return l.store.dialect.extended(a), nil
}

// Release frees the lock if its row is this owner's, expired or not, and reports whether it was. After a nil error this owner does not
// hold it. If the connection was lost and the repeated statement found nothing to release, false may mean that the lost one did it.
func (l *Lock) Release(ctx context.Context) (released bool, err error) {
	op := l.store.begin(record.LockRelease, l.name)
	defer func() {
		outcome, rows := one(released, record.Released, record.NotHeld)
		op.end(ctx, outcome, rows, err)
	}()
	rowKey := l.store.prefix + l.name
	a, err := l.store.exec(ctx, idempotent, l.store.sql.release, rowKey, rowKey, l.owner)
	if err != nil {
		return false, fmt.Errorf("release lock %s: %w", shown(l.name), err)
	}
	return a.affected > 0, nil
}

// ForceRelease frees the lock, whoever holds it, and reports whether there was one.
func (l *Lock) ForceRelease(ctx context.Context) (released bool, err error) {
	op := l.store.begin(record.LockForce, l.name)
	defer func() {
		outcome, rows := one(released, record.Released, record.NotHeld)
		op.end(ctx, outcome, rows, err)
	}()
	rowKey := l.store.prefix + l.name
	a, err := l.store.exec(ctx, idempotent, l.store.sql.forceRelease, rowKey, rowKey)
	if err != nil {
		return false, fmt.Errorf("release lock %s: %w", shown(l.name), err)
	}
	return a.affected > 0, nil
}

// CurrentOwner returns who holds the lock, "" if nobody does.
func (l *Lock) CurrentOwner(ctx context.Context) (string, error) {
	owner, _, err := l.Holder(ctx)
	return owner, err
}

// Holder returns who holds the lock, "" if nobody does, and for how long it still lasts if it is not refreshed.
func (l *Lock) Holder(ctx context.Context) (holder string, ttl time.Duration, err error) {
	op := l.store.begin(record.LockOwner, l.name)
	defer func() {
		outcome, rows := one(holder != "", record.Held, record.NotHeld)
		op.end(ctx, outcome, rows, err)
	}()
	holder, ttl, err = l.current(ctx)
	if err != nil {
		return "", 0, fmt.Errorf("owner of lock %s: %w", shown(l.name), err)
	}
	return holder, ttl, nil
}

// current returns who holds the lock and for how long yet.
func (l *Lock) current(ctx context.Context) (owner string, left time.Duration, err error) {
	var (
		rowKey          = l.store.prefix + l.name
		found           string
		expiration, now int64
	)
	err = l.store.repeat(ctx, reading, func() error {
		return l.store.read.QueryRowContext(ctx, l.store.text(l.store.sql.currentOwner), rowKey).Scan(&found, &owner, &expiration, &now)
	})
	if errors.Is(err, sql.ErrNoRows) || err == nil && found != rowKey {
		return "", 0, nil
	}
	return owner, remaining(expiration, now), err
}

// PutIfLocked stores value under key for ttl if the lock is still held by its owner, and reports whether it did. Test and write are one
// statement, so that a holder which was stalled for longer than its lock lasted cannot overwrite what the next one wrote.
//
// The ttl must be more than 0. A lock of another lock table, or another database, is refused with [ErrOtherLocks]. On a Galera cluster two
// nodes may still both let their writer pass for the moment that replication takes.
func (s *Store) PutIfLocked(ctx context.Context, lock *Lock, key string, value any, ttl time.Duration) (stored bool, err error) {
	op := s.begin(record.PutIfLocked, key)
	defer func() {
		outcome, rows := one(stored, record.Stored, record.NotStored)
		op.end(ctx, outcome, rows, err)
	}()
	defer s.memory.wrote(key)
	rowKey, column, err := s.row(key, value)
	if err == nil && ttl <= 0 {
		err = &LimitError{What: "ttl", Limit: "more than 0", Got: ttl.String()}
	}
	if err == nil && !s.sharesLocks(lock.store) {
		err = ErrOtherLocks // rather than an answer about a row of the same name
	}
	if err != nil {
		return false, fmt.Errorf("put %s under lock %s: %w", shown(key), shown(lock.name), err)
	}
	lockKey := lock.store.prefix + lock.name
	a, err := s.execFor(ctx, idempotent, ttl, s.sql.putIfLocked, rowKey, column, wholeSeconds(ttl), lockKey, lockKey, lock.owner)
	if err != nil {
		return false, fmt.Errorf("put %s under lock %s: %w", shown(key), shown(lock.name), err)
	}
	return s.dialect.fencedWrite(a), nil
}

// sharesLocks reports whether the other store's locks stand in this one's lock table: both are over one pool, or were opened for one database.
func (s *Store) sharesLocks(other *Store) bool {
	sameDatabase := s.write == other.write || s.place != "" && s.place == other.place
	return sameDatabase && s.lockTable == other.lockTable
}
