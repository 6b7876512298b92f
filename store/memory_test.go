package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/record"
)

// A tierTest is a store with a memory, and another one without on the same tables, which is everybody else. The clock is theirs.
type tierTest struct {
	*testing.T
	ctx           context.Context
	store, others *store.Store
	counter       record.Counter
	seconds       atomic.Int64 // in nanoseconds
}

// withMemory calls test for each engine.
func withMemory(t *testing.T, maxAge time.Duration, test func(*tierTest)) {
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			tt := &tierTest{T: t, ctx: t.Context()}
			tt.seconds.Store(1_000_000_000 * int64(time.Second))
			clock := store.WithClock(func() time.Time { return time.Unix(0, tt.seconds.Load()) })
			tt.store = open(t, store.WithPrefix("p"), clock, store.WithMemory(1<<20, maxAge), store.WithRecorder(&tt.counter))
			var err error
			if tt.others, err = store.New(tt.store.DB(), store.WithPrefix("p"), clock); err != nil {
				t.Fatal(err)
			}
			test(tt)
		})
	}
}

func (t *tierTest) pass(d time.Duration) { t.seconds.Add(int64(d)) }

func (t *tierTest) must(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want checks what a Get of the key finds: nil for nothing.
func (t *tierTest) want(key string, want any) {
	t.Helper()
	var got any
	err := t.store.Get(t.ctx, key, &got)
	if errors.Is(err, store.ErrNotFound) {
		got, err = nil, nil
	}
	t.must(err)
	if got != want {
		t.Fatalf("%q is %v, want %v", key, got, want)
	}
}

// wantHits checks how many of the Gets since the last check were answered from memory.
func (t *tierTest) wantHits(want int64) {
	t.Helper()
	if got := t.counter.Total(record.Get, record.MemoryHit).Operations; got != want {
		t.Fatalf("the memory has answered %d times, want %d", got, want)
	}
	t.counter.Reset()
}

func TestMemory_AHitDoesNotOutliveItsRow(t *testing.T) {
	withMemory(t, time.Hour, func(t *tierTest) {
		t.pass(900 * time.Millisecond) // the server rounds it down: the row dies in 9.1 s
		t.must(t.store.Put(t.ctx, "k", "v", 10*time.Second))
		t.want("k", "v")
		t.pass(8900 * time.Millisecond)
		t.want("k", "v")
		t.wantHits(1)
		t.pass(199 * time.Millisecond)
		t.want("k", "v") // by the table
		t.pass(time.Millisecond)
		t.want("k", nil)
		t.wantHits(0)
	})
}

func TestMemory_AClockThatGoesBackMakesTheTableAnswer(t *testing.T) {
	withMemory(t, time.Hour, func(t *tierTest) {
		t.must(t.store.Put(t.ctx, "k", "v", time.Hour))
		t.want("k", "v")
		t.pass(-time.Minute)
		t.want("k", "v")
		t.wantHits(0)
	})
}

func TestMemory_OthersWritesAreSeenAfterMaxAge(t *testing.T) {
	withMemory(t, time.Second, func(t *tierTest) {
		t.must(t.store.Put(t.ctx, "k", 1, time.Hour))
		t.want("k", int64(1))
		t.must(t.others.Put(t.ctx, "k", 2, time.Hour))
		t.pass(time.Second - 1)
		t.want("k", int64(1))
		t.pass(1)
		t.want("k", int64(2))
		if _, err := t.others.Forget(t.ctx, "k"); err != nil {
			t.Fatal(err)
		}
		t.pass(time.Second)
		t.want("k", nil)
	})
}

// After each method that writes, and after each that tried to, the memory says what the table says.
func TestMemory_OwnWritesAreSeenAtOnce(t *testing.T) {
	withMemory(t, time.Hour, func(t *tierTest) {
		ctx, s := t.ctx, t.store
		lock := s.Lock("l", time.Hour)
		t.must(yes(lock.Acquire(ctx)))
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		for what, write := range map[string]func() error{
			"Put":             func() error { return s.Put(ctx, "k", "new", time.Hour) },
			"Put for no time": func() error { return s.Put(ctx, "k", "new", 0) },
			"Forever":         func() error { return s.Forever(ctx, "k", "new") },
			"PutMany":         func() error { return s.PutMany(ctx, map[string]any{"k": "new"}, time.Hour) },
			"PutMany for no time": func() error {
				return s.PutMany(ctx, map[string]any{"k": "new"}, 0)
			},
			"PutIfLocked":       func() error { return yes(s.PutIfLocked(ctx, lock, "k", "new", time.Hour)) },
			"Touch":             func() error { return yes(s.Touch(ctx, "k", time.Minute)) },
			"Touch for no time": func() error { return yes(s.Touch(ctx, "k", 0)) },
			"Forget":            func() error { return yes(s.Forget(ctx, "k")) },
			"Pull":              func() error { return s.Pull(ctx, "k", new(string)) },
			"Increment":         func() error { return bad(s.Increment(ctx, "k", 1)) },
			"Decrement":         func() error { return bad(s.Decrement(ctx, "k", 1)) },
			"IncrementOrAdd":    func() error { return bad(s.IncrementOrAdd(ctx, "k", 1, time.Hour)) },
			"Flush":             func() error { return bad(s.Flush(ctx)) },
			"FlushAll":          func() error { return bad(s.FlushAll(ctx)) },
			"Prune to a bound":  func() error { _, err := s.Prune(ctx, store.PruneOptions{MaxBytes: 1}); return err },
			"Put that fails":    func() error { _ = s.Put(canceled, "k", "new", time.Hour); return nil },
			"Add": func() error { // over a row that others have deleted
				if _, err := t.others.Forget(ctx, "k"); err != nil {
					return err
				}
				return yes(s.Add(ctx, "k", "new", time.Hour))
			},
			"Memo.Put": func() error { return s.Memo().Put(ctx, "k", "new", time.Hour) },
			"RememberForever": func() error {
				if _, err := t.others.Forget(ctx, "k"); err != nil {
					return err
				}
				t.pass(time.Hour / 2) // as long as it may be remembered
				_, err := store.RememberForever(ctx, s, "k", func(context.Context) (string, error) { return "new", nil })
				return err
			},
			"Flexible": func() error {
				_, err := store.Flexible(ctx, s, "k", time.Hour, 2*time.Hour, func(context.Context) (string, error) { return "new", nil })
				return err
			},
		} {
			t.must(t.others.Put(ctx, "k", "7", time.Hour/2))
			t.must(s.Put(ctx, "k", "7", time.Hour/2))
			t.want("k", "7")
			t.want("k", "7")
			t.wantHits(1)
			if err := write(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			inMemory, err := s.Item(ctx, "k")
			inTable, also := t.others.Item(ctx, "k")
			if errors.Is(err, store.ErrNotFound) != errors.Is(also, store.ErrNotFound) || string(inMemory.Raw) != string(inTable.Raw) ||
				inMemory.Expiration != inTable.Expiration {
				t.Errorf("%s: Item is %s %d, %v; in the table it is %s %d, %v", what, inMemory.Raw, inMemory.Expiration, err,
					inTable.Raw, inTable.Expiration, also)
			}
			t.counter.Reset()
		}
	})
}

// A counter is written by one statement, or where that does not serve by another one.
func TestMemory_OwnCountsAreSeenAtOnce(t *testing.T) {
	withMemory(t, time.Hour, func(t *tierTest) {
		t.must(t.store.Put(t.ctx, "k", -2, time.Hour))
		t.want("k", int64(-2))
		t.must(bad(t.store.Increment(t.ctx, "k", 1)))
		t.want("k", int64(-1))
		t.must(bad(t.store.Decrement(t.ctx, "k", math.MinInt64)))
		t.want("k", int64(math.MaxInt64))
	})
}

// No reader, however slow, brings back what was there before a write that had ended when the reader's Get began.
func TestMemory_AReaderDoesNotBringBackWhatWasOverwritten(t *testing.T) {
	withMemory(t, time.Hour, func(t *tierTest) {
		const keys, rounds = 2, 300
		var (
			written [keys]atomic.Int64
			readers sync.WaitGroup
			stop    atomic.Bool
		)
		for i := range 4 {
			readers.Go(func() {
				for n := i; !stop.Load(); n++ {
					key, least := fmt.Sprint("k", n%keys), written[n%keys].Load()
					var got int64
					if err := t.store.Get(t.ctx, key, &got); least > 0 && err != nil || got < least {
						t.Errorf("%s is %d, %v, after %d was written", key, got, err, least)
						return
					}
				}
			})
		}
		for n := int64(1); n <= rounds; n++ {
			for i := range keys {
				t.must(t.store.Put(t.ctx, fmt.Sprint("k", i), n, time.Hour))
				written[i].Store(n)
			}
		}
		stop.Store(true)
		readers.Wait()
		if hits := t.counter.Total(record.Get, record.MemoryHit).Operations; hits == 0 {
			t.Error("the memory was never asked")
		}
	})
}

func TestMemory_TTLCountsDown(t *testing.T) {
	withMemory(t, time.Hour, func(t *tierTest) {
		t.must(t.store.Put(t.ctx, "k", "v", time.Minute))
		t.want("k", "v")
		t.pass(20500 * time.Millisecond)
		item, err := t.store.Item(t.ctx, "k")
		t.must(err)
		if item.TTL != 39500*time.Millisecond || item.Expiration != 1_000_000_060 || item.Key != "k" || string(item.Raw) != `s:1:"v";` {
			t.Errorf("item is %+v", item)
		}
		t.must(yes(t.store.Has(t.ctx, "k")))
		t.wantHits(1)
	})
}

func TestMemory_WhatItReturnsIsTheCallers(t *testing.T) {
	withMemory(t, time.Hour, func(t *tierTest) {
		t.must(t.store.Put(t.ctx, "text", "abc", time.Hour))
		t.must(t.store.Put(t.ctx, "list", []string{"abc"}, time.Hour))
		for range 3 {
			var text []byte
			t.must(t.store.Get(t.ctx, "text", &text))
			var list []string
			t.must(t.store.Get(t.ctx, "list", &list))
			item, err := t.store.Item(t.ctx, "text")
			t.must(err)
			if string(text) != "abc" || !slices.Equal(list, []string{"abc"}) || string(item.Raw) != `s:3:"abc";` {
				t.Fatalf("values are %q, %q and %q", text, list, item.Raw)
			}
			copy(text, "xyz")
			copy(list, []string{"xyz"})
			copy(item.Raw, "xyzxyz")
		}
		t.want("text", "abc")
		t.wantHits(8)
	})
}

func TestMemory_MissingKeysAreNotKept(t *testing.T) {
	withMemory(t, time.Hour, func(t *tierTest) {
		t.want("k", nil)
		t.must(t.others.Put(t.ctx, "k", "v", time.Hour))
		t.want("k", "v")
	})
}

func TestMemory_ErrorsAreTheSame(t *testing.T) {
	withMemory(t, time.Hour, func(t *tierTest) {
		t.must(t.store.Put(t.ctx, "k", "v", time.Hour))
		direct := t.store.Get(t.ctx, "k", new(int))
		remembered := t.store.Get(t.ctx, "k", new(int))
		if direct == nil || remembered == nil || direct.Error() != remembered.Error() {
			t.Errorf("error is %v, and from memory %v", direct, remembered)
		}
		t.must(t.others.Put(t.ctx, "bad", "v", time.Hour))
		if _, err := t.store.DB().Exec("UPDATE cache SET value = 's:9:'"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			t.must(expect(t.store.Get(t.ctx, "bad", new(any)), store.ErrCorrupt))
		}
	})
}

func TestMemory_LooksAlikeAreOneKeyToTheServer(t *testing.T) {
	withMemory(t, time.Hour, func(t *tierTest) {
		if t.store.DB().DriverName() != "mysql" {
			return // every key has its own row
		}
		for _, other := range []string{"FOO", "Foo", "foo ", "fóo", "foo\u200b"} {
			t.must(t.store.Put(t.ctx, "foo", "v", time.Hour))
			t.want("foo", "v")
			t.must(t.store.Put(t.ctx, other, "other", time.Hour))
			t.want("foo", nil)
			t.want(other, "other")
		}
		t.must(t.store.Put(t.ctx, "用户:1", "v", time.Hour))
		t.want("用户:1", "v")
		t.must(t.store.Put(t.ctx, "用户:2", "v", time.Hour))
		t.counter.Reset()
		t.want("用户:1", "v")
		t.wantHits(1)
		t.must(t.store.Put(t.ctx, "fóo", "v", time.Hour))
		t.want("fóo", "v")
		t.must(t.store.Put(t.ctx, "foo", "v", time.Hour))
		t.want("fóo", nil)
	})
}

// What another process has made since counts, although the memory still says that there is nothing to count.
func TestMemory_RememberLooksInTheTableBeforeItMakesAValue(t *testing.T) {
	withMemory(t, time.Hour, func(t *tierTest) {
		t.must(t.store.Put(t.ctx, "k", nil, time.Hour))
		t.want("k", nil)
		t.must(t.others.Put(t.ctx, "k", 7, time.Hour))
		for _, opts := range [][]store.RememberOption{nil, {store.WithLock(10*time.Second, time.Second)}} {
			got, err := store.Remember(t.ctx, t.store, "k", time.Hour, func(context.Context) (int, error) { return 1, nil }, opts...)
			if err != nil || got != 7 {
				t.Errorf("value is %d, %v, want 7", got, err)
			}
		}
		t.wantHits(2) // the null, and the second Remember
	})
}

// Flexible reads a value and the time it was made together, and so does a Memo.
func TestMemory_FlexibleAndMemoAskTheTable(t *testing.T) {
	withMemory(t, time.Hour, func(t *tierTest) {
		flexible := func() int {
			got, err := store.Flexible(t.ctx, t.store, "k", 10*time.Second, time.Minute, func(context.Context) (int, error) { return 1, nil },
				store.WithRefreshRunner(func(refresh func()) { refresh() }))
			t.must(err)
			return got
		}
		flexible()
		t.want("k", int64(1))
		t.want("illuminate:cache:flexible:created:k", int64(1_000_000_000))
		t.pass(5 * time.Second)
		t.must(t.others.PutMany(t.ctx, map[string]any{"k": 2, "illuminate:cache:flexible:created:k": 1_000_000_005}, time.Minute))
		t.pass(7 * time.Second) // the first value would be stale
		if got := flexible(); got != 2 {
			t.Errorf("value is %d, want the other process's 2", got)
		}
		var got int
		t.must(t.store.Memo().Get(t.ctx, "k", &got))
		if got != 2 {
			t.Errorf("memo has %d, want 2", got)
		}
	})
}

func TestMemory_LocksAreNeverRemembered(t *testing.T) {
	withMemory(t, time.Hour, func(t *tierTest) {
		lock := t.store.RestoreLock("k", "me", time.Minute)
		t.must(yes(lock.Acquire(t.ctx)))
		t.must(yes(t.others.RestoreLock("k", "", time.Minute).ForceRelease(t.ctx)))
		if owner, err := lock.CurrentOwner(t.ctx); owner != "" || err != nil {
			t.Errorf("owner is %q, %v", owner, err)
		}
		t.must(no(lock.Refresh(t.ctx)))
	})
}

func TestMemory_AHitAllocatesNothing(t *testing.T) {
	ctx := t.Context()
	s := openSQLite(t, store.WithMemory(1<<20, time.Hour))
	if err := s.Put(ctx, "k", strings.Repeat("v", 100), time.Hour); err != nil {
		t.Fatal(err)
	}
	var got string
	if n := testing.AllocsPerRun(1000, func() { _ = s.Get(ctx, "k", &got) }); n != 0 {
		t.Errorf("a get of a string allocates %.0f times", n)
	}
	if len(got) != 100 {
		t.Errorf("value is %q", got)
	}
}

func TestMemory_CloseLeavesNothingRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s := openSQLite(t, store.WithMemory(1<<20, time.Hour))
	for i := range 200 { // some maintenance
		key := fmt.Sprint(i)
		if err := errors.Join(s.Put(t.Context(), key, i, time.Hour), s.Get(t.Context(), key, new(int))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := testdb.Leaked(before); err != nil {
		t.Error(err)
	}
	if s.Get(t.Context(), "199", new(int)) == nil {
		t.Error("a closed store answers from its memory")
	}
}

func TestWithMemory_RefusesWhatMakesNoSense(t *testing.T) {
	for want, opt := range map[string]store.Option{
		"memory size":    store.WithMemory(0, time.Second),
		"memory max age": store.WithMemory(1, 0),
	} {
		_, err := store.Open("sqlite:x", opt)
		var limit *store.LimitError
		if !errors.As(err, &limit) || limit.What != want {
			t.Errorf("error is %v, want a LimitError for the %s", err, want)
		}
	}
}

// A function of the caller's that panics does not make the memory answer with rows that are gone.
func TestMemory_PruneWhoseProgressPanicsIsSeen(t *testing.T) {
	withMemory(t, time.Hour, func(t *tierTest) {
		t.must(t.store.Put(t.ctx, "key", 1, time.Minute))
		t.must(t.store.Put(t.ctx, "stays", 1, time.Hour))
		t.want("key", int64(1))
		func() {
			defer func() { _ = recover() }()
			_, _ = t.store.Prune(t.ctx, store.PruneOptions{MaxRows: 1, Progress: func(store.PruneProgress) { panic("full") }})
		}()
		t.want("key", nil)
	})
}
