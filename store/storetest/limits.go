package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
)

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
	{"S5 odd bytes come back as they were", func(t *testing.T, h *harness) {
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
	{"S8 a NUL byte is stored as base64 on SQLite and as it is on MySQL", func(t *testing.T, h *harness) {
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
			if !strings.HasSuffix(err.Error(), ": "+strconv.Quote(one)) {
				t.Errorf("%v, want that it names %q", err, one)
			}
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
		const tooLong = store.ForeverTTL + time.Second
		h.must(h.store.Forever(h.ctx, "foo", "bar"))
		h.wantRow("prefixfoo", `s:3:"bar";`, math.MaxInt32)
		h.wantRefused(h.store.Put(h.ctx, "bar", 1, tooLong), "expiration")
		h.wantRefused(h.store.PutMany(h.ctx, map[string]any{"bar": 1}, tooLong), "expiration")
		_, err := h.store.Add(h.ctx, "bar", 1, tooLong)
		h.wantRefused(err, "expiration")
		_, err = h.store.Touch(h.ctx, "foo", tooLong)
		h.wantRefused(err, "expiration")
		h.wantMissing("bar")
		h.wantRow("prefixfoo", `s:3:"bar";`, math.MaxInt32)
	}},
	{"E8 a ttl of ForeverTTL ends with an INT column, whatever stores it", func(t *testing.T, h *harness) {
		if !h.isMySQL() {
			return // integers have one width
		}
		h.exec("ALTER TABLE cache MODIFY expiration INT NOT NULL")
		h.clock.Set(2_000_000_000) // 2033
		lock := h.store.Lock("lock", time.Minute)
		h.yes(lock.Acquire(h.ctx))
		for name, write := range map[string]func(time.Duration) error{
			"Put":     func(ttl time.Duration) error { return h.store.Put(h.ctx, "foo", 1, ttl) },
			"PutMany": func(ttl time.Duration) error { return h.store.PutMany(h.ctx, map[string]any{"foo": 1}, ttl) },
			"a big PutMany": func(ttl time.Duration) error {
				values := map[string]any{"foo": 1}
				for i := range 1000 {
					values["other"+strconv.Itoa(i)] = i
				}
				return h.store.PutMany(h.ctx, values, ttl)
			},
			"Add":            func(ttl time.Duration) error { _, err := h.store.Add(h.ctx, "foo", 1, ttl); return err },
			"IncrementOrAdd": func(ttl time.Duration) error { _, err := h.store.IncrementOrAdd(h.ctx, "foo", 1, ttl); return err },
			"PutIfLocked":    func(ttl time.Duration) error { _, err := h.store.PutIfLocked(h.ctx, lock, "foo", 1, ttl); return err },
			"Touch": func(ttl time.Duration) error {
				return errors.Join(h.store.Put(h.ctx, "foo", 1, time.Minute), second(h.store.Touch(h.ctx, "foo", ttl)))
			},
			"Remember under a lock": func(ttl time.Duration) error {
				return second(store.Remember(h.ctx, h.store, "foo", ttl, func(context.Context) (int, error) { return 1, nil }, store.WithLock(2*time.Second, time.Second)))
			},
			"Flexible": func(ttl time.Duration) error {
				return second(store.Flexible(h.ctx, h.store, "foo", time.Minute, ttl, func(context.Context) (int, error) { return 1, nil }))
			},
		} {
			h.must(second(h.store.FlushAll(h.ctx)))
			if err := write(store.ForeverTTL); err != nil {
				t.Errorf("%s: %v", name, err)
			} else if item, err := h.store.Item(h.ctx, "foo"); err != nil || item.Expiration != math.MaxInt32 {
				t.Errorf("%s: expires at %d, %v", name, item.Expiration, err)
			}
		}
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

func second[T any](_ T, err error) error { return err }
