package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

// wantNoLeak checks, after all other clean-up, that the test leaves no goroutine behind.
func wantNoLeak(t *testing.T) {
	t.Helper()
	var before goleak.Option
	t.Cleanup(func() {
		if err := testdb.Leaked(before); err != nil {
			t.Error(err)
		}
	})
	before = goleak.IgnoreCurrent()
}

// A gate is a maker of values that says when it runs, and waits to be let through.
type gate struct {
	entered chan context.Context
	open    chan struct{}
	runs    atomic.Int32
}

func newGate() *gate { return &gate{entered: make(chan context.Context, 1), open: make(chan struct{})} }

func (g *gate) make(ctx context.Context) (int32, error) {
	n := g.runs.Add(1)
	g.entered <- ctx
	<-g.open
	return n, nil
}

func TestRemember_AHundredCallersMakeTheValueOnce(t *testing.T) {
	wantNoLeak(t)
	s := openSQLite(t)
	var (
		runs atomic.Int32
		wg   sync.WaitGroup
	)
	for range 100 {
		wg.Go(func() {
			got, err := store.Remember(t.Context(), s, "key", time.Minute, func(context.Context) (int32, error) {
				time.Sleep(time.Millisecond)
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

func TestRemember_ACanceledFirstCallerDoesNotFailTheOthers(t *testing.T) {
	wantNoLeak(t)
	s, g := openSQLite(t), newGate()
	type name struct{}
	first, cancel := context.WithCancel(context.WithValue(t.Context(), name{}, "first"))
	failed := make(chan error)
	go func() {
		_, err := store.Remember(first, s, "key", time.Minute, g.make)
		failed <- err
	}()
	inside := <-g.entered
	got := make(chan error)
	go func() {
		v, err := store.Remember(t.Context(), s, "key", time.Minute, g.make)
		if err == nil && v != 1 {
			err = fmt.Errorf("value is %d", v)
		}
		got <- err
	}()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("the first caller's error is %v, want that its context ended", err)
	}
	if inside.Err() != nil || inside.Value(name{}) != "first" {
		t.Errorf("fn's context has error %v and value %v", inside.Err(), inside.Value(name{}))
	}
	close(g.open)
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestRemember_AWaiterObeysItsOwnContextAndTheValueIsKept(t *testing.T) {
	wantNoLeak(t)
	s, g := openSQLite(t), newGate()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-g.entered; cancel() }()
	if _, err := store.Remember(ctx, s, "key", time.Minute, g.make); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v, want that the caller has left", err)
	}
	if err := s.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait returns %v while fn runs", err)
	}
	close(g.open)
	if err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got int32
	if err := s.Get(t.Context(), "key", &got); err != nil || got != 1 {
		t.Errorf("nobody's value is %d, %v", got, err)
	}
}

func TestRemember_APanicReachesAllCallersAndWedgesNothing(t *testing.T) {
	wantNoLeak(t)
	s := openSQLite(t)
	open := make(chan struct{})
	oops := errors.New("oops")
	var (
		wg       sync.WaitGroup
		panicked atomic.Int32
	)
	for range 10 {
		wg.Go(func() {
			defer func() {
				if p, ok := recover().(*store.PanicError); ok && errors.Is(p, oops) && len(p.Stack) > 0 {
					panicked.Add(1)
				}
			}()
			_, _ = store.Remember(t.Context(), s, "key", time.Minute, func(context.Context) (int, error) { <-open; panic(oops) })
		})
	}
	time.Sleep(50 * time.Millisecond)
	close(open)
	wg.Wait()
	if n := panicked.Load(); n != 10 {
		t.Errorf("%d callers panicked, want 10", n)
	}

	_, err := store.Remember(t.Context(), s, "key", time.Minute, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
	if err == nil {
		t.Error("a function that ended its goroutine has a result")
	}
	got, err := store.Remember(t.Context(), s, "key", time.Minute, func(context.Context) (int, error) { return 7, nil })
	if err != nil || got != 7 {
		t.Errorf("value is %d, %v", got, err)
	}
}

func TestRemember_OfItsOwnKeyIsAnErrorAndNoDeadlock(t *testing.T) {
	wantNoLeak(t)
	s := openSQLite(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var again func(ctx context.Context) (int, error)
	again = func(ctx context.Context) (int, error) { return store.Remember(ctx, s, "key", time.Minute, again) }
	if _, err := again(ctx); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
}

func TestRemember_CallersOfDifferentTypesAndStoresDoNotMeet(t *testing.T) {
	wantNoLeak(t)
	s, other, g := openSQLite(t), openSQLite(t), newGate()
	done := make(chan error)
	go func() {
		_, err := store.Remember(t.Context(), s, "key", time.Minute, g.make)
		done <- err
	}()
	<-g.entered
	for _, s := range []*store.Store{s, other} {
		got, err := store.Remember(t.Context(), s, "key", time.Minute, func(context.Context) (string, error) { return "text", nil })
		if err != nil || got != "text" {
			t.Errorf("value is %q, %v", got, err)
		}
	}
	close(g.open)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRemember_ALostLockEndsTheContextAndStoresNothing(t *testing.T) {
	wantNoLeak(t)
	s := openSQLite(t)
	got, err := store.Remember(t.Context(), s, "key", time.Minute, func(ctx context.Context) (int, error) {
		if _, err := s.Lock(store.RememberLockName("key"), 0).ForceRelease(ctx); err != nil {
			return 0, err
		}
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), store.ErrLockLost) {
			t.Errorf("cause is %v", context.Cause(ctx))
		}
		return 1, nil
	}, store.WithLock(2*time.Second, 0))
	if err != nil || got != 1 {
		t.Errorf("value is %d, %v", got, err)
	}
	if live, err := s.Has(t.Context(), "key"); err != nil || live {
		t.Errorf("stored without the lock: %v, %v", live, err)
	}
}

func TestRememberAndFlexible_RoundTrips(t *testing.T) {
	wire := newWire()
	cfg := migrated(t, testdb.MySQL(t)).Config()
	cfg.InterpolateParams, cfg.MaxAllowedPacket, cfg.DialFunc = true, 64<<20, wire.dial
	s := newStore(t, cfg)
	s.DB().SetMaxOpenConns(1)
	if err := s.DB().Ping(); err != nil {
		t.Fatal(err)
	}
	one := func(context.Context) (int, error) { return 1, nil }
	remember := func() (int, error) { return store.Remember(t.Context(), s, "a", time.Minute, one) }
	flexible := func() (int, error) { return store.Flexible(t.Context(), s, "b", time.Minute, time.Hour, one) }
	for _, c := range []struct {
		name string
		run  func() (int, error)
		want int32
	}{
		{"Remember missing", remember, 3},
		{"Remember live", remember, 1},
		{"Flexible missing", flexible, 5},
		{"Flexible fresh", flexible, 1},
	} {
		before := wire.trips()
		if _, err := c.run(); err != nil {
			t.Fatal(err)
		}
		if n := wire.trips() - before; n != c.want {
			t.Errorf("%s takes %d round trips, want %d", c.name, n, c.want)
		}
	}
}
