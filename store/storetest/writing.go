package storetest

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
)

var writing = []testCase{
	{"S6 put writes prefix, serialized value and expiration", func(t *testing.T, h *harness) {
		h.clock.Set(1)
		h.must(h.store.Put(h.ctx, "foo", "bar", time.Minute))
		h.wantRow("prefixfoo", `s:3:"bar";`, 61)
	}},
	{"S9 forever is ten years of 365 days", func(t *testing.T, h *harness) {
		h.must(h.store.Forever(h.ctx, "foo", "bar"))
		h.wantRow("prefixfoo", `s:3:"bar";`, start+315_360_000)
	}},
	{"I2 R5 put for no time forgets", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", "bar", time.Minute))
		h.must(h.store.Put(h.ctx, "foo", "baz", 0))
		h.wantRows()
		h.must(h.store.Put(h.ctx, "foo", "baz", -time.Hour))
		h.wantRows()
	}},
	{"X4 a ttl below a second is rounded up", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", 1, time.Nanosecond))
		h.wantRow("prefixfoo", "i:1;", start+1)
		h.must(h.store.Put(h.ctx, "foo", 1, 1001*time.Millisecond))
		h.wantRow("prefixfoo", "i:1;", start+2)
	}},
	{"I1 what was put for a minute is got", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", "bar", time.Minute))
		h.wantString("foo", "bar")
		h.wantRow("prefixfoo", `s:3:"bar";`, start+60)
	}},
	{"R7 a duration is the same whatever it is made of", func(t *testing.T, h *harness) {
		until := h.clock.Now().Add(5 * time.Minute)
		for _, ttl := range []time.Duration{5 * time.Minute, 300 * time.Second, 300_000 * time.Millisecond, until.Sub(h.clock.Now())} {
			h.exec("DELETE FROM cache")
			h.must(h.store.Put(h.ctx, "foo", 1, ttl))
			h.wantRow("prefixfoo", "i:1;", start+300)
		}
	}},
	{"I4 I8 I10 the store takes no part in a transaction of the caller's", func(t *testing.T, h *harness) {
		h.insert("prefixheld", "i:1;", start+9)
		h.insert("prefixexpired", "i:1;", start)
		tx, err := h.db().BeginTxx(h.ctx, nil)
		h.must(err)
		_, err = tx.ExecContext(h.ctx, "INSERT INTO cache VALUES ('prefixtheirs', 'i:1;', ?)", start+9)
		h.must(err)
		written := make(chan error, 1)
		go func() {
			written <- errors.Join(
				h.store.Put(h.ctx, "twice", 1, time.Minute),
				h.store.Put(h.ctx, "twice", 2, time.Minute),
				wantAnswer(false)(h.store.Add(h.ctx, "held", 2, time.Minute)),
				wantAnswer(true)(h.store.Add(h.ctx, "expired", 2, time.Minute)))
		}()
		if h.isMySQL() { // SQLite has one writer, whom the store waits for
			h.must(<-written)
			written <- nil
		}
		h.must(tx.Rollback())
		h.must(<-written)
		h.wantRows(
			row{"prefixexpired", []byte("i:2;"), start + 60},
			row{"prefixheld", []byte("i:1;"), start + 9},
			row{"prefixtwice", []byte("i:2;"), start + 60})
	}},
	{"I3 put twice leaves the second value", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", "one", time.Minute))
		h.must(h.store.Put(h.ctx, "foo", "two", time.Minute))
		h.wantString("foo", "two")
	}},
	{"E1 an identical put in the same second is success", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", "bar", time.Minute))
		h.must(h.store.Put(h.ctx, "foo", "bar", time.Minute))
		h.wantRow("prefixfoo", `s:3:"bar";`, start+60)
	}},
	{"I18 putMany writes all rows", func(t *testing.T, h *harness) {
		h.must(h.store.PutMany(h.ctx, map[string]any{"a": 1, "b": "two", "c": []any{true, nil}}, time.Minute))
		h.wantRows(
			row{"prefixa", []byte("i:1;"), start + 60},
			row{"prefixb", []byte(`s:3:"two";`), start + 60},
			row{"prefixc", []byte("a:2:{i:0;b:1;i:1;N;}"), start + 60})
	}},
	{"R5 putMany may be forever", func(t *testing.T, h *harness) {
		h.must(h.store.PutMany(h.ctx, map[string]any{"a": 1, "b": 2}, store.ForeverTTL))
		h.wantRows(row{"prefixa", []byte("i:1;"), start + 315_360_000}, row{"prefixb", []byte("i:2;"), start + 315_360_000})
	}},
	{"R8 what was collected and put together goes one by one, or in a flush", func(t *testing.T, h *harness) {
		h.must(h.store.PutMany(h.ctx, maps.Collect(func(yield func(string, any) bool) {
			_ = yield("a", 1) && yield("b", 2) && yield("c", 3)
		}), time.Minute))
		h.yes(h.store.Forget(h.ctx, "a"))
		h.no(h.store.Forget(h.ctx, "a"))
		h.wantKeys("prefixb", "prefixc")
		n, err := h.store.Flush(h.ctx)
		h.must(err)
		if n != 2 {
			t.Fatalf("flushed %d rows, want 2", n)
		}
		h.wantRows()
	}},
	{"E11 of look-alikes in one putMany the last by their order keeps the row", func(t *testing.T, h *harness) {
		h.must(h.store.PutMany(h.ctx, map[string]any{"foo": 1, "FOO": 2, "Foo": 3, "bar": 4}, time.Minute))
		if !h.isMySQL() { // where each has its own
			h.wantKeys("prefixFOO", "prefixFoo", "prefixbar", "prefixfoo")
			return
		}
		h.wantRows(row{"prefixbar", []byte("i:4;"), start + 60}, row{"prefixfoo", []byte("i:1;"), start + 60})
	}},
	{"E19 tables of other names are used, and no others", func(t *testing.T, h *harness) {
		h.copyTable("cache", "wp_2$cache")
		h.copyTable("cache_locks", "wp_2$cache_locks")
		s, err := store.New(h.db(), store.WithPrefix(prefix), store.WithClock(h.clock.Now),
			store.WithTable("wp_2$cache"), store.WithLockTable("wp_2$cache_locks"))
		h.must(err)
		h.insert("prefixfoo", "i:1;", start+9)
		h.insertLock("prefixlock", "them", start+9)

		h.wantErr(s.Get(h.ctx, "foo", new(any)), store.ErrNotFound)
		h.must(s.Put(h.ctx, "foo", 5, time.Second))
		h.yes(s.Add(h.ctx, "bar", 1, time.Minute))
		h.wantNumber(6)(s.Increment(h.ctx, "foo", 1))
		lock := s.Lock("lock", time.Minute)
		h.yes(lock.Acquire(h.ctx))
		h.yes(s.PutIfLocked(h.ctx, lock, "baz", 1, time.Minute))
		h.clock.Set(start + 1)
		res, err := s.Prune(h.ctx, store.PruneOptions{})
		h.must(err)
		st, err := s.Stats(h.ctx, store.StatsOptions{})
		h.must(err)
		if res.Expired != 1 || res.MissingIndex == h.isMySQL() || st.Rows != 2 {
			t.Errorf("pruned %+v, stats %+v", res, st.Count)
		}
		n, err := s.FlushAll(h.ctx)
		h.must(err)
		locks, err := s.FlushAllLocks(h.ctx)
		h.must(err)
		if n != 2 || locks != 1 {
			t.Errorf("flushed %d rows and %d locks, want 2 and 1", n, locks)
		}
		h.wantRow("prefixfoo", "i:1;", start+9)
		if owner, _, _ := h.lockRow("prefixlock"); owner != "them" {
			t.Errorf("the lock is %q's", owner)
		}
	}},
	{"E13 putMany of nothing is success", func(t *testing.T, h *harness) {
		h.must(h.store.PutMany(h.ctx, nil, time.Minute))
		h.wantRows()
	}},
	{"R5 putMany for no time forgets", func(t *testing.T, h *harness) {
		h.must(h.store.PutMany(h.ctx, map[string]any{"a": 1, "b": 2}, time.Minute))
		h.must(h.store.PutMany(h.ctx, map[string]any{"a": 1, "b": 2}, 0))
		h.wantRows()
	}},
	{"putMany writes nothing if one value is refused", func(t *testing.T, h *harness) {
		values := map[string]any{"z": func() {}}
		for i := range 1500 {
			values[fmt.Sprint(i)] = i
		}
		if err := h.store.PutMany(h.ctx, values, time.Minute); err == nil {
			t.Fatal("a function was stored")
		}
		h.wantRows()
	}},
	{"putMany splits by bytes", func(t *testing.T, h *harness) {
		big := strings.Repeat("x", 1<<20)
		values := map[string]any{}
		for i := range 9 {
			values[fmt.Sprint(i)] = big
		}
		h.must(h.store.PutMany(h.ctx, values, time.Minute))
		if n := len(h.rows()); n != 9 {
			t.Fatalf("table has %d rows, want 9", n)
		}
	}},
	{"I5 add for no time is no", func(t *testing.T, h *harness) {
		h.no(h.store.Add(h.ctx, "foo", "bar", 0))
		h.no(h.store.Add(h.ctx, "foo", "bar", -1))
		h.wantRows()
	}},
	{"I6 add stores what is absent", func(t *testing.T, h *harness) {
		h.yes(h.store.Add(h.ctx, "foo", "bar", time.Minute))
		h.wantRow("prefixfoo", `s:3:"bar";`, start+60)
	}},
	{"I7 add leaves a live row alone", func(t *testing.T, h *harness) {
		h.yes(h.store.Add(h.ctx, "foo", "bar", time.Minute))
		h.no(h.store.Add(h.ctx, "foo", "new", time.Hour))
		h.no(h.store.Add(h.ctx, "foo", "bar", time.Minute))
		h.wantRow("prefixfoo", `s:3:"bar";`, start+60)
	}},
	{"I9 add replaces an expired row", func(t *testing.T, h *harness) {
		h.insert("prefixfoo", `s:3:"old";`, start)
		h.yes(h.store.Add(h.ctx, "foo", "new", time.Minute))
		h.wantRow("prefixfoo", `s:3:"new";`, start+60)
	}},
	{"add replaces an expired row that holds the same value", func(t *testing.T, h *harness) {
		h.insert("prefixfoo", `s:3:"bar";`, start)
		h.yes(h.store.Add(h.ctx, "foo", "bar", time.Minute))
		h.wantRow("prefixfoo", `s:3:"bar";`, start+60)
	}},
	{"R6 add may be for less than a second or forever, and trouble is an error and not a no", func(t *testing.T, h *harness) {
		h.yes(h.store.Add(h.ctx, "short", 1, time.Nanosecond))
		h.yes(h.store.Add(h.ctx, "long", 1, store.ForeverTTL))
		h.no(h.store.Add(h.ctx, "past", 1, -time.Second))
		h.wantRows(row{"prefixlong", []byte("i:1;"), start + 315_360_000}, row{"prefixshort", []byte("i:1;"), start + 1})
		h.exec("DROP TABLE cache")
		_, err := h.store.Add(h.ctx, "foo", 1, time.Minute)
		h.wantErr(err, store.ErrNoTable)
	}},
	{"E5 add over a live null is no", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", nil, time.Minute))
		h.no(h.store.Add(h.ctx, "foo", "bar", time.Minute))
	}},
	{"of many adds one stores", func(t *testing.T, h *harness) {
		for round := range 10 {
			key := fmt.Sprint("key", round)
			if round%2 == 1 {
				h.insert(prefix+key, "i:0;", start-1)
			}
			h.wantWinners(1, func(s *store.Store, i int) (bool, error) { return s.Add(h.ctx, key, i, time.Minute) })
		}
	}},
	{"S14 touch changes the expiration of a live row alone", func(t *testing.T, h *harness) {
		h.insert("prefixfoo", "i:1;", start+5)
		h.yes(h.store.Touch(h.ctx, "foo", time.Minute))
		h.wantRow("prefixfoo", "i:1;", start+60)
		h.yes(h.store.Touch(h.ctx, "foo", time.Minute)) // in the same second
		h.no(h.store.Touch(h.ctx, "bar", time.Minute))
		h.clock.Set(start + 60)
		h.no(h.store.Touch(h.ctx, "foo", time.Minute))
		h.wantRow("prefixfoo", "i:1;", start+60)
	}},
	{"R10 touch for no time forgets", func(t *testing.T, h *harness) {
		h.insert("prefixfoo", "i:1;", start+5)
		h.yes(h.store.Touch(h.ctx, "foo", 0))
		h.wantRows()
		h.no(h.store.Touch(h.ctx, "foo", 0))
	}},
	{"S10 forget deletes the key and its flexible companion alone", func(t *testing.T, h *harness) {
		h.insert("prefixfoo", "i:1;", start+5)
		h.insert("prefix"+companion+"foo", "i:1;", start+5)
		h.insert("prefixfoo2", "i:2;", start+5)
		h.insert("foo", "i:3;", start+5)
		h.yes(h.store.Forget(h.ctx, "foo"))
		h.no(h.store.Forget(h.ctx, "foo"))
		h.wantRows(row{"foo", []byte("i:3;"), start + 5}, row{"prefixfoo2", []byte("i:2;"), start + 5})
	}},
	{"S11 flush deletes the rows of its prefix alone, and no locks", func(t *testing.T, h *harness) {
		for i := range 450 {
			h.insert(fmt.Sprint("prefix", i), "i:1;", start+int64(i%2))
		}
		for _, other := range []string{"Other:1", "prefiy1", "prefi", "prefi_", "%"} {
			h.insert(other, "i:2;", start+5)
		}
		h.insertLock("prefixlock", "me", start+5)
		n, err := h.store.Flush(h.ctx)
		h.must(err)
		if n != 450 {
			t.Fatalf("flushed %d rows, want 450", n)
		}
		if got := len(h.rows()); got != 5 {
			t.Fatalf("%d rows are left, want 5", got)
		}
		if _, _, found := h.lockRow("prefixlock"); !found {
			t.Fatal("flush has deleted a lock")
		}
	}},
	{"flush ends although others go on writing", func(t *testing.T, h *harness) {
		h.fill("b", 250, func(int) int64 { return start + 60 })
		writes := 0
		s := h.hooked(func() {
			if writes++; writes <= 50 {
				h.must(h.store.Put(h.ctx, fmt.Sprint("a", writes), 1, time.Minute)) // behind where it is, but for the first
			}
		})
		n, err := s.Flush(h.ctx)
		h.must(err)
		if n != 251 || writes > 10 {
			t.Fatalf("%d rows are deleted while %d are written, want those that were there and one more", n, writes)
		}
	}},
	{"flush without a prefix is refused", func(t *testing.T, h *harness) {
		s := h.open(t)
		h.must(s.Put(h.ctx, "foo", "bar", time.Minute))
		_, err := s.Flush(h.ctx)
		h.wantErr(err, store.ErrNoPrefix)
		n, err := s.FlushAll(h.ctx)
		h.must(err)
		if n != 1 {
			t.Fatalf("flushed %d rows, want 1", n)
		}
	}},
	{"flush takes prefixes and patterns for what they are", func(t *testing.T, h *harness) {
		for _, p := range []string{"a_b%", "app\\", "日本", "é", "tail ", "e😀"} {
			s := h.open(t, store.WithPrefix(p))
			db := s.DB()
			for _, key := range []string{p + "1", p + "\u0001", p + "😀", p + "\uffff", p + "中", "zzz", "a1b21", "A_B%2"} {
				_, err := db.ExecContext(h.ctx, "INSERT INTO cache VALUES (?, 'i:1;', 1)", key)
				h.must(err)
			}
			n, err := s.Flush(h.ctx)
			h.must(err)
			if n != 5 {
				t.Errorf("prefix %q: flushed %d rows, want 5", p, n)
			}
		}
	}},
}

// wantAnswer returns the error of a call, or that its answer was not the one that was wanted.
func wantAnswer(want bool) func(bool, error) error {
	return func(got bool, err error) error {
		if err == nil && got != want {
			err = fmt.Errorf("the answer is %v, want %v", got, want)
		}
		return err
	}
}
