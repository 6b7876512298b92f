package store_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

// bubbled runs a test on a store of its own in a bubble of time, which passes when all in it wait, and which the store's clock follows. So a
// lock that lasts for hours costs no time, and what happens at a moment is seen at that moment. The bubble ends only when no goroutine is left.
func bubbled(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, openSQLite(t, store.WithClock(time.Now)))
	})
}

// hold acquires and holds the lock named job, and returns the moment of that.
func hold(t *testing.T, s *store.Store, ttl time.Duration) (held context.Context, release func() error, at time.Time) {
	t.Helper()
	at = time.Now()
	held, release, err := s.Lock("job", ttl).Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return held, release, at
}

func TestHold_OutlastsItsTTL(t *testing.T) {
	bubbled(t, func(t *testing.T, s *store.Store) {
		held, release, _ := hold(t, s, 2*time.Second)
		for range 100 {
			time.Sleep(777 * time.Millisecond)
			if taken, err := s.Lock("job", time.Minute).Acquire(t.Context()); err != nil || taken {
				t.Fatalf("another owner gets it: %v, %v", taken, err)
			}
		}
		if held.Err() != nil {
			t.Error(context.Cause(held))
		}
		if err := release(); err != nil {
			t.Error(err)
		}
	})
}

// The server is asked at a third of the TTL, so that a loss is known then, and the context ends at that very moment.
func TestHold_ContextEndsTheMomentTheLossIsKnown(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, s *store.Store) error{
		"taken over": func(t *testing.T, s *store.Store) error {
			if _, err := s.Lock("job", 0).ForceRelease(t.Context()); err != nil {
				return err
			}
			return yes(s.RestoreLock("job", "next", time.Hour).Acquire(t.Context()))
		},
		"flushed": func(t *testing.T, s *store.Store) error { _, err := s.FlushAllLocks(t.Context()); return err },
	} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T, s *store.Store) {
				held, release, at := hold(t, s, 30*time.Second)
				time.Sleep(12 * time.Second) // one refresh has succeeded, at 10 s
				if err := lose(t, s); err != nil {
					t.Fatal(err)
				}
				before, _ := s.Lock("job", 0).CurrentOwner(t.Context())
				<-held.Done()
				if took := time.Since(at); took != 20*time.Second {
					t.Errorf("the context ended after %s, want 20s, at the refresh after the loss", took)
				}
				if cause := context.Cause(held); !errors.Is(cause, store.ErrLockLost) {
					t.Errorf("cause is %v", cause)
				}
				if err := release(); !errors.Is(err, store.ErrLockLost) {
					t.Errorf("release returns %v", err)
				}
				if after, err := s.Lock("job", 0).CurrentOwner(t.Context()); err != nil || after != before {
					t.Errorf("owner is %q, %v, want %q as before the release", after, err, before)
				}
			})
		})
	}
}

// With no answer from the database the lock counts as lost a second before it may end, since the server rounds times down.
func TestHold_IsLostWhenTheDatabaseIsGoneForTheTTL(t *testing.T) {
	bubbled(t, func(t *testing.T, s *store.Store) {
		held, release, at := hold(t, s, 30*time.Second)
		time.Sleep(12 * time.Second)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		<-held.Done()
		if took := time.Since(at); took != 39*time.Second {
			t.Errorf("the context ended after %s, want 39s: 29s after the last refresh that succeeded", took)
		}
		if cause := context.Cause(held); !errors.Is(cause, store.ErrLockLost) {
			t.Errorf("cause is %v", cause)
		}
		if err := release(); !errors.Is(err, store.ErrLockLost) {
			t.Errorf("release returns %v", err)
		}
	})
}

func TestHold_ReleasesAfterItsContextHasEnded(t *testing.T) {
	bubbled(t, func(t *testing.T, s *store.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		held, release, err := s.Lock("job", time.Minute).Hold(ctx)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		<-held.Done()
		if errors.Is(context.Cause(held), store.ErrLockLost) {
			t.Error("the lock is not lost")
		}
		if err := release(); err != nil {
			t.Error(err)
		}
		if owner, err := s.Lock("job", 0).CurrentOwner(t.Context()); err != nil || owner != "" {
			t.Errorf("owner is %q, %v", owner, err)
		}
	})
}

// Whoever wants to wait for as long as it takes says so with the longest duration there is.
func TestFunnel_SleepsForAnyTime(t *testing.T) {
	s := openSQLite(t)
	err := s.Funnel("slots").Then(t.Context(), func(ctx context.Context) error {
		impatient := s.Funnel("slots").Sleep(math.MaxInt64).Block(time.Millisecond)
		return impatient.Then(ctx, func(context.Context) error { return nil })
	})
	if !errors.Is(err, store.ErrLimiterTimeout) {
		t.Errorf("got %v, want %v", err, store.ErrLimiterTimeout)
	}
}

// A connection that falls silent, as a firewall has it that forgot about it, is given up in time for another one to refresh the lock.
func TestHold_OutlastsAConnectionThatFallsSilent(t *testing.T) {
	t.Parallel()
	wire := newWire()
	cfg := migrated(t, testdb.MySQL(t)).Config()
	cfg.InterpolateParams, cfg.MaxAllowedPacket, cfg.DialFunc, cfg.Logger = true, 64<<20, wire.dial, &mysql.NopLogger{}
	s := newStore(t, cfg)
	before, release, _ := hold(t, s, 12*time.Second)
	wire.fallSilent()
	select {
	case <-before.Done():
		t.Error(context.Cause(before))
	case <-time.After(11500 * time.Millisecond): // 11 s after the last refresh it would be lost
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}
