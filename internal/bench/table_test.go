package bench

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
)

const million = 1_000_000

// Expirations for fill.
const (
	inADay  = "UNIX_TIMESTAMP()+86400+n%86400"
	lastDay = "UNIX_TIMESTAMP()-1-n%86400"
)

// firstPages compares the first page of a list with reading it by hand: of all rows of the table, and of the live ones of the prefix.
func (s *subject) firstPages() []comparison {
	ctx := context.Background()
	const page = 20
	larder := func(o store.ListOptions) run {
		o.Limit = page
		return timed(func() error {
			n := 0
			for _, err := range s.store.List(ctx, o) {
				if err != nil {
					return err
				}
				n++
			}
			return yes(n == page, nil)
		})
	}
	// What it takes to tell a row's type, size and time.
	const columns = "SELECT `key`,LENGTH(`value`),LEFT(`value`,300),expiration,UNIX_TIMESTAMP() FROM cache"
	byHand := func(statement string, args ...any) run {
		return timed(func() error {
			rows, err := s.byHand.QueryContext(ctx, statement, args...)
			if err != nil {
				return err
			}
			defer func() { _ = rows.Close() }()
			n := 0
			for ; rows.Next(); n++ {
				var (
					key, head             string
					size, expiration, now int64
				)
				if err := rows.Scan(&key, &size, &head, &expiration, &now); err != nil {
					return err
				}
			}
			if err := rows.Err(); err != nil {
				return err
			}
			return yes(n == page, nil)
		})
	}
	return []comparison{
		{
			name: "list-first-page", reference: "the same columns of all rows, ORDER BY key LIMIT 20", goal: 1.5,
			larder: larder(store.ListOptions{AllPrefixes: true, State: store.All}),
			other:  byHand(columns + " ORDER BY `key` LIMIT 20"),
		},
		{
			name: "list-first-page-live", reference: "the same WHERE key LIKE 'prefix%' and live", goal: 1.5,
			larder: larder(store.ListOptions{}),
			other:  byHand(columns+" WHERE `key` LIKE ? AND expiration>UNIX_TIMESTAMP() ORDER BY `key` LIMIT 20", `laravel\_cache\_%`),
		},
	}
}

// heapWhileListing returns the most memory that is in use while all rows are listed, and how many there are.
func (s *subject) heapWhileListing() (most uint64, rows int, err error) {
	for _, err := range s.store.List(context.Background(), store.ListOptions{}) {
		if err != nil {
			return 0, 0, err
		}
		if rows++; rows%2500 == 1 { // in the middle of a page too
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	return most, rows, nil
}

// listMemory compares the memory of listing a large table with that of a small one.
func listMemory(tb testing.TB, large, small *subject) []result {
	tb.Helper()
	few, fewRows, err := small.heapWhileListing()
	if err != nil {
		tb.Fatal(err)
	}
	many, manyRows, err := large.heapWhileListing()
	if err != nil {
		tb.Fatal(err)
	}
	megabytes := func(bytes uint64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }
	return []result{{
		kind: ratio, name: "list-memory", value: float64(many) / float64(few), goal: 1.25,
		larder:    fmt.Sprintf("%s, %d rows listed", megabytes(many), manyRows),
		reference: fmt.Sprintf("%s, %d rows listed", megabytes(few), fewRows),
	}}
}

// pruneBacklog prunes half of a table of a million rows, and has the same done by one DELETE and, for some of them, key by key. A light writer tells
// how long it had to wait.
func (s *subject) pruneBacklog(tb testing.TB) []result {
	tb.Helper()
	ctx := context.Background()
	const expired, sample = million / 2, 2000
	type outcome struct{ took, stall time.Duration }
	run := func(want int64, remove func() (int64, error)) outcome {
		tb.Helper()
		writers := s.startWriters(1, 5*time.Millisecond, "new", "live")
		start := time.Now()
		n, err := remove()
		took := time.Since(start)
		stalls := writers.stop()
		if err == nil {
			err = stalls.failed
		}
		if err != nil || n != want {
			tb.Fatalf("%d rows deleted, want %d: %v", n, want, err)
		}
		return outcome{took, stalls.worst()}
	}
	affected := func(statement string, args ...any) (int64, error) {
		res, err := s.byHand.Exec(statement, args...)
		if err != nil {
			return 0, err
		}
		return res.RowsAffected()
	}

	s.fill(tb, "old", expired, lastDay)
	keyByKey := run(sample, func() (n int64, err error) {
		for i := range sample {
			one, err := affected("DELETE FROM cache WHERE `key`=? AND expiration<=UNIX_TIMESTAMP()", fillKey("old", i))
			n += one
			if err != nil {
				return n, err
			}
		}
		return n, nil
	})
	each := keyByKey.took / sample
	pruned := run(expired-sample, func() (int64, error) {
		res, err := s.store.Prune(ctx, store.PruneOptions{})
		return res.Expired, err
	})
	s.fill(tb, "old", expired, lastDay)
	one := run(expired, func() (int64, error) { return affected("DELETE FROM cache WHERE expiration<=UNIX_TIMESTAMP()") })

	larder := fmt.Sprintf("%s, a write waited %s at most", duration(float64(pruned.took)), duration(float64(pruned.stall)))
	return []result{
		{
			kind: ratio, name: "prune-500000", value: pruned.took.Seconds() / one.took.Seconds(), larder: larder,
			reference: fmt.Sprintf("%s, a write waited %s, one DELETE", duration(float64(one.took)), duration(float64(one.stall))),
		},
		{
			kind: ratio, name: "prune-500000-by-key", value: pruned.took.Seconds() / (each * expired).Seconds(), larder: larder,
			reference: fmt.Sprintf("%s a row, a DELETE for each key", duration(float64(each))),
		},
	}
}
