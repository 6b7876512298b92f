package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/larder-cache/larder/store/record"
)

// ErrNotStored is returned by [Remember] and [Flexible] together with the value when it was made but could not be stored. The value is
// good; the error also wraps what went wrong.
var ErrNotStored = errors.New("the value was made but not stored")

// rememberLockPrefix is put before a key to name the lock of WithLock.
const rememberLockPrefix = "larder:remember:lock:"

// RememberLockName returns the name of the lock that [WithLock] takes for a key. Laravel's remember takes none; PHP code that wants to take
// part calls Cache::lock with this name.
func RememberLockName(key string) string { return rememberLockPrefix + key }

// A RememberOption changes how [Remember] makes a missing value.
type RememberOption func(*rememberConfig) error

type rememberConfig struct {
	locked        bool
	lockTTL, wait time.Duration
}

// WithLock makes only one process of the fleet make a missing value: it takes the lock of [RememberLockName], looks again, and holds the lock
// as [Lock.Hold] does. The others wait for the value to appear, or for the lock, up to wait, and then return [ErrLockTimeout].
//
// The ttl is how long the others are held up when a process dies while it makes the value; it need not be as long as that
// takes, must be at least 2 s, and 10 s is a good choice. If the lock is lost meanwhile, the context of the function is canceled and
// its value, if it comes nevertheless, is returned and not stored. Defaults to no lock, as in Laravel: each process makes
// a missing value once.
func WithLock(ttl, wait time.Duration) RememberOption {
	return func(c *rememberConfig) error {
		c.locked, c.lockTTL, c.wait = true, ttl, wait
		return checkHold("lock ttl", ttl)
	}
}

// Remember returns the live value of key. If there is none, it calls fn, stores what that returns for ttl, and returns it.
//
// Of any number of concurrent calls for one key, store and T in this process, one runs fn and the others wait for its result, which they
// share: do not change what it points at. Each waits only as long as its own context allows. Therefore fn runs in a goroutine of
// its own, with the values of the first caller's context but without its end, and is not stopped when all callers have gone: its
// value is stored for the next one. It should bound its own time; [Store.Wait] waits for it. The options and the ttl that count are those of
// the call that runs fn. For one run in all of the fleet see [WithLock].
//
// An error of fn is returned to all who waited, wrapped, and nothing is stored. If fn panics, all who waited panic with a
// [*PanicError]; the next call starts anew. An fn that asks for its own key, with the context it was given, gets an error.
//
// What counts as missing: no live row; a stored null, as in Laravel, so that a nil that fn returns is stored and made again each time; and bytes
// that are no PHP serialization, which are overwritten. A sound value that does not fit T is an error (*php.TypeError and its
// like) and stays, because it may be somebody else's. Database errors are returned, and fn is not called. If the value was made
// and not stored, it is returned with an error that is [ErrNotStored].
//
// A ttl of zero or less stores nothing, as in Laravel. A hit is one round trip; a miss is three, besides fn. Laravel's remember lets every
// process and request that finds the row missing make the value.
func Remember[T any](ctx context.Context, s *Store, key string, ttl time.Duration, fn func(context.Context) (T, error), opts ...RememberOption) (T, error) {
	return RememberTTL(ctx, s, key, func(ctx context.Context) (T, time.Duration, error) {
		value, err := fn(ctx)
		return value, ttl, err
	}, opts...)
}

// RememberForever is [Remember] with the time that [Store.Forever] has.
func RememberForever[T any](ctx context.Context, s *Store, key string, fn func(context.Context) (T, error), opts ...RememberOption) (T, error) {
	return Remember(ctx, s, key, ForeverTTL, fn, opts...)
}

// RememberTTL is [Remember] for values that know how long they are good: fn returns the ttl too, as the function does that Laravel's remember
// (8.73 and later) takes for its ttl.
func RememberTTL[T any](ctx context.Context, s *Store, key string, fn func(context.Context) (T, time.Duration, error), opts ...RememberOption) (T, error) {
	value, err := remember(ctx, s, key, fn, opts)
	if err != nil {
		return value, fmt.Errorf("remember %s: %w", shown(key), err)
	}
	return value, nil
}

func remember[T any](ctx context.Context, s *Store, key string, fn func(context.Context) (T, time.Duration, error), opts []RememberOption) (T, error) {
	var (
		none T
		c    rememberConfig
	)
	for _, o := range opts {
		if err := o(&c); err != nil {
			return none, err
		}
	}
	if _, err := s.rowKey(key); err != nil {
		return none, err
	}
	if value, found, err := recallAnywhere[T](ctx, s, key); found || err != nil {
		return value, err
	}
	return fly(ctx, s, remembering, key, func(ctx context.Context) (T, error) {
		// A flight that ended since may have stored the value.
		if value, found, err := recall[T](ctx, s, key); found || err != nil {
			return value, err
		}
		if c.locked {
			return rememberLocked(ctx, s, key, fn, c)
		}
		value, ttl, err := fn(ctx)
		if err != nil {
			return none, err
		}
		return value, notStored(s.keep(ctx, key, value, ttl))
	})
}

// recallAnywhere is recall from the store's memory, if it holds the value. Only a value that is found there counts: another process may
// have made since what is missing, or a null, in memory.
func recallAnywhere[T any](ctx context.Context, s *Store, key string) (value T, found bool, err error) {
	r := s.memory.live(key)
	if r == nil {
		return recall[T](ctx, s, key)
	}
	op := s.begin(record.Get, key)
	value, found, err = recalled[T](s.memory.item(key, r))
	op.end(ctx, record.MemoryHit, 1, err)
	return value, found, err
}

// recall returns the live value of key in the database, and whether there is one that counts.
func recall[T any](ctx context.Context, s *Store, key string) (value T, found bool, err error) {
	op := s.begin(record.Get, key)
	item, err := s.itemToRemember(ctx, key)
	op.end(ctx, record.Hit, 1, err)
	if errors.Is(err, ErrNotFound) {
		return value, false, nil
	}
	if err != nil {
		return value, false, err
	}
	return recalled[T](item)
}

// recalled decodes an item, and reports whether it counts: a null does not, nor do corrupt bytes.
func recalled[T any](item Item) (value T, found bool, err error) {
	var none T
	if isNull(item) {
		return none, false, nil
	}
	err = item.Decode(&value)
	switch {
	case errors.Is(err, ErrCorrupt):
		return none, false, nil
	case err != nil:
		return none, false, err // value may be partly filled
	}
	return value, true, nil
}

func isNull(item Item) bool { return string(item.Raw) == "N;" }

// keep stores a value that was made.
func (s *Store) keep(ctx context.Context, key string, value any, ttl time.Duration) error {
	if ttl == ForeverTTL {
		return s.Forever(ctx, key, value)
	}
	return s.Put(ctx, key, value, ttl)
}

func notStored(err error) error {
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotStored, err)
	}
	return nil
}

func rememberLocked[T any](ctx context.Context, s *Store, key string, fn func(context.Context) (T, time.Duration, error), c rememberConfig) (T, error) {
	var (
		none     T
		lock     = s.Lock(RememberLockName(key), c.lockTTL)
		deadline = time.Now().Add(c.wait)
	)
	for {
		held, release, err := lock.Hold(ctx)
		if err == nil {
			defer func() { _ = release() }() // if it fails, the lock ends by itself; the value is what was asked for
			return rememberHeld(ctx, held, s, key, fn, lock)
		}
		left := time.Until(deadline)
		if !isHeld(err) || left <= 0 {
			return none, err
		}
		time.Sleep(min(left, jitter(betweenAttempts))) // ctx has no end
		if value, found, err := recall[T](ctx, s, key); found || err != nil {
			return value, err
		}
	}
}

// isHeld reports whether a lock was not acquired because somebody has it, or one whose name the collation equates, which ends as well.
func isHeld(err error) bool { return errors.Is(err, ErrLockTimeout) || errors.Is(err, ErrLookalikeKey) }

// rememberHeld makes the value under the lock, unless another process has stored it.
func rememberHeld[T any](ctx, held context.Context, s *Store, key string, fn func(context.Context) (T, time.Duration, error), lock *Lock) (T, error) {
	if value, found, err := recall[T](ctx, s, key); found || err != nil {
		return value, err
	}
	value, ttl, err := fn(held)
	if err != nil {
		var none T
		return none, orLost(held, err)
	}
	if ttl <= 0 { // which PutIfLocked does not have
		return value, notStored(s.keep(ctx, key, value, ttl))
	}
	_, err = s.PutIfLocked(ctx, lock, key, value, ttl) // if the lock is lost, the next holder stores its own
	return value, notStored(err)
}
