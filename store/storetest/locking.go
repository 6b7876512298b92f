package storetest

import (
	"fmt"
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
