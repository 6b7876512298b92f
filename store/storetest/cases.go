package storetest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
)

func (r row) String() string { return fmt.Sprintf("{%q %q %d}", r.Key, r.Value, r.Expiration) }

// companion is the row in which Laravel's flexible keeps the time of a value.
const companion = "illuminate:cache:flexible:created:"

var reading = []testCase{
	{"S1 get of no row is not found", func(t *testing.T, h *harness) {
		h.wantMissing("foo")
	}},
	{"S2 get of an expired row is not found and deletes nothing", func(t *testing.T, h *harness) {
		h.insert("prefixfoo", `s:3:"bar";`, 1)
		h.wantMissing("foo")
		h.wantRow("prefixfoo", `s:3:"bar";`, 1)
	}},
	{"S3 get of a live row decodes it", func(t *testing.T, h *harness) {
		h.insert("prefixfoo", `s:3:"bar";`, start+1)
		h.wantString("foo", "bar")
	}},
	{"E7 a row is live until its expiration and not at it", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", "bar", 10*time.Second))
		h.clock.Set(start + 9)
		h.wantString("foo", "bar")
		h.clock.Set(start + 10)
		h.wantMissing("foo")
		h.no(h.store.Has(h.ctx, "foo"))
	}},
	{"item tells the time that remains", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", "bar", time.Minute))
		h.clock.Add(20 * time.Second)
		item, err := h.store.Item(h.ctx, "foo")
		h.must(err)
		if item.TTL != 40*time.Second || item.Expiration != start+60 || string(item.Raw) != `s:3:"bar";` || item.Key != "foo" {
			t.Fatalf("item is %+v", item)
		}
	}},
	{"E5 a stored null is a value", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", nil, time.Minute))
		h.yes(h.store.Has(h.ctx, "foo"))
		var got any = "unset"
		h.must(h.store.Get(h.ctx, "foo", &got))
		if got != nil {
			t.Fatalf("value is %v, want nil", got)
		}
	}},
	{"E14 E15 E16 corrupt values are an error of their key alone", func(t *testing.T, h *harness) {
		for _, value := range []string{"", "x", `s:9:"bar";`, "i:7;\n", "eyJpdiI6IjEyMyIsInZhbHVlIjoi"} {
			h.exec("DELETE FROM cache")
			h.insert("prefixbad", value, start+9)
			h.insert("prefixgood", "i:1;", start+9)
			var got any
			h.wantErr(h.store.Get(h.ctx, "bad", &got), store.ErrCorrupt)
			items, err := h.store.Many(h.ctx, "bad", "good")
			h.must(err)
			if len(items) != 2 {
				t.Fatalf("many returns %d items, want 2", len(items))
			}
			h.wantErr(bad(h.store.Increment(h.ctx, "bad", 1)), store.ErrCorrupt)
		}
	}},
	{"I15 I16 many returns the live rows and deletes nothing", func(t *testing.T, h *harness) {
		h.insert("prefixfirst", "i:1;", start+9)
		h.insert("prefixsecond", "i:2;", start)
		h.insert("otherthird", "i:3;", start+9)
		items, err := h.store.Many(h.ctx, "first", "second", "third", "first")
		h.must(err)
		if len(items) != 1 || string(items["first"].Raw) != "i:1;" || items["first"].TTL != 9*time.Second {
			t.Fatalf("items are %v", items)
		}
		if len(h.rows()) != 3 {
			t.Fatal("many has deleted a row")
		}
	}},
	{"E13 many of nothing is nothing", func(t *testing.T, h *harness) {
		items, err := h.store.Many(h.ctx)
		h.must(err)
		if len(items) != 0 {
			t.Fatalf("items are %v", items)
		}
	}},
	{"E12 many and putMany of more keys than a statement takes", func(t *testing.T, h *harness) {
		values, keys := map[string]any{}, []string{}
		for i := range 2500 {
			key := fmt.Sprintf("key%d", i)
			values[key], keys = i, append(keys, key)
		}
		h.must(h.store.PutMany(h.ctx, values, time.Minute))
		items, err := h.store.Many(h.ctx, keys...)
		h.must(err)
		if len(items) != 2500 || string(items["key2499"].Raw) != "i:2499;" {
			t.Fatalf("got %d items", len(items))
		}
	}},
	{"pull gets the value once", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", "bar", time.Minute))
		h.insert("prefix"+companion+"foo", "i:1;", start+60)
		var got string
		h.must(h.store.Pull(h.ctx, "foo", &got))
		if got != "bar" {
			t.Fatalf("value is %q", got)
		}
		h.wantErr(h.store.Pull(h.ctx, "foo", &got), store.ErrNotFound)
		h.wantRows()
	}},
	{"pull leaves a value that does not fit", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", "bar", time.Minute))
		var n int
		if err := h.store.Pull(h.ctx, "foo", &n); err == nil {
			t.Fatal("a string was pulled into an int")
		}
		h.wantString("foo", "bar")
	}},
	{"of many pulls one gets the value", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", "bar", time.Minute))
		h.wantWinners(1, func(s *store.Store, i int) (bool, error) {
			var got string
			err := s.Pull(h.ctx, "foo", &got)
			if errors.Is(err, store.ErrNotFound) {
				return false, nil
			}
			return err == nil, err
		})
	}},
}

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
	{"I2 put for no time forgets", func(t *testing.T, h *harness) {
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
	{"E13 putMany of nothing is success", func(t *testing.T, h *harness) {
		h.must(h.store.PutMany(h.ctx, nil, time.Minute))
		h.wantRows()
	}},
	{"putMany for no time forgets", func(t *testing.T, h *harness) {
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

// bad returns the error of a call whose number does not matter.
func bad(_ int64, err error) error { return err }

var counting = []testCase{
	{"S13 increment and decrement count integers", func(t *testing.T, h *harness) {
		h.wantErr(bad(h.store.Increment(h.ctx, "foo", 1)), store.ErrNotFound)
		h.insert("prefixfoo", "i:2;", start+5)
		h.wantNumber(3)(h.store.Increment(h.ctx, "foo", 1))
		h.wantNumber(2)(h.store.Decrement(h.ctx, "foo", 1))
		h.wantNumber(-3)(h.store.Decrement(h.ctx, "foo", 5))
		h.wantRow("prefixfoo", "i:-3;", start+5)
		h.wantNumber(0)(h.store.Increment(h.ctx, "foo", 3))
		h.wantNumber(0)(h.store.Increment(h.ctx, "foo", 0))
		h.wantRow("prefixfoo", "i:0;", start+5)
	}},
	{"S13 what is no number is not counted", func(t *testing.T, h *harness) {
		for _, value := range []string{`s:3:"bar";`, "b:1;", "N;", "a:0:{}", `s:0:"";`, `s:4:"0x1A";`, `s:3:"7 x";`, "d:NAN;", `O:8:"stdClass":0:{}`} {
			h.exec("DELETE FROM cache")
			h.insert("prefixfoo", value, start+5)
			err := bad(h.store.Increment(h.ctx, "foo", 1))
			if !errors.Is(err, store.ErrNotNumber) {
				t.Errorf("%s: error is %v, want ErrNotNumber", value, err)
			}
			h.wantRow("prefixfoo", value, start+5)
		}
	}},
	{"E6 numbers of every spelling count as PHP's do", func(t *testing.T, h *harness) {
		for _, c := range []struct {
			value string
			by    int64
			want  int64
		}{
			{"i:41;", 1, 42}, {"i:0;", -5, -5}, {"i:-1;", 1, 0}, {"i:-9;", -1, -10},
			{`s:2:"41";`, 1, 42}, {`s:3:"7.9";`, 1, 8}, {`s:3:" 7 ";`, 1, 8}, {`s:3:"1e3";`, 1, 1001}, {`s:2:"-7";`, 1, -6}, {`s:2:".5";`, 1, 1},
			{"d:7.5;", 1, 8}, {"d:-7.5;", 1, -6}, {"d:1.0E+3;", 1, 1001},
			{"i:007;", 1, 8}, {"i:-0;", 1, 1}, {"i:+5;", 1, 6},
			{"i:999999999999999999;", 1, 1000000000000000000}, {"i:1000000000000000000;", 1, 1000000000000000001},
			{"i:9223372036854775806;", 1, math.MaxInt64}, {"i:-9223372036854775807;", -1, math.MinInt64},
			{"i:9223372036854775807;", -1, math.MaxInt64 - 1}, {"i:-9223372036854775808;", 1, math.MinInt64 + 1},
			{"i:9223372036854775807;", math.MinInt64, -1}, {"i:0;", math.MaxInt64, math.MaxInt64}, {"i:0;", math.MinInt64, math.MinInt64},
			{"i:-5;", 0, -5}, {"i:-9223372036854775808;", math.MaxInt64, -1},
			{"i:9223372036854775808;", -1, math.MaxInt64 - 1}, // PHP reads it as the largest integer
		} {
			h.exec("DELETE FROM cache")
			h.insert("prefixfoo", c.value, start+5)
			got, err := h.store.Increment(h.ctx, "foo", c.by)
			if err != nil || got != c.want {
				t.Errorf("%s %+d = %d, %v, want %d", c.value, c.by, got, err, c.want)
				continue
			}
			if c.by != 0 {
				h.wantRow("prefixfoo", fmt.Sprintf("i:%d;", c.want), start+5)
			}
		}
	}},
	{"what does not fit 64 bits is an error and leaves the row", func(t *testing.T, h *harness) {
		for _, c := range []struct {
			value string
			by    int64
		}{
			{"i:9223372036854775807;", 1}, {"i:-9223372036854775808;", -1}, {"i:1;", math.MaxInt64}, {"i:-2;", math.MinInt64},
			{"d:1.0E+30;", 1}, {`s:20:"99999999999999999999";`, 1}, {"d:INF;", 1}, {"i:9223372036854775808;", 1},
		} {
			h.exec("DELETE FROM cache")
			h.insert("prefixfoo", c.value, start+5)
			if err := bad(h.store.Increment(h.ctx, "foo", c.by)); !errors.Is(err, store.ErrOverflow) {
				t.Errorf("%s %+d: error is %v, want ErrOverflow", c.value, c.by, err)
			}
			h.wantRow("prefixfoo", c.value, start+5)
		}
		h.wantErr(bad(h.store.Decrement(h.ctx, "foo", math.MinInt64)), store.ErrOverflow)
		h.exec("DELETE FROM cache")
		h.wantErr(bad(h.store.Decrement(h.ctx, "foo", math.MinInt64)), store.ErrNotFound)
		h.insert("prefixfoo", "i:-1;", start+5)
		h.wantNumber(math.MaxInt64)(h.store.Decrement(h.ctx, "foo", math.MinInt64))
	}},
	{"text that only resembles an integer is corrupt", func(t *testing.T, h *harness) {
		for _, value := range []string{"I:5;", "i:;", "i:5", "i:٣;", "i:5;\n", "i:99999999999999999999", "i: 5;", "5"} {
			h.exec("DELETE FROM cache")
			h.insert("prefixfoo", value, start+5)
			if err := bad(h.store.Increment(h.ctx, "foo", 1)); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%q: error is %v, want ErrCorrupt", value, err)
			}
			h.wantRow("prefixfoo", value, start+5)
		}
	}},
	{"E6 an expired row is not counted on", func(t *testing.T, h *harness) {
		h.insert("prefixfoo", "i:5;", start)
		h.wantErr(bad(h.store.Increment(h.ctx, "foo", 1)), store.ErrNotFound)
		h.wantRow("prefixfoo", "i:5;", start)
	}},
	{"incrementOrAdd starts a counter and keeps its expiration", func(t *testing.T, h *harness) {
		h.wantNumber(2)(h.store.IncrementOrAdd(h.ctx, "foo", 2, time.Minute))
		h.clock.Add(10 * time.Second)
		h.wantNumber(4)(h.store.IncrementOrAdd(h.ctx, "foo", 2, time.Minute))
		h.wantRow("prefixfoo", "i:4;", start+60)
		h.clock.Set(start + 60)
		h.wantNumber(2)(h.store.IncrementOrAdd(h.ctx, "foo", 2, time.Minute))
		h.wantRow("prefixfoo", "i:2;", start+120)
		h.wantRefused(bad(h.store.IncrementOrAdd(h.ctx, "foo", 2, 0)), "ttl")
	}},
	{"concurrent increments are neither lost nor doubled", func(t *testing.T, h *harness) {
		for _, value := range []string{"i:0;", `s:1:"0";`, "i:4000000000000000000;"} {
			h.exec("DELETE FROM cache")
			h.insert("prefixfoo", value, start+5)
			var (
				mu   sync.Mutex
				seen = map[int64]bool{}
			)
			h.wantWinners(clients, func(s *store.Store, _ int) (bool, error) {
				for range 20 {
					n, err := s.Increment(h.ctx, "foo", 1)
					if err != nil {
						return false, err
					}
					mu.Lock()
					seen[n] = true
					mu.Unlock()
				}
				return true, nil
			})
			if len(seen) != clients*20 {
				t.Errorf("from %s: %d different results, want %d", value, len(seen), clients*20)
			}
		}
	}},
}

var locking = []testCase{
	{"acquire writes prefix, owner and expiration", func(t *testing.T, h *harness) {
		l := h.store.RestoreLock("foo", "me", 10*time.Second)
		h.yes(l.Acquire(h.ctx))
		owner, expiration, found := h.lockRow("prefixfoo")
		if !found || owner != "me" || expiration != start+10 {
			t.Fatalf("lock row is %q %d %v", owner, expiration, found)
		}
	}},
	{"a lock for no time lasts a day", func(t *testing.T, h *harness) {
		h.yes(h.store.Lock("foo", 0).Acquire(h.ctx))
		if _, expiration, _ := h.lockRow("prefixfoo"); expiration != start+86400 {
			t.Fatalf("lock expires at %d, want %d", expiration, start+86400)
		}
	}},
	{"L2 a lock that is held is refused until it is released", func(t *testing.T, h *harness) {
		a, b := h.store.Lock("foo", 10*time.Second), h.store.Lock("foo", 10*time.Second)
		h.yes(a.Acquire(h.ctx))
		h.no(b.Acquire(h.ctx))
		h.no(b.Release(h.ctx))
		h.yes(a.Release(h.ctx))
		h.no(a.Release(h.ctx))
		h.yes(b.Acquire(h.ctx))
	}},
	{"L3 force release frees anybody's lock", func(t *testing.T, h *harness) {
		a, b := h.store.Lock("foo", 10*time.Second), h.store.Lock("foo", 10*time.Second)
		h.yes(a.Acquire(h.ctx))
		h.yes(b.ForceRelease(h.ctx))
		h.no(b.ForceRelease(h.ctx))
		h.yes(b.Acquire(h.ctx))
	}},
	{"L4 an expired lock can be taken over, and its first owner has lost it", func(t *testing.T, h *harness) {
		a, b := h.store.Lock("foo", 10*time.Second), h.store.Lock("foo", 10*time.Second)
		h.yes(a.Acquire(h.ctx))
		h.clock.Set(start + 9)
		h.no(b.Acquire(h.ctx))
		h.clock.Set(start + 10)
		h.yes(b.Acquire(h.ctx))
		h.no(a.Refresh(h.ctx))
		h.no(a.Release(h.ctx))
		h.no(a.Acquire(h.ctx))
	}},
	{"E9 the owner may acquire again, also in the same second", func(t *testing.T, h *harness) {
		a := h.store.Lock("foo", 10*time.Second)
		h.yes(a.Acquire(h.ctx))
		h.yes(a.Acquire(h.ctx))
		h.clock.Add(5 * time.Second)
		h.yes(a.Acquire(h.ctx))
		if _, expiration, _ := h.lockRow("prefixfoo"); expiration != start+15 {
			t.Fatalf("lock expires at %d, want %d", expiration, start+15)
		}
	}},
	{"E10 owners differ by case", func(t *testing.T, h *harness) {
		a, b := h.store.RestoreLock("foo", "me", time.Minute), h.store.RestoreLock("foo", "ME", time.Minute)
		h.yes(a.Acquire(h.ctx))
		h.no(b.Acquire(h.ctx))
		h.no(b.Refresh(h.ctx))
		h.no(b.Release(h.ctx))
		h.yes(a.Refresh(h.ctx))
	}},
	{"L5 L7 the current owner is the live one", func(t *testing.T, h *harness) {
		a := h.store.Lock("foo", 10*time.Second)
		wantOwner := func(want string) {
			t.Helper()
			got, err := a.CurrentOwner(h.ctx)
			h.must(err)
			if got != want {
				t.Fatalf("current owner is %q, want %q", got, want)
			}
		}
		wantOwner("")
		h.yes(a.Acquire(h.ctx))
		wantOwner(a.Owner())
		h.clock.Set(start + 10)
		wantOwner("")
	}},
	{"L8 L9 L10 refresh extends the owner's live lock alone", func(t *testing.T, h *harness) {
		a := h.store.Lock("foo", 10*time.Second)
		h.no(a.Refresh(h.ctx))
		h.yes(a.Acquire(h.ctx))
		h.yes(a.Refresh(h.ctx)) // in the same second
		h.clock.Set(start + 9)
		h.no(h.store.Lock("foo", time.Minute).Refresh(h.ctx))
		h.yes(a.Refresh(h.ctx))
		if _, expiration, _ := h.lockRow("prefixfoo"); expiration != start+19 {
			t.Fatalf("lock expires at %d, want %d", expiration, start+19)
		}
		h.yes(a.RefreshFor(h.ctx, time.Minute))
		h.clock.Set(start + 69)
		h.no(a.Refresh(h.ctx))
	}},
	{"L13 a restored lock releases what another process acquired", func(t *testing.T, h *harness) {
		a := h.store.Lock("foo", time.Minute)
		h.yes(a.Acquire(h.ctx))
		h.yes(h.store.RestoreLock("foo", a.Owner(), 0).Release(h.ctx))
	}},
	{"L13 block waits for the lock, and no longer than it is told to", func(t *testing.T, h *harness) {
		a, b := h.store.Lock("foo", time.Minute), h.store.Lock("foo", time.Minute)
		h.yes(a.Acquire(h.ctx))
		h.wantErr(b.Block(h.ctx, 0), store.ErrLockTimeout)
		h.wantErr(b.Block(h.ctx, 30*time.Millisecond), store.ErrLockTimeout)
		released := make(chan error)
		go func() {
			_, err := a.Release(h.ctx)
			released <- err
		}()
		h.must(b.Block(h.ctx, 10*time.Second))
		h.must(<-released)
	}},
	{"locks and keys of one name do not meet", func(t *testing.T, h *harness) {
		h.yes(h.store.Lock("foo", time.Minute).Acquire(h.ctx))
		h.yes(h.store.Add(h.ctx, "foo", "bar", time.Minute))
	}},
	{"of many acquirers one gets the lock", func(t *testing.T, h *harness) {
		for round := range 10 {
			name := fmt.Sprint("lock", round)
			if round%2 == 1 {
				h.insertLock(prefix+name, "gone", start-1)
			}
			h.wantWinners(1, func(s *store.Store, _ int) (bool, error) { return s.Lock(name, time.Minute).Acquire(h.ctx) })
		}
	}},
	{"putIfLocked goes by the lock's own prefix", func(t *testing.T, h *harness) {
		other := h.open(t, store.WithPrefix("other"), store.WithClock(h.clock.Now))
		lock := other.Lock("foo", 10*time.Second)
		h.yes(lock.Acquire(h.ctx))
		h.yes(other.PutIfLocked(h.ctx, lock, "key", 1, time.Minute))
		same, err := store.New(other.DB(), store.WithPrefix("prefix"), store.WithClock(h.clock.Now))
		h.must(err)
		h.yes(same.PutIfLocked(h.ctx, lock, "key", 1, time.Minute))
	}},
	{"putIfLocked writes while the lock is held, and not after", func(t *testing.T, h *harness) {
		a := h.store.Lock("foo", 10*time.Second)
		h.no(h.store.PutIfLocked(h.ctx, a, "key", "early", time.Minute))
		h.yes(a.Acquire(h.ctx))
		h.yes(h.store.PutIfLocked(h.ctx, a, "key", "new", time.Minute))
		h.yes(h.store.PutIfLocked(h.ctx, a, "key", "new", time.Minute)) // identical, in the same second
		h.yes(h.store.PutIfLocked(h.ctx, a, "key", "changed", time.Minute))
		h.wantRow("prefixkey", `s:7:"changed";`, start+60)
		h.clock.Set(start + 10)
		h.no(h.store.PutIfLocked(h.ctx, a, "key", "late", time.Minute))
		h.yes(h.store.Lock("foo", 10*time.Second).Acquire(h.ctx))
		h.no(h.store.PutIfLocked(h.ctx, a, "key", "late", time.Minute))
		h.wantRow("prefixkey", `s:7:"changed";`, start+60)
	}},
}

// longest is a key that fills the column behind the suite's prefix, with characters of four bytes.
var longest = strings.Repeat("😀", 255-len(prefix))

var limits = []testCase{
	{"E3 keys of 255 characters are exact, longer ones are refused", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, longest, "bar", time.Minute))
		h.wantString(longest, "bar")
		h.yes(h.store.Lock(longest, time.Minute).Acquire(h.ctx))
		for _, key := range []string{longest + "x", longest + " ", strings.Repeat("a", 300)} {
			h.wantRefused(h.store.Put(h.ctx, key, 1, time.Minute), "row key")
			h.wantRefused(h.store.Forever(h.ctx, key, 1), "row key")
			h.wantRefused(h.store.PutMany(h.ctx, map[string]any{"ok": 1, key: 1}, time.Minute), "row key")
			_, err := h.store.Add(h.ctx, key, 1, time.Minute)
			h.wantRefused(err, "row key")
			_, err = h.store.Lock(key, time.Minute).Acquire(h.ctx)
			h.wantRefused(err, "row key")
			h.wantRefused(bad(h.store.IncrementOrAdd(h.ctx, key, 1, time.Minute)), "row key")
			h.wantMissing(key)
		}
		if n := len(h.rows()); n != 1 {
			t.Fatalf("table has %d rows, want 1", n)
		}
	}},
	{"E4 keys that are not UTF-8 are refused, and never find another row", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "k", "bar", time.Minute))
		for _, key := range []string{"k\xff", "\xed\xa0\x80", "k\xc0\x80"} {
			h.wantRefused(h.store.Put(h.ctx, key, 1, time.Minute), "row key")
			_, err := h.store.Add(h.ctx, key, 1, time.Minute)
			h.wantRefused(err, "row key")
			_, err = h.store.Lock(key, time.Minute).Acquire(h.ctx)
			h.wantRefused(err, "row key")
			h.wantMissing(key)
			h.no(h.store.Has(h.ctx, key))
			h.no(h.store.Touch(h.ctx, key, time.Minute))
			h.no(h.store.Forget(h.ctx, key))
			h.wantErr(bad(h.store.Increment(h.ctx, key, 1)), store.ErrNotFound)
		}
		h.wantRow("prefixk", `s:3:"bar";`, start+60)
	}},
	{"E4 values that are not UTF-8 are refused where the column cannot hold them, else exact", func(t *testing.T, h *harness) {
		for _, value := range []string{"\xff\xfe", "a\xed\xa0\x80", "\xf4\x90\x80\x80", "gzip\x1f\x8b\x08"} {
			err := h.store.Put(h.ctx, "foo", value, time.Minute)
			_, addErr := h.store.Add(h.ctx, "bar", value, time.Minute)
			if !h.isMySQL() {
				h.must(err)
				h.must(addErr)
				h.wantString("foo", value)
				continue
			}
			h.wantRefused(err, "value")
			h.wantRefused(addErr, "value")
			h.wantRefused(h.store.PutMany(h.ctx, map[string]any{"a": 1, "b": value}, time.Minute), "value")
			h.wantRows()
		}
	}},
	{"S5 S7 odd bytes come back as they were", func(t *testing.T, h *harness) {
		for i, value := range []string{"\x00bar\x00", "'\"\\", "a\x1ab", "😀\U0010FFFF", "", "%_`", "\r\n\t", ":;"} {
			key := fmt.Sprint("key", i)
			h.must(h.store.Put(h.ctx, key, value, time.Minute))
			h.wantString(key, value)
			items, err := h.store.Many(h.ctx, key)
			h.must(err)
			if want := fmt.Sprintf(`s:%d:"%s";`, len(value), value); string(items[key].Raw) != want {
				t.Errorf("raw value of %q is %q, want %q", value, items[key].Raw, want)
			}
		}
	}},
	{"S5 a NUL byte is stored as base64 on SQLite and as it is on MySQL", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", "\x00bar\x00", time.Minute))
		if h.isMySQL() {
			h.wantRow("prefixfoo", "s:5:\"\x00bar\x00\";", start+60)
		} else {
			h.wantRow("prefixfoo", "czo1OiIAYmFyACI7", start+60)
		}
		h.wantString("foo", "\x00bar\x00")
		var got string
		h.must(h.store.Pull(h.ctx, "foo", &got))
		h.wantRows()
	}},
	{"values of megabytes are exact, larger ones than the column are refused", func(t *testing.T, h *harness) {
		big := strings.Repeat("0123456789abcde\n", 5<<20/16)
		h.must(h.store.Put(h.ctx, "foo", big, time.Minute))
		h.wantString("foo", big)
		if h.isMySQL() {
			huge := strings.Repeat("x", 1<<24)
			h.wantRefused(h.store.Put(h.ctx, "bar", huge, time.Minute), "value")
			_, err := h.store.Add(h.ctx, "bar", huge, time.Minute)
			h.wantRefused(err, "value")
			h.wantMissing("bar")
			h.wantString("foo", big) // the connection lives
		}
	}},
	{"E2 look-alike keys are never taken for each other", func(t *testing.T, h *harness) {
		for _, twins := range [][2]string{{"foo", "FOO"}, {"foo", "foo "}, {"foo", "fóo"}, {"e😀", "e😎"}, {"kz", "k\x00z"}, {"", " "}} {
			h.exec("DELETE FROM cache")
			h.exec("DELETE FROM cache_locks")
			one, two := twins[0], twins[1]
			h.must(h.store.Put(h.ctx, one, 1, time.Minute))
			h.wantMissing(two)
			h.no(h.store.Has(h.ctx, two))
			h.no(h.store.Touch(h.ctx, two, time.Hour))
			h.no(h.store.Forget(h.ctx, two))
			h.wantErr(bad(h.store.Increment(h.ctx, two, 1)), store.ErrNotFound)
			h.wantErr(h.store.Pull(h.ctx, two, new(any)), store.ErrNotFound)
			items, err := h.store.Many(h.ctx, two)
			h.must(err)
			if len(items) != 0 {
				t.Errorf("%q: many found %v", two, items)
			}
			h.wantRow(prefix+one, "i:1;", start+60)

			added, err := h.store.Add(h.ctx, two, 2, time.Minute)
			h.yes(h.store.Lock(one, time.Minute).Acquire(h.ctx))
			acquired, lockErr := h.store.Lock(two, time.Minute).Acquire(h.ctx)
			if !h.isMySQL() {
				h.yes(added, err)
				h.yes(acquired, lockErr)
				continue
			}
			h.wantErr(err, store.ErrLookalikeKey)
			h.wantErr(lockErr, store.ErrLookalikeKey)
			h.wantRow(prefix+one, "i:1;", start+60)
			h.wantErr(bad(h.store.IncrementOrAdd(h.ctx, two, 1, time.Minute)), store.ErrLookalikeKey)

			h.must(h.store.Put(h.ctx, two, 2, time.Minute)) // takes the row over, as Laravel's does
			h.wantRow(prefix+two, "i:2;", start+60)
			h.wantMissing(one)
		}
	}},
	{"E2 add and acquire take over an expired look-alike under their own spelling", func(t *testing.T, h *harness) {
		if !h.isMySQL() {
			return // there are none
		}
		h.insert("prefixfoo", "i:1;", start)
		h.yes(h.store.Add(h.ctx, "FOO", 2, time.Minute))
		h.wantRow("prefixFOO", "i:2;", start+60)
		h.insertLock("prefixlock", "them", start)
		h.yes(h.store.RestoreLock("LOCK", "me", time.Minute).Acquire(h.ctx))
		if owner, _, found := h.lockRow("prefixLOCK"); !found || owner != "me" {
			t.Fatalf("lock row: %q %v", owner, found)
		}
	}},
	{"a look-alike's lock is not released, refreshed or written under", func(t *testing.T, h *harness) {
		a := h.store.RestoreLock("foo", "me", time.Minute)
		h.yes(a.Acquire(h.ctx))
		b := h.store.RestoreLock("FOO", "me", time.Minute)
		h.no(b.Refresh(h.ctx))
		h.no(b.Release(h.ctx))
		h.no(b.ForceRelease(h.ctx))
		h.no(h.store.PutIfLocked(h.ctx, b, "key", 1, time.Minute))
		if owner, err := b.CurrentOwner(h.ctx); err != nil || owner != "" {
			t.Fatalf("owner is %q, %v", owner, err)
		}
		h.yes(a.Refresh(h.ctx))
	}},
	{"E8 forever ends with an INT column, and a ttl beyond it is refused", func(t *testing.T, h *harness) {
		if !h.isMySQL() {
			return // integers have one width
		}
		h.exec("ALTER TABLE cache MODIFY expiration INT NOT NULL")
		h.clock.Set(2_000_000_000) // 2033
		h.must(h.store.Forever(h.ctx, "foo", "bar"))
		h.wantRow("prefixfoo", `s:3:"bar";`, math.MaxInt32)
		h.wantRefused(h.store.Put(h.ctx, "bar", 1, 10*365*24*time.Hour), "expiration")
		_, err := h.store.Add(h.ctx, "bar", 1, 11*365*24*time.Hour)
		h.wantRefused(err, "expiration")
		h.yes(h.store.Add(h.ctx, "foo2", "bar", store.ForeverTTL))
		h.yes(h.store.Forget(h.ctx, "foo2"))
		_, err = h.store.Touch(h.ctx, "foo", 10*365*24*time.Hour)
		h.wantRefused(err, "expiration")
		h.wantRow("prefixfoo", `s:3:"bar";`, math.MaxInt32)
	}},
	{"E17 a TEXT column and a key column of 191 refuse what they cannot hold", func(t *testing.T, h *harness) {
		if !h.isMySQL() {
			return // text has one width
		}
		h.exec("ALTER TABLE cache MODIFY `key` VARCHAR(191) NOT NULL, MODIFY value TEXT NOT NULL")
		h.wantRefused(h.store.Put(h.ctx, "foo", strings.Repeat("x", 65536), time.Minute), "value")
		_, err := h.store.Add(h.ctx, strings.Repeat("k", 200), 1, time.Minute)
		h.wantRefused(err, "row key, or lock owner")
		h.wantRows()
	}},
	{"an empty key is a key", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "", "bar", time.Minute))
		h.wantRow("prefix", `s:3:"bar";`, start+60)
		h.wantString("", "bar")
	}},
}

var browsing = []testCase{
	{"list shows the live rows of the prefix by key, decoded types without values", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "b", "bar", 2*time.Minute))
		h.must(h.store.Put(h.ctx, "a", []any{1}, time.Minute))
		h.must(h.store.Put(h.ctx, "n", "\x00", time.Minute))
		h.insert("prefixbad", "garbage;", start+60)
		h.insert("prefixold", "i:1;", start)
		h.insert("otherc", "i:1;", start+60)
		h.wantList(store.ListOptions{}, "a array 14", "b string 10", "bad corrupt 8", h.nulEntry())
		h.wantList(store.ListOptions{State: store.Expired}, "old int 4")
		h.wantList(store.ListOptions{Order: store.ByExpiration, Limit: 1}, "a array 14")
		h.wantList(store.ListOptions{Order: store.BySize, Limit: 1}, "a array 14")
		h.wantList(store.ListOptions{Pattern: "b*", State: store.All}, "b string 10", "bad corrupt 8")
		h.wantList(store.ListOptions{Pattern: "?"}, "a array 14", "b string 10", h.nulEntry())
		h.wantList(store.ListOptions{Pattern: "other*", AllPrefixes: true}, "otherc int 4")
		h.wantList(store.ListOptions{Pattern: "B"})
	}},
	{"list pages through more rows than one statement reads, each once", func(t *testing.T, h *harness) {
		values := map[string]any{}
		for i := range 2345 {
			values[fmt.Sprintf("%04d", i)] = i
		}
		h.must(h.store.PutMany(h.ctx, values, time.Minute))
		for _, limit := range []int{0, 1, 1000, 1001, 2345, 9999} {
			seen := map[string]bool{}
			for e, err := range h.store.List(h.ctx, store.ListOptions{Limit: limit}) {
				h.must(err)
				seen[e.Key] = true
			}
			want := min(limit, 2345)
			if limit == 0 {
				want = 2345
			}
			if len(seen) != want {
				t.Errorf("limit %d: %d keys, want %d", limit, len(seen), want)
			}
		}
		for range h.store.List(h.ctx, store.ListOptions{}) {
			break // a caller may stop early
		}
	}},
	{"times beyond 292 years are live, and none is an error for other rows", func(t *testing.T, h *harness) {
		if h.hasIntColumn() {
			return // it holds no such times
		}
		h.insert("prefixa", "i:1;", 253402300799) // the end of the year 9999
		h.insert("prefixb", "i:1;", math.MaxInt64)
		h.insert("prefixc", "i:1;", math.MinInt64)
		h.must(h.store.Put(h.ctx, "d", 1, math.MaxInt64))
		h.wantList(store.ListOptions{}, "a int 4", "b int 4", "d int 4")
		for _, key := range []string{"a", "b", "d"} {
			item, err := h.store.Item(h.ctx, key)
			h.must(err)
			if item.TTL <= 0 {
				t.Errorf("%s: ttl is %s", key, item.TTL)
			}
		}
		h.wantMissing("c")
	}},
	{"list shows a string that a column has cut as corrupt", func(t *testing.T, h *harness) {
		h.insert("prefixcut", `s:70000:"abc";`, start+60)
		h.insert("prefixwhole", `s:3:"abc";`, start+60)
		h.wantList(store.ListOptions{}, "cut corrupt 14", "whole string 10")
	}},
	{"list refuses options that make no sense", func(t *testing.T, h *harness) {
		for _, o := range []store.ListOptions{{State: "dead"}, {Order: "colour"}, {Limit: -1}} {
			for _, err := range h.store.List(h.ctx, o) {
				if err == nil {
					t.Errorf("%+v was accepted", o)
				}
			}
		}
	}},
}

// nulEntry is how list shows a string that holds a NUL byte, whose stored form the engines differ in.
func (h *harness) nulEntry() string {
	if h.isMySQL() {
		return "n string 8"
	}
	return "n string 12"
}

func (h *harness) wantList(o store.ListOptions, want ...string) {
	h.t.Helper()
	var got []string
	for e, err := range h.store.List(h.ctx, o) {
		h.must(err)
		if e.Live() != (e.TTL > 0) || e.Expiration == 0 {
			h.t.Fatalf("entry is %+v", e)
		}
		got = append(got, fmt.Sprint(e.Key, " ", e.Type, " ", e.Size))
	}
	if !slices.Equal(got, want) {
		h.t.Fatalf("list %+v is %q, want %q", o, got, want)
	}
}

// clients is how many concurrent callers the contended cases have.
const clients = 8

// wantWinners runs try in concurrent clients at once and checks for how many it returns true.
func (h *harness) wantWinners(want int, try func(s *store.Store, client int) (bool, error)) {
	h.t.Helper()
	var (
		gate    = make(chan struct{})
		wg      sync.WaitGroup
		mu      sync.Mutex
		winners int
		failed  []error
	)
	for i := range clients {
		wg.Go(func() {
			<-gate
			won, err := try(h.store, i)
			mu.Lock()
			defer mu.Unlock()
			if won {
				winners++
			}
			if err != nil {
				failed = append(failed, err)
			}
		})
	}
	close(gate)
	wg.Wait()
	h.must(errors.Join(failed...))
	if winners != want {
		h.t.Fatalf("%d of %d clients won, want %d", winners, clients, want)
	}
}
