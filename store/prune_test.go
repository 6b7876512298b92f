package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

// backlog inserts rows of 100 bytes: some that have expired within the last day, and some that are live for an hour or more.
func backlog(tb testing.TB, s *store.Store, expired, live int) {
	tb.Helper()
	now := "unixepoch()"
	if s.DB().DriverName() == "mysql" {
		now = "UNIX_TIMESTAMP()"
	}
	value := `s:92:"` + strings.Repeat("x", 92) + `";`
	const batch = 1000
	for from := 0; from < expired+live; from += batch {
		var tuples []string
		var args []any
		for i := from; i < min(from+batch, expired+live); i++ {
			expiration := -1 - rand.N(86400)
			if i >= expired {
				expiration = 3600 + rand.N(86400)
			}
			tuples = append(tuples, "(?,?,"+now+"+?)")
			args = append(args, fmt.Sprintf("%sbacklog:%08x", s.Prefix(), uint32(i)*2654435761), value, expiration)
		}
		if _, err := s.DB().Exec("INSERT INTO cache VALUES "+strings.Join(tuples, ","), args...); err != nil {
			tb.Fatal(err)
		}
	}
}

// While two pruners take turns at a backlog, eight writers store on keys that nobody prunes, that expire all the time and that lie expired in the
// backlog. Whatever they stored is there when they look, none of them sees an error, and the pruners are never at work both.
func TestStore_PruneNeverDeletesLiveRowsNorDisturbsWriters(t *testing.T) {
	for name, s := range map[string]*store.Store{"sqlite": openSQLite(t, store.WithPrefix("p:")), "mysql": openMySQL(t, store.WithPrefix("p:"))} {
		t.Run(name, func(t *testing.T) {
			const rows = 20_000
			backlog(t, s, rows, 0)
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
			defer cancel()
			background := context.Background() // so that the end is no error

			var (
				wg              sync.WaitGroup
				writes, pruned  atomic.Int64
				refused, worked atomic.Int64
				spans           pruneSpans
			)
			begun := time.Now()
			enough := func() bool { // three seconds, on a machine that gets so far in them
				return time.Since(begun) > 3*time.Second && worked.Load() > 0 && refused.Load() > 0 && pruned.Load() >= rows/2
			}
			for writer := range 8 {
				wg.Go(func() {
					for i := 0; ctx.Err() == nil; i++ {
						if err := writeAndLook(background, s, writer, i); err != nil {
							t.Error(err)
							return
						}
						writes.Add(1)
					}
				})
			}
			for range 2 {
				wg.Go(func() {
					for ctx.Err() == nil {
						var span pruneSpan
						res, err := s.Prune(background, store.PruneOptions{Progress: func(store.PruneProgress) { spans.extend(&span) }})
						pruned.Add(res.Expired)
						switch {
						case errors.Is(err, store.ErrPruning) && res == (store.PruneResult{}):
							refused.Add(1)
							time.Sleep(time.Millisecond)
						case err != nil:
							t.Error(err)
							return
						default:
							worked.Add(1)
							spans.done(span)
						}
						if enough() {
							cancel()
						}
					}
				})
			}
			wg.Wait()
			spans.wantApart(t)
			if worked.Load() == 0 || refused.Load() == 0 || pruned.Load() < rows/2 {
				t.Errorf("%d prunes deleted %d rows, %d were refused", worked.Load(), pruned.Load(), refused.Load())
			}
			t.Logf("%d writes, %d prunes of %d rows, %d refused", writes.Load(), worked.Load(), pruned.Load(), refused.Load())
			res, err := s.Prune(background, store.PruneOptions{})
			if err != nil || res.ExpiredLocks != 0 {
				t.Errorf("the last prune: %+v, %v", res, err)
			}
		})
	}
}

// writeAndLook stores in one of several ways and checks that what was stored is there.
func writeAndLook(ctx context.Context, s *store.Store, writer, i int) error {
	value := fmt.Sprint(writer, " ", i)
	key := fmt.Sprint("hot:", writer)
	switch i % 4 {
	case 0: // a hot key, which stays
		if err := s.Put(ctx, key, value, time.Minute); err != nil {
			return err
		}
	case 1: // a cold key of the backlog, which another writer or a pruner may have by now
		key = fmt.Sprintf("backlog:%08x", uint32(rand.N(20_000))*2654435761)
		added, err := s.Add(ctx, key, value, time.Minute)
		if err != nil || !added {
			return err
		}
	case 2: // a new key that is expired when a pruner comes
		return s.Put(ctx, fmt.Sprint("short:", writer, ":", i), value, time.Second)
	case 3: // a hot key that expires all the time, and is shared
		_, err := s.Add(ctx, "shared", value, time.Second)
		return err
	}
	var got string
	if err := s.Get(ctx, key, &got); err != nil {
		return fmt.Errorf("%s was stored a moment ago: %w", key, err)
	}
	if got != value {
		return fmt.Errorf("%s holds %q, want %q", key, got, value)
	}
	return nil
}

// A pruneSpan is the time from a pruner's first batch to its last, on a clock that all of them share and that ticks with each batch.
type pruneSpan struct{ first, last int64 }

type pruneSpans struct {
	clock atomic.Int64
	mu    sync.Mutex
	spans []pruneSpan
}

func (p *pruneSpans) extend(s *pruneSpan) {
	s.last = p.clock.Add(1)
	if s.first == 0 {
		s.first = s.last
	}
}

func (p *pruneSpans) done(s pruneSpan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.first > 0 {
		p.spans = append(p.spans, s)
	}
}

func (p *pruneSpans) wantApart(t *testing.T) {
	t.Helper()
	for i, a := range p.spans {
		for _, b := range p.spans[i+1:] {
			if a.first < b.last && b.first < a.last {
				t.Errorf("pruners were at work from %d to %d and from %d to %d", a.first, a.last, b.first, b.last)
			}
		}
	}
}

// A pruner goes on from the expiration of the last row that it has read, of which there may be more.
func TestStore_PruneOfMoreRowsOfOneSecondThanItReadsAtATime(t *testing.T) {
	for name, s := range map[string]*store.Store{"sqlite": openSQLite(t, store.WithPrefix("p:")), "mysql": openMySQL(t, store.WithPrefix("p:"))} {
		fill := func(rows int, expiration int64) {
			t.Helper()
			key := "CONCAT('p:', n)"
			if name == "sqlite" {
				key = "'p:' || n"
			}
			_, err := s.DB().Exec(fmt.Sprintf("INSERT INTO cache WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r WHERE n < %d)"+
				" SELECT %s, 'i:1;', %d FROM r", rows, key, expiration))
			if err != nil {
				t.Fatal(err)
			}
		}
		if name == "mysql" {
			s.DB().SetMaxOpenConns(1)
			for _, limit := range []string{"cte_max_recursion_depth", "max_recursive_iterations"} { // MySQL's and MariaDB's, of 1,000
				_, _ = s.DB().Exec("SET " + limit + " = 100000") // neither has both
			}
		}
		const expired, live = 101 * 199, 51 * 199 // a page and a batch of each
		fill(expired, 1)
		if res, err := s.Prune(t.Context(), store.PruneOptions{}); err != nil || res.Expired != expired {
			t.Errorf("%s: %+v, %v; want all of %d", name, res, err, expired)
		}
		fill(live, time.Now().Unix()+3600)
		if res, err := s.Prune(t.Context(), store.PruneOptions{MaxRows: 1}); err != nil || res.Evicted != live-1 {
			t.Errorf("%s: %+v, %v; want all of %d but one", name, res, err, live)
		}
	}
}

// A DELETE whose answer was lost has mostly been applied, and to repeat it finds nothing. Counted as nothing, it would cost as many live rows again.
func TestStore_PruneByABoundIsExactWhenAnAnswerIsLost(t *testing.T) {
	for name, o := range map[string]store.PruneOptions{
		"rows":  {MaxRows: 500},
		"bytes": {MaxBytes: 500 * 100},
		"both":  {MaxRows: 500, MaxBytes: 1000 * 100},
	} {
		t.Run(name, func(t *testing.T) {
			wire := newWire()
			cfg := migrated(t, testdb.MySQL(t)).Config()
			cfg.InterpolateParams, cfg.MaxAllowedPacket, cfg.DialFunc, cfg.Logger = true, 64<<20, wire.dial, &mysql.NopLogger{}
			s := newStore(t, cfg, store.WithPrefix("p:"))
			backlog(t, s, 0, 1000)
			wire.loseNextAnswerTo("DELETE FROM `cache`")
			var batches []int64
			o.Progress = func(p store.PruneProgress) { batches = append(batches, p.Evicted) }
			res, err := s.Prune(t.Context(), o)
			if err != nil || res.Evicted != 500 || o.MaxBytes > 0 && res.EvictedBytes != 500*100 || !slices.Equal(batches, []int64{199, 398, 500}) {
				t.Errorf("%+v in %d, %v; want 500 rows of 100 bytes", res, batches, err)
			}
			if left, err := s.CountRows(t.Context(), store.All, true); err != nil || left != 500 {
				t.Errorf("%d rows are left, %v; want 500", left, err)
			}
		})
	}
}

// So it is when a row that the lost batch has deleted is written again before Prune looks: it is not gone.
func TestStore_PruneByABoundCountsARowThatIsWrittenAgain(t *testing.T) {
	wire := newWire()
	cfg := migrated(t, testdb.MySQL(t)).Config()
	cfg.InterpolateParams, cfg.MaxAllowedPacket, cfg.DialFunc, cfg.Logger = true, 64<<20, wire.dial, &mysql.NopLogger{}
	var writer *store.Store
	losing := false
	s := newStore(t, cfg, store.WithPrefix("p:"), store.WithClock(func() time.Time {
		if losing && wire.loseTo.Load() == nil {
			losing = false
			if err := writer.Put(t.Context(), "soonest", "again", 100*time.Hour); err != nil {
				t.Error(err)
			}
		}
		return time.Now()
	}))
	writer, err := store.New(s.DB(), store.WithPrefix("p:"))
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Put(t.Context(), "soonest", 1, time.Minute); err != nil {
		t.Fatal(err)
	}
	backlog(t, s, 0, 999)
	wire.loseNextAnswerTo("DELETE FROM `cache`")
	losing = true
	if _, err := s.Prune(t.Context(), store.PruneOptions{MaxRows: 500}); err != nil {
		t.Fatal(err)
	}
	if left, err := s.CountRows(t.Context(), store.All, true); err != nil || left != 500 || losing {
		t.Errorf("%d rows are left, %v; want 500", left, err)
	}
	if err := s.Get(t.Context(), "soonest", new(string)); err != nil {
		t.Error(err)
	}
}

// A row that cannot be deleted keeps neither Prune nor the other rows. Here a trigger keeps it.
func TestStore_PruneEndsWhereARowCannotBeDeleted(t *testing.T) {
	ctx, s := t.Context(), openSQLite(t, store.WithPrefix("p:"))
	backlog(t, s, 300, 0)
	_, err := s.DB().Exec("INSERT INTO cache VALUES ('p:stays', 'i:1;', 1); " +
		"CREATE TRIGGER keep BEFORE DELETE ON cache WHEN old.key = 'p:stays' BEGIN SELECT RAISE(IGNORE); END")
	if err != nil {
		t.Fatal(err)
	}
	if res, err := s.Prune(ctx, store.PruneOptions{}); err != nil || res.Expired != 300 {
		t.Errorf("%+v, %v; want all but the one", res, err)
	}
	if err := errors.Join(s.Put(ctx, "stays", 1, time.Minute), s.Put(ctx, "b", 1, time.Hour), s.Put(ctx, "c", 1, 2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if res, err := s.Prune(ctx, store.PruneOptions{MaxRows: 1}); err != nil || res.Evicted != 2 {
		t.Errorf("%+v, %v; want the other two", res, err)
	}
	if res, err := s.Prune(ctx, store.PruneOptions{MaxBytes: 1}); err != nil || res.Evicted != 0 {
		t.Errorf("%+v, %v; want nothing", res, err)
	}
}

// Two cache tables may share a lock table; each has its own pruner.
func TestStore_PrunersOfTwoTablesDoNotExcludeEachOther(t *testing.T) {
	ctx := context.Background()
	s := openMySQL(t)
	if _, err := s.DB().Exec("CREATE TABLE other LIKE cache"); err != nil {
		t.Fatal(err)
	}
	other, err := store.New(s.DB(), store.WithTable("other"))
	if err != nil {
		t.Fatal(err)
	}
	backlog(t, s, 1, 0)
	inside := false
	_, err = s.Prune(ctx, store.PruneOptions{Progress: func(store.PruneProgress) {
		inside = true
		if _, err := other.Prune(ctx, store.PruneOptions{}); err != nil {
			t.Error(err)
		}
		if _, err := s.Prune(ctx, store.PruneOptions{}); !errors.Is(err, store.ErrPruning) {
			t.Errorf("error is %v, want ErrPruning", err)
		}
	}})
	if err != nil || !inside {
		t.Errorf("%v, inside %v", err, inside)
	}
}

// A latin1 table, whose columns the connection's characters must be converted for, is pruned as any other.
func TestStore_PruneLatin1Columns(t *testing.T) {
	ctx := context.Background()
	s := onColumns(t, "latin1", "latin1_swedish_ci", store.WithPrefix("é_"))
	for i, key := range []string{"a", "ü", "c"} {
		if err := s.Put(ctx, key, i, time.Duration(i+1)*time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.DB().Exec("INSERT INTO cache VALUES ('é_alt', 'i:1;', 1), ('x_a', 'i:1;', UNIX_TIMESTAMP() + 1000)"); err != nil {
		t.Fatal(err)
	}
	res, err := s.Prune(ctx, store.PruneOptions{MaxRows: 1})
	if err != nil || res.Expired != 1 || res.Evicted != 2 {
		t.Errorf("%+v, %v", res, err)
	}
	st, err := s.Stats(ctx, store.StatsOptions{})
	if err != nil || st.Rows != 1 || st.Others.Rows != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	japanese, err := store.New(s.DB(), store.WithPrefix("日"))
	if err != nil {
		t.Fatal(err)
	}
	if res, err := japanese.Prune(ctx, store.PruneOptions{MaxRows: 1}); err != nil || res.Deleted() != 0 {
		t.Errorf("a prefix that latin1 cannot hold: %+v, %v", res, err)
	}
}

func TestStore_PruneAndStatsOfMissingTablesSayWhatToRun(t *testing.T) {
	ctx := context.Background()
	for name, s := range map[string]*store.Store{"sqlite": openSQLite(t), "mysql": openMySQL(t)} {
		missing, err := store.New(s.DB(), store.WithTable("nothing"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = missing.Prune(ctx, store.PruneOptions{})
		if err := expect(err, store.ErrNoTable); err != nil {
			t.Errorf("%s: prune: %v", name, err)
		}
		_, err = missing.Stats(ctx, store.StatsOptions{})
		if err := expect(err, store.ErrNoTable); err != nil {
			t.Errorf("%s: stats: %v", name, err)
		}
	}
}

// A prune of 100,000 expired rows among 300,000, beside the one DELETE that it is in place of.
func BenchmarkPrune(b *testing.B) {
	ctx := context.Background()
	prune := func(s *store.Store) (int64, error) {
		res, err := s.Prune(ctx, store.PruneOptions{})
		return res.Expired, err
	}
	for _, way := range []struct {
		name string
		run  func(*store.Store) (int64, error)
	}{
		{"Prune", prune},
		{"PruneWithoutIndex", prune},
		{"OneDelete", func(s *store.Store) (int64, error) {
			res, err := s.DB().Exec("DELETE FROM cache WHERE expiration<=UNIX_TIMESTAMP()")
			if err != nil {
				return 0, err
			}
			return res.RowsAffected()
		}},
	} {
		b.Run(way.name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				s := openMySQL(b)
				backlog(b, s, 100_000, 200_000)
				if way.name == "PruneWithoutIndex" {
					if _, err := s.DB().Exec("DROP INDEX cache_expiration_index ON cache"); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
				if n, err := way.run(s); err != nil || n != 100_000 {
					b.Fatalf("%d rows, %v", n, err)
				}
			}
		})
	}
}
