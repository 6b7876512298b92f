package bench

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
)

const (
	byHandInsert = "INSERT INTO cache (`key`,`value`,expiration) VALUES (?,?,UNIX_TIMESTAMP()+?)"
	byHandPut    = byHandInsert + " ON DUPLICATE KEY UPDATE `value`=VALUES(`value`),expiration=VALUES(expiration)"

	sameKey   = "CAST(CONVERT(`key` USING utf8mb4) AS BINARY)"
	sameOwner = "CAST(CONVERT(owner USING utf8mb4) AS BINARY)"
	newKey    = "CAST(CONVERT(VALUES(`key`) USING utf8mb4) AS BINARY)"
	newOwner  = "CAST(CONVERT(VALUES(owner) USING utf8mb4) AS BINARY)"
	live      = "expiration>UNIX_TIMESTAMP()"
	expired   = "expiration<=UNIX_TIMESTAMP()"
)

// Statements that keep store's promises: a key is itself alone whatever the column's collation equates with it, and one round trip tells what
// happened.
const (
	exactAdd = byHandInsert + " ON DUPLICATE KEY UPDATE `value`=IF(" + expired + ",VALUES(`value`),`value`),`key`=IF(" + expired + ",VALUES(`key`),`key`)," +
		"expiration=IF(" + expired + ",VALUES(expiration),IF(LAST_INSERT_ID(IF(" + sameKey + "=" + newKey + ",1,2))>0,expiration,expiration))"
	exactTouch = "UPDATE cache SET expiration=IF(LAST_INSERT_ID(IF(expiration>0,1,2))>0,UNIX_TIMESTAMP()+?,0)" +
		" WHERE `key`=? AND " + sameKey + "=CAST(? AS BINARY) AND " + live
	exactAcquire = "INSERT INTO cache_locks (`key`,owner,expiration) VALUES (?,?,UNIX_TIMESTAMP()+?) ON DUPLICATE KEY UPDATE" +
		" owner=IF(LAST_INSERT_ID(IF(" + expired + ",1,IF(" + sameKey + "<>" + newKey + ",4,IF(" + sameOwner + "=" + newOwner + ",2,3))))<3,VALUES(owner),owner)," +
		"`key`=IF(" + expired + ",VALUES(`key`),`key`)," +
		"expiration=IF(" + expired + " OR (" + sameOwner + "=" + newOwner + " AND " + sameKey + "=" + newKey + "),VALUES(expiration),expiration)"
	exactRelease = "DELETE FROM cache_locks WHERE `key`=? AND " + sameKey + "=CAST(? AS BINARY) AND " + sameOwner + "=CAST(? AS BINARY)"
)

// Statements of somebody who promises nothing. What larder's cost more is the price of what they do not do.
const (
	bareAdd     = "INSERT IGNORE INTO cache (`key`,`value`,expiration) VALUES (?,?,UNIX_TIMESTAMP()+?)"
	bareTouch   = "UPDATE cache SET expiration=UNIX_TIMESTAMP()+? WHERE `key`=? AND " + live
	bareAcquire = "INSERT INTO cache_locks (`key`,owner,expiration) VALUES (?,?,UNIX_TIMESTAMP()+?)"
	bareRelease = "DELETE FROM cache_locks WHERE `key`=? AND owner=?"
	owner       = "0123456789abcdef"
)

// payload is a value of 200 bytes, other for each n: a row that is written unchanged is none that is written.
func payload(n int) string { return fmt.Sprintf("%08d", n) + strings.Repeat("v", 192) }

// names returns n keys.
func names(what string, n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = what + ":" + strconv.Itoa(i)
	}
	return keys
}

// A turn takes its elements one after another, and again.
type turn[T any] struct {
	of   []T
	next atomic.Int64
}

func (t *turn[T]) take() T { return t.of[int(t.next.Add(1))%len(t.of)] }

func turns[T any](of []T) *turn[T] { return &turn[T]{of: of} }

// byHand compares larder with statements that somebody writes who needs just this one thing.
func (s *subject) byHandComparisons(tb testing.TB) []comparison {
	tb.Helper()
	ctx := context.Background()
	keys := names("k", 1000)
	texts, stored := make([]string, 64), make([]string, 64)
	for i := range texts {
		texts[i] = payload(i)
		stored[i] = `s:200:"` + texts[i] + `";`
	}
	for _, key := range keys {
		if err := s.store.Put(ctx, key, texts[0], time.Hour); err != nil {
			tb.Fatal(err)
		}
	}
	if err := s.store.Put(ctx, "counter", 0, time.Hour); err != nil {
		tb.Fatal(err)
	}
	key, text, row := turns(keys), turns(texts), turns(stored)

	get := func() error {
		var got string
		return s.store.Get(ctx, key.take(), &got)
	}
	getByHand := func() error { return s.getByHand(ctx, key.take()) }
	added := 0
	another := func() string { added++; return "added:" + strconv.Itoa(added) }
	add := func() error { return yes(s.store.Add(ctx, another(), text.take(), time.Hour)) }
	addByHand := func(statement string) func() error {
		return func() error { return s.statement(statement, prefix+another(), row.take(), 3600) }
	}
	seconds := 0
	later := func() int { seconds++; return 3600 + seconds%9999 } // no row is left as it was
	touch := func() error { return yes(s.store.Touch(ctx, key.take(), time.Duration(later())*time.Second)) }
	locks, every := turns(names("lock", 100)), 0
	lock := func() error {
		l := s.store.Lock(locks.take(), time.Minute)
		if err := yes(l.Acquire(ctx)); err != nil {
			return err
		}
		return yes(l.Release(ctx))
	}

	return []comparison{
		{name: "get", reference: "the same SELECT", goal: 1.10, larder: timed(get), other: timed(getByHand)},
		{
			name: "get-parallel", reference: fmt.Sprintf("the same SELECT, %d goroutines", clients), goal: 1.10,
			larder: parallel(get), other: parallel(getByHand), slice: 4 * defaultSlice,
		},
		{
			name: "put", reference: "INSERT ... ON DUPLICATE KEY UPDATE", goal: 1.10,
			larder: timed(func() error { return s.store.Put(ctx, key.take(), text.take(), time.Hour) }),
			other: timed(func() error {
				return s.statement(byHandPut, prefix+key.take(), row.take(), 3600)
			}),
		},
		{name: "add", reference: "the same INSERT ... ON DUPLICATE KEY UPDATE", goal: 1.10, larder: timed(add), other: timed(addByHand(exactAdd))},
		{name: "add-bare", reference: "INSERT IGNORE", larder: timed(add), other: timed(addByHand(bareAdd))},
		{
			name: "touch", reference: "the same UPDATE", goal: 1.10, larder: timed(touch),
			other: timed(func() error {
				rowKey := prefix + key.take()
				return s.statement(exactTouch, later(), rowKey, rowKey)
			}),
		},
		{
			name: "touch-bare", reference: "UPDATE ... WHERE key=? and live", larder: timed(touch),
			other: timed(func() error { return s.statement(bareTouch, later(), prefix+key.take()) }),
		},
		{
			name: "increment", reference: "SELECT ... FOR UPDATE and UPDATE in a transaction, as Laravel does", goal: 0.60,
			larder: timed(func() error {
				_, err := s.store.Increment(ctx, "counter", 1)
				return err
			}),
			other: timed(func() error { return s.incrementByHand(ctx, prefix+"counter") }),
		},
		{
			name: "lock", reference: "the same INSERT ... ON DUPLICATE KEY UPDATE, and DELETE", goal: 1.15, larder: timed(lock),
			other: timed(func() error {
				name := prefix + locks.take()
				if err := s.statement(exactAcquire, name, owner, 60); err != nil {
					return err
				}
				return s.statement(exactRelease, name, name, owner)
			}),
		},
		{
			name: "lock-bare", reference: "INSERT and DELETE", larder: timed(lock),
			other: timed(func() error {
				name := prefix + locks.take()
				if err := s.statement(bareAcquire, name, owner, 60); err != nil {
					return err
				}
				return s.statement(bareRelease, name, owner)
			}),
		},
		{
			name: "many-100", reference: "100 single gets by hand", goal: 0.25,
			larder: timed(func() error {
				every = (every + 100) % len(keys)
				items, err := s.store.Many(ctx, keys[every:every+100]...)
				if err == nil && len(items) != 100 {
					err = fmt.Errorf("%d of 100 rows", len(items))
				}
				return err
			}),
			other: repeated(100, getByHand),
		},
	}
}

// putMany compares 1,000 puts at once with one after another.
func (s *subject) putMany(name string, goal float64, server string) comparison {
	keys := names("k", 1000)
	sets := turns([]map[string]any{{}, {}})
	for i, set := range sets.of {
		for _, key := range keys {
			set[key] = payload(i)
		}
	}
	key, n := turns(keys), 0
	return comparison{
		name: name, reference: "1,000 single puts by hand; the server " + server, goal: goal,
		larder: timed(func() error { return s.store.PutMany(context.Background(), sets.take(), time.Hour) }),
		other: repeated(1000, func() error {
			n++
			return s.statement(byHandPut, prefix+key.take(), `s:200:"`+payload(n)+`";`, 3600)
		}),
	}
}

// yes is the error that an answer of false is here.
func yes(answer bool, err error) error {
	if err == nil && !answer {
		err = fmt.Errorf("the answer is no")
	}
	return err
}

// parallel is timed with many clients at once.
func parallel(do func() error) run {
	return func(n int) (time.Duration, error) {
		var (
			left   atomic.Int64
			failed atomic.Pointer[error]
			wg     sync.WaitGroup
		)
		left.Store(int64(n))
		start := time.Now()
		for range clients {
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					if err := do(); err != nil {
						failed.Store(&err)
						return
					}
				}
			})
		}
		wg.Wait()
		took := time.Since(start)
		if err := failed.Load(); err != nil {
			return 0, *err
		}
		return took, nil
	}
}

// repeated is timed with several calls for one.
func repeated(times int, do func() error) run {
	single := timed(do)
	return func(n int) (time.Duration, error) { return single(n * times) }
}

func (s *subject) getByHand(ctx context.Context, key string) error {
	var (
		found, value    string
		expiration, now int64
	)
	err := s.byHand.QueryRowContext(ctx, "SELECT `key`,`value`,expiration,UNIX_TIMESTAMP() FROM `cache` WHERE `key`=?", prefix+key).
		Scan(&found, &value, &expiration, &now)
	if err == nil && expiration <= now {
		err = store.ErrNotFound
	}
	return err
}

func (s *subject) incrementByHand(ctx context.Context, rowKey string) error {
	tx, err := s.byHand.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing after a commit
	var value string
	if err := tx.QueryRowContext(ctx, "SELECT `value` FROM cache WHERE `key`=? FOR UPDATE", rowKey).Scan(&value); err != nil {
		return err
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(value, "i:"), ";"), 10, 64)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE cache SET `value`=? WHERE `key`=?", "i:"+strconv.FormatInt(n+1, 10)+";", rowKey); err != nil {
		return err
	}
	return tx.Commit()
}
