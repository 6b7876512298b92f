package storetest

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
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
