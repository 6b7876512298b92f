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

// A pruneRound is what it took once to delete half of a table of a million rows.
type pruneRound struct {
	pruned, one pruning
	each        time.Duration // for a single key
	calm        waits
}

// A pruning is how long a deletion took, and a light writer had to wait meanwhile.
type pruning struct {
	took  time.Duration
	waits waits
}

// pruneBacklog prunes half of a table of a million rows, and has the same done by one DELETE and, for some of them, key by key: three times, because
// each takes so long that a machine has many chances to be busy with something else.
func (s *subject) pruneBacklog(tb testing.TB) []result {
	tb.Helper()
	const rounds = 3
	var (
		toOne, toEach, stall   []float64
		took, one, each        []float64
		pruned, unbounded, was waits
	)
	for range rounds {
		r := s.pruneOnce(tb)
		toOne = append(toOne, r.pruned.took.Seconds()/r.one.took.Seconds())
		toEach = append(toEach, r.pruned.took.Seconds()/(r.each*(million/2)).Seconds())
		stall = append(stall, r.pruned.waits.usualWorst()-r.calm.usualWorst())
		took, one, each = append(took, float64(r.pruned.took)), append(one, float64(r.one.took)), append(each, float64(r.each))
		pruned.windows = append(pruned.windows, r.pruned.waits.windows...)
		unbounded.windows = append(unbounded.windows, r.one.waits.windows...)
		was.windows = append(was.windows, r.calm.windows...)
	}
	larder := duration(median(took))
	return []result{
		{
			kind: ratio, name: "prune-500000", value: median(toOne), goal: 4, larder: larder,
			reference: duration(median(one)) + ", one DELETE",
		},
		{
			kind: ratio, name: "prune-500000-by-key-no-wait", value: median(toEach), larder: larder,
			reference: duration(median(each)) + " a row, a DELETE for each key; the server does not wait for its disk",
		},
		{
			kind: milliseconds, name: "prune-500000-writers", value: inMilliseconds(median(stall)), goal: 100,
			larder: fmt.Sprintf("a write waited %s, %s at most of all", duration(pruned.usualWorst()), duration(float64(pruned.worst()))),
			reference: fmt.Sprintf("%s and %s without pruning; %s at most while one DELETE runs",
				duration(was.usualWorst()), duration(float64(was.worst())), duration(float64(unbounded.worst()))),
		},
	}
}

// pruneOnce is a round. The keys that are deleted singly are deleted before each of the other two, half of them each time.
func (s *subject) pruneOnce(tb testing.TB) pruneRound {
	tb.Helper()
	const expired, sample = million / 2, 2000
	run := func(want int64, remove func() (int64, error)) pruning {
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
		return pruning{took, stalls}
	}
	keyByKey := func() time.Duration {
		return run(sample, func() (int64, error) { return s.deleteKeyByKey(sample) }).took
	}
	var r pruneRound
	s.fill(tb, "old", expired, lastDay)
	r.calm = run(0, func() (int64, error) { time.Sleep(4 * window); return 0, nil }).waits
	singly := keyByKey()
	r.pruned = run(expired-sample, func() (int64, error) {
		res, err := s.store.Prune(context.Background(), store.PruneOptions{})
		return res.Expired, err
	})
	s.fill(tb, "old", expired, lastDay)
	singly += keyByKey()
	r.one = run(expired-sample, func() (int64, error) { return s.affected("DELETE FROM cache WHERE expiration<=UNIX_TIMESTAMP()") })
	r.each = singly / (2 * sample)
	return r
}

// pruneByKey compares pruning a tenth of a table with a DELETE for each key. Its server should wait for its disk at each commit, as servers do in
// production: what a batch saves are commits.
func (s *subject) pruneByKey(tb testing.TB) []result {
	tb.Helper()
	const rounds, live, expired, sample = 3, 180_000, 20_000, 1000
	s.fill(tb, "live", live, inADay)
	var ratios, took, each []float64
	for range rounds {
		s.fill(tb, "old", expired, lastDay)
		start := time.Now()
		n, err := s.deleteKeyByKey(sample)
		one := float64(time.Since(start)) / sample
		if err != nil || n != sample {
			tb.Fatalf("%d rows deleted key by key, want %d: %v", n, sample, err)
		}
		start = time.Now()
		res, err := s.store.Prune(context.Background(), store.PruneOptions{})
		all := float64(time.Since(start)) / (expired - sample)
		if err != nil || res.Expired != expired-sample {
			tb.Fatalf("%d rows pruned, want %d: %v", res.Expired, expired-sample, err)
		}
		ratios, took, each = append(ratios, all/one), append(took, all), append(each, one)
	}
	return []result{{
		kind: ratio, name: "prune-by-key", value: median(ratios), goal: 0.1, larder: duration(median(took)) + " a row",
		reference: duration(median(each)) + " a row, a DELETE for each key; the server waits for its disk at each commit",
	}}
}

// deleteKeyByKey deletes the first n of the old rows, as Laravel and scripts do it.
func (s *subject) deleteKeyByKey(n int) (deleted int64, err error) {
	for i := range n {
		one, err := s.affected("DELETE FROM cache WHERE `key`=? AND expiration<=UNIX_TIMESTAMP()", fillKey("old", i))
		if err != nil {
			return deleted, err
		}
		deleted += one
	}
	return deleted, nil
}

func (s *subject) affected(statement string, args ...any) (int64, error) {
	res, err := s.byHand.Exec(statement, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
