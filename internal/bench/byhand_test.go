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
	byHandAdd    = byHandInsert + " ON DUPLICATE KEY UPDATE `value`=IF(expiration<=UNIX_TIMESTAMP(),VALUES(`value`),`value`)," +
		"expiration=IF(expiration<=UNIX_TIMESTAMP(),VALUES(expiration),expiration)"
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
	all := make([]map[string]any, 2)
	for i := range all {
		all[i] = map[string]any{}
		for _, key := range keys {
			all[i][key] = texts[i]
		}
		if err := s.store.PutMany(ctx, all[i], time.Hour); err != nil {
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
	putByHand := func() error { return s.statement(byHandPut, prefix+key.take(), row.take(), 3600) }
	added, addedByHand := 0, 0
	seconds := 0
	locks := turns(names("lock", 100))
	every, set := 0, turns(all)

	return []comparison{
		{name: "get", reference: "the same SELECT", goal: 1.10, larder: timed(get), other: timed(getByHand)},
		{
			name: "get-parallel", reference: fmt.Sprintf("the same SELECT, %d goroutines", clients), goal: 1.10,
			larder: parallel(get), other: parallel(getByHand), slice: 4 * defaultSlice,
		},
		{
			name: "put", reference: "INSERT ... ON DUPLICATE KEY UPDATE", goal: 1.10,
			larder: timed(func() error { return s.store.Put(ctx, key.take(), text.take(), time.Hour) }),
			other:  timed(putByHand),
		},
		{
			name: "add", reference: "INSERT ... ON DUPLICATE KEY UPDATE if expired", goal: 1.10,
			larder: timed(func() error {
				added++
				return yes(s.store.Add(ctx, "added:"+strconv.Itoa(added), text.take(), time.Hour))
			}),
			other: timed(func() error {
				addedByHand++
				return s.statement(byHandAdd, prefix+"by-hand:"+strconv.Itoa(addedByHand), row.take(), 3600)
			}),
		},
		{
			name: "touch", reference: "UPDATE of a live row", goal: 1.10,
			larder: timed(func() error {
				seconds++
				return yes(s.store.Touch(ctx, key.take(), time.Hour+time.Duration(seconds%9999)*time.Second))
			}),
			other: timed(func() error {
				seconds++
				return s.statement("UPDATE cache SET expiration=UNIX_TIMESTAMP()+? WHERE `key`=? AND expiration>UNIX_TIMESTAMP()", 3600+seconds%9999, prefix+key.take())
			}),
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
			name: "lock", reference: "INSERT and DELETE", goal: 1.15,
			larder: timed(func() error {
				lock := s.store.Lock(locks.take(), time.Minute)
				if err := yes(lock.Acquire(ctx)); err != nil {
					return err
				}
				return yes(lock.Release(ctx))
			}),
			other: timed(func() error {
				name := prefix + locks.take()
				if err := s.statement("INSERT INTO cache_locks (`key`,owner,expiration) VALUES (?,?,UNIX_TIMESTAMP()+?)", name, "0123456789abcdef", 60); err != nil {
					return err
				}
				return s.statement("DELETE FROM cache_locks WHERE `key`=? AND owner=?", name, "0123456789abcdef")
			}),
		},
		{
			name: "put-many-1000", reference: "1,000 single puts by hand", goal: 0.10,
			larder: timed(func() error { return s.store.PutMany(ctx, set.take(), time.Hour) }),
			other:  repeated(1000, putByHand),
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
