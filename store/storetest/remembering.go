package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/php"
)

// A maker counts how often it makes a value: 1, 2, ...
type maker struct{ runs atomic.Int64 }

func (m *maker) make(context.Context) (int64, error) { return m.runs.Add(1), nil }

func (h *harness) wantRuns(m *maker, want int64) {
	h.t.Helper()
	if got := m.runs.Load(); got != want {
		h.t.Fatalf("the value was made %d times, want %d", got, want)
	}
}

// A deferral is a runner of refreshes that waits to be told, as Laravel waits for the end of the response.
type deferral struct{ refreshes []func() }

func (d *deferral) later(refresh func()) { d.refreshes = append(d.refreshes, refresh) }

func (d *deferral) run() {
	for _, refresh := range d.refreshes {
		refresh()
	}
	d.refreshes = nil
}

func (h *harness) wantDeferred(d *deferral, want int) {
	h.t.Helper()
	if len(d.refreshes) != want {
		h.t.Fatalf("%d refreshes are waiting, want %d", len(d.refreshes), want)
	}
}

// createdRow is the companion of foo.
func createdRow(created, expiration int64) row {
	return row{prefix + companion + "foo", fmt.Appendf(nil, "i:%d;", created), expiration}
}

func fooRow(value, expiration int64) row {
	return row{prefix + "foo", fmt.Appendf(nil, "i:%d;", value), expiration}
}

const fooRefreshLock = "illuminate:cache:flexible:lock:foo"

var errUpstream = errors.New("upstream is down")

var remembering = []testCase{
	{"R4 remember makes a missing value once and stores it for its ttl", func(t *testing.T, h *harness) {
		var m maker
		for range 2 {
			h.wantNumber(1)(store.Remember(h.ctx, h.store, "foo", 602*time.Second, m.make))
		}
		h.wantRows(fooRow(1, start+602))
		h.clock.Set(start + 602)
		h.wantNumber(2)(store.Remember(h.ctx, h.store, "foo", time.Minute, m.make))
	}},
	{"R4 the ttl may come with the value", func(t *testing.T, h *harness) {
		h.wantNumber(7)(store.RememberTTL(h.ctx, h.store, "foo", func(context.Context) (int64, time.Duration, error) {
			return 7, 17 * time.Second, nil
		}))
		h.wantRows(fooRow(7, start+17))
	}},
	{"rememberForever is forever", func(t *testing.T, h *harness) {
		for _, opts := range [][]store.RememberOption{nil, {store.WithLock(10*time.Second, 0)}} {
			var m maker
			h.exec("DELETE FROM cache")
			h.wantNumber(1)(store.RememberForever(h.ctx, h.store, "foo", m.make, opts...))
			h.wantRows(fooRow(1, start+315_360_000))
		}
	}},
	{"remember for no time stores nothing", func(t *testing.T, h *harness) {
		var m maker
		h.wantNumber(1)(store.Remember(h.ctx, h.store, "foo", 0, m.make))
		h.wantNumber(2)(store.Remember(h.ctx, h.store, "foo", -1, m.make, store.WithLock(10*time.Second, 0)))
		h.wantRows()
	}},
	{"remember takes null for missing and false for a value", func(t *testing.T, h *harness) {
		var m maker
		h.insert("prefixfoo", "N;", start+9)
		h.wantNumber(1)(store.Remember(h.ctx, h.store, "foo", time.Minute, m.make))
		h.insert("prefixno", "b:0;", start+9)
		h.no(store.Remember(h.ctx, h.store, "no", time.Minute, func(context.Context) (bool, error) { return true, nil }))

		// A nil is stored, and made again.
		runs := 0
		for range 2 {
			got, err := store.Remember(h.ctx, h.store, "nil", time.Minute, func(context.Context) (any, error) { runs++; return nil, nil })
			h.must(err)
			if got != nil {
				t.Fatalf("value is %v", got)
			}
		}
		if runs != 2 {
			t.Fatalf("nil was made %d times, want 2", runs)
		}
	}},
	{"remember overwrites corrupt bytes, and leaves a value of another type", func(t *testing.T, h *harness) {
		var m maker
		h.insert("prefixfoo", "i:7", start+9)
		h.wantNumber(1)(store.Remember(h.ctx, h.store, "foo", time.Minute, m.make))
		h.wantRows(fooRow(1, start+60))
		h.exec("UPDATE cache SET value = 's:3:\"bar\";'")
		_, err := store.Remember(h.ctx, h.store, "foo", time.Minute, m.make)
		var mismatch *php.TypeError
		if !errors.As(err, &mismatch) {
			t.Fatalf("error is %v, want a TypeError", err)
		}
		h.wantRow("prefixfoo", `s:3:"bar";`, start+60)
	}},
	{"remember stores no error, and returns the value that it could not store", func(t *testing.T, h *harness) {
		_, err := store.Remember(h.ctx, h.store, "foo", time.Minute, func(context.Context) (int, error) { return 1, errUpstream })
		h.wantErr(err, errUpstream)
		h.wantRows()
		got, err := store.Remember(h.ctx, h.store, "foo", time.Minute, func(context.Context) (func(), error) { return func() {}, nil })
		h.wantErr(err, store.ErrNotStored)
		if got == nil {
			t.Fatal("the value is gone")
		}
		var m maker
		_, err = store.Remember(h.ctx, h.store, longest+"x", time.Minute, m.make)
		h.wantRefused(err, "row key")
		_, err = store.Remember(h.ctx, h.store, "foo", time.Minute, m.make, store.WithLock(time.Second, 0))
		h.wantRefused(err, "lock ttl")
		h.wantRuns(&m, 0)
	}},
	{"L13 remember works while a lock of the same name is held", func(t *testing.T, h *harness) {
		var m maker
		h.yes(h.store.Lock("foo", time.Minute).Acquire(h.ctx))
		h.wantNumber(1)(store.Remember(h.ctx, h.store, "foo", time.Minute, m.make, store.WithLock(10*time.Second, 0)))
	}},
	{"remember with a lock waits for the value that another process makes", func(t *testing.T, h *harness) {
		var m maker
		other := h.store.Lock(store.RememberLockName("foo"), time.Minute)
		h.yes(other.Acquire(h.ctx))
		_, err := store.Remember(h.ctx, h.store, "foo", time.Minute, m.make, store.WithLock(10*time.Second, 0))
		h.wantErr(err, store.ErrLockTimeout)
		stored := make(chan error)
		go func() {
			time.Sleep(50 * time.Millisecond)
			stored <- h.store.Put(h.ctx, "foo", 7, time.Minute)
		}()
		h.wantNumber(7)(store.Remember(h.ctx, h.store, "foo", time.Minute, m.make, store.WithLock(10*time.Second, 10*time.Second)))
		h.must(<-stored)
		h.wantRuns(&m, 0)
	}},
	{"of many who remember in several processes one makes the value", func(t *testing.T, h *harness) {
		var m maker
		slow := func(ctx context.Context) (int64, error) {
			time.Sleep(20 * time.Millisecond)
			return m.make(ctx)
		}
		processes := make([]*store.Store, 4)
		for i := range processes {
			s, err := store.New(h.db(), store.WithPrefix(prefix), store.WithClock(h.clock.Now))
			h.must(err)
			processes[i] = s
		}
		var wg sync.WaitGroup
		failed := make(chan error, 100)
		for i := range 100 {
			wg.Go(func() {
				got, err := store.Remember(h.ctx, processes[i%4], "foo", time.Minute, slow, store.WithLock(10*time.Second, time.Minute))
				if err == nil && got != 1 {
					err = fmt.Errorf("value is %d", got)
				}
				if err != nil {
					failed <- err
				}
			})
		}
		wg.Wait()
		close(failed)
		for err := range failed {
			t.Error(err)
		}
		h.wantRuns(&m, 1)
		if _, _, found := h.lockRow(prefix + store.RememberLockName("foo")); found {
			t.Fatal("the lock is still there")
		}
	}},
	{"X1 the life of a flexible value", func(t *testing.T, h *harness) {
		const born = 946684800 // 2000-01-01
		h.clock.Set(born)
		var (
			m maker
			d deferral
		)
		flexible := func() (int64, error) {
			return store.Flexible(h.ctx, h.store, "foo", 10*time.Second, 20*time.Second, m.make, store.WithRefreshRunner(d.later))
		}
		h.wantNumber(1)(flexible())
		h.wantRows(fooRow(1, born+20), createdRow(born, born+20))
		h.clock.Set(born + 9)
		h.wantNumber(1)(flexible())
		h.wantDeferred(&d, 0)

		h.clock.Set(born + 11)
		h.wantNumber(1)(flexible())
		h.wantNumber(1)(flexible())
		h.wantDeferred(&d, 1)
		d.run()
		h.wantRuns(&m, 2)
		h.wantRows(fooRow(2, born+31), createdRow(born+11, born+31))
		if _, _, found := h.lockRow(prefix + fooRefreshLock); found {
			t.Fatal("the lock is still there")
		}
		h.wantNumber(2)(flexible())
		h.wantDeferred(&d, 0)

		h.clock.Set(born + 11 + 21)
		h.wantNumber(3)(flexible())
		h.wantDeferred(&d, 0)

		h.clock.Set(born + 32 + 11)
		lock := h.store.Lock(fooRefreshLock, 0)
		h.yes(lock.Acquire(h.ctx))
		h.wantNumber(3)(flexible())
		d.run()
		h.wantRuns(&m, 3)
		h.yes(lock.Release(h.ctx))

		h.wantNumber(3)(flexible())
		h.must(h.store.Put(h.ctx, companion+"foo", born+43, time.Minute)) // as another process does
		d.run()
		h.wantRuns(&m, 3)
	}},
	{"X2 a flexible value without its companion, or a companion without its value, is made anew", func(t *testing.T, h *harness) {
		var m maker
		for _, leave := range []row{
			fooRow(7, start+9), createdRow(start, start+9),
		} {
			h.exec("DELETE FROM cache")
			h.insert(leave.Key, string(leave.Value), leave.Expiration)
			want := m.runs.Load() + 1
			h.wantNumber(want)(store.Flexible(h.ctx, h.store, "foo", 10*time.Second, 20*time.Second, m.make))
			h.wantRows(fooRow(want, start+20), createdRow(start, start+20))
		}
		for _, broken := range []string{"N;", "x", `s:1:"1";`} {
			h.exec("UPDATE cache SET value = '" + broken + "' WHERE `key` = '" + prefix + companion + "foo'")
			want := m.runs.Load() + 1
			h.wantNumber(want)(store.Flexible(h.ctx, h.store, "foo", 10*time.Second, 20*time.Second, m.make))
		}
	}},
	{"X2 a flexible value is fresh or stale by its companion, whatever the integer", func(t *testing.T, h *harness) {
		for _, c := range []struct {
			created int64
			fresh   bool
		}{
			{start - 9, true}, {start - 10, false}, {start + 1000, true}, {math.MaxInt64, true}, {0, false}, {math.MinInt64, false},
		} {
			var d deferral
			var m maker
			h.exec("DELETE FROM cache")
			h.insert(prefix+"foo", "i:7;", start+15)
			h.insert(prefix+companion+"foo", fmt.Sprintf("i:%d;", c.created), start+15)
			h.wantNumber(7)(store.Flexible(h.ctx, h.store, "foo", 10*time.Second, 20*time.Second, m.make, store.WithRefreshRunner(d.later)))
			if refreshes := len(d.refreshes); (refreshes == 0) != c.fresh {
				t.Errorf("made at %d, asked at %d: %d refreshes, want fresh = %v", c.created, start, refreshes, c.fresh)
			}
			d.run()
		}
	}},
	{"X2 a flexible value whose rows never expire is made anew by the same clock", func(t *testing.T, h *harness) {
		if h.isMySQL() {
			h.exec("ALTER TABLE cache MODIFY expiration BIGINT NOT NULL")
		}
		for _, expiration := range []int64{start + 400*365*86400, math.MaxInt64} { // a Duration holds 292 years
			var d deferral
			var m maker
			flexible := func(want int64) {
				t.Helper()
				h.wantNumber(want)(store.Flexible(h.ctx, h.store, "foo", 10*time.Second, 20*time.Second, m.make, store.WithRefreshRunner(d.later)))
			}
			h.exec("DELETE FROM cache")
			h.insert(prefix+"foo", "i:7;", expiration)
			h.insert(prefix+companion+"foo", fmt.Sprintf("i:%d;", start-9), expiration)
			flexible(7)
			h.wantDeferred(&d, 0)
			h.exec(fmt.Sprintf("UPDATE cache SET value='i:%d;' WHERE value<>'i:7;'", start-10))
			flexible(7)
			h.wantDeferred(&d, 1)
			d.run()
			h.wantRows(fooRow(1, start+20), createdRow(start, start+20))
		}
	}},
	{"X3 forget leaves nothing of a flexible value, nor does its end", func(t *testing.T, h *harness) {
		var m maker
		flexible := func() (int64, error) {
			return store.Flexible(h.ctx, h.store, "foo", 10*time.Second, 20*time.Second, m.make)
		}
		h.wantNumber(1)(flexible())
		h.yes(h.store.Forget(h.ctx, "foo"))
		h.wantRows()
		h.wantNumber(2)(flexible())
		h.clock.Add(20 * time.Second)
		h.wantMissing("foo")
		h.wantMissing(companion + "foo")
		h.wantPruned(store.PruneOptions{}, store.PruneResult{Expired: 2})
		h.wantRows()
	}},
	{"a flexible value that is forgotten during its refresh stays forgotten", func(t *testing.T, h *harness) {
		var d deferral
		runs := 0
		flexible := func() (int, error) {
			return store.Flexible(h.ctx, h.store, "foo", 10*time.Second, 20*time.Second, func(context.Context) (int, error) {
				if runs++; runs == 2 {
					h.yes(h.store.Forget(h.ctx, "foo"))
				}
				return runs, nil
			}, store.WithRefreshRunner(d.later))
		}
		_, err := flexible()
		h.must(err)
		h.clock.Add(11 * time.Second)
		_, err = flexible()
		h.must(err)
		d.run()
		if runs != 2 {
			t.Fatalf("%d runs, want 2", runs)
		}
		h.wantRows()
	}},
	{"a flexible value is served stale, and said to be, while refreshing fails", func(t *testing.T, h *harness) {
		var (
			d    deferral
			told []error
			fail = errUpstream
		)
		flexible := func() (string, error) {
			return store.Flexible(h.ctx, h.store, "foo", 10*time.Second, time.Minute,
				func(context.Context) (string, error) {
					if fail != nil && len(told) == 1 {
						panic(fail)
					}
					return "good", fail
				},
				store.WithRefreshRunner(d.later), store.WithRefreshPause(0),
				store.WithRefreshErrors(func(key string, err error) { told = append(told, err) }))
		}
		_, err := flexible()
		h.wantErr(err, errUpstream) // nothing to serve
		h.wantRows()
		fail = nil
		_, err = flexible()
		h.must(err)
		fail = errUpstream
		h.clock.Add(11 * time.Second)
		_, err = flexible()
		h.must(err) // nothing has failed yet
		for try := range 2 {
			d.run() // an error, then a panic
			got, err := flexible()
			h.wantErr(err, store.ErrStale)
			h.wantErr(err, errUpstream)
			if got != "good" || len(told) != try+1 || !errors.Is(told[try], errUpstream) {
				t.Fatalf("value is %q, told %v", got, told)
			}
			if _, _, found := h.lockRow(prefix + fooRefreshLock); found {
				t.Fatal("the lock is still there")
			}
		}
		fail = nil
		d.run()
		_, err = flexible()
		h.must(err)
		h.wantDeferred(&d, 0)
	}},
	{"E2 look-alike keys share a row and hold nobody up", func(t *testing.T, h *harness) {
		var m maker
		if !h.isMySQL() {
			return // every key has its own row
		}
		for want, key := range []string{"Foo", "foo", "Foo"} {
			h.wantNumber(int64(want + 1))(store.Flexible(h.ctx, h.store, key, 10*time.Second, 20*time.Second, m.make))
			h.wantNumber(int64(want + 1))(store.Flexible(h.ctx, h.store, key, 10*time.Second, 20*time.Second, m.make))
		}
		h.exec("DELETE FROM cache")
		lock := h.store.Lock(store.RememberLockName("FOO"), time.Minute)
		h.yes(lock.Acquire(h.ctx))
		released := make(chan error)
		go func() {
			time.Sleep(50 * time.Millisecond)
			_, err := lock.Release(h.ctx)
			released <- err
		}()
		h.wantNumber(4)(store.Remember(h.ctx, h.store, "foo", time.Minute, m.make, store.WithLock(10*time.Second, 10*time.Second)))
		h.must(<-released)
	}},
	{"flexible refuses before it makes anything", func(t *testing.T, h *harness) {
		var m maker
		for _, c := range []struct {
			what         string
			key          string
			fresh, stale time.Duration
			opt          store.FlexibleOption
		}{
			{"fresh", "foo", -1, time.Minute, store.WithRefreshPause(0)},
			{"stale", "foo", 1, 0, store.WithRefreshPause(0)},
			{"row key", longest, 1, 2, store.WithRefreshPause(0)},
			{"refresh pause", "foo", 1, 2, store.WithRefreshPause(-1)},
			{"refresh lock ttl", "foo", 1, 2, store.WithRefreshLock(time.Second)},
		} {
			_, err := store.Flexible(h.ctx, h.store, c.key, c.fresh, c.stale, m.make, c.opt)
			h.wantRefused(err, c.what)
		}
		h.wantRuns(&m, 0)
		h.wantRows()
	}},
	{"a memo reads once, and again after a write through it", func(t *testing.T, h *harness) {
		m := h.store.Memo()
		wantMemo := func(want any) {
			t.Helper()
			var got any
			if err := m.Get(h.ctx, "foo", &got); want == nil {
				h.wantErr(err, store.ErrNotFound)
			} else if h.must(err); got != want {
				t.Fatalf("memo has %v, want %v", got, want)
			}
		}
		wantMemo(nil)
		h.must(h.store.Put(h.ctx, "foo", 1, time.Minute))
		wantMemo(nil) // read already
		h.no(m.Has(h.ctx, "foo"))
		m.Reset()
		wantMemo(int64(1))
		h.must(h.store.Put(h.ctx, "foo", 2, time.Minute))
		wantMemo(int64(1))
		h.wantNumber(3)(m.Increment(h.ctx, "foo", 1))
		wantMemo(int64(3))
		h.must(m.Put(h.ctx, "foo", 4, time.Minute))
		wantMemo(int64(4))
		h.must(m.PutMany(h.ctx, map[string]any{"foo": 5}, time.Minute))
		items, err := m.Many(h.ctx, "foo", "bar")
		h.must(err)
		if len(items) != 1 || string(items["foo"].Raw) != "i:5;" {
			t.Fatalf("items are %v", items)
		}
		h.no(m.Add(h.ctx, "foo", 6, time.Minute))
		h.yes(m.Touch(h.ctx, "foo", time.Hour))
		item, err := m.Item(h.ctx, "foo")
		h.must(err)
		if item.Expiration != start+3600 {
			t.Fatalf("expiration is %d", item.Expiration)
		}
		h.yes(m.Forget(h.ctx, "foo"))
		wantMemo(nil)
		h.must(m.Forever(h.ctx, "foo", 7))
		var got int
		h.must(m.Pull(h.ctx, "foo", &got))
		wantMemo(nil)
		h.wantNumber(8)(m.IncrementOrAdd(h.ctx, "foo", 8, time.Minute))
		h.wantNumber(7)(m.Decrement(h.ctx, "foo", 1))
		wantMemo(int64(7))
		_, err = m.Flush(h.ctx)
		h.must(err)
		wantMemo(nil)
	}},
	{"a memo does not keep what it read before a write that ended since", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "key", "old", time.Minute))
		keys := []string{"key"} // and more than one statement reads, so that there is a moment after the key was read and before the answer
		for i := range 1000 {
			keys = append(keys, fmt.Sprint("other", i))
		}
		statements := 0
		var m *store.Memo
		m = h.hooked(func() {
			if statements++; statements == 2 {
				h.must(m.Put(h.ctx, "key", "new", time.Minute))
			}
		}).Memo()
		items, err := m.Many(h.ctx, keys...)
		h.must(err)
		if got := string(items["key"].Raw); got != `s:3:"old";` || statements < 3 {
			t.Fatalf("read %s with %d statements, so that nothing was written in between", got, statements)
		}
		var got string
		h.must(m.Get(h.ctx, "key", &got))
		if got != "new" {
			t.Fatalf("the memo has %q, want what was written through it", got)
		}
	}},
	{"hold renews the lock until it is released", func(t *testing.T, h *harness) {
		lock := h.store.Lock("foo", 6*time.Second) // renewed every two, so that a busy machine may be late
		h.yes(lock.Acquire(h.ctx))
		held, release, err := lock.Hold(h.ctx)
		h.must(err)
		_, _, err = h.store.Lock("foo", 6*time.Second).Hold(h.ctx)
		h.wantErr(err, store.ErrLockTimeout)
		h.clock.Set(start + 1)
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			if _, expiration, _ := h.lockRow("prefixfoo"); expiration == start+7 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the lock was not renewed")
			}
		}
		h.must(held.Err())
		h.must(release())
		h.must(release())
		h.wantErr(held.Err(), context.Canceled)
		if _, _, found := h.lockRow("prefixfoo"); found {
			t.Fatal("the lock is still there")
		}
		_, _, err = h.store.Lock("foo", time.Second).Hold(h.ctx)
		h.wantRefused(err, "ttl")
	}},
	{"hold ends its context when the lock is lost, and leaves the next holder's alone", func(t *testing.T, h *harness) {
		held, release, err := h.store.Lock("foo", 2*time.Second).Hold(h.ctx)
		h.must(err)
		h.clock.Set(start + 2)
		h.yes(h.store.RestoreLock("foo", "next", time.Minute).Acquire(h.ctx))
		select {
		case <-held.Done():
		case <-time.After(time.Minute):
			t.Fatal("the context goes on")
		}
		h.wantErr(context.Cause(held), store.ErrLockLost)
		h.wantErr(release(), store.ErrLockLost)
		if owner, _, _ := h.lockRow("prefixfoo"); owner != "next" {
			t.Fatalf("owner is %q, want next", owner)
		}
	}},
	{"R11 L13 withoutOverlapping runs its function under the lock and always releases it", func(t *testing.T, h *harness) {
		without := func(fn func(context.Context) error) error {
			return store.WithoutOverlapping(h.ctx, h.store, "foo", 10*time.Second, 0, fn)
		}
		h.must(without(func(ctx context.Context) error {
			_, expiration, _ := h.lockRow("prefixfoo")
			if expiration != start+10 {
				t.Errorf("lock expires at %d, want %d", expiration, start+10)
			}
			h.wantErr(without(func(context.Context) error { t.Error("both run"); return nil }), store.ErrLockTimeout)
			return nil
		}))
		h.wantErr(without(func(context.Context) error { return errUpstream }), errUpstream)
		func() {
			defer func() { _ = recover() }()
			_ = without(func(context.Context) error { panic("oops") })
		}()
		ctx, cancel := context.WithCancel(h.ctx)
		h.must(store.WithoutOverlapping(ctx, h.store, "foo", 10*time.Second, 0, func(context.Context) error { cancel(); return nil }))
		if _, _, found := h.lockRow("prefixfoo"); found {
			t.Fatal("the lock is still there")
		}
		h.must(without(func(context.Context) error { // slower than its lock
			h.clock.Set(start + 10)
			h.yes(h.store.RestoreLock("foo", "next", time.Minute).Acquire(h.ctx))
			return nil
		}))
		if owner, _, _ := h.lockRow("prefixfoo"); owner != "next" {
			t.Fatalf("owner is %q, want next", owner)
		}
	}},
	{"F1 F2 F3 F6 a funnel frees its slot, whatever happens in it", func(t *testing.T, h *harness) {
		funnel := h.store.Funnel("foo").Limit(1).Block(0)
		runs := 0
		for range 5 {
			h.must(funnel.Then(h.ctx, func(context.Context) error {
				owner, expiration, found := h.lockRow("prefixfoo1")
				if !found || len(owner) != 20 || expiration != start+60 {
					t.Errorf("slot is %q %d %v", owner, expiration, found)
				}
				h.must(h.store.Funnel("bar").Block(0).Then(h.ctx, func(context.Context) error { runs++; return nil }))
				return nil
			}))
		}
		h.wantErr(funnel.Then(h.ctx, func(context.Context) error { return errUpstream }), errUpstream)
		func() {
			defer func() { _ = recover() }()
			_ = funnel.Then(h.ctx, func(context.Context) error { panic("oops") })
		}()
		if _, _, found := h.lockRow("prefixfoo1"); found || runs != 5 {
			t.Fatalf("slot is taken: %v; %d runs", found, runs)
		}
		h.wantRefused(funnel.Limit(0).Then(h.ctx, nil), "limit")
	}},
	{"F4 F5 a funnel lets no more through than its limit", func(t *testing.T, h *harness) {
		funnel := h.store.Funnel("foo").Limit(2).ReleaseAfter(10 * time.Second).Block(0)
		h.insertLock("prefixfoo1", "somebody", start+5)
		h.must(funnel.Then(h.ctx, func(ctx context.Context) error {
			if _, expiration, _ := h.lockRow("prefixfoo2"); expiration != start+10 {
				t.Errorf("slot expires at %d, want %d", expiration, start+10)
			}
			h.wantErr(funnel.Block(10*time.Millisecond).Sleep(0).Then(ctx, nil), store.ErrLimiterTimeout)
			canceled, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
			defer cancel()
			h.wantErr(funnel.Block(time.Minute).Then(canceled, nil), context.DeadlineExceeded)
			h.clock.Set(start + 5) // the first slot's holder has died
			return funnel.Then(ctx, func(context.Context) error { return nil })
		}))
		var running, most atomic.Int64
		h.wantWinners(clients, func(s *store.Store, _ int) (bool, error) {
			err := s.Funnel("busy").Limit(3).Block(time.Minute).Sleep(5*time.Millisecond).Then(h.ctx, func(context.Context) error {
				if n := running.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(2 * time.Millisecond)
				running.Add(-1)
				return nil
			})
			return err == nil, err
		})
		if most.Load() > 3 {
			t.Fatalf("%d ran at once, want at most 3", most.Load())
		}
	}},
}
