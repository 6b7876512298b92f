package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/larder-cache/larder/store/php"
	"github.com/larder-cache/larder/store/record"
)

// An Item is one live row.
type Item struct {
	Key        string        // without prefix
	Raw        []byte        // the value in PHP's serialization
	Expiration int64         // Unix seconds, as in the column
	TTL        time.Duration // how long the row still lived, by the database server's clock, when it was read; more than 0

	stored []byte // the column's own text, which Raw is decoded from
	now    int64  // what the server's clock said when the row was read, in Unix seconds
}

// Decode decodes the item's value into dst as php.Unmarshal does, and returns ErrCorrupt if the stored bytes are no PHP
// serialization.
func (i Item) Decode(dst any) error {
	err := php.Unmarshal(i.Raw, dst)
	var syntax *php.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// Get decodes the live value of key into dst, which is a pointer as for php.Unmarshal. It returns ErrNotFound if there is no live
// row, ErrCorrupt if its bytes are no PHP serialization, and php's errors if the value does not fit dst.
//
// A stored null is a value here; Laravel's get cannot tell it from a miss.
//
// A store with a memory (WithMemory) answers from it what it holds, and does not look at ctx then.
func (s *Store) Get(ctx context.Context, key string, dst any) error {
	if r := s.memory.live(key); r != nil {
		return s.getRemembered(ctx, r, key, dst)
	}
	return s.getAsked(ctx, key, dst) // apart, because what it defers would cost a value in memory a tenth of its time
}

func (s *Store) getAsked(ctx context.Context, key string, dst any) (err error) {
	op := s.begin(record.Get, key)
	defer func() { op.end(ctx, record.Hit, 1, err) }()
	item, err := s.itemToRemember(ctx, key)
	if err == nil {
		err = item.Decode(dst)
	}
	if err != nil {
		return fmt.Errorf("get %s: %w", shown(key), err)
	}
	return nil
}

// Item returns the live row of key, with its remaining time. It returns ErrNotFound if there is none.
func (s *Store) Item(ctx context.Context, key string) (item Item, err error) {
	op := s.begin(record.Get, key)
	if r := s.memory.live(key); r != nil {
		defer op.end(ctx, record.MemoryHit, 1, nil)
		return s.memory.item(key, r), nil
	}
	defer func() { op.end(ctx, record.Hit, 1, err) }()
	item, err = s.itemToRemember(ctx, key)
	if err != nil {
		return Item{}, fmt.Errorf("get %s: %w", shown(key), err)
	}
	return item, nil
}

// item reads the live row of key from the database, whatever the store's memory holds.
func (s *Store) item(ctx context.Context, key string) (Item, error) {
	rowKey := s.prefix + key
	var (
		found string
		item  = Item{Key: key}
	)
	err := s.repeat(ctx, reading, func() error {
		return s.read.QueryRowContext(ctx, s.text(s.sql.get), rowKey).Scan(&found, &item.stored, &item.Expiration, &item.now)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && (found != rowKey || item.Expiration <= item.now):
		return Item{}, ErrNotFound
	case err != nil:
		return Item{}, err
	}
	item.Raw = s.dialect.fromColumn(item.stored)
	item.TTL = remaining(item.Expiration, item.now)
	return item, nil
}

// remaining is the time from now to the expiration, both in Unix seconds, or the longest that a Duration holds, which is 292 years.
func remaining(expiration, now int64) time.Duration {
	const most = int64(math.MaxInt64 / time.Second)
	switch {
	case now > 0 && expiration < math.MinInt64+now:
		return -time.Duration(most) * time.Second
	case now < 0 && expiration > math.MaxInt64+now:
		return time.Duration(most) * time.Second
	}
	return time.Duration(max(-most, min(expiration-now, most))) * time.Second
}

// Has reports whether key has a live row, without reading its value. A stored null counts, unlike in Laravel, whose has reads and
// decodes the value.
func (s *Store) Has(ctx context.Context, key string) (live bool, err error) {
	op := s.begin(record.Has, key)
	if s.memory.live(key) != nil {
		op.end(ctx, record.MemoryHit, 1, nil)
		return true, nil
	}
	defer func() {
		outcome, rows := one(live, record.Hit, record.Miss)
		op.end(ctx, outcome, rows, err)
	}()
	rowKey := s.prefix + key
	found, expiration, now, err := s.rowOf(ctx, rowKey)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("has %s: %w", shown(key), err)
	}
	return found == rowKey && expiration > now, nil
}

// rowOf returns the row key under which the column's collation finds rowKey's row, which may be a look-alike, with its expiration and the time.
func (s *Store) rowOf(ctx context.Context, rowKey string) (found string, expiration, now int64, err error) {
	err = s.repeat(ctx, reading, func() error {
		return s.read.QueryRowContext(ctx, s.text(s.sql.has), rowKey).Scan(&found, &expiration, &now)
	})
	return found, expiration, now, err
}

// Row returns the row of key as it stands in the table, live or expired. It returns ErrNotFound if there is none.
func (s *Store) Row(ctx context.Context, key string) (row Row, err error) {
	op := s.begin(record.Row, key)
	defer func() { op.end(ctx, record.Hit, 1, err) }()
	rowKey := s.prefix + key
	rows, err := s.exportRows(ctx, []any{rowKey})
	r, found := rows[rowKey]
	if err == nil && !found {
		err = ErrNotFound
	}
	if err != nil {
		return Row{}, fmt.Errorf("row %s: %w", shown(key), err)
	}
	r.Key = key
	return r, nil
}

// maxList is how many keys or rows go into one statement.
const maxList = 1000

// Many returns the live rows of the keys that have one, by key. It is one statement for every 1,000 distinct keys, and asks the database
// whatever the store's memory holds.
func (s *Store) Many(ctx context.Context, keys ...string) (found map[string]Item, err error) {
	op := s.begin(record.Many, "")
	defer func() { op.endMany(ctx, keys, found, err) }()
	wanted := make(map[string]string, len(keys)) // row key to key
	rowKeys := make([]any, 0, len(keys))
	for _, key := range keys {
		rowKey := s.prefix + key
		if _, dup := wanted[rowKey]; !dup {
			wanted[rowKey] = key
			rowKeys = append(rowKeys, rowKey)
		}
	}
	items := make(map[string]Item, len(rowKeys))
	for len(rowKeys) > 0 {
		n := min(len(rowKeys), maxList)
		if err := s.manyOnce(ctx, rowKeys[:n], wanted, items); err != nil {
			return nil, fmt.Errorf("get %d keys: %w", len(keys), err)
		}
		rowKeys = rowKeys[n:]
	}
	return items, nil
}

func (s *Store) manyOnce(ctx context.Context, rowKeys []any, wanted map[string]string, items map[string]Item) error {
	statement := s.text(s.sql.many) + tuple(len(rowKeys))
	return s.repeat(ctx, reading, func() error {
		rows, err := s.read.QueryContext(ctx, statement, rowKeys...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var (
				found string
				item  Item
			)
			if err := rows.Scan(&found, &item.stored, &item.Expiration, &item.now); err != nil {
				return err
			}
			key, ok := wanted[found] // a look-alike of a wanted key is not wanted
			if !ok || item.Expiration <= item.now {
				continue
			}
			item.Key, item.Raw, item.TTL = key, s.dialect.fromColumn(item.stored), remaining(item.Expiration, item.now)
			items[key] = item
		}
		return rows.Err()
	})
}

// Pull decodes the live value of key into dst and forgets the key. Of any number of concurrent Pulls of one value, exactly one
// gets it; the others return ErrNotFound, or a newer value. A value that does not fit dst stays in the table.
//
// It takes three round trips. Laravel's pull is a get and a forget, which two callers can interleave.
func (s *Store) Pull(ctx context.Context, key string, dst any) (err error) {
	op := s.begin(record.Pull, key)
	defer func() { op.end(ctx, record.Hit, 1, err) }()
	defer s.memory.forgot(key)
	rowKey := s.prefix + key
	var last conflict
	for {
		item, err := s.item(ctx, key)
		if err == nil {
			err = item.Decode(dst)
		}
		if err == nil {
			err = last.again(item)
		}
		if err != nil {
			return fmt.Errorf("pull %s: %w", shown(key), err)
		}
		// The companion goes first: without it the value is only taken for older than it is, should the next step fail.
		companion := s.prefix + companionPrefix + key
		if _, err := s.exec(ctx, idempotent, s.sql.forget, companion, companion, companion, companion); err != nil {
			return fmt.Errorf("pull %s: %w", shown(key), err)
		}
		taken, err := s.exec(ctx, once, s.sql.take, rowKey, rowKey, string(item.stored), item.Expiration)
		if err != nil {
			return fmt.Errorf("pull %s: %w", shown(key), err)
		}
		if taken.affected > 0 {
			return nil
		}
	}
}

// A conflict tells whether a compare-and-swap makes headway. A row that was changed by somebody else in between is a reason to try again; one
// that is the same as before, and that the server nevertheless did not find by its own bytes, is not.
type conflict struct {
	seen  Item
	times int
}

func (c *conflict) again(now Item) error {
	if now.Expiration != c.seen.Expiration || !bytes.Equal(now.stored, c.seen.stored) {
		*c = conflict{seen: now}
		return nil
	}
	if c.times++; c.times > 3 {
		return errors.New("the server does not find the row by the bytes that it returned: is a column neither text nor binary?")
	}
	return nil
}
