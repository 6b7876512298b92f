package store_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
)

const created = "illuminate:cache:flexible:created:"

// putStale stores a flexible value that is old, and still lives for a minute.
func putStale(t *testing.T, s *store.Store, key string, value int) {
	t.Helper()
	if err := s.PutMany(t.Context(), map[string]any{key: value, created + key: 1}, time.Minute); err != nil {
		t.Fatal(err)
	}
}

func TestFlexible_AHundredCallersOfAStaleValueRefreshItOnceWithoutWaiting(t *testing.T) {
	wantNoLeak(t)
	s := openSQLite(t)
	putStale(t, s, "key", 1)
	var (
		runs atomic.Int32
		open = make(chan struct{})
		wg   sync.WaitGroup
	)
	flexible := func() (int, error) {
		return store.Flexible(t.Context(), s, "key", time.Minute, time.Hour, func(context.Context) (int, error) {
			runs.Add(1)
			<-open
			return 2, nil
		})
	}
	for range 100 {
		wg.Go(func() {
			if got, err := flexible(); err != nil || got != 1 {
				t.Errorf("value is %d, %v", got, err)
			}
		})
	}
	wg.Wait()
	close(open)
	if err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := flexible(); err != nil || got != 2 || runs.Load() != 1 {
		t.Errorf("value is %d, %v, after %d runs", got, err, runs.Load())
	}
}

func TestFlexible_AHundredCallersOfAMissingValueMakeItOnce(t *testing.T) {
	wantNoLeak(t)
	s := openSQLite(t)
	var (
		runs atomic.Int32
		wg   sync.WaitGroup
	)
	for range 100 {
		wg.Go(func() {
			got, err := store.Flexible(t.Context(), s, "key", time.Minute, time.Hour, func(context.Context) (int32, error) {
				return runs.Add(1), nil
			})
			if err != nil || got != 1 {
				t.Errorf("value is %d, %v", got, err)
			}
		})
	}
	wg.Wait()
	if n := runs.Load(); n != 1 {
		t.Errorf("made %d times, want 1", n)
	}
}

// The time in the companion is the server's, whatever this machine's clock says.
func TestFlexible_TheTimeIsTheServers(t *testing.T) {
	ctx := context.Background()
	for name, s := range map[string]*store.Store{"sqlite": openSQLite(t), "mysql": openMySQL(t)} {
		make := func(context.Context) (int, error) { return 1, nil }
		check := func() {
			t.Helper()
			items, err := s.Many(ctx, "key", created+"key")
			if err != nil {
				t.Fatal(err)
			}
			var at int64
			if err := items[created+"key"].Decode(&at); err != nil {
				t.Fatal(name, err)
			}
			if d := items["key"].Expiration - at; d < 3600 || d > 3601 {
				t.Errorf("%s: expires %d s after it was made, want 3600", name, d)
			}
			if items["key"].Expiration != items[created+"key"].Expiration {
				t.Errorf("%s: the rows expire at different times", name)
			}
		}
		for range 2 { // populate, refresh
			if _, err := store.Flexible(ctx, s, "key", time.Minute, time.Hour, make); err != nil {
				t.Fatal(name, err)
			}
			if err := s.Wait(ctx); err != nil {
				t.Fatal(err)
			}
			check()
			putStale(t, s, "key", 1)
		}
	}
}

// What is refused leaves nothing behind: neither the value nor the companion that tells the server's time.
func TestFlexible_AValueThatIsRefusedLeavesNoCompanion(t *testing.T) {
	s := openMySQL(t)
	got, err := store.Flexible(t.Context(), s, "key", time.Minute, time.Hour, func(context.Context) (string, error) { return "\xff", nil })
	var limit *store.LimitError
	if got != "\xff" || !errors.Is(err, store.ErrNotStored) || !errors.As(err, &limit) {
		t.Errorf("value is %q, %v, want it with ErrNotStored and a LimitError", got, err)
	}
	if live, err := s.Has(t.Context(), created+"key"); err != nil || live {
		t.Errorf("a companion is there: %v, %v", live, err)
	}
}

func TestFlexible_AFailedRefreshIsNotRepeatedBeforeItsPause(t *testing.T) {
	wantNoLeak(t)
	s := openSQLite(t)
	putStale(t, s, "key", 1)
	down := errors.New("down")
	var runs atomic.Int32
	for i := range 5 {
		got, err := store.Flexible(t.Context(), s, "key", time.Minute, time.Hour, func(context.Context) (int, error) {
			runs.Add(1)
			return 0, down
		}, store.WithRefreshPause(time.Hour))
		if got != 1 || errors.Is(err, store.ErrStale) != (i > 0) || i > 0 && !errors.Is(err, down) {
			t.Errorf("call %d: value is %d, %v", i, got, err)
		}
		if err := s.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := runs.Load(); n != 1 {
		t.Errorf("tried %d times, want 1", n)
	}
	// The failure is not one of the value that somebody else has stored meanwhile, though that is stale too.
	if err := s.PutMany(t.Context(), map[string]any{"key": 3, created + "key": 2}, time.Minute); err != nil {
		t.Fatal(err)
	}
	flexible := func() (int, error) {
		return store.Flexible(t.Context(), s, "key", time.Minute, time.Hour, func(context.Context) (int, error) { return 4, nil })
	}
	if got, err := flexible(); got != 3 || err != nil {
		t.Errorf("after a new value: %d, %v", got, err)
	}
	if err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := flexible(); got != 4 || err != nil {
		t.Errorf("after its refresh: %d, %v", got, err)
	}
}

func TestFlexible_ARefreshOutlivesItsCaller(t *testing.T) {
	wantNoLeak(t)
	s, g := openSQLite(t), newGate()
	putStale(t, s, "key", 9)
	ctx, cancel := context.WithCancel(t.Context())
	got, err := store.Flexible(ctx, s, "key", time.Minute, time.Hour, g.make)
	if got != 9 || err != nil {
		t.Fatalf("value is %d, %v", got, err)
	}
	cancel()
	if inside := <-g.entered; inside.Err() != nil {
		t.Error(inside.Err())
	}
	close(g.open)
	if err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	var stored int32
	if err := s.Get(t.Context(), "key", &stored); err != nil || stored != 1 {
		t.Errorf("stored %d, %v", stored, err)
	}
}
