package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrStale is returned by [Flexible] together with a value that is stale because refreshing it failed. The error also wraps why. The value can
// be used.
var ErrStale = errors.New("the value is stale and refreshing it has failed")

// flexibleLockPrefix is put before a key to name the lock under which Laravel's Cache::flexible refreshes it.
const flexibleLockPrefix = "illuminate:cache:flexible:lock:"

// FlexibleLockName returns the name of the lock under which [Flexible], Go's and PHP's, refreshes a key.
func FlexibleLockName(key string) string { return flexibleLockPrefix + key }

// A FlexibleOption changes how [Flexible] refreshes a stale value.
type FlexibleOption func(*flexibleConfig) error

type flexibleConfig struct {
	runner  func(func())
	failed  func(key string, err error)
	lockTTL time.Duration
	pause   time.Duration
}

// WithRefreshRunner sets what runs refreshes, such as (*sync.WaitGroup).Go or a pool. It must run each function it is given, now or later: until it
// has, there is no other refresh of that key in this process, and [Store.Wait] waits. Defaults to a goroutine each.
func WithRefreshRunner(run func(refresh func())) FlexibleOption {
	return func(c *flexibleConfig) error {
		if run == nil {
			return errors.New("refresh runner: want a function, got nil")
		}
		c.runner = run
		return nil
	}
}

// WithRefreshErrors sets a function that is told of each refresh that failed, for logs and metrics. It is called where the refresh
// runs. Defaults to none: the next call returns the error with [ErrStale] in any case.
func WithRefreshErrors(failed func(key string, err error)) FlexibleOption {
	return func(c *flexibleConfig) error {
		if failed == nil {
			return errors.New("refresh errors: want a function, got nil")
		}
		c.failed = failed
		return nil
	}
}

// WithRefreshLock sets the TTL of the lock under which a value is refreshed, which is how long a process that dies meanwhile keeps others from
// refreshing; the lock is held as [Lock.Hold] does, so that a refresh may take longer. At least 2 s. Defaults to 30 s, where Laravel's
// default is a day.
func WithRefreshLock(ttl time.Duration) FlexibleOption {
	return func(c *flexibleConfig) error {
		c.lockTTL = ttl
		return checkHold("refresh lock ttl", ttl)
	}
}

// WithRefreshPause sets how long this process leaves a key alone after a refresh of it has failed, so that busy callers do not hammer an upstream that
// is down. Zero is no pause, as in Laravel. Defaults to a second.
func WithRefreshPause(d time.Duration) FlexibleOption {
	return func(c *flexibleConfig) error {
		if d < 0 {
			return &LimitError{What: "refresh pause", Limit: "not below 0", Got: d.String()}
		}
		c.pause = d
		return nil
	}
}

// Flexible returns the value of key, and has it made anew by fn when it is older than fresh, without making the caller wait: the value that is
// there is returned at once, and one refresh for all of the fleet runs behind the callers' backs. Only when there is no value, which after
// its making is so for stale and longer, the caller waits for fn.
//
// It is Laravel's Cache::flexible(key, [fresh, stale], fn) (11.24 and later) with the same rows and the same lock, so PHP and Go refresh
// one value together: the time at which the value was made stands in the row illuminate:cache:flexible:created:{key}, in Unix seconds by the
// database server's clock, both rows expire stale after it, and refreshing takes the lock [FlexibleLockName]. Both durations are
// rounded up to whole seconds.
//
// Missing is what [Remember] calls so, of either row. Concurrent callers in this process then share one run of fn, under the same terms as
// Remember's, and as with Laravel each process makes its own. A refresh is given up, without a word, when the lock is held, or when the value
// was refreshed, stored or forgotten by somebody else since it was read.
//
// A refresh runs with the values of the caller's context but without its end. If it fails (the database, an error or a panic of fn), the value
// stays, and calls of this process that find it still the same return it together with an error that is [ErrStale] and the cause, until a
// refresh succeeds:
//
//	value, err := store.Flexible(ctx, s, "rates", time.Minute, time.Hour, fetchRates)
//	if errors.Is(err, store.ErrStale) {
//		log.Warn("using old rates", "err", err)
//	} else if err != nil {
//		return err
//	}
//
// [Store.Wait] waits for refreshes, before Close, which does not end them. [ErrNotStored] is as in Remember. A hit is one round trip; a miss is
// five, besides fn.
//
// Laravel writes the time of the PHP server, and its refreshes last for as long as a lock without a time, a day, if they die.
func Flexible[T any](ctx context.Context, s *Store, key string, fresh, stale time.Duration, fn func(context.Context) (T, error), opts ...FlexibleOption) (T, error) {
	f, err := newFlexible(s, key, fresh, stale, opts)
	var value T
	if err == nil {
		value, err = flexible(ctx, f, fn)
	}
	if err != nil {
		return value, fmt.Errorf("flexible %s: %w", shown(key), err)
	}
	return value, nil
}

// A flexibleKey is a key with its companion, and how to keep them.
type flexibleKey struct {
	flexibleConfig
	store          *Store
	key, companion string
	fresh, stale   time.Duration
}

func newFlexible(s *Store, key string, fresh, stale time.Duration, opts []FlexibleOption) (*flexibleKey, error) {
	f := &flexibleKey{store: s, key: key, companion: companionPrefix + key, fresh: fresh, stale: stale}
	f.flexibleConfig = flexibleConfig{runner: inGoroutine, failed: func(string, error) {}, lockTTL: 30 * time.Second, pause: time.Second}
	for _, o := range opts {
		if err := o(&f.flexibleConfig); err != nil {
			return nil, err
		}
	}
	if fresh < 0 {
		return nil, &LimitError{What: "fresh", Limit: "not below 0", Got: fresh.String()}
	}
	if stale <= 0 {
		return nil, &LimitError{What: "stale", Limit: "more than 0", Got: stale.String()}
	}
	_, err := s.rowKey(f.companion) // or fn would run in vain
	return f, err
}

// made is a value with the time it was made.
type made[T any] struct {
	value   T
	created int64
	now     int64         // by the server's clock
	ttl     time.Duration // until the two rows expire
	read    time.Time     // on this process's monotonic clock
}

func flexible[T any](ctx context.Context, f *flexibleKey, fn func(context.Context) (T, error)) (T, error) {
	m, found, err := flexibly[T](ctx, f)
	if err == nil && !found {
		return fly(ctx, f.store, populating, f.key, func(ctx context.Context) (T, error) {
			// A flight that ended since may have stored the value.
			if m, found, err := flexibly[T](ctx, f); found || err != nil {
				return m.value, err
			}
			return populate(ctx, f, fn)
		})
	}
	// Subtracted, since anybody may have stored a companion near the end of the integers.
	if err != nil || m.created > m.now-wholeSeconds(f.fresh) {
		return m.value, err
	}
	failure := f.failure(m.created)
	if failure == nil || time.Now().After(failure.pausedUntil) {
		refreshLater(ctx, f, m, fn)
	}
	if failure != nil {
		return m.value, fmt.Errorf("%w: %w", ErrStale, failure.err)
	}
	return m.value, nil
}

// flexibly reads both rows.
func flexibly[T any](ctx context.Context, f *flexibleKey) (m made[T], found bool, err error) {
	m.read = time.Now()
	items, err := f.store.Many(ctx, f.key, f.companion)
	if err != nil {
		return m, false, err
	}
	item, ok := items[f.key]
	companion, also := items[f.companion]
	if !ok || !also {
		return m, false, nil
	}
	if m.created, ok = createdTime(companion); !ok {
		return m, false, nil
	}
	m.value, found, err = recalled[T](item)
	m.now, m.ttl = companion.now, min(item.TTL, companion.TTL)
	return m, found, err
}

// createdTime reads a companion. One that is no int tells nothing.
func createdTime(companion Item) (unix int64, ok bool) {
	err := companion.Decode(&unix)
	return unix, err == nil
}

// populate makes the value and stores it.
func populate[T any](ctx context.Context, f *flexibleKey, fn func(context.Context) (T, error)) (T, error) {
	value, err := fn(ctx)
	if err != nil {
		var none T
		return none, err
	}
	return value, notStored(f.putNow(ctx, value))
}

// putNow stores a value that has just been made. One that the table cannot hold leaves no companion either.
func (f *flexibleKey) putNow(ctx context.Context, value any) error {
	if _, err := f.store.column(value); err != nil {
		return err
	}
	companion, err := f.anyCompanion(ctx)
	if err != nil {
		return err
	}
	return f.put(ctx, value, companion.now)
}

func (f *flexibleKey) put(ctx context.Context, value any, now int64) error {
	return f.store.PutMany(ctx, map[string]any{f.key: value, f.companion: now}, f.stale)
}

// anyCompanion reads the companion's row, which tells the server's time, and stores a null there if there is none. That does not overwrite what
// somebody else writes meanwhile, and PHP and Go take a null for no companion, so nobody sees a time at which no value was made.
func (f *flexibleKey) anyCompanion(ctx context.Context) (Item, error) {
	const shortly = 10 * time.Second
	for tries := 0; ; tries++ {
		_, err := f.store.Add(ctx, f.companion, nil, shortly)
		if errors.Is(err, ErrLookalikeKey) { // whose row the value's own companion takes over anyway
			err = f.store.Put(ctx, f.companion, nil, shortly)
		}
		if err != nil && !errors.Is(err, ErrOutcomeUnknown) {
			return Item{}, err
		}
		companion, err := f.store.item(ctx, f.companion)
		if !errors.Is(err, ErrNotFound) || tries == 3 { // it may have been forgotten in between
			return companion, err
		}
	}
}

// refreshLater has the value refreshed, unless that is under way in this process.
func refreshLater[T any](ctx context.Context, f *flexibleKey, old made[T], fn func(context.Context) (T, error)) {
	k := flightKey{store: f.store, kind: refreshing, key: f.key} // of any type
	f.store.flights.start(ctx, k, f.runner, func(ctx context.Context) (any, error) {
		attempt := &flight{} // makes an error of a panic, which nobody could recover from here
		refreshed := false
		defer func() {
			err := attempt.err
			if attempt.panicked != nil {
				err = attempt.panicked
			}
			switch {
			case err != nil:
				f.noteFailure(old.created, old.ttl, err)
				f.failed(f.key, err)
			case refreshed:
				f.noteSuccess()
			}
		}()
		attempt.run(func() (_ any, err error) {
			refreshed, err = refresh(ctx, f, old, fn)
			return nil, err
		})
		return nil, nil
	})
}

// refresh makes the value anew, unless somebody else does, and reports whether it did.
func refresh[T any](ctx context.Context, f *flexibleKey, old made[T], fn func(context.Context) (T, error)) (bool, error) {
	lock := f.store.Lock(FlexibleLockName(f.key), f.lockTTL)
	held, release, err := lock.Hold(ctx)
	if isHeld(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = release() }() // if it fails, the lock ends by itself

	if _, same, err := f.isStill(ctx, old.created); err != nil || !same {
		return false, err
	}
	value, err := fn(held)
	if err != nil {
		return false, orLost(held, err)
	}
	companion, same, err := f.isStill(ctx, old.created)
	if err == nil && !same {
		if time.Since(old.read) < old.ttl-time.Second {
			return false, nil // it was forgotten or stored anew, and stays so; one that has only expired is welcome
		}
		companion, err = f.anyCompanion(ctx)
	}
	if err != nil {
		return false, err
	}
	ours, err := lock.Refresh(ctx) // and there is time enough to write
	if err == nil && !ours {
		err = lock.lost(errors.New("another owner has it, or it has expired"))
	}
	if err != nil {
		return false, err
	}
	err = f.put(ctx, value, companion.now)
	return err == nil, err
}

// isStill reports whether the value in the table is the one that was made then, and returns its companion.
func (f *flexibleKey) isStill(ctx context.Context, created int64) (Item, bool, error) {
	companion, err := f.store.item(ctx, f.companion)
	if errors.Is(err, ErrNotFound) {
		return Item{}, false, nil
	}
	if err != nil {
		return Item{}, false, err
	}
	now, ok := createdTime(companion)
	return companion, ok && now == created, nil
}

// A refreshFailure is why the value made at a time was not refreshed.
type refreshFailure struct {
	created     int64
	err         error
	pausedUntil time.Time
	forget      *time.Timer
}

// noteFailure remembers why the value that was made then, and that expires after ttl, was not refreshed.
func (f *flexibleKey) noteFailure(created int64, ttl time.Duration, err error) {
	now := &refreshFailure{created: created, err: err, pausedUntil: time.Now().Add(f.pause)}
	now.forget = time.AfterFunc(ttl, func() { f.store.failures.CompareAndDelete(f.key, now) })
	if before, ok := f.store.failures.Swap(f.key, now); ok {
		before.(*refreshFailure).forget.Stop()
	}
	if f.store.closed.Load() { // since, perhaps: then it is too late for forgetFailures
		f.store.forgetFailure(f.key)
	}
}

func (f *flexibleKey) noteSuccess() { f.store.forgetFailure(f.key) }

func (s *Store) forgetFailure(key string) {
	if before, ok := s.failures.LoadAndDelete(key); ok {
		before.(*refreshFailure).forget.Stop()
	}
}

// forgetFailures leaves no timer behind, which would keep the whole store in memory for as long as a value lives.
func (s *Store) forgetFailures() {
	s.failures.Range(func(key, _ any) bool {
		s.forgetFailure(key.(string))
		return true
	})
}

// failure returns why the last refresh of the value that was made then failed, nil if it did not.
func (f *flexibleKey) failure(created int64) *refreshFailure {
	found, ok := f.store.failures.Load(f.key)
	if !ok {
		return nil
	}
	failure := found.(*refreshFailure)
	if failure.created != created {
		return nil
	}
	return failure
}
