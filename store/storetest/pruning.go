package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
)

// pruneLock is the row of the lock table that a pruner of the suite's table holds.
const pruneLock = "larder:prune:cache"

var pruning = []testCase{
	{"I12 I13 I14 prune deletes the expired rows of every prefix and leaves the live ones", func(t *testing.T, h *harness) {
		h.insert("prefixold", "i:1;", start-1)
		h.insert("prefixnow", "i:1;", start) // expires this second
		h.insert("prefixbad", "garbage", 0)
		h.insert("otherold", "i:1;", start-1000)
		h.insert("prefixlive", "i:1;", start+1)
		h.insert("otherlive", "i:1;", start+1)
		h.wantPruned(store.PruneOptions{}, store.PruneResult{Expired: 4})
		h.wantRows(row{"otherlive", []byte("i:1;"), start + 1}, row{"prefixlive", []byte("i:1;"), start + 1})
		h.wantPruned(store.PruneOptions{}, store.PruneResult{})
	}},
	{"prune deletes locks only when they have expired, and its own at the end", func(t *testing.T, h *harness) {
		h.insertLock("prefixa", "gone", start)
		h.insertLock("otherb", "gone", start-1)
		h.insertLock("prefixheld", "them", start+1)
		h.wantPruned(store.PruneOptions{}, store.PruneResult{ExpiredLocks: 2})
		var locks []string
		h.must(h.db().SelectContext(h.ctx, &locks, "SELECT owner FROM cache_locks"))
		if !slices.Equal(locks, []string{"them"}) {
			t.Fatalf("locks of %q are left, want of them", locks)
		}
	}},
	{"prune deletes more rows than one statement names, and tells how far it is", func(t *testing.T, h *harness) {
		h.fill("old", 1000, func(i int) int64 { return start - int64(i/300) })
		h.fill("live", 300, func(int) int64 { return start + 1 })
		var seen []int64
		h.wantPruned(store.PruneOptions{Progress: func(p store.PruneProgress) {
			seen = append(seen, p.Deleted())
			if p.Total != 1000 {
				t.Errorf("total is %d, want 1000", p.Total)
			}
		}}, store.PruneResult{Expired: 1000})
		if !slices.Equal(seen, []int64{199, 398, 597, 796, 995, 1000}) {
			t.Errorf("progress was %d", seen)
		}
		if n := len(h.rows()); n != 300 {
			t.Fatalf("%d rows are left, want 300", n)
		}
	}},
	{"prune tells no more rows than it is to delete when more expire meanwhile", func(t *testing.T, h *harness) {
		h.fill("old", 250, func(i int) int64 { return start + int64(i/200) })
		var last store.PruneProgress
		h.wantPruned(store.PruneOptions{Progress: func(p store.PruneProgress) {
			last = p
			h.clock.Set(start + 1)
		}}, store.PruneResult{Expired: 250})
		if last.Deleted() != 250 || last.Total != 250 {
			t.Errorf("the last progress was %d of %d", last.Deleted(), last.Total)
		}
	}},
	{"prune without the index on expiration does the same and says so", func(t *testing.T, h *harness) {
		h.dropIndexes()
		h.fill("old", 2500, func(i int) int64 { return start + int64(i%2) })
		h.insertLock("prefixa", "gone", start)
		h.wantPruned(store.PruneOptions{Progress: func(p store.PruneProgress) {
			if p.Total != -1 {
				t.Errorf("total is %d, want -1: it is not cheap", p.Total)
			}
		}}, store.PruneResult{Expired: 1250, ExpiredLocks: 1, MissingIndex: true})
		for _, r := range h.rows() {
			if r.Expiration != start+1 {
				t.Fatalf("%s is left", r)
			}
		}
		h.wantPruned(store.PruneOptions{MaxRows: 1000}, store.PruneResult{Evicted: 250, MissingIndex: true})
	}},
	{"prune takes an index for one on expiration only if it begins with it and has every row", func(t *testing.T, h *harness) {
		h.dropIndexes()
		h.exec("CREATE INDEX other ON cache (`key`, expiration)")
		h.exec("CREATE INDEX locks_other ON cache_locks (expiration, owner)")
		h.wantPruned(store.PruneOptions{}, store.PruneResult{MissingIndex: true})
		if !h.isMySQL() { // which has no indexes on a part of the rows
			h.exec("CREATE INDEX part ON cache (expiration) WHERE expiration > 5")
			h.wantPruned(store.PruneOptions{}, store.PruneResult{MissingIndex: true})
		}
		h.exec("CREATE INDEX right_one ON cache (expiration, `key`)")
		h.wantPruned(store.PruneOptions{}, store.PruneResult{})
	}},
	{"prune leaves a row that is written between the reading of its key and the deletion", func(t *testing.T, h *harness) {
		h.wantWrittenRowsLeft()
	}},
	{"prune without the index leaves a row that is written in between too", func(t *testing.T, h *harness) {
		h.dropIndexes()
		h.wantWrittenRowsLeft()
	}},
	{"prune by a bound leaves a row that is written between its reading and the deletion", func(t *testing.T, h *harness) {
		h.fill("k", 100, func(int) int64 { return start + 60 })
		n := h.wantChangedRowsLeft(func(n int) {
			h.must(h.store.Put(h.ctx, fmt.Sprintf("k%05d", n), "changed", 2*time.Minute))
		})
		for i := range n {
			h.wantString(fmt.Sprintf("k%05d", i), "changed")
		}
	}},
	{"prune by a bound leaves a row that is written with the expiration of another one that goes", func(t *testing.T, h *harness) {
		ttl := func(n int) int64 { return 60 + int64(n%2) }
		h.fill("k", 100, func(i int) int64 {
			if i < 50 {
				return start + ttl(i)
			}
			return start + 90
		})
		h.wantChangedRowsLeft(func(n int) {
			h.must(h.store.Put(h.ctx, fmt.Sprintf("k%05d", n), "changed", time.Duration(ttl(n+1))*time.Second))
		})
	}},
	{"prune by a bound of bytes counts no row that was written between its reading and the deletion", func(t *testing.T, h *harness) {
		h.fill("k", 100, func(int) int64 { return start + 60 })
		n, deleting := 0, true
		s := h.hooked(func() {
			if deleting {
				h.must(h.store.Put(h.ctx, fmt.Sprintf("k%05d", n), "bar", 2*time.Minute))
				n++
			}
		})
		_, err := s.Prune(h.ctx, store.PruneOptions{MaxBytes: 500, Progress: func(store.PruneProgress) { deleting = false }})
		h.must(err)
		if left := len(h.rows()); left != 50 { // of ten bytes each
			t.Fatalf("%d bytes are left, want 500", 10*left)
		}
	}},
	{"prune by a bound leaves a look-alike that took the row over with the same expiration", func(t *testing.T, h *harness) {
		if !h.isMySQL() {
			return // there are none
		}
		h.fill("k", 100, func(int) int64 { return start + 60 })
		h.wantChangedRowsLeft(func(n int) {
			h.must(h.store.Put(h.ctx, fmt.Sprintf("K%05d", n), "theirs", time.Minute))
		})
	}},
	{"prune keeps to a number of rows, the soonest to expire go first and forever rows last", func(t *testing.T, h *harness) {
		h.must(h.store.Forever(h.ctx, "forever", 1))
		h.must(h.store.Put(h.ctx, "c", 1, 3*time.Minute))
		h.must(h.store.Put(h.ctx, "a", 1, time.Minute))
		h.must(h.store.Put(h.ctx, "b", 1, 2*time.Minute))
		h.insert("prefixold", "i:1;", start)
		h.insert("otherx", "i:1;", start+1)
		h.insert("Prefixx", "i:1;", start+1)
		h.wantPruned(store.PruneOptions{MaxRows: 4}, store.PruneResult{Expired: 1})
		h.wantPruned(store.PruneOptions{MaxRows: 2}, store.PruneResult{Evicted: 2})
		h.wantKeys("Prefixx", "otherx", "prefixc", "prefixforever")
		h.wantPruned(store.PruneOptions{MaxRows: 1}, store.PruneResult{Evicted: 1})
		h.wantKeys("Prefixx", "otherx", "prefixforever")
	}},
	{"prune spares the rows that it is told to keep, and counts them", func(t *testing.T, h *harness) {
		for key, minutes := range map[string]time.Duration{"token": 1, "it's": 2, "a": 3, "b": 4, "c": 5} {
			h.must(h.store.Put(h.ctx, key, 1, minutes*time.Minute))
		}
		h.insert("other_token", "i:1;", start+1)
		options := store.PruneOptions{MaxRows: 3, Keep: []string{"token", "it's", "missing"}}
		dry := options
		dry.DryRun = true
		h.wantPruned(dry, store.PruneResult{Evicted: 2, EvictedBytes: 8})
		h.wantPruned(options, store.PruneResult{Evicted: 2})
		h.wantKeys("other_token", "prefixc", "prefixit's", "prefixtoken")
		options.MaxRows, options.MaxBytes = 0, 1
		h.wantPruned(options, store.PruneResult{Evicted: 1, EvictedBytes: 4})
		options.AllPrefixes = true
		h.wantPruned(options, store.PruneResult{Evicted: 1, EvictedBytes: 4})
		h.wantKeys("prefixit's", "prefixtoken")
	}},
	{"prune keeps to a number of bytes", func(t *testing.T, h *harness) {
		for i := range 10 {
			h.insert(fmt.Sprint("prefixk", i), `s:3:"bar";`, start+1+int64(i))
		}
		h.insert("otherx", strings.Repeat("x", 1000), start+1)
		h.wantPruned(store.PruneOptions{MaxBytes: 100}, store.PruneResult{})
		h.wantPruned(store.PruneOptions{MaxBytes: 99}, store.PruneResult{Evicted: 1, EvictedBytes: 10})
		h.wantPruned(store.PruneOptions{MaxBytes: 75, MaxRows: 8}, store.PruneResult{Evicted: 2, EvictedBytes: 20})
		h.wantPruned(store.PruneOptions{MaxBytes: 1000, MaxRows: 3}, store.PruneResult{Evicted: 4, EvictedBytes: 40})
		h.wantKeys("otherx", "prefixk7", "prefixk8", "prefixk9")
	}},
	{"prune by a bound deletes more rows than one statement names", func(t *testing.T, h *harness) {
		h.fill("k", 1500, func(i int) int64 { return start + 1 + int64(i)%7 })
		var last store.PruneProgress
		h.wantPruned(store.PruneOptions{MaxRows: 100, Progress: func(p store.PruneProgress) { last = p }}, store.PruneResult{Evicted: 1400})
		if last.Total != 1400 || last.Deleted() != 1400 {
			t.Errorf("the last progress was %+v", last)
		}
		if n := len(h.rows()); n != 100 {
			t.Fatalf("%d rows are left, want 100", n)
		}
	}},
	{"prune with a bound wants a prefix, unless it is meant for all", func(t *testing.T, h *harness) {
		all, err := store.New(h.db(), store.WithClock(h.clock.Now))
		h.must(err)
		h.insert("prefixa", "i:1;", start+1)
		h.insert("otherb", "i:1;", start+2)
		for _, o := range []store.PruneOptions{{MaxRows: 1}, {MaxBytes: 1}, {MaxRows: -1}, {MaxBytes: -1, AllPrefixes: true}} {
			if _, err := all.Prune(h.ctx, o); !errors.As(err, new(*store.LimitError)) {
				t.Errorf("%+v: error is %v, want a LimitError", o, err)
			}
		}
		h.wantKeys("otherb", "prefixa")
		h.wantPruned(store.PruneOptions{MaxRows: 1, AllPrefixes: true}, store.PruneResult{Evicted: 1})
		h.wantKeys("otherb")
	}},
	{"prune is refused while another pruner is at work, whatever its prefix, and not after it died", func(t *testing.T, h *harness) {
		h.insert("prefixold", "i:1;", start)
		h.insertLock(pruneLock, "them", start+30)
		_, err := h.store.Prune(h.ctx, store.PruneOptions{})
		h.wantErr(err, store.ErrPruning)
		if n := len(h.rows()); n != 1 {
			t.Fatalf("%d rows are left, want 1", n)
		}
		if owner, _, _ := h.lockRow(pruneLock); owner != "them" {
			t.Fatalf("the lock is %q's", owner)
		}
		if h.isMySQL() { // a table whose name differs in case is another one on some servers, and its pruner's lock a look-alike
			h.exec("UPDATE cache_locks SET `key`='LARDER:PRUNE:CACHE'")
			_, err := h.store.Prune(h.ctx, store.PruneOptions{})
			h.wantErr(err, store.ErrPruning)
		}
		h.clock.Set(start + 30)
		h.wantPruned(store.PruneOptions{}, store.PruneResult{Expired: 1})
		if _, _, found := h.lockRow(pruneLock); found {
			t.Fatal("the lock is still there")
		}
	}},
	{"prune renews its lock, and stops when it was lost", func(t *testing.T, h *harness) {
		h.fill("old", 1000, func(int) int64 { return start })
		batches := 0
		res, err := h.store.Prune(h.ctx, store.PruneOptions{Progress: func(store.PruneProgress) {
			switch batches++; batches {
			case 1, 2: // together more than the lock's first time
				h.clock.Add(100 * time.Second)
			case 3:
				h.exec("UPDATE cache_locks SET owner = 'them'")
			}
		}})
		h.wantErr(err, store.ErrPruning)
		if res.Expired != 3*199 {
			t.Fatalf("deleted %+v, want 597 expired rows", res)
		}
		if owner, _, _ := h.lockRow(pruneLock); owner != "them" {
			t.Fatalf("the lock is %q's, want it left to its new owner", owner)
		}
	}},
	{"prune stops between batches when its context ends, tells what it did and gives the lock back", func(t *testing.T, h *harness) {
		h.fill("old", 1000, func(int) int64 { return start })
		ctx, cancel := context.WithCancel(h.ctx)
		res, err := h.store.Prune(ctx, store.PruneOptions{Progress: func(store.PruneProgress) { cancel() }})
		h.wantErr(err, context.Canceled)
		if errors.Is(err, store.ErrOutcomeUnknown) || res.Expired != 199 || len(h.rows()) != 801 {
			t.Fatalf("%+v, %v, and %d rows are left", res, err, len(h.rows()))
		}
		h.wantPruned(store.PruneOptions{}, store.PruneResult{Expired: 801})
	}},

	{"stats of an empty table are zeros", func(t *testing.T, h *harness) {
		st, err := h.store.Stats(h.ctx, store.StatsOptions{})
		h.must(err)
		if st.Count != (store.Count{}) || st.Looked != 0 || st.Sampled || len(st.Expires) != 10 || len(st.Types)+len(st.Biggest) != 0 {
			t.Fatalf("stats are %+v", st)
		}
	}},
	{"stats count rows and bytes by state, type and family, and those of others apart", func(t *testing.T, h *harness) {
		h.must(h.store.Forever(h.ctx, "forever", 1))                       // 4 bytes
		h.insert("prefixuser:1", `s:3:"bar";`, start+59)                   // 10
		h.insert("prefixuser:2", `a:0:{}`, start+60)                       // 6
		h.insert("prefixuser:old", `s:3:"bar";`, start)                    // 10
		h.insert("prefixbad", "garbage;", start+2*365*24*3600)             // 8
		h.insert("Prefixuser:3", "i:1;", start+60)                         // another prefix
		h.insert("laravel_cache_a", "i:1;", start+60)                      // another
		h.insert("my-app-cache-b.c", "i:12;", start-60)                    // another
		h.insert("illuminate:cache:flexible:created:x", "i:1;", start+100) // another
		st, err := h.store.Stats(h.ctx, store.StatsOptions{Biggest: 2})
		h.must(err)
		h.wantCount("all", st.Count, 5, 38)
		h.wantCount("live", st.Live, 4, 28)
		h.wantCount("expired", st.Expired, 1, 10)
		h.wantCount("forever", st.Forever, 1, 4)
		h.wantCount("corrupt", st.Corrupt, 1, 8)
		h.wantCount("others", st.Others, 4, 17)
		h.wantGroups("types", st.Types, "string 2 20", "corrupt 1 8", "array 1 6", "int 1 4")
		h.wantGroups("families", st.Keys.Largest, "user: 3 26", " 2 12")
		h.wantGroups("other prefixes", st.OtherPrefixes.Largest, "my-app-cache- 1 5", "Prefixuser: 1 4", "illuminate: 1 4", "laravel_cache_ 1 4")
		var expires []string
		for _, b := range st.Expires {
			expires = append(expires, fmt.Sprint(b.Name, " ", b.Rows))
		}
		want := []string{"<1m 1", "<10m 1", "<1h 0", "<6h 0", "<1d 0", "<7d 0", "<30d 0", "<1y 0", "longer 1", "forever 1"}
		if !slices.Equal(expires, want) {
			t.Errorf("expires is %q", expires)
		}
		if len(st.Biggest) != 2 || st.Biggest[0].Key != "user:1" || st.Biggest[1].Key != "user:old" {
			t.Errorf("biggest are %+v", st.Biggest)
		}
		if st.Sampled || st.Looked != 9 {
			t.Errorf("sampled %v, looked at %d", st.Sampled, st.Looked)
		}
	}},
	{"stats take the end of an INT column for forever", func(t *testing.T, h *harness) {
		h.clock.Set(2_000_000_000) // 2033, less than nine years before it
		h.insert("prefixa", "i:1;", math.MaxInt32)
		h.insert("prefixb", "i:1;", math.MaxInt32-1)
		st, err := h.store.Stats(h.ctx, store.StatsOptions{})
		h.must(err)
		h.wantCount("forever", st.Forever, 1, 4)
	}},
	{"stats keep the largest families, and put the others together", func(t *testing.T, h *harness) {
		values := map[string]any{}
		for i := range 1200 {
			values[fmt.Sprintf("small%04d:x", i)] = 1
		}
		for i := range 10 {
			values[fmt.Sprint("a:", i)], values[fmt.Sprint("m.", i)], values[fmt.Sprint("z_", i)] = 1, 1, 1
		}
		h.must(h.store.PutMany(h.ctx, values, time.Minute))
		st, err := h.store.Stats(h.ctx, store.StatsOptions{Families: 3})
		h.must(err)
		h.wantGroups("families", st.Keys.Largest, "a: 10 40", "m. 10 40", "z_ 10 40")
		h.wantCount("rest", st.Keys.Rest, 1200, 4800)
		h.wantCount("all", st.Count, 1230, 4920)
	}},
	{"stats of a sample are estimates of the table, and say so", func(t *testing.T, h *harness) {
		h.fill("k:", 4000, func(i int) int64 { return start + int64(i/1000) }) // a quarter is expired
		st, err := h.store.Stats(h.ctx, store.StatsOptions{SampleAbove: 1000})
		h.must(err)
		if !st.Sampled || st.Looked < 700 || st.Looked > 1300 {
			t.Fatalf("sampled %v, looked at %d, want about 1000", st.Sampled, st.Looked)
		}
		if st.Rows != 4000 || st.Bytes != 40000 || st.Live.Rows < 2600 || st.Live.Rows > 3400 {
			t.Fatalf("estimates are %+v, live %+v", st.Count, st.Live)
		}
		h.wantGroups("families", st.Keys.Largest, "k: 4000 40000")
		st, err = h.store.Stats(h.ctx, store.StatsOptions{SampleAbove: 4000})
		h.must(err)
		if st.Sampled || st.Live.Rows != 3000 {
			t.Fatalf("sampled %v, live %+v, want all looked at", st.Sampled, st.Live)
		}
	}},
	{"stats refuse options that make no sense", func(t *testing.T, h *harness) {
		for _, o := range []store.StatsOptions{{Biggest: -1}, {Families: -1}, {SampleAbove: -1}} {
			_, err := h.store.Stats(h.ctx, o)
			h.wantRefused(err, "stats option")
		}
	}},
}

// wantPruned prunes and checks what that did.
func (h *harness) wantPruned(o store.PruneOptions, want store.PruneResult) {
	h.t.Helper()
	got, err := h.store.Prune(h.ctx, o)
	h.must(err)
	if got != want {
		h.t.Fatalf("prune %+v did %+v, want %+v", o, got, want)
	}
}

// wantKeys checks which row keys are left, by their bytes.
func (h *harness) wantKeys(want ...string) {
	h.t.Helper()
	var got []string
	for _, r := range h.rows() {
		got = append(got, r.Key)
	}
	if !slices.Equal(got, want) {
		h.t.Fatalf("keys are %q, want %q", got, want)
	}
}

// fill inserts n rows of the prefix, of ten bytes each.
func (h *harness) fill(name string, n int, expiration func(i int) int64) {
	h.t.Helper()
	for from := 0; from < n; from += 500 {
		var tuples []string
		var args []any
		for i := from; i < min(n, from+500); i++ {
			tuples = append(tuples, "(?,?,?)")
			args = append(args, fmt.Sprintf("%s%s%05d", prefix, name, i), `s:3:"bar";`, expiration(i))
		}
		h.exec("INSERT INTO cache VALUES "+strings.Join(tuples, ","), args...)
	}
}

// dropIndexes leaves the tables as a Laravel before 12 made them.
func (h *harness) dropIndexes() {
	h.t.Helper()
	for table, index := range map[string]string{"cache": "cache_expiration_index", "cache_locks": "cache_locks_expiration_index"} {
		statement := "DROP INDEX " + index
		if h.isMySQL() {
			statement += " ON " + table
		}
		h.exec(statement)
	}
}

// hooked returns a store on the same tables that calls what it is given whenever it is about to send a statement.
func (h *harness) hooked(call func()) *store.Store {
	h.t.Helper()
	s, err := store.New(h.db(), store.WithPrefix(prefix), store.WithClock(func() time.Time { call(); return h.clock.Now() }))
	h.must(err)
	return s
}

// before is hooked for one call, when the store is about to send its nth statement.
func (h *harness) before(n int, call func()) *store.Store {
	h.t.Helper()
	sent := 0
	return h.hooked(func() {
		if sent++; sent == n {
			call()
		}
	})
}

// wantWrittenRowsLeft prunes a table of expired rows, of which another writer brings one back to life before each of the pruner's statements, under
// its own key or, where there are such, a look-alike one. All of them must be left.
func (h *harness) wantWrittenRowsLeft() {
	h.t.Helper()
	h.fill("k", 100, func(int) int64 { return start })
	n, written := 0, map[string]bool{}
	s := h.hooked(func() {
		for _, format := range []string{"k%05d", "K%05d"} {
			key := fmt.Sprintf(format, n)
			n++
			h.yes(h.store.Add(h.ctx, key, "new", time.Minute))
			written[key] = true
		}
	})
	res, err := s.Prune(h.ctx, store.PruneOptions{})
	h.must(err)
	for key := range written {
		h.wantString(key, "new")
	}
	if len(h.rows()) != n || res.Expired == 0 {
		h.t.Fatalf("%+v, and %d rows are left, want the %d that were written", res, len(h.rows()), n)
	}
}

// wantChangedRowsLeft prunes 50 of 100 rows, while another writer changes one more before each of the pruner's statements up to the first
// deletion, and returns how many it changed. Two of them, while the pruner renews its lock and when it deletes, were read and must be left.
func (h *harness) wantChangedRowsLeft(change func(n int)) (changed int) {
	h.t.Helper()
	first := store.PruneResult{}
	s := h.hooked(func() {
		if first.Evicted == 0 {
			change(changed)
			changed++
		}
	})
	res, err := s.Prune(h.ctx, store.PruneOptions{MaxRows: 50, Progress: func(p store.PruneProgress) {
		if first.Evicted == 0 {
			first = p.PruneResult
		}
	}})
	h.must(err)
	if first.Evicted != 48 || res.Evicted != 50 || len(h.rows()) != 50 {
		h.t.Fatalf("evicted %d rows at first, %d in all, and %d are left; want 48, 50 and 50", first.Evicted, res.Evicted, len(h.rows()))
	}
	return changed
}

func (h *harness) wantCount(what string, got store.Count, rows, bytes int64) {
	h.t.Helper()
	if want := (store.Count{Rows: rows, Bytes: bytes}); got != want {
		h.t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func (h *harness) wantGroups(what string, got []store.Group, want ...string) {
	h.t.Helper()
	var texts []string
	for _, g := range got {
		texts = append(texts, fmt.Sprint(g.Name, " ", g.Rows, " ", g.Bytes))
	}
	if !slices.Equal(texts, want) {
		h.t.Errorf("%s: %q, want %q", what, texts, want)
	}
}
