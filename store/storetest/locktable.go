package storetest

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
)

// Cases on the lock table as a whole.
var lockTable = []testCase{
	{"S12 I21 I22 flushLocks deletes the locks of its prefix alone, held and expired, and no cache rows", func(t *testing.T, h *harness) {
		for i := range 450 { // more than one statement names
			h.insertLock(fmt.Sprint("prefix", i), "them", start+int64(i%2))
		}
		others := []string{"%", "Prefixx", "larder:prune:cache", "other1", "prefi", "prefi_", "prefiy1"}
		for _, other := range others {
			h.insertLock(other, "them", start+5)
		}
		h.insert("prefixfoo", "i:1;", start+5)
		h.wantLocksFlushed(450)(h.store.FlushLocks(h.ctx))
		h.wantLockKeys(others...)
		h.wantRow("prefixfoo", "i:1;", start+5)
		h.wantLocksFlushed(0)(h.store.FlushLocks(h.ctx))
	}},
	{"I20 after flushLocks every lock is free, and its holder has lost it", func(t *testing.T, h *harness) {
		var held []*store.Lock
		for _, name := range []string{"one", "two", "three"} {
			l := h.store.Lock(name, time.Minute)
			h.yes(l.Acquire(h.ctx))
			held = append(held, l)
		}
		h.wantLocksFlushed(3)(h.store.FlushLocks(h.ctx))
		for _, l := range held {
			h.no(h.store.PutIfLocked(h.ctx, l, "foo", 1, time.Minute))
			h.no(l.Refresh(h.ctx))
			h.no(l.Release(h.ctx))
			h.yes(h.store.Lock(l.Name(), time.Minute).Acquire(h.ctx))
		}
		h.wantRows()
		h.wantLockKeys("prefixone", "prefixthree", "prefixtwo")
	}},
	{"I23 I24 I25 flushLocks is refused where the locks have no table of their own", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", "bar", time.Minute))
		h.yes(h.store.Lock("foo", time.Minute).Acquire(h.ctx))
		for _, c := range []struct{ table, lockTable string }{{"cache", "cache"}, {"cache", "CACHE"}, {"cache_locks", "cache_locks"}} {
			s, err := store.New(h.db(), store.WithPrefix(prefix), store.WithTable(c.table), store.WithLockTable(c.lockTable))
			h.must(err)
			_, err = s.FlushLocks(h.ctx)
			h.wantErr(err, store.ErrSameTable)
			_, err = s.FlushAllLocks(h.ctx)
			h.wantErr(err, store.ErrSameTable)
			h.wantErr(firstErr(s.Locks(h.ctx)), store.ErrSameTable)
			h.wantErr(firstErr(s.AllLocks(h.ctx)), store.ErrSameTable)
		}
		h.wantRow("prefixfoo", `s:3:"bar";`, start+60)
		h.wantLockKeys("prefixfoo")
		h.wantLocksFlushed(1)(h.store.FlushLocks(h.ctx))
	}},
	{"I24 one table for both holds no locks, which is an error", func(t *testing.T, h *harness) {
		s, err := store.New(h.db(), store.WithPrefix(prefix), store.WithLockTable("cache"))
		h.must(err)
		h.must(s.Put(h.ctx, "foo", 1, time.Minute))
		if answer, err := s.Lock("foo", time.Minute).Acquire(h.ctx); answer || err == nil {
			t.Fatalf("acquired: %v, %v", answer, err)
		}
		if _, err := s.Lock("foo", time.Minute).Release(h.ctx); err == nil {
			t.Fatal("released a lock that cannot be")
		}
		if len(h.rows()) != 1 {
			t.Fatal("the cache row is gone")
		}
	}},
	{"flushLocks without a prefix is refused, unless it is meant for all", func(t *testing.T, h *harness) {
		all, err := store.New(h.db())
		h.must(err)
		h.insertLock("prefixfoo", "them", start+5)
		h.insertLock("otherbar", "them", start)
		_, err = all.FlushLocks(h.ctx)
		h.wantErr(err, store.ErrNoPrefix)
		h.wantLockKeys("otherbar", "prefixfoo")
		h.wantLocksFlushed(2)(h.store.FlushAllLocks(h.ctx))
		h.wantLockKeys()
	}},
	{"flushLocks and locks take prefixes for what they are", func(t *testing.T, h *harness) {
		for _, p := range []string{"a_b%", `app\`, "日本", "é", "tail ", "e😀"} {
			h.exec("DELETE FROM cache_locks")
			s, err := store.New(h.db(), store.WithPrefix(p), store.WithClock(h.clock.Now))
			h.must(err)
			ours := []string{"1", "\u0001", "😀", "\uffff", "中"}
			for _, name := range ours {
				h.insertLock(p+name, "them", start+5)
			}
			for _, other := range []string{"zzz", "a1b21", "A_B%2"} {
				h.insertLock(other, "them", start+5)
			}
			var names []string
			for e, err := range s.Locks(h.ctx) {
				h.must(err)
				names = append(names, e.Name)
			}
			slices.Sort(names)
			slices.Sort(ours)
			if !slices.Equal(names, ours) {
				t.Errorf("prefix %q: locks are %q, want %q", p, names, ours)
			}
			h.wantLocksFlushed(5)(s.FlushLocks(h.ctx))
			h.wantLockKeys("A_B%2", "a1b21", "zzz")
		}
	}},
	{"locks tell who holds what for how long, by name", func(t *testing.T, h *harness) {
		h.insertLock("prefixc", "Ann", start+60)
		h.insertLock("prefixb", "Bob", start)
		h.insertLock("prefixa", "Cleo 😀", start-5)
		h.insertLock("otherd", "Dan", start+1)
		h.insert("prefixcache", "i:1;", start+5)
		h.wantLocks(h.store.Locks, "a Cleo 😀 -5s false", "b Bob 0s false", "c Ann 1m0s true")
		h.wantLocks(h.store.AllLocks, "otherd Dan 1s true", "prefixa Cleo 😀 -5s false", "prefixb Bob 0s false", "prefixc Ann 1m0s true")
		h.yes(h.store.RestoreLock("c", "Ann", 0).Release(h.ctx))
		h.wantLocks(h.store.Locks, "a Cleo 😀 -5s false", "b Bob 0s false")
		h.wantLockKeys("otherd", "prefixa", "prefixb") // reading deletes nothing
	}},
	{"locks page through more rows than one statement reads, each once, whatever is released meanwhile", func(t *testing.T, h *harness) {
		const n = 2345
		for from := 0; from < n; from += 469 {
			var tuples []string
			for i := range 469 {
				tuples = append(tuples, fmt.Sprintf("('prefix%04d','them',%d)", from+i, start+5))
			}
			h.exec("INSERT INTO cache_locks VALUES " + strings.Join(tuples, ","))
		}
		seen := map[string]bool{}
		for e, err := range h.store.Locks(h.ctx) {
			h.must(err)
			if seen[e.Name] {
				t.Fatalf("%s is listed twice", e.Name)
			}
			if seen[e.Name] = true; len(seen) == 1 {
				h.exec("DELETE FROM cache_locks WHERE `key`>='prefix1500'")
			}
		}
		if len(seen) != 1500 {
			t.Fatalf("%d locks, want the 1500 that were not released", len(seen))
		}
		for range h.store.Locks(h.ctx) {
			break // a caller may stop early
		}
	}},
}

// wantLocksFlushed checks the answer of a flush.
func (h *harness) wantLocksFlushed(want int64) func(int64, error) {
	return func(got int64, err error) {
		h.t.Helper()
		h.must(err)
		if got != want {
			h.t.Fatalf("flushed %d locks, want %d", got, want)
		}
	}
}

// firstErr returns the error that a listing begins with, nil if it does not.
func firstErr[T any](list iter.Seq2[T, error]) error {
	for _, err := range list {
		return err
	}
	return nil
}

// wantLockKeys checks which row keys the lock table holds, by their bytes.
func (h *harness) wantLockKeys(want ...string) {
	h.t.Helper()
	var got []string
	h.must(h.db().SelectContext(h.ctx, &got, "SELECT `key` FROM cache_locks"))
	slices.Sort(got)
	if !slices.Equal(got, want) {
		h.t.Fatalf("lock rows are %q, want %q", got, want)
	}
}

// wantLocks checks what a listing of locks tells of each: name, owner, TTL and whether it is held.
func (h *harness) wantLocks(list func(context.Context) iter.Seq2[store.LockEntry, error], want ...string) {
	h.t.Helper()
	var got []string
	for e, err := range list(h.ctx) {
		h.must(err)
		if e.Expiration != start+int64(e.TTL/time.Second) {
			h.t.Fatalf("entry is %+v", e)
		}
		got = append(got, fmt.Sprint(e.Name, " ", e.Owner, " ", e.TTL, " ", e.Live()))
	}
	if !slices.Equal(got, want) {
		h.t.Fatalf("locks are %q, want %q", got, want)
	}
}
