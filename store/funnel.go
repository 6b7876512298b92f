package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// ErrLimiterTimeout is returned by [Funnel.Then] when all slots stayed taken for the whole wait.
var ErrLimiterTimeout = errors.New("all slots of the funnel are taken")

// A Funnel lets a limited number of calls run at the same time, in all of the fleet. Its methods return changed copies, so that one may be
// kept and used by many goroutines.
//
// It is Laravel's Cache::funnel (12.53 and later) and shares its slots, which are the locks name1, name2, ... up to the limit.
type Funnel struct {
	store        *Store
	name         string
	limit        int
	releaseAfter time.Duration
	wait         time.Duration
	sleep        time.Duration
}

// Funnel returns the funnel of a name. It lets one call through at a time until [Funnel.Limit] says otherwise.
func (s *Store) Funnel(name string) Funnel {
	return Funnel{store: s, name: name, limit: 1, releaseAfter: time.Minute, wait: 3 * time.Second, sleep: betweenAttempts}
}

// Limit sets how many calls may run at the same time. Defaults to 1; less is a LimitError of Then. All who use the funnel must agree on it.
func (f Funnel) Limit(n int) Funnel { f.limit = n; return f }

// ReleaseAfter sets when a slot is free again although its call has not ended, as when its process died. Defaults to a minute; zero or
// less means [DefaultLockTTL]. A call that takes longer shares its slot.
func (f Funnel) ReleaseAfter(d time.Duration) Funnel { f.releaseAfter = d; return f }

// Block sets how long Then waits for a slot. Defaults to 3 s; with zero or less it tries each slot once.
func (f Funnel) Block(wait time.Duration) Funnel { f.wait = wait; return f }

// Sleep sets the pause between two attempts, which varies by 20 % so that waiters do not meet in step. Defaults to 250 ms.
func (f Funnel) Sleep(d time.Duration) Funnel { f.sleep = d; return f }

// Then waits for a slot, runs fn in it, and frees the slot whether fn returns or panics. It returns what fn returns, with the error of freeing
// the slot if there is one. Without running fn it returns [ErrLimiterTimeout] if no slot became free, ctx.Err() if the context
// ended, and the errors of [Lock.Acquire].
//
// Laravel counts the wait in whole seconds and takes any trouble with the database for a taken slot.
func (f Funnel) Then(ctx context.Context, fn func(context.Context) error) error {
	if f.limit < 1 {
		return fmt.Errorf("funnel %s: %w", shown(f.name), &LimitError{What: "limit", Limit: "at least 1", Got: strconv.Itoa(f.limit)})
	}
	slot, err := f.slot(ctx)
	if err != nil {
		return fmt.Errorf("funnel %s: %w", shown(f.name), err)
	}
	return slot.while(ctx, fn)
}

// slot acquires the first free slot.
func (f Funnel) slot(ctx context.Context) (*Lock, error) {
	var (
		deadline = time.Now().Add(f.wait)
		id       = newOwner() + newOwner()[:4] // 20 characters, as Laravel's
	)
	for {
		for n := range f.limit {
			lock := f.store.RestoreLock(f.name+strconv.Itoa(n+1), id, f.releaseAfter)
			acquired, err := lock.Acquire(ctx)
			if err != nil {
				lock.releaseIfUnknown(ctx, err)
				return nil, err
			}
			if acquired {
				return lock, nil
			}
		}
		left := time.Until(deadline)
		if left <= 0 {
			return nil, ErrLimiterTimeout
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(left, jitter(f.sleep))):
		}
	}
}

// jitter returns d, give or take 20 %, and at least a millisecond.
func jitter(d time.Duration) time.Duration {
	const most = math.MaxInt64 / 2 // of which a fifth more does not overflow
	d = min(max(d, time.Millisecond), most)
	return max(d/5*4+rand.N(d/5*2), time.Millisecond)
}
