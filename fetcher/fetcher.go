// Package fetcher keeps one row of the cache table filled with a vendor's access token, and hands the token out.
//
// Any number of processes share the row. Whoever finds it missing or expired takes a lock that only one process of the fleet
// can hold, looks again, fetches the token, stores it and releases the lock; the others wait for the row to appear. So a cold
// start or an expiry costs one fetch, however many processes and goroutines ask. As long as somebody asks now and then, it does
// not come to an expiry: see [WithRefreshAhead].
//
// # The row
//
// Its value is the bare token as a PHP string, which is what a Laravel application that fills the row itself writes:
// cache('dingding_access_token') reads it unchanged. It expires earlier than the token does, by the margin: see [WithMargin].
//
// Rows that others wrote are read too: a string, or an array whose access_token is a string, which is what PHP SDKs store. Any
// other live value (an empty string, a null, a failed reply, bytes that cannot be decoded) is no token: it is treated as
// missing and a fetch replaces it. An empty token is never handed out and never stored.
//
// # The lock
//
// It is named [LockName] of the key and excludes PHP's Cache::lock of the same name. A process that dies while it holds the
// lock delays the others until [WithLockTTL] is over. A process that was slower than that cannot overwrite what its successor
// stored: the row is only written while the lock is still held.
//
// # Errors
//
// What the vendor or the way to it did wrong is a [*SourceError]; nothing was stored then. The database's errors are the store's.
// After either, the lock is released. A failure is not remembered, but for a pause before the next refresh ahead: the next call
// asks the vendor again, though never two processes at once. While the database cannot be read or locked, nothing is fetched: without the shared row every process
// would ask the vendor by itself, and vendors block who asks too often.
package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/larder-cache/larder/store"
)

// A Store is what a fetcher needs of a [*store.Store].
type Store interface {
	Item(ctx context.Context, key string) (store.Item, error)
	Lock(name string, ttl time.Duration) *store.Lock
	PutIfLocked(ctx context.Context, lock *store.Lock, key string, value any, ttl time.Duration) (bool, error)
}

// An Origin says where a token came from. Its value is stable and may be used as a label.
type Origin string

const (
	// FromRow means that the token was in the row, whoever put it there.
	FromRow Origin = "row"
	// FromSource means that the token was fetched from the vendor for this call or for one that it joined.
	FromSource Origin = "source"
)

// A Result is a token with what is known about it.
type Result struct {
	Token  Token // ExpiresIn is the time until the row expires
	Origin Origin
}

// A Fetcher hands out the token of one row. It is safe for concurrent use.
type Fetcher struct {
	store  Store
	key    string
	source Source
	config config
	flight singleflight.Group

	refreshing  atomic.Bool               // a goroutine of this process refreshes ahead
	pausedUntil atomic.Pointer[time.Time] // after a failure
	lastLife    atomic.Int64              // of the row that was last fetched, in nanoseconds; 0: not known
}

// New returns a fetcher of the token in key, which it fetches from source when the row is missing. Processes that share the row
// must agree on the key and on the store's prefix; no two apps may share one.
func New(store Store, key string, source Source, opts ...Option) (*Fetcher, error) {
	switch {
	case store == nil:
		return nil, errors.New("new fetcher: want a store, got nil")
	case key == "":
		return nil, errors.New("new fetcher: want a key, got an empty one")
	case source == nil:
		return nil, fmt.Errorf("new fetcher of %q: want a source, got nil", key)
	}
	c, err := newConfig(source.Info(), opts)
	if err != nil {
		return nil, fmt.Errorf("new fetcher of %q: %w", key, err)
	}
	return &Fetcher{store: store, key: key, source: source, config: c}, nil
}

// LockName returns the name of the lock under which the token of key is fetched: "larder:fetch:" and the key. PHP code that
// fetches the token itself can take the same lock with Cache::lock.
func LockName(key string) string { return "larder:fetch:" + key }

// Token returns a token that can be used now: the row's, or else a new one.
//
// If the row lives for no longer than [WithRefreshAhead], the first caller of the fleet fetches the next token, and gets the old one if
// that fails; all others get the old one meanwhile, without waiting.
//
// It waits as long as ctx allows. The end of one caller's ctx does not concern the others: what they wait for goes on, even if
// nobody is left, for no longer than the wait and the lock's TTL together, and its result is stored. The errors are those of
// the package's comment, [store.ErrLockTimeout] if another process kept the lock for too long without storing a token, and
// ctx's own.
func (f *Fetcher) Token(ctx context.Context) (string, error) {
	result, err := f.Get(ctx)
	return result.Token.Value, err
}

// Get does what [Fetcher.Token] does, and also tells how long the row lives and where the token came from.
func (f *Fetcher) Get(ctx context.Context) (Result, error) {
	result, err := f.get(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("token %q: %w", f.key, err)
	}
	return result, nil
}

// String names the key and the source.
func (f *Fetcher) String() string {
	return fmt.Sprintf("fetcher of %q from %s", f.key, f.source.Info().Name)
}

// Format prints the fetcher as String does, whatever the verb: what is inside is in use.
func (f *Fetcher) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, f.String()) }

func (f *Fetcher) get(ctx context.Context) (Result, error) {
	token, err := f.read(ctx)
	if err == nil && token.ExpiresIn <= f.ahead() {
		return f.refresh(ctx, token), nil
	}
	if !errors.Is(err, errNoToken) {
		return Result{Token: token, Origin: FromRow}, err
	}
	filled := f.flight.DoChan("", func() (any, error) { return f.fill(context.WithoutCancel(ctx)) })
	select {
	case r := <-filled:
		return r.Val.(Result), r.Err
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

// The pauses between two looks at a row that another process is filling: short at first, because a fetch mostly takes less
// than 200 ms, then long enough that a thousand waiting processes are no load.
const (
	firstPause = 50 * time.Millisecond
	maxPause   = 250 * time.Millisecond
)

// fill takes the lock and fetches, or waits until another process has. It is bounded even if ctx is not.
func (f *Fetcher) fill(ctx context.Context) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, f.config.wait+f.config.lockTTL)
	defer cancel()
	lock := f.store.Lock(LockName(f.key), f.config.lockTTL)
	begun := time.Now()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		held, err := lock.Acquire(ctx)
		if err != nil {
			return Result{}, err
		}
		if held {
			result, err := f.fillLocked(ctx, lock, 0)
			if !errors.Is(err, errLockLost) {
				return result, err
			}
		}
		if time.Since(begun) >= f.config.wait {
			return Result{}, fmt.Errorf("waited %v for lock %q: %w", f.config.wait, LockName(f.key), store.ErrLockTimeout)
		}
		time.Sleep(pause/2 + rand.N(pause/2)) // of many waiting processes no two keep meeting
		token, err := f.read(ctx)
		if !errors.Is(err, errNoToken) {
			return Result{Token: token, Origin: FromRow}, err
		}
	}
}

// errLockLost says that the lock ended before the fetched token could be stored.
var errLockLost = errors.New("lock lost")

// fillLocked looks at the row again, because it may have been filled while the lock was being taken, and fetches if it has no token
// or one that lives for no longer than enough.
func (f *Fetcher) fillLocked(ctx context.Context, lock *store.Lock, enough time.Duration) (Result, error) {
	defer release(ctx, lock)
	token, err := f.read(ctx)
	if err == nil && token.ExpiresIn > enough || err != nil && !errors.Is(err, errNoToken) {
		return Result{Token: token, Origin: FromRow}, err
	}
	token, err = f.fetch(ctx)
	if err != nil {
		return Result{}, err
	}
	stored, err := f.store.PutIfLocked(ctx, lock, f.key, token.Value, token.ExpiresIn)
	if err != nil {
		return Result{}, fmt.Errorf("fetched from %s but not stored: %w", f.source.Info().Name, err)
	}
	if !stored {
		// A successor fetches, or has: its token is the newer one, and with some vendors the only one that still works.
		return Result{}, errLockLost
	}
	f.lastLife.Store(int64(token.ExpiresIn))
	return Result{Token: token, Origin: FromSource}, nil
}

// ahead returns how long before the row expires to fetch the next token. A vendor whose tokens live shorter than that would be asked
// by every call.
func (f *Fetcher) ahead() time.Duration {
	life := time.Duration(f.lastLife.Load())
	if documented := f.source.Info().Life; life == 0 && documented > 0 {
		life = rowTTL(documented, f.config.margin, 0)
	}
	if life > 0 {
		return min(f.config.refreshAhead, life/2)
	}
	return f.config.refreshAhead
}

// afterFailure is how long a fetcher that could not refresh ahead hands out the old token before it tries again.
const afterFailure = 30 * time.Second

// refresh replaces a token that will soon expire and returns the new one; or the old one, if another process or goroutine is at it
// already, if it fails, or if ctx ends first.
func (f *Fetcher) refresh(ctx context.Context, old Token) Result {
	result := Result{Token: old, Origin: FromRow}
	if until := f.pausedUntil.Load(); until != nil && time.Now().Before(*until) || !f.refreshing.CompareAndSwap(false, true) {
		return result
	}
	refreshed := make(chan Result, 1)
	go func() {
		defer f.refreshing.Store(false)
		next, err := f.refreshLocked(context.WithoutCancel(ctx))
		if err != nil {
			until := time.Now().Add(afterFailure)
			f.pausedUntil.Store(&until)
			next = result
		}
		refreshed <- next
	}()
	select {
	case result = <-refreshed:
	case <-ctx.Done():
	}
	return result
}

// errHeld says that another process holds the lock.
var errHeld = errors.New("lock held")

func (f *Fetcher) refreshLocked(ctx context.Context) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, f.config.lockTTL)
	defer cancel()
	lock := f.store.Lock(LockName(f.key), f.config.lockTTL)
	held, err := lock.Acquire(ctx)
	if err != nil {
		return Result{}, err
	}
	if !held {
		return Result{}, errHeld
	}
	return f.fillLocked(ctx, lock, f.ahead())
}

// release gives the lock back even if ctx has ended. An error is ignored: the lock then ends with its TTL.
func release(ctx context.Context, lock *store.Lock) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_, _ = lock.Release(ctx)
}

// fetch asks the source once and returns the token with the TTL that its row should have.
func (f *Fetcher) fetch(ctx context.Context) (Token, error) {
	ctx, cancel := context.WithTimeout(ctx, f.config.timeout)
	defer cancel()
	sent := time.Now()
	token, err := f.source.Fetch(ctx)
	if err != nil {
		return Token{}, err
	}
	if err = token.Check(); err == nil {
		token.ExpiresIn = rowTTL(token.ExpiresIn, f.config.margin, time.Since(sent))
		err = token.Check()
	}
	if err != nil {
		return Token{}, &SourceError{Source: f.source.Info().Name, Class: ClassProtocol, Message: err.Error()}
	}
	return token, nil
}

// rowTTL returns how long a row lives whose token had the given life when it was asked for, elapsed ago. It is rounded up to
// whole seconds, as the store would: of 7200 s less 200 s, a fast reply leaves 7000. It is zero or less if nothing is left.
func rowTTL(life, margin, elapsed time.Duration) time.Duration {
	left := life - min(margin, life/2) - elapsed
	return (left + time.Second - 1) / time.Second * time.Second
}

// errNoToken says that there is no live row, or that it holds no token.
var errNoToken = errors.New("no token")

// read returns the row's token, or errNoToken.
func (f *Fetcher) read(ctx context.Context) (Token, error) {
	item, err := f.store.Item(ctx, f.key)
	if errors.Is(err, store.ErrNotFound) {
		return Token{}, errNoToken
	}
	if err != nil {
		return Token{}, err
	}
	if token, ok := TokenOf(item); ok {
		return token, nil
	}
	return Token{}, errNoToken
}

// TokenOf returns the token in a row, a string or the access_token of an array, and whether it is one that can be used. Its life
// is the row's.
func TokenOf(item store.Item) (Token, bool) {
	token := Token{ExpiresIn: item.TTL}
	var reply map[string]any
	if item.Decode(&token.Value) != nil && item.Decode(&reply) == nil {
		token.Value, _ = reply["access_token"].(string)
	}
	return token, token.Check() == nil
}
