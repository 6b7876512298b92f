package storetest

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
)

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
	{"what is not counted in one statement is counted on from what others have left there", func(t *testing.T, h *harness) {
		const write = 3 // the statement, after the one that leaves it alone and the read
		for theirs, want := range map[string]int64{`s:1:"1";`: 2, `s:1:"7";`: 8, "i:9;": 10} {
			h.exec("DELETE FROM cache")
			h.insert("prefixfoo", `s:1:"5";`, start+5)
			s := h.before(write, func() { h.exec("UPDATE cache SET value = ?", theirs) })
			h.wantNumber(want)(s.Increment(h.ctx, "foo", 1))
			h.wantRow("prefixfoo", fmt.Sprintf("i:%d;", want), start+5)
		}
		h.exec("UPDATE cache SET value = 'd:5;'")
		s := h.before(write, func() { h.clock.Set(start + 5) })
		h.wantErr(bad(s.Increment(h.ctx, "foo", 1)), store.ErrNotFound)
		h.wantRow("prefixfoo", "d:5;", start+5)
		if !h.isMySQL() {
			return // there are no look-alikes
		}
		h.clock.Set(start)
		s = h.before(write, func() { h.exec("UPDATE cache SET `key` = 'prefixFoo'") })
		h.wantErr(bad(s.Increment(h.ctx, "foo", 1)), store.ErrNotFound)
		h.wantRow("prefixFoo", "d:5;", start+5)
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
