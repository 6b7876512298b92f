// Package fetcher hands out a vendor's access token that is always there, was fetched once for all servers, and is never the wrong one.
//
// Any number of processes share one row of the cache table. Whoever finds it missing takes a lock that only one process of the fleet can hold,
// looks again, fetches the token, stores it and releases the lock; the others wait for the row to appear. So a cold start costs one fetch,
// however many processes and goroutines ask. From then on each process has the token in memory, and [Fetcher.Token] takes as long as reading the
// clock.
//
// # Windows
//
// A token is fresh, then in its soft window, then in its hard window, then expired.
//
//   - Fresh: handed out from memory. About every 15 s the row is looked at in the background, so that what others store gets known.
//   - Soft, the last 10 minutes with DingTalk ([WithRefreshAhead]): still handed out from memory. One process of the fleet fetches the next token in
//     the background; no caller waits.
//   - Hard, the last minute, and at most a quarter of the life: callers wait for the next token, and get the old one if that fails.
//   - Expired: never handed out, unless [WithStale] allows it, and then together with an error that is [ErrStale].
//
// # Clocks
//
// When a row ends is decided by the database server's clock, which each read tells the remaining time of. From then on a process counts on
// its own, on two clocks: the monotonic one, which nobody can set but which stands still while the machine is suspended, and the wall clock.
// If they disagree by more than a second about the time since the row was read, the row is read again first. If it cannot be, the one counts
// that says less is left.
//
// # The row
//
// Its value is the bare token as a PHP string, which is what a Laravel application that fills the row itself writes:
// cache('dingding_access_token') reads it unchanged; or the array that PHP SDKs write: see [WithShape]. It expires earlier than the token does, by
// the margin: see [WithMargin].
//
// Rows that others wrote are taken as they are: a string, or an array whose access_token is a string. Any other live value (an empty string, a
// null, a failed reply, bytes that cannot be decoded) is no token: it is treated as missing and a fetch replaces it. An empty token
// is never handed out and never stored. A row that lives for longer than the vendor documents of its tokens ends, for larder, with that time.
//
// A row that disappears while the token is good (cache:clear, or a reader of Laravel 9 or older who deletes what it believes is
// expired) is written again from memory, and so is one that the database lost in a failover.
//
// # The lock and the state
//
// The lock is named [LockName] of the key and excludes PHP's Cache::lock of the same name. A process that dies while it holds the
// lock delays the others until [WithLockTTL] is over. A process that was slower than that cannot overwrite what its successor
// stored: the row is only written while the lock is still held, by one statement.
//
// A second row, [StateKey], tells the fleet what happened: why the last fetch failed and until when nobody asks again, which token was rejected
// last, which app the row belongs to. It is read together with the first, in one round trip.
//
// # Failures
//
// What the vendor or the way to it did wrong is a [*SourceError]; nothing is stored then, and the token that is there goes on being handed out. A
// failure answers for the vendor until its pause is over, in all processes with the same credentials: after a transient one 1 s (up to 2 s more in
// other processes), doubled each time up to a minute; 5 s up to 5 minutes if the reply made no sense; what the vendor asks for if it says so; and an
// hour for a refusal that only people can end, such as wrong credentials. It ends sooner when a token appears in the row, with other credentials, and
// when [Fetcher.Refresh] is called.
//
// While the database cannot be used, tokens in memory are handed out as long as they live. A process without one asks the vendor itself, at most once a
// minute and every 5 minutes if that fails, where a second token harms nobody ([Info.Renewal]); where it would end the others' token, the database's
// error is returned.
//
// # The wrong token
//
// A token that an API rejects is replaced by [Fetcher.Reject], by comparison: late reports harm nothing. Another app's token in the row is
// noticed if larder stored it and both sources name their app ([Info.App]); the fetcher that came last has the row, and the others return
// [ErrCollision].
//
// What somebody should look at is an [Alarm]: see [Fetcher.Status], [WithObserver] and [WithLogger]. Neither events, errors nor the state contain a
// secret or a token.
package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/store"
)

// ErrStale is returned together with a token that has expired because no other could be had, if [WithStale] allows that. The error also wraps why.
// It is the store's, so that one check does for both.
var ErrStale = store.ErrStale

// ErrUnsafeCheck is returned by Check of a vendor whose new token ends the one in use, or may: see [Info.Checkable].
var ErrUnsafeCheck = errors.New("a new token may end one that is in use: use Refresh, which stores the new one")

// An Origin says where a token came from. Its value is stable and may be used as a label.
type Origin string

const (
	// FromMemory means that this process had the token.
	FromMemory Origin = "memory"
	// FromRow means that the token was in the row, whoever put it there.
	FromRow Origin = "row"
	// FromSource means that the token was fetched from the vendor for this call or for one that it joined.
	FromSource Origin = "source"
	// FromStale means that the token has expired: see [WithStale].
	FromStale Origin = "stale"
)

// A Result is a token with what is known about it.
type Result struct {
	Token  Token // ExpiresIn is the time until the row expires, less than 0 if it has
	Origin Origin
}

// A Fetcher hands out the token of one row. It is safe for concurrent use.
type Fetcher struct {
	// What the hot path reads comes first, and never changes but for the pointer.
	held   atomic.Pointer[held]
	born   time.Time
	config config

	table  Store
	key    string
	source Source
	info   Info
	spread float64 // 0.8 to 1.2: how this process's time ahead differs from the others'

	counts   counts
	flights  flights
	nextTend atomic.Int64 // monotonic: when the row is to be looked after again
	trouble  atomic.Bool  // the database could not be used last time
	own      atomic.Bool  // the row has had a token of this app, as far as this process knows

	logging logging

	mu            sync.Mutex // of what follows, and of writing held
	formers       []string   // Fingerprints of the tokens that the one in memory came after, the last one last
	rejected      string     // Fingerprint of the last token that was rejected, and has no successor
	rejectedUntil int64
	same          verdictOn // the vendor gave a rejected token again
	tooOften      verdictOn // the vendor was asked because of a rejection
	failure       *failure
	nextDirect    int64   // when the vendor may be asked again without the database
	inVain        int     // how many such fetches were of no use, in a row
	replaced      []int64 // when others replaced a token that had its life before it
	alarms        map[AlarmKind]raised
}

// New returns a fetcher of the token in key, which it fetches from source when the row is missing. Processes that share the row
// must agree on the key and on the store's prefix; no two apps may share one.
func New(s *store.Store, key string, source Source, opts ...Option) (*Fetcher, error) {
	if s == nil {
		return nil, errors.New("new fetcher: want a store, got nil")
	}
	return NewOn(On(s), key, source, opts...)
}

// NewOn is New for another table than a [*store.Store].
func NewOn(table Store, key string, source Source, opts ...Option) (*Fetcher, error) {
	switch {
	case table == nil:
		return nil, errors.New("new fetcher: want a store, got nil")
	case key == "":
		return nil, errors.New("new fetcher: want a key, got an empty one")
	case source == nil:
		return nil, fmt.Errorf("new fetcher of %q: want a source, got nil", key)
	}
	info := source.Info()
	c, err := newConfig(info, opts)
	if err != nil {
		return nil, fmt.Errorf("new fetcher of %q: %w", key, err)
	}
	f := &Fetcher{
		born: time.Now(), config: c, table: table, key: key, source: source, info: info,
		spread: 1 + wideJitter*(2*rand.Float64()-1), alarms: map[AlarmKind]raised{}, logging: logging{to: c.logger},
	}
	return f, nil
}

// LockName returns the name of the lock under which the token of key is fetched: "larder:fetch:" and the key. PHP code that
// fetches the token itself can take the same lock with Cache::lock.
func LockName(key string) string { return "larder:fetch:" + key }

// Token returns a token that can be used now: the one in memory, or the row's, or else a new one.
//
// As long as the token in memory is good, it does nothing but read the clock, and does not look at ctx. Otherwise it waits as long as ctx
// allows, or for less than four seconds if there is a token that can still be used. The end of one caller's ctx does not concern the others: what
// they wait for goes on, even if nobody is left, for no longer than the wait and the lock's TTL together, and its result is stored. The errors
// are those of the package's comment, [store.ErrLockTimeout] if another process kept the lock for too long without storing a token, ErrStale
// with a token, and ctx's own.
func (f *Fetcher) Token(ctx context.Context) (string, error) {
	if h := f.held.Load(); h != nil && h.calmAt(f.now()) {
		f.counts.fromMemory.add()
		return h.token, nil
	}
	result, err := f.Get(ctx)
	return result.Token.Value, err
}

// Get does what [Fetcher.Token] does, and also tells how long the row lives and where the token came from.
func (f *Fetcher) Get(ctx context.Context) (Result, error) {
	result, err := f.get(ctx)
	switch result.Origin {
	case FromMemory:
		f.counts.fromMemory.add()
	case FromRow:
		f.counts.fromRow.Add(1)
	case FromSource:
		f.counts.fromSource.Add(1)
	case FromStale:
		f.counts.stale.Add(1)
	}
	if result.Origin != FromMemory && result.Origin != "" {
		f.emit(Event{Kind: EventHandedOut, Origin: result.Origin, Token: Mask(result.Token.Value), Err: err})
	}
	if err != nil {
		return result, fmt.Errorf("token %q: %w", f.key, err)
	}
	return result, nil
}

// String names the key and the source.
func (f *Fetcher) String() string {
	return fmt.Sprintf("fetcher of %q from %s", f.key, f.info.Name)
}

// Format prints the fetcher as String does, whatever the verb: what is inside is in use.
func (f *Fetcher) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, f.String()) }

func (f *Fetcher) get(ctx context.Context) (Result, error) {
	now, h := f.now(), f.held.Load()
	good := h.good(now)
	if good && (now.steadySince(h.at) || f.trouble.Load()) && f.needNotWait(h, now) {
		f.tendSoon(now)
		return h.result(now, FromMemory), nil
	}
	if x := f.lastFailure(); !good && x.inForce(now) {
		return f.fallback(f.again(x, now))
	}
	fl := f.flights.start("fill", func() (*held, error) {
		return f.run(context.WithoutCancel(ctx), errand{why: whyMissing, enough: urgent})
	})
	var patience <-chan time.Time
	if good {
		timer := time.NewTimer(f.config.storeTimeout + f.config.timeout)
		defer timer.Stop()
		patience = timer.C
	}
	select {
	case <-fl.done:
		if fl.err != nil {
			return f.fallback(fl.err)
		}
		if now := f.now(); fl.held.isSoft(now) {
			f.tendSoon(now) // so that a cron job that asks every minute keeps the row fresh: see Close
		}
		return fl.held.result(f.now(), fl.held.origin), nil
	case <-ctx.Done():
		return f.fallback(ctx.Err())
	case <-patience:
		return f.fallback(store.ErrLockTimeout)
	}
}

// needNotWait reports whether a good token is handed out at once: before its hard window, and in it while waiting would be of no use, because the
// vendor or the database is known to be in trouble.
func (f *Fetcher) needNotWait(h *held, now instant) bool {
	if !h.isHard(now) || f.trouble.Load() {
		return true
	}
	x := f.lastFailure()
	return x != nil && now.mono < x.until
}

// again is the answer to a call that a remembered failure answers.
func (f *Fetcher) again(x *failure, now instant) error {
	left := max(time.Second, time.Duration(x.until-now.mono)).Round(time.Second)
	return fmt.Errorf("%w (remembered: not asked again for %v, but by a refresh)", x.err, left)
}

// fallback returns the token that is in memory if it can still be used, and else the error.
func (f *Fetcher) fallback(err error) (Result, error) {
	now, h := f.now(), f.held.Load()
	switch {
	case h.good(now):
		return h.result(now, FromMemory), nil
	case h != nil && !h.rejected && h.left(now) > -f.config.stale:
		return h.result(now, FromStale), fmt.Errorf("%w: %w", ErrStale, err)
	}
	return Result{}, err
}

// Refresh fetches a new token now, for an operator who knows that it is needed, whatever the row has and whatever was remembered: failures,
// rejections, alarms. It waits for a fetch that is under way. While the database cannot be used it returns the database's error.
func (f *Fetcher) Refresh(ctx context.Context) (Result, error) {
	f.mu.Lock()
	f.failure, f.rejected, f.same, f.tooOften = nil, "", verdictOn{}, verdictOn{}
	f.mu.Unlock()
	fl := f.flights.start("refresh", func() (*held, error) {
		return f.run(context.WithoutCancel(ctx), errand{why: whyAsked, enough: nothing})
	})
	select {
	case <-fl.done:
		if fl.err != nil {
			return Result{}, fmt.Errorf("refresh token %q: %w", f.key, fl.err)
		}
		return fl.held.result(f.now(), FromSource), nil
	case <-ctx.Done():
		return Result{}, fmt.Errorf("refresh token %q: %w", f.key, ctx.Err())
	}
}

// Check asks the vendor once and returns what it gives, with the vendor's life of it, and stores nothing: it tells whether the credentials and the way
// to the vendor are well. Of a vendor whose new token ends the former one, or may, it asks nothing and returns [ErrUnsafeCheck].
func (f *Fetcher) Check(ctx context.Context) (Token, error) {
	if !f.info.Checkable() {
		return Token{}, fmt.Errorf("check token %q: %w", f.key, ErrUnsafeCheck)
	}
	ctx, cancel := context.WithTimeout(ctx, f.config.timeout)
	defer cancel()
	token, err := f.ask(ctx)
	if err == nil {
		if cause := token.Check(); cause != nil {
			err = &SourceError{Source: f.info.Name, Class: ClassProtocol, Message: cause.Error()}
		}
	}
	if err != nil {
		return Token{}, fmt.Errorf("check token %q: %w", f.key, err)
	}
	return token, nil
}

// ask asks the source. A panic fails this request alone, and what it was called with is not told: it may contain anything.
func (f *Fetcher) ask(ctx context.Context) (token Token, err error) {
	defer func() {
		if v := recover(); v != nil {
			token, err = Token{}, fmt.Errorf("the source panicked (%T)", v)
		}
	}()
	return f.source.Fetch(ctx)
}

// jittered returns d, up to a fifth more or less.
func (f *Fetcher) jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 + wideJitter*(2*rand.Float64()-1)))
}

var _ Parent = (*Fetcher)(nil)
