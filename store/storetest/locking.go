package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
)

var locking = []testCase{
	{"acquire writes prefix, owner and expiration", func(t *testing.T, h *harness) {
		l := h.store.RestoreLock("foo", "me", 10*time.Second)
		h.yes(l.Acquire(h.ctx))
		owner, expiration, found := h.lockRow("prefixfoo")
		if !found || owner != "me" || expiration != start+10 {
			t.Fatalf("lock row is %q %d %v", owner, expiration, found)
		}
	}},
	{"L1 locks stand in the lock table that the store was told, and in no other", func(t *testing.T, h *harness) {
		h.copyTable("cache_locks", "elsewhere")
		s, err := store.New(h.db(), store.WithPrefix(prefix), store.WithClock(h.clock.Now), store.WithLockTable("elsewhere"))
		h.must(err)
		h.yes(h.store.RestoreLock("foo", "here", time.Minute).Acquire(h.ctx))
		l := s.RestoreLock("foo", "there", time.Hour)
		h.yes(l.Acquire(h.ctx))
		var owners []string
		h.must(h.db().SelectContext(h.ctx, &owners, "SELECT owner FROM elsewhere"))
		if owner, _, _ := h.lockRow("prefixfoo"); owner != "here" || !slices.Equal(owners, []string{"there"}) {
			t.Fatalf("owners are %q here and %q there", owner, owners)
		}
		h.yes(s.PutIfLocked(h.ctx, l, "foo", 1, time.Minute))
		_, err = h.store.PutIfLocked(h.ctx, l, "foo", 2, time.Minute)
		h.wantErr(err, store.ErrOtherLocks)
		h.wantRow("prefixfoo", "i:1;", start+60)
	}},
	{"L11 acquiring sweeps no other lock, and prune says what goes wrong", func(t *testing.T, h *harness) {
		h.insertLock("prefixold", "gone", start-1)
		for i := range 200 { // of 50, Laravel sweeps after one
			h.yes(h.store.Lock(fmt.Sprint("lock", i), time.Minute).Acquire(h.ctx))
		}
		if _, _, found := h.lockRow("prefixold"); !found {
			t.Fatal("the expired lock of another name is gone")
		}
		h.exec("DROP TABLE cache")
		_, err := h.store.Prune(h.ctx, store.PruneOptions{})
		h.wantErr(err, store.ErrNoTable)
	}},
	{"L12 releasing outlives a deadlock", func(t *testing.T, h *harness) {
		if !h.isMySQL() {
			return // one writer after the other, so that none waits for two rows
		}
		l := h.store.Lock("foo", time.Minute)
		h.yes(l.Acquire(h.ctx))
		tx, err := h.db().BeginTxx(h.ctx, nil)
		h.must(err)
		defer func() { _ = tx.Rollback() }()
		for i := range 50 { // the server sacrifices the transaction that has changed less
			_, err := tx.ExecContext(h.ctx, "INSERT INTO cache VALUES (?, 'i:1;', 1)", fmt.Sprint("weight", i))
			h.must(err)
		}
		_, err = tx.ExecContext(h.ctx, "SELECT 1 FROM cache_locks WHERE `key`='prefixfoo' LOCK IN SHARE MODE")
		h.must(err)
		released := make(chan error, 1)
		go func() { released <- wantAnswer(true)(l.Release(h.ctx)) }()
		h.waitUntilBlocked(1)
		// The release waits for this transaction, and this statement for the release, which is ahead of it: a circle.
		_, err = tx.ExecContext(h.ctx, "UPDATE cache_locks SET expiration=expiration+1 WHERE `key`='prefixfoo'")
		h.must(err)
		h.must(tx.Rollback())
		h.must(<-released)
		if _, _, found := h.lockRow("prefixfoo"); found {
			t.Fatal("the lock is still there")
		}
	}},
	{"L12 any other trouble with a lock is an error, and neither held nor free", func(t *testing.T, h *harness) {
		l := h.store.Lock("foo", time.Minute)
		h.exec("DROP TABLE cache_locks")
		for name, try := range map[string]func(context.Context) (bool, error){
			"acquire": l.Acquire, "refresh": l.Refresh, "release": l.Release, "force release": l.ForceRelease,
		} {
			if answer, err := try(h.ctx); answer || !errors.Is(err, store.ErrNoTable) {
				t.Errorf("%s: %v, %v, want ErrNoTable", name, answer, err)
			}
		}
		_, err := l.CurrentOwner(h.ctx)
		h.wantErr(err, store.ErrNoTable)
		h.wantErr(l.Block(h.ctx, time.Minute), store.ErrNoTable)
		_, err = h.store.PutIfLocked(h.ctx, l, "foo", 1, time.Minute)
		h.wantErr(err, store.ErrNoTable)
		_, err = h.store.FlushLocks(h.ctx)
		h.wantErr(err, store.ErrNoTable)
		h.wantErr(firstErr(h.store.Locks(h.ctx)), store.ErrNoTable)
	}},
	{"a lock for no time lasts a day", func(t *testing.T, h *harness) {
		h.yes(h.store.Lock("foo", 0).Acquire(h.ctx))
		if _, expiration, _ := h.lockRow("prefixfoo"); expiration != start+86400 {
			t.Fatalf("lock expires at %d, want %d", expiration, start+86400)
		}
		l := h.store.RestoreLock("bar", "me", time.Minute)
		h.yes(l.Acquire(h.ctx))
		h.yes(l.RefreshFor(h.ctx, 0))
		if _, expiration, _ := h.lockRow("prefixbar"); expiration != start+86400 {
			t.Fatalf("lock expires at %d after its refresh, want %d", expiration, start+86400)
		}
	}},
	{"an owner has 1 to 255 characters of UTF-8, or is refused", func(t *testing.T, h *harness) {
		longest := strings.Repeat("é", 255)
		h.yes(h.store.RestoreLock("foo", longest, time.Minute).Acquire(h.ctx))
		if owner, _, _ := h.lockRow("prefixfoo"); owner != longest {
			t.Fatalf("the owner is %q", owner)
		}
		for _, owner := range []string{"", longest + "x", "\xff"} {
			_, err := h.store.RestoreLock("bar", owner, time.Minute).Acquire(h.ctx)
			h.wantRefused(err, "lock owner")
		}
		if _, _, found := h.lockRow("prefixbar"); found {
			t.Fatal("a lock is held")
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
	{"E2 an acquisition that a look-alike refuses leaves that lock as it is, also if it is the same owner's", func(t *testing.T, h *harness) {
		if !h.isMySQL() {
			return // there are no look-alikes
		}
		h.yes(h.store.RestoreLock("foo", "me", 10*time.Second).Acquire(h.ctx))
		h.clock.Add(5 * time.Second)
		_, err := h.store.RestoreLock("Foo", "me", time.Minute).Acquire(h.ctx)
		h.wantErr(err, store.ErrLookalikeKey)
		if owner, expiration, _ := h.lockRow("prefixfoo"); owner != "me" || expiration != start+10 {
			t.Fatalf("the lock is %q's until %d, want until %d", owner, expiration, start+10)
		}
	}},
	{"E10 owners differ by case", func(t *testing.T, h *harness) {
		a, b := h.store.RestoreLock("foo", "me", time.Minute), h.store.RestoreLock("foo", "ME", time.Minute)
		h.yes(a.Acquire(h.ctx))
		h.no(b.Acquire(h.ctx))
		h.no(b.Refresh(h.ctx))
		h.no(b.Release(h.ctx))
		h.no(h.store.PutIfLocked(h.ctx, b, "key", 1, time.Minute))
		h.yes(a.Refresh(h.ctx))
		h.yes(h.store.PutIfLocked(h.ctx, a, "key", 1, time.Minute))
	}},
	{"L5 L6 L7 the current owner is the live one, whoever asks", func(t *testing.T, h *harness) {
		a, b := h.store.Lock("foo", 10*time.Second), h.store.RestoreLock("foo", "somebody else", 10*time.Second)
		wantOwner := func(want string) {
			t.Helper()
			for _, asked := range []*store.Lock{a, b} {
				got, err := asked.CurrentOwner(h.ctx)
				h.must(err)
				if got != want {
					t.Fatalf("current owner is %q, want %q", got, want)
				}
			}
		}
		wantOwner("")
		h.yes(a.Acquire(h.ctx))
		wantOwner(a.Owner())
		h.clock.Set(start + 10)
		wantOwner("")
		h.yes(b.Acquire(h.ctx))
		wantOwner("somebody else")
		h.yes(b.Release(h.ctx))
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
		attempts := 0
		h.wantErr(h.hooked(func() { attempts++ }).Lock("foo", time.Minute).Block(h.ctx, 0), store.ErrLockTimeout)
		if attempts != 1 {
			t.Fatalf("%d attempts in no time, want 1", attempts)
		}
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
	{"of a holder whose lock runs out and the next one, what the next one writes stays", func(t *testing.T, h *harness) {
		for round := range 20 {
			name, key := fmt.Sprint("lock", round), fmt.Sprint("key", round)
			stalled, next := h.store.Lock(name, 10*time.Second), h.store.Lock(name, 10*time.Second)
			h.yes(stalled.Acquire(h.ctx))
			var wg sync.WaitGroup
			var late error
			wg.Go(func() { _, late = h.store.PutIfLocked(h.ctx, stalled, key, "late", time.Minute) })
			h.clock.Add(10 * time.Second)
			h.yes(next.Acquire(h.ctx))
			h.yes(h.store.PutIfLocked(h.ctx, next, key, "next", time.Minute))
			wg.Wait()
			h.must(late)
			h.wantString(key, "next")
			h.no(h.store.PutIfLocked(h.ctx, stalled, key, "late", time.Minute))
			h.wantString(key, "next")
		}
	}},
}
