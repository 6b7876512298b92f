package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/larder-cache/larder/store/php"
	"github.com/larder-cache/larder/store/record"
)

// column returns the text that stores value: php.Marshal's serialization, or base64 of it where Laravel has it so.
func (s *Store) column(value any) (string, error) {
	serialized, err := php.Marshal(value)
	if err != nil {
		return "", err
	}
	return s.dialect.toColumn(string(serialized))
}

// row returns what a write of key needs, or why the table cannot hold it.
func (s *Store) row(key string, value any) (rowKey, column string, err error) {
	if rowKey, err = s.rowKey(key); err != nil {
		return "", "", err
	}
	column, err = s.column(value)
	return rowKey, column, err
}

// Put stores value under key for ttl, whatever was there. The ttl is rounded up to whole seconds; a ttl of zero or less forgets
// the key, as in Laravel; [ForeverTTL] is forever, as Forever has it.
//
// Put returns a LimitError for a key or value that the table cannot hold exactly, and php's errors for a value that has no PHP
// form. On a column with a case-insensitive collation it takes over the row of a look-alike key, as Laravel's does.
//
// Laravel's put (10.32 to 13) answers false on MySQL when the row is already identical; here that is success.
func (s *Store) Put(ctx context.Context, key string, value any, ttl time.Duration) (err error) {
	op := s.begin(record.Put, key)
	defer func() { op.end(ctx, storedFor(ttl), 1, err) }()
	defer s.memory.wrote(key)
	rowKey, column, err := s.row(key, value)
	if err == nil && ttl <= 0 {
		_, err = s.forget(ctx, key)
	} else if err == nil {
		_, err = s.execFor(ctx, idempotent, ttl, s.sql.put+s.sql.putRow+s.sql.putTail, rowKey, column, wholeSeconds(ttl))
	}
	if err != nil {
		return fmt.Errorf("put %s: %w", shown(key), err)
	}
	return nil
}

// Forever stores value under key for [ForeverTTL]. In a table whose expiration column is INT (any table that Laravel before 12.55
// made) that would be too late from 2028-01-22 on; the row then expires when the column ends, on 2038-01-19. So it is with that ttl in
// every method that stores a value; another one that is too late for the column is a LimitError.
func (s *Store) Forever(ctx context.Context, key string, value any) (err error) {
	op := s.begin(record.Forever, key)
	defer func() { op.end(ctx, record.Stored, 1, err) }()
	defer s.memory.wrote(key)
	rowKey, column, err := s.row(key, value)
	if err == nil {
		_, err = s.execFor(ctx, idempotent, ForeverTTL, s.sql.put+s.sql.putRow+s.sql.putTail, rowKey, column, wholeSeconds(ForeverTTL))
	}
	if err != nil {
		return fmt.Errorf("put %s: %w", shown(key), err)
	}
	return nil
}

// execFor is exec for a statement that makes rows expire after ttl. Forever ends with the column, where that ends too soon.
func (s *Store) execFor(ctx context.Context, e effect, ttl time.Duration, statement string, args ...any) (a answer, err error) {
	err = s.clamping(ttl, statement, func(statement string) error {
		a, err = s.exec(ctx, e, statement, args...)
		return err
	})
	return a, err
}

// clamping runs a statement, and if the column cannot hold the expiration of a row that is to live forever, runs it again so that the row ends
// with the column.
func (s *Store) clamping(ttl time.Duration, statement string, run func(statement string) error) error {
	err := run(statement)
	if ttl == ForeverTTL && s.sql.expiresClamped != "" && isExpirationLimit(err) {
		err = run(strings.ReplaceAll(statement, s.sql.expires, s.sql.expiresClamped))
	}
	return err
}

// isExpirationLimit reports whether the server refused an expiration that its column cannot hold.
func isExpirationLimit(err error) bool {
	var limit *LimitError
	return errors.As(err, &limit) && limit.What == whatExpiration
}

// maxBatch bounds the bytes of values in one statement of PutMany, well below every server's default max_allowed_packet (16 MiB).
const maxBatch = 4 << 20

// PutMany stores all values for ttl, or none: everything is checked before the first row is written, and what does not fit one
// statement (1,000 rows, 4 MiB) is written in one transaction. A ttl of zero or less forgets the keys.
//
// Of keys that the column's collation equates, the one that sorts last keeps the row.
func (s *Store) PutMany(ctx context.Context, values map[string]any, ttl time.Duration) (err error) {
	op := s.begin(record.PutMany, "")
	defer func() { op.endPutMany(ctx, values, storedFor(ttl), err) }()
	defer s.memory.wroteMany(values)
	if len(values) == 0 {
		return nil
	}
	batches, err := s.batches(values, wholeSeconds(ttl))
	if err == nil && ttl <= 0 {
		for key := range values {
			if _, err = s.forget(ctx, key); err != nil {
				break
			}
		}
	} else if err == nil && len(batches) == 1 {
		_, err = s.execFor(ctx, idempotent, ttl, s.putStatement(batches[0], s.sql.putRow), batches[0]...)
	} else if err == nil {
		err = s.clamping(ttl, s.sql.putRow, func(row string) error {
			return s.repeat(ctx, idempotent, func() error { return s.putAll(ctx, batches, row) })
		})
	}
	if err != nil {
		return fmt.Errorf("put %d keys: %w", len(values), err)
	}
	return nil
}

// batches returns the arguments of one put statement after another. Keys are in order, so that concurrent calls lock rows in one
// order and do not deadlock.
func (s *Store) batches(values map[string]any, seconds int64) ([][]any, error) {
	var (
		batches [][]any
		batch   []any
		size    int
	)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		rowKey, column, err := s.row(key, values[key])
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", shown(key), err)
		}
		if len(batch) == maxList*rowArgs || len(batch) > 0 && size+len(column) > maxBatch {
			batches, batch, size = append(batches, batch), nil, 0
		}
		batch, size = append(batch, rowKey, column, seconds), size+len(column)
	}
	return append(batches, batch), nil
}

const rowArgs = 3 // row key, value, seconds

// putStatement puts as many rows as the batch has, of which each is written as row.
func (s *Store) putStatement(batch []any, row string) string {
	return s.sql.put + row + strings.Repeat(","+row, len(batch)/rowArgs-1) + s.sql.putTail
}

func (s *Store) putAll(ctx context.Context, batches [][]any, row string) error {
	row = s.text(row) // before there is a connection: an injected clock may use the store
	return s.inTransaction(ctx, func(tx *sqlx.Tx) error {
		for _, batch := range batches {
			if _, err := tx.ExecContext(ctx, s.putStatement(batch, row), batch...); err != nil {
				return err
			}
		}
		return nil
	})
}

// inTransaction commits what do does, or nothing. Until the commit is sent, nothing is applied, whatever the error.
func (s *Store) inTransaction(ctx context.Context, do func(*sqlx.Tx) error) error {
	tx, err := s.write.BeginTxx(ctx, nil)
	if err != nil {
		return uncommittedError{err}
	}
	err = do(tx)
	if ended := ctx.Err(); ended != nil && (err == nil || errors.Is(err, sql.ErrTxDone)) {
		err = ended // with which the transaction is rolled back
	}
	if err != nil {
		_ = tx.Rollback() // the error that led here says more
		return uncommittedError{err}
	}
	if err = tx.Commit(); errors.Is(err, sql.ErrTxDone) {
		return uncommittedError{ctx.Err()}
	}
	return err
}

// Add stores value under key for ttl if the key is absent or expired, and reports whether it did.
//
// It is one statement and atomic across processes: of any number of concurrent Adds of an absent key, exactly one returns true.
// The ttl is rounded up to whole seconds; a ttl of zero or less stores nothing and returns false.
//
// Add returns [ErrLookalikeKey] if the column's collation equates key with a live row's different key, and [ErrOutcomeUnknown]
// if the connection was lost before the server's answer arrived.
//
// Laravel's add (10.33 to 13) is a read followed by INSERT IGNORE, which cuts keys longer than 255 characters and stores invalid
// text; this one refuses both.
func (s *Store) Add(ctx context.Context, key string, value any, ttl time.Duration) (added bool, err error) {
	op := s.begin(record.Add, key)
	defer func() {
		outcome, rows := one(added, record.Stored, record.NotStored)
		op.end(ctx, outcome, rows, err)
	}()
	return s.add(ctx, key, value, ttl)
}

func (s *Store) add(ctx context.Context, key string, value any, ttl time.Duration) (bool, error) {
	defer s.memory.wrote(key)
	rowKey, column, err := s.row(key, value)
	if err != nil {
		return false, fmt.Errorf("add %s: %w", shown(key), err)
	}
	if ttl <= 0 {
		return false, nil
	}
	a, err := s.execFor(ctx, once, ttl, s.sql.add, rowKey, column, wholeSeconds(ttl))
	if err != nil {
		return false, fmt.Errorf("add %s: %w", shown(key), err)
	}
	switch s.dialect.added(a) {
	case lookalike:
		return false, fmt.Errorf("add %s: %w", shown(key), s.namedLookalike(ctx, rowKey))
	case held:
		return false, nil
	}
	return true, nil
}

// namedLookalike is ErrLookalikeKey with the key of the row that rowKey's look-alike has, if it still has it and can be read.
func (s *Store) namedLookalike(ctx context.Context, rowKey string) error {
	found, _, _, err := s.rowOf(ctx, rowKey)
	if err != nil || found == rowKey {
		return ErrLookalikeKey
	}
	return fmt.Errorf("%w: %s", ErrLookalikeKey, shown(strings.TrimPrefix(found, s.prefix)))
}

// Touch makes the live row of key expire after ttl from now, and reports whether there was one. A ttl of zero or less forgets the
// key and reports whether there was a row.
//
// Laravel's touch (13.0 and later) answers false on MySQL when the expiration is already the same; here that is true.
func (s *Store) Touch(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	op := s.begin(record.Touch, key)
	touched, err := s.touch(ctx, key, ttl)
	then := record.Hit
	if ttl <= 0 {
		then = record.Forgotten
	}
	outcome, rows := one(touched, then, record.Miss)
	op.end(ctx, outcome, rows, err)
	if err != nil {
		return false, fmt.Errorf("touch %s: %w", shown(key), err)
	}
	return touched, nil
}

func (s *Store) touch(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	if ttl <= 0 {
		return s.forget(ctx, key)
	}
	defer s.memory.wrote(key)
	rowKey := s.prefix + key
	a, err := s.execFor(ctx, idempotent, ttl, s.sql.touch, wholeSeconds(ttl), rowKey, rowKey)
	return err == nil && s.dialect.extended(a), err
}

// Forget deletes the row of key, live or expired, and the row in which Laravel's Cache::flexible keeps the time of its value, and
// reports whether there was one. Laravel's forget always answers true.
func (s *Store) Forget(ctx context.Context, key string) (bool, error) {
	op := s.begin(record.Forget, key)
	gone, err := s.forget(ctx, key)
	outcome, rows := one(gone, record.Forgotten, record.Miss)
	op.end(ctx, outcome, rows, err)
	if err != nil {
		return false, fmt.Errorf("forget %s: %w", shown(key), err)
	}
	return gone, nil
}

func (s *Store) forget(ctx context.Context, key string) (bool, error) {
	defer s.memory.forgot(key)
	rowKey, companion := s.prefix+key, s.prefix+companionPrefix+key
	a, err := s.exec(ctx, idempotent, s.sql.forget, rowKey, companion, rowKey, companion)
	return a.affected > 0, err
}

// maxDelete is how many rows one DELETE names. From 200 on, MySQL and MariaDB stop counting the rows of each key
// (eq_range_index_dive_limit) and may read the whole table instead.
const maxDelete = 199

// Flush deletes every row whose row key begins with the store's prefix, live or expired, and returns how many there were. Rows of
// other prefixes and locks are left alone. It returns [ErrNoPrefix] if the store has no prefix.
//
// It works in batches; if it is stopped, the rows that are left are untouched. Laravel's flush deletes all of the table, whatever
// the prefix.
func (s *Store) Flush(ctx context.Context) (int64, error) {
	return s.FlushWithProgress(ctx, false, nil)
}

// FlushAll deletes every row of the table, whatever its prefix, and returns how many there were. Locks are left alone. It works in
// batches, as Flush does.
func (s *Store) FlushAll(ctx context.Context) (int64, error) {
	return s.FlushWithProgress(ctx, true, nil)
}

// FlushWithProgress is Flush, or FlushAll if all prefixes are meant, and calls progress, unless it is nil, with the number of rows that are
// deleted so far after each statement. When ctx ends, a statement that is under way may go on for up to two seconds, so that it is counted.
func (s *Store) FlushWithProgress(ctx context.Context, allPrefixes bool, progress func(deleted int64)) (deleted int64, err error) {
	defer s.memory.wroteAll()
	op := s.begin(record.Flush, "")
	defer func() { op.end(ctx, record.Forgotten, deleted, err) }()
	prefix := s.prefix
	switch {
	case allPrefixes:
		prefix = ""
	case prefix == "":
		return 0, ErrNoPrefix
	}
	deleted, err = s.flush(ctx, s.sql.keys, s.sql.deleteKeys, prefix, func(n int64) {
		if deleted = n; progress != nil { // which may panic
			progress(n)
		}
	})
	if err != nil {
		return deleted, fmt.Errorf("flush: %w", err)
	}
	return deleted, nil
}

// flush goes through the keys of a table once, in their order, so that it ends although others go on writing.
func (s *Store) flush(ctx context.Context, read, remove, prefix string, progress func(int64)) (deleted int64, err error) {
	err = s.withPrefix(prefix, func(condition string, args []any) error {
		rows := selection{read: read, where: []string{condition}, args: args, order: s.sql.byKey, limit: maxDelete}
		for {
			keys, err := s.keys(ctx, rows)
			if err != nil || len(keys) == 0 {
				return err
			}
			// The prefix is tested again, because a look-alike of another prefix may have taken a row over since its key was read.
			a, err := s.execBatch(ctx, idempotent, remove+tuple(len(keys))+and(condition), append(anys(keys), args...)...)
			deleted += a.affected
			if err != nil {
				return err
			}
			if progress != nil {
				progress(deleted)
			}
			rows.after = keys[len(keys)-1]
		}
	})
	return deleted, s.noRowsIfNotStorable(err)
}

// anys returns row keys as the arguments of a statement.
func anys(keys []string) []any {
	args := make([]any, len(keys))
	for i, key := range keys {
		args[i] = key
	}
	return args
}
