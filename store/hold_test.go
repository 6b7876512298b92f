package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
)

func TestHold_OutlastsItsTTL(t *testing.T) {
	wantNoLeak(t)
	s := openSQLite(t)
	held, release, err := s.Lock("job", 2*time.Second).Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 7 {
		time.Sleep(500 * time.Millisecond)
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
}

func TestHold_IsLostWhenTheDatabaseIsGoneForTheTTL(t *testing.T) {
	wantNoLeak(t)
	s := openSQLite(t)
	held, release, err := s.Lock("job", 2*time.Second).Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	<-held.Done()
	if took := time.Since(started); took > 1500*time.Millisecond {
		t.Errorf("noticed after %s, when the server may have given the lock away", took)
	}
	if cause := context.Cause(held); !errors.Is(cause, store.ErrLockLost) {
		t.Errorf("cause is %v", cause)
	}
	if err := release(); !errors.Is(err, store.ErrLockLost) {
		t.Errorf("release returns %v", err)
	}
}

func TestHold_ReleasesAfterItsContextHasEnded(t *testing.T) {
	wantNoLeak(t)
	s := openSQLite(t)
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
}
