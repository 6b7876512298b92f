package storetest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/php"
)

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
	{"list in each order shows every row that stays once, whatever is deleted meanwhile", func(t *testing.T, h *harness) {
		const n = 2345
		for _, order := range []store.Order{store.ByKey, store.ByExpiration, store.BySize} {
			h.exec("DELETE FROM cache")
			h.fillSizes(n)
			seen := map[string]bool{}
			var before store.Entry
			for e, err := range h.store.List(h.ctx, store.ListOptions{Order: order}) {
				h.must(err)
				if seen[e.Key] {
					t.Fatalf("by %s: %s is listed twice", order, e.Key)
				}
				if len(seen) > 0 && !inOrder(order, before, e) {
					t.Fatalf("by %s: %+v comes after %+v", order, e, before)
				}
				before = e
				if seen[e.Key] = true; len(seen) == 10 {
					h.exec("DELETE FROM cache WHERE `key` LIKE '%odd'")
				}
			}
			stayed := 0
			for key := range seen {
				if strings.HasSuffix(key, "even") {
					stayed++
				}
			}
			if stayed != (n+1)/2 {
				t.Errorf("by %s: %d of the rows that stay, want %d", order, stayed, (n+1)/2)
			}
			var first []string
			for e, err := range h.store.List(h.ctx, store.ListOptions{Order: order, Limit: 1001}) {
				h.must(err)
				first = append(first, e.Key)
			}
			if len(first) != 1001 {
				t.Errorf("by %s: a limit of 1001 shows %d rows", order, len(first))
			}
		}
	}},
	{"a pattern's characters stand for themselves, byte for byte, but for * and ?", func(t *testing.T, h *harness) {
		keys := []string{"Foo", "bar_x", "bar%x", "bar\\x", "café", "cafe9", "e😀", "tail ", "[a]", "日本語"}
		for _, key := range keys {
			h.yes(h.store.Add(h.ctx, key, 1, time.Minute))
		}
		for pattern, want := range map[string][]string{
			"foo": nil, "f*": nil, "F*": {"Foo"}, "?oo": {"Foo"}, "*O*": nil,
			"bar_x": {"bar_x"}, "bar_*": {"bar_x"}, "bar%*": {"bar%x"}, "b%": nil, "bar\\*": {"bar\\x"}, "bar?x": {"bar_x", "bar%x", "bar\\x"},
			"caf?": {"café"}, "cafe": nil, "cafe*": {"cafe9"}, "cafe\u0301": nil, "e😎": nil, "e?": {"e😀"}, "tail": nil, "tail?": {"tail "}, "tail ": {"tail "},
			"[a]": {"[a]"}, "[ab]": nil, "日*": {"日本語"}, "日?語": {"日本語"}, "日": nil, "*": keys, "??": {"e😀"}, "": keys,
		} {
			var got []string
			for e, err := range h.store.List(h.ctx, store.ListOptions{Pattern: pattern}) {
				h.must(err)
				got = append(got, e.Key)
			}
			slices.Sort(got)
			want = slices.Sorted(slices.Values(want))
			if !slices.Equal(got, want) {
				t.Errorf("%q finds %q, want %q", pattern, got, want)
			}
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
	{"list shows all of a short value and 200 bytes or more of a long one, with its class", func(t *testing.T, h *harness) {
		class := strings.Repeat(`App\Models\`, 15) + "User"
		for key, value := range map[string]string{
			"object": fmt.Sprintf(`O:%d:"%s":1:{s:1:"a";s:900:"%s";}`, len(class), class, strings.Repeat("x", 900)),
			"short":  `s:3:"bar";`,
			"long":   fmt.Sprintf(`s:900:"%s";`, strings.Repeat("é", 450)),
			"nul":    fmt.Sprintf(`s:900:"%s";`, strings.Repeat("\x00", 900)),
		} {
			stored, size := value, len(value)
			if key == "nul" && !h.isMySQL() {
				stored = base64.StdEncoding.EncodeToString([]byte(value))
				size = len(stored)
			}
			h.insert(prefix+key, stored, start+60)
			for e, err := range h.store.List(h.ctx, store.ListOptions{Pattern: key}) {
				h.must(err)
				if !strings.HasPrefix(value, string(e.Head)) || len(e.Head) < min(200, len(value)) || e.Size != int64(size) {
					t.Errorf("%s: %d bytes of a value of %d (%d stored): %q", key, len(e.Head), len(value), e.Size, e.Head)
				}
				if _, got := php.Head(e.Head); key == "object" && got != class {
					t.Errorf("the class is %q, want %q", got, class)
				}
			}
		}
	}},
	{"list shows a string that a column has cut as corrupt", func(t *testing.T, h *harness) {
		h.insert("prefixcut", `s:70000:"abc";`, start+60)
		h.insert("prefixwhole", `s:3:"abc";`, start+60)
		h.wantList(store.ListOptions{}, "cut corrupt 14", "whole string 10")
	}},
	{"list shows a number with something behind it as corrupt, as get does", func(t *testing.T, h *harness) {
		for key, value := range map[string]string{"a": "i:7;\n", "b": "N;N;", "c": "b:1;x", "d": "d:1.5; ", "e": "i:7;", "f": "N;", "g": "b:1;", "h": "d:1.5;"} {
			h.insert(prefix+key, value, start+60)
			if err := h.store.Get(h.ctx, key, new(any)); errors.Is(err, store.ErrCorrupt) != (key < "e") {
				t.Errorf("get of %q: %v", value, err)
			}
		}
		h.wantList(store.ListOptions{}, "a corrupt 5", "b corrupt 4", "c corrupt 5", "d corrupt 7", "e int 4", "f null 2", "g bool 4", "h float 6")
	}},
	{"list refuses options that make no sense", func(t *testing.T, h *harness) {
		for _, o := range []store.ListOptions{{State: "dead"}, {Order: "colour"}, {Limit: -1}} {
			if err := firstErr(h.store.List(h.ctx, o)); !errors.As(err, new(*store.LimitError)) {
				t.Errorf("%+v: error is %v, want a LimitError", o, err)
			}
		}
	}},
}

// fillSizes inserts n rows of the prefix, odd and even, whose sizes and expirations are neither in the order of their keys nor in each other's, and
// which are not written in any of these orders.
func (h *harness) fillSizes(n int) {
	h.t.Helper()
	for from := 0; from < n; from += 500 {
		var tuples []string
		var args []any
		for i := from; i < min(n, from+500); i++ {
			parity := []string{"even", "odd"}[i%2]
			value := fmt.Sprintf(`s:%d:"%s";`, i*7%100, strings.Repeat("x", i*7%100))
			tuples = append(tuples, "(?,?,?)")
			args = append(args, fmt.Sprintf("%s%05d%s", prefix, i, parity), value, start+1+int64(i*13%1000))
		}
		h.exec("INSERT INTO cache VALUES "+strings.Join(tuples, ","), args...)
	}
}

// inOrder reports whether b may come after a.
func inOrder(o store.Order, a, b store.Entry) bool {
	switch o {
	case store.ByExpiration:
		return a.Expiration < b.Expiration || a.Expiration == b.Expiration && a.Key < b.Key
	case store.BySize:
		return a.Size > b.Size || a.Size == b.Size && a.Key < b.Key
	}
	return a.Key < b.Key
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
