package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrLockLost is the cause with which the context of [Lock.Hold] is canceled when the lock is no longer surely held.
var ErrLockLost = errors.New("lock is lost")

const (
	// minHold is the shortest TTL of a lock that is held: the server counts in whole seconds, so that a lock for n seconds lasts more
	// than n-1 of them.
	minHold = 2 * time.Second

	// minAttempt is how long an attempt to refresh may take at least, if there is so much time.
	minAttempt = 500 * time.Millisecond

	// maxRelease is how long releasing may take when the caller's context has ended, or could end.
	maxRelease = 5 * time.Second
)

// Hold acquires the lock, or takes it over from an Acquire or Block of this owner, and holds it until release is called, by refreshing it at
// a third of its TTL. So the TTL need not be as long as the work: it is how long the others wait if this process dies.
//
//	if err := lock.Block(ctx, 5*time.Second); err != nil { ... }
//	held, release, err := lock.Hold(ctx)
//	if err != nil { ... }
//	defer func() { _ = release() }()
//	work(held)
//
// The context that it returns derives from ctx. It is canceled with the cause [ErrLockLost] as soon as the lock is known to be lost, or
// no longer known to be held: the server says that it is another's, or no refresh has succeeded for the TTL less a second, on the monotonic
// clock, because the server rounds times down. Work that must not overlap stops then; [Store.PutIfLocked] is the check that cannot be late.
//
// release must be called. It stops the refreshing, cancels the context and releases the lock, also after ctx has ended. It returns ErrLockLost
// if the lock was lost before, so that the work may have overlapped with another owner's. After the first call it returns the same again.
// The end of ctx alone does not end the refreshing, because work goes on until it has noticed.
//
// Hold returns [ErrLockTimeout] if another owner holds the lock (it does not wait; Block does), the errors of Acquire, and a LimitError
// if the lock's TTL is less than 2 s. Laravel has no such thing: there a lock ends with its TTL, whatever its holder is at.
func (l *Lock) Hold(ctx context.Context) (held context.Context, release func() error, err error) {
	if l.ttl < minHold {
		return nil, nil, fmt.Errorf("hold lock %s: %w", shown(l.name), checkHold("ttl", l.ttl))
	}
	sent := time.Now()
	acquired, err := l.acquireOnce(ctx)
	if err == nil && !acquired {
		err = ErrLockTimeout
	}
	if err != nil {
		l.releaseIfUnknown(ctx, err)
		return nil, nil, fmt.Errorf("hold lock %s: %w", shown(l.name), err)
	}

	held, lose := context.WithCancelCause(ctx)
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan struct{})
	var lost error
	go func() {
		defer close(stopped)
		if lost = l.renew(renewing, sent); lost != nil {
			lose(lost)
		}
	}()
	release = sync.OnceValue(func() error {
		stop()
		<-stopped
		released, err := l.releaseDetached(ctx)
		lose(context.Canceled)
		switch {
		case lost != nil:
			return lost
		case err == nil && !released:
			return l.lost(errors.New("it was gone when it was released"))
		}
		return err
	})
	return held, release, nil
}

func checkHold(what string, ttl time.Duration) error {
	if ttl >= minHold {
		return nil
	}
	return &LimitError{What: what, Limit: "at least " + minHold.String(), Got: ttl.String()}
}

func (l *Lock) lost(why error) error {
	return fmt.Errorf("lock %s: %w: %w", shown(l.name), ErrLockLost, why)
}

// orLost adds to an error under Hold's context that the lock was lost, if it was.
func orLost(held context.Context, err error) error {
	if lost := context.Cause(held); errors.Is(lost, ErrLockLost) {
		return fmt.Errorf("%w (%w)", err, lost)
	}
	return err
}

// renew refreshes the lock, which was last extended by a statement sent at the given time, until ctx ends, and returns nil, or until the
// lock is lost, and returns why.
func (l *Lock) renew(ctx context.Context, sent time.Time) error {
	var (
		sure   = time.Duration(wholeSeconds(l.ttl)-1) * time.Second
		every  = min(l.ttl/3, sure)
		most   = max((sure-every)/2, minAttempt) // so that one on a connection that has fallen silent leaves time for another one
		next   = every
		failed = errors.New("it was not refreshed in time")
	)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Until(sent.Add(next))):
		}
		now := time.Now()
		if now.Sub(sent) >= sure { // the process may have been asleep
			return l.lost(failed)
		}
		attempt, cancel := context.WithTimeout(ctx, min(most, sure-now.Sub(sent)))
		ours, err := l.Refresh(attempt)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && !ours:
			return l.lost(errors.New("another owner has it, or it has expired"))
		case err == nil:
			sent, next = now, every
		default:
			failed = err
			next = min(time.Since(sent)+every/4, sure)
		}
	}
}

// releaseDetached releases the lock although ctx may have ended.
func (l *Lock) releaseDetached(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxRelease)
	defer cancel()
	return l.Release(ctx)
}

// releaseIfUnknown makes sure that the lock is not held after an acquisition that ended with err.
func (l *Lock) releaseIfUnknown(ctx context.Context, err error) {
	if errors.Is(err, ErrOutcomeUnknown) {
		_, _ = l.releaseDetached(ctx) // err says what is wrong; the row expires
	}
}

// WithoutOverlapping runs fn while it holds the lock named key, for which it waits up to waitFor, and releases the lock whether fn returns
// or panics. It returns what fn returns, with the error of releasing if there is one; [ErrLockTimeout], without running fn, if the
// lock stayed with another owner; and the errors of [Lock.Block].
//
// It is Laravel's Cache::withoutOverlapping (12.47 and later), whose defaults are 0 and 10 s, and excludes it: the lock ends after lockFor, also
// when fn is still running, and zero or less means [DefaultLockTTL], a day for which a process that dies blocks all others. Where that is
// not wanted, take a [Lock] and hold it with [Lock.Hold].
func WithoutOverlapping(ctx context.Context, s *Store, key string, lockFor, waitFor time.Duration, fn func(context.Context) error) error {
	lock := s.Lock(key, lockFor)
	if err := lock.Block(ctx, waitFor); err != nil {
		lock.releaseIfUnknown(ctx, err)
		return err
	}
	return lock.while(ctx, fn)
}

// while runs fn and releases the lock.
func (l *Lock) while(ctx context.Context, fn func(context.Context) error) (err error) {
	defer func() {
		if _, releasing := l.releaseDetached(ctx); releasing != nil {
			err = errors.Join(err, releasing)
		}
	}()
	return fn(ctx)
}
