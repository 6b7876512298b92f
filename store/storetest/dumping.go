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

var dumping = []testCase{
	{"export returns the live rows of the prefix whole, with their times", func(t *testing.T, h *harness) {
		h.insert("prefixb", `s:3:"bar";`, start+5)
		h.insert("prefixa", "garbage; no PHP", start+1)
		h.insert("prefixold", "i:1;", start)
		h.insert("otherc", "i:1;", start+9)
		h.wantExported(store.ExportOptions{},
			store.Row{Key: "a", Value: []byte("garbage; no PHP"), Expiration: start + 1, TTL: time.Second},
			store.Row{Key: "b", Value: []byte(`s:3:"bar";`), Expiration: start + 5, TTL: 5 * time.Second})
		h.wantExported(store.ExportOptions{State: store.Expired}, store.Row{Key: "old", Value: []byte("i:1;"), Expiration: start})
		h.wantExported(store.ExportOptions{Pattern: "b*"}, store.Row{Key: "b", Value: []byte(`s:3:"bar";`), Expiration: start + 5, TTL: 5 * time.Second})
		if keys := h.exportedKeys(store.ExportOptions{AllPrefixes: true, State: store.All}); !slices.Equal(keys, []string{"otherc", "prefixa", "prefixb", "prefixold"}) {
			t.Fatalf("all prefixes: keys are %q", keys)
		}
	}},
	{"export goes over many pages and large values, and on after the last key", func(t *testing.T, h *harness) {
		h.fill("many", 2500, func(int) int64 { return start + 60 })
		big := strings.Repeat("x", 3<<20)
		for i := range 3 {
			h.must(h.store.Put(h.ctx, fmt.Sprintf("big%d", i), big, time.Hour))
		}
		all := h.exportedKeys(store.ExportOptions{})
		if len(all) != 2503 {
			t.Fatalf("%d rows, want 2503", len(all))
		}
		for _, at := range []int{0, 1, 2, 999, 1000, 1001, 2502} {
			if got := h.exportedKeys(store.ExportOptions{After: all[at]}); !slices.Equal(got, all[at+1:]) {
				t.Fatalf("after row %d: %d rows, want %d", at, len(got), len(all)-at-1)
			}
		}
	}},
	{"a value of megabytes is exported and imported byte for byte, between others of its page", func(t *testing.T, h *harness) {
		text := strings.Repeat("ü😀\"\\'\n%x", 480_000) // 6 MB, and characters of all lengths at the ends of parts
		h.must(h.store.Put(h.ctx, "a", 1, time.Hour))
		h.must(h.store.Put(h.ctx, "b", text, time.Hour))
		h.must(h.store.Put(h.ctx, "c", 3, time.Hour))
		before := h.rows()
		rows := h.exported(store.ExportOptions{})
		if keys := h.exportedKeys(store.ExportOptions{MaxSize: 5 << 20}); !slices.Equal(keys, []string{"a", "c"}) {
			t.Fatalf("of at most 5 MiB: keys are %q", keys)
		}
		if keys := h.exportedKeys(store.ExportOptions{State: store.Expired}); len(keys) > 0 {
			t.Fatalf("expired keys are %q", keys)
		}
		h.exec("DELETE FROM cache")
		for range 2 {
			h.wantImported(rows, store.ImportOptions{}, store.ImportResult{Stored: 3})
			h.wantRows(before...)
		}
		h.wantString("b", text)
	}},
	{"a value of megabytes that somebody rewrites is exported as it was at one moment", func(t *testing.T, h *harness) {
		texts := []string{strings.Repeat("x", 5<<20), strings.Repeat("y", 5<<20)}
		h.must(h.store.Put(h.ctx, "a", texts[0], time.Hour))
		ctx, stop := context.WithCancel(h.ctx)
		done := make(chan error)
		go func() {
			for i := 1; ; i++ {
				if err := h.store.Put(ctx, "a", texts[i%2], time.Hour); err != nil {
					done <- err
					return
				}
			}
		}()
		for range 5 {
			for _, r := range h.exported(store.ExportOptions{}) {
				if !slices.Contains(texts, strings.TrimSuffix(strings.TrimPrefix(string(r.Value), `s:5242880:"`), `";`)) {
					t.Errorf("the parts are of different moments: %d x and %d y", strings.Count(string(r.Value), "x"), strings.Count(string(r.Value), "y"))
				}
			}
		}
		stop()
		h.wantErr(<-done, context.Canceled)
	}},
	{"export tells an error as its last element", func(t *testing.T, h *harness) {
		h.insert("prefixa", "i:1;", start+1)
		ctx, cancel := context.WithCancel(h.ctx)
		cancel()
		var last error
		for _, err := range h.store.Export(ctx, store.ExportOptions{}) {
			last = err
		}
		h.wantErr(last, context.Canceled)
	}},
	{"import stores what export returned byte for byte, and again without a change", func(t *testing.T, h *harness) {
		h.insert("prefixa", `s:1:"ü";`, start+1)
		h.insert("prefixb", "N;", start+1000)
		h.insert("prefixc", "garbage", start+5)
		h.insert("prefixd", "", start+5)
		h.insert("prefixe", "YWJjZA==", start+5) // reads as base64 on SQLite, though nobody serialized anything
		exported, before := h.exported(store.ExportOptions{}), h.exported(store.ExportOptions{})
		h.exec("DELETE FROM cache")
		for range 2 {
			h.wantImported(exported, store.ImportOptions{}, store.ImportResult{Stored: 5})
			h.wantExported(store.ExportOptions{}, before...)
		}
		h.wantExported(store.ExportOptions{State: store.Expired})
	}},
	{"import takes the place of what was there, and a later row of the same key that of an earlier one", func(t *testing.T, h *harness) {
		h.insert("prefixa", "i:1;", start+1)
		h.wantImported([]store.Row{
			{Key: "a", Value: []byte("i:2;"), Expiration: start + 7}, {Key: "a", Value: []byte("i:3;"), Expiration: start + 8},
			{Key: "a", Value: []byte("i:4;"), Expiration: start},
		}, store.ImportOptions{}, store.ImportResult{Stored: 2, Expired: 1})
		h.wantRow("prefixa", "i:3;", start+8)
	}},
	{"import leaves expired rows out unless they are asked for, and extends when told to", func(t *testing.T, h *harness) {
		rows := []store.Row{
			{Key: "now", Value: []byte("i:1;"), Expiration: start, TTL: time.Minute},
			{Key: "later", Value: []byte("i:1;"), Expiration: start + 1, TTL: time.Hour},
			{Key: "never", Value: []byte("i:1;"), Expiration: start - 1, TTL: -time.Minute},
		}
		h.wantImported(rows, store.ImportOptions{}, store.ImportResult{Stored: 1, Expired: 2})
		h.wantRow("prefixlater", "i:1;", start+1)
		h.wantImported(rows, store.ImportOptions{Extend: true}, store.ImportResult{Stored: 2, Expired: 1})
		h.wantRows(row{"prefixlater", []byte("i:1;"), start + 3600}, row{"prefixnow", []byte("i:1;"), start + 60})
		h.wantImported(rows[2:], store.ImportOptions{Expired: true}, store.ImportResult{Stored: 1})
		if n := len(h.rows()); n != 3 {
			t.Fatalf("%d rows, want 3", n)
		}
	}},
	{"import stores all rows or none, and names the one that cannot be", func(t *testing.T, h *harness) {
		rows := []store.Row{{Key: "fits", Value: []byte("i:1;"), Expiration: start + 1}, {Key: strings.Repeat("k", 300), Value: []byte("i:1;"), Expiration: start + 1}}
		_, err := h.store.Import(h.ctx, rows, store.ImportOptions{})
		h.wantRefused(err, "row key")
		var at *store.RowError
		if !errors.As(err, &at) || at.Index != 1 {
			t.Fatalf("error is %#v, want one of row 1", err)
		}
		h.wantRows()
	}},
	{"import writes more than one statement takes", func(t *testing.T, h *harness) {
		big := []byte(`s:3000000:"` + strings.Repeat("x", 3_000_000) + `";`)
		var rows []store.Row
		for i := range 3 {
			rows = append(rows, store.Row{Key: fmt.Sprint("big", i), Value: big, Expiration: start + 1})
		}
		for i := range 1500 {
			rows = append(rows, store.Row{Key: fmt.Sprint("small", i), Value: []byte("i:1;"), Expiration: start + 1})
		}
		h.wantImported(rows, store.ImportOptions{}, store.ImportResult{Stored: 1503})
		if n := len(h.exportedKeys(store.ExportOptions{})); n != 1503 {
			t.Fatalf("%d rows, want 1503", n)
		}
	}},
	{"import ends forever with an INT column, and refuses what is too late otherwise", func(t *testing.T, h *harness) {
		forever := int64(math.MaxInt32) + 1000
		h.clock.Set(forever - 315_360_000)
		rows := []store.Row{
			{Key: "a", Value: []byte("i:1;"), Expiration: forever},
			{Key: "b", Value: []byte("i:1;"), Expiration: math.MaxInt32},
			{Key: "c", Value: []byte("i:1;"), Expiration: forever + 1},
		}
		if !h.hasIntColumn() {
			h.wantImported(rows, store.ImportOptions{}, store.ImportResult{Stored: 3})
			h.wantRows(row{"prefixa", []byte("i:1;"), forever}, row{"prefixb", []byte("i:1;"), math.MaxInt32}, row{"prefixc", []byte("i:1;"), forever + 1})
			return
		}
		h.wantImported(rows, store.ImportOptions{}, store.ImportResult{Stored: 3, Shortened: 2})
		h.wantRows(row{"prefixa", []byte("i:1;"), math.MaxInt32}, row{"prefixb", []byte("i:1;"), math.MaxInt32}, row{"prefixc", []byte("i:1;"), math.MaxInt32})
		h.clock.Set(forever - 3600)
		_, err := h.store.Import(h.ctx, rows, store.ImportOptions{})
		h.wantRefused(err, "expiration")
	}},
	{"import counts the rows that look-alike keys lose", func(t *testing.T, h *harness) {
		rows := func(keys ...string) (rows []store.Row) {
			for _, key := range keys {
				rows = append(rows, store.Row{Key: key, Value: []byte("i:1;"), Expiration: start + 60})
			}
			return rows
		}
		want := func(stored, lost int64) store.ImportResult {
			if !h.isMySQL() {
				lost = 0
			}
			return store.ImportResult{Stored: stored, Lookalikes: lost}
		}
		h.wantImported(rows("Flag", "x"), store.ImportOptions{}, want(2, 0))
		h.wantImported(rows("flag", "x"), store.ImportOptions{}, want(2, 1))
		h.wantImported(rows("one", "One", "ONE", "two"), store.ImportOptions{}, want(4, 2))
	}},
	{"import and export keep a NUL byte", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "nul", "a\x00b", time.Minute))
		rows := h.exported(store.ExportOptions{})
		before := h.rows()
		h.exec("DELETE FROM cache")
		if len(rows) != 1 || string(rows[0].Value) != "s:3:\"a\x00b\";" {
			t.Fatalf("exported %v", rows)
		}
		h.wantImported(rows, store.ImportOptions{}, store.ImportResult{Stored: 1})
		h.wantRows(before...)
	}},
	{"rows are counted by state, and those of other prefixes by family", func(t *testing.T, h *harness) {
		h.fill("live", 3, func(int) int64 { return start + 1 })
		h.fill("old", 2, func(int) int64 { return start })
		h.exec("INSERT INTO cache VALUES (?,?,?),(?,?,?),(?,?,?)", "app_cache_a", "i:1;", 0, "app_cache_b", "i:1;", start+1, "zzz", "i:1;", 0)
		for _, c := range []struct {
			state store.State
			all   bool
			want  int64
		}{{store.Live, false, 3}, {store.Expired, false, 2}, {store.All, false, 5}, {store.All, true, 8}, {"", true, 4}} {
			h.wantNumber(c.want)(h.store.CountRows(h.ctx, c.state, c.all))
		}
		f, err := h.store.OtherPrefixes(h.ctx, 1)
		h.must(err)
		want := store.Group{Name: "app_cache_", Count: store.Count{Rows: 2}}
		if len(f.Largest) != 1 || f.Largest[0] != want || f.Rest.Rows != 1 {
			t.Fatalf("other prefixes are %+v", f)
		}
	}},
	{"prefixes in use are told apart by the longest, whatever the store's own", func(t *testing.T, h *harness) {
		all := []string{"my_app_cache", "my_app_cache_", "my-app-cache-", "laravel_cache", ""}
		for _, c := range []struct {
			add  string
			want []string
		}{
			{"", nil},
			{"my_app_cache_user:1", []string{"my_app_cache_"}}, // and not the one that this one goes on from
			{"My_App_cacheX", []string{"my_app_cache_"}},       // byte for byte
			{"my_app_cachegreeting", []string{"my_app_cache", "my_app_cache_"}},
			{"zzz", []string{"my_app_cache", "my_app_cache_", ""}},
			{"laravel_cache%", []string{"my_app_cache", "my_app_cache_", "laravel_cache", ""}},
			{"my-app-cache-😀", []string{"my_app_cache", "my_app_cache_", "my-app-cache-", "laravel_cache", ""}},
		} {
			if c.add != "" {
				h.insert(c.add, "i:1;", start)
			}
			prefixes := all
			if !slices.Contains(c.want, "") {
				prefixes = all[:4]
			}
			got, err := h.store.UsedPrefixes(h.ctx, prefixes...)
			h.must(err)
			if !slices.Equal(got, c.want) {
				t.Fatalf("with %q: %q are in use, want %q", c.add, got, c.want)
			}
		}
		if got, err := h.store.UsedPrefixes(h.ctx); err != nil || got != nil {
			t.Fatalf("of none: %q, %v", got, err)
		}
	}},
	{"a flush tells how far it is", func(t *testing.T, h *harness) {
		h.fill("x", 450, func(int) int64 { return start + 1 })
		h.insert("other", "i:1;", start+1)
		var seen []int64
		deleted, err := h.store.FlushWithProgress(h.ctx, false, func(n int64) { seen = append(seen, n) })
		h.must(err)
		if deleted != 450 || !slices.Equal(seen, []int64{199, 398, 450}) {
			t.Fatalf("deleted %d, progress was %d", deleted, seen)
		}
		h.wantNumber(1)(h.store.FlushWithProgress(h.ctx, true, func(int64) {}))
		_, err = h.open(t, store.WithClock(h.clock.Now)).FlushWithProgress(h.ctx, false, func(int64) {})
		h.wantErr(err, store.ErrNoPrefix)
	}},
	{"a dry run of prune tells what prune then does, and deletes nothing", func(t *testing.T, h *harness) {
		h.fill("old", 5, func(int) int64 { return start })
		h.fill("live", 300, func(i int) int64 { return start + 1 + int64(i) })
		h.insertLock("prefixa", "gone", start)
		h.insertLock(pruneLock, "somebody who prunes", start+60)
		for _, o := range []store.PruneOptions{{}, {MaxRows: 50}, {MaxBytes: 1000}, {MaxRows: 40, MaxBytes: 300}} {
			before := len(h.rows())
			dry := o
			dry.DryRun = true
			foreseen, err := h.store.Prune(h.ctx, dry)
			h.must(err)
			if n := len(h.rows()); n != before {
				t.Fatalf("%+v: %d rows are left of %d", o, n, before)
			}
			h.exec("DELETE FROM cache_locks WHERE owner = 'somebody who prunes'")
			done, err := h.store.Prune(h.ctx, o)
			h.must(err)
			if o.MaxBytes == 0 {
				foreseen.EvictedBytes = done.EvictedBytes
			}
			if foreseen != done || o.MaxRows > 0 && done.Evicted == 0 {
				t.Fatalf("%+v: foreseen %+v, done %+v", o, foreseen, done)
			}
		}
	}},
	{"the holder of a lock is told with the time that is left", func(t *testing.T, h *harness) {
		lock := h.store.Lock("job", time.Minute)
		h.yes(lock.Acquire(h.ctx))
		h.clock.Add(20 * time.Second)
		owner, ttl, err := h.store.Lock("job", 0).Holder(h.ctx)
		if err != nil || owner != lock.Owner() || ttl != 40*time.Second {
			t.Fatalf("holder is %q for %s, %v", owner, ttl, err)
		}
		h.clock.Add(40 * time.Second)
		if owner, ttl, err := lock.Holder(h.ctx); err != nil || owner != "" || ttl != 0 {
			t.Fatalf("holder is %q for %s, %v, want none", owner, ttl, err)
		}
	}},
}

func (h *harness) exported(o store.ExportOptions) (rows []store.Row) {
	h.t.Helper()
	for r, err := range h.store.Export(h.ctx, o) {
		h.must(err)
		rows = append(rows, r)
	}
	return rows
}

func (h *harness) exportedKeys(o store.ExportOptions) (keys []string) {
	h.t.Helper()
	for _, r := range h.exported(o) {
		keys = append(keys, r.Key)
	}
	return keys
}

func (h *harness) wantExported(o store.ExportOptions, want ...store.Row) {
	h.t.Helper()
	got := h.exported(o)
	same := func(a, b store.Row) bool {
		return a.Key == b.Key && string(a.Value) == string(b.Value) && a.Expiration == b.Expiration && a.TTL == b.TTL
	}
	if !slices.EqualFunc(got, want, same) {
		h.t.Fatalf("exported %v, want %v", got, want)
	}
}

func (h *harness) wantImported(rows []store.Row, o store.ImportOptions, want store.ImportResult) {
	h.t.Helper()
	got, err := h.store.Import(h.ctx, rows, o)
	h.must(err)
	if got != want {
		h.t.Fatalf("import: %+v, want %+v", got, want)
	}
}
