package fetcher

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/larder-cache/larder/store"
)

// Why a token is fetched, as the state row tells it.
const (
	whyMissing  = "missing"
	whyAhead    = "ahead"
	whyRejected = "rejected"
	whyAsked    = "refresh"
)

// An errand is what a fetcher wants of the row.
type errand struct {
	why    string
	enough func(*held) time.Duration // a token that lives for longer need not be replaced
	not    string                    // Fingerprint of the token that was rejected
	masked string                    // that token, masked
}

func (e errand) forced() bool { return e.why == whyAsked }

func nothing(*held) time.Duration { return 0 }

// urgent is the hard window's length, within which a token is replaced before it is handed out.
func urgent(h *held) time.Duration { return h.life - h.hard }

// ahead is the soft window's length.
func ahead(h *held) time.Duration { return h.life - h.soft }

// The pauses between two looks at a row that another process is filling: short at first, because a fetch mostly takes less
// than 200 ms, then long enough that a thousand waiting processes are no load.
const (
	firstPause = 50 * time.Millisecond
	maxPause   = 250 * time.Millisecond
)

// errLockLost says that the lock ended before the fetched token could be stored.
var errLockLost = errors.New("lock lost")

// run does an errand: it looks, takes the lock and fetches, or waits until another process has. It is bounded even if ctx is not.
func (f *Fetcher) run(ctx context.Context, e errand) (*held, error) {
	begun := f.now()
	waited := false
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		v, err := f.look(ctx)
		if err != nil {
			return f.withoutTable(ctx, e, err)
		}
		f.noteWell()
		if h, err := f.settle(v, e); h != nil || err != nil {
			return h, err
		}
		h, err := f.tryLocked(ctx, e)
		var trouble *tableError
		switch {
		case errors.As(err, &trouble):
			return f.withoutTable(ctx, e, err)
		case !errors.Is(err, errHeld) && !errors.Is(err, errLockLost):
			return h, err
		}
		if !waited {
			waited = true
			f.counts.lockWaits.Add(1)
		}
		if time.Duration(f.now().mono-begun.mono) >= f.config.wait {
			return nil, fmt.Errorf("waited %v for lock %q: %w", f.config.wait, LockName(f.key), store.ErrLockTimeout)
		}
		time.Sleep(pause/2 + rand.N(pause/2)) // of many waiting processes no two keep meeting
	}
}

// settle answers an errand by what the table says, if that will do: with a token, or with a failure that is still in force.
func (f *Fetcher) settle(v view, e errand) (*held, error) {
	row := f.absorb(v)
	if e.forced() {
		return nil, nil
	}
	now, h := f.now(), f.held.Load()
	if row == taken && h.good(now) && h.sum != e.not && h.left(now) > e.enough(h) {
		return h, nil
	}
	if e.not != "" {
		if err := f.heardOf(v, e.not); err != nil {
			return nil, err
		}
	}
	if err := f.noteShared(v.at, v.state.Failure); err != nil {
		f.judgeFailing()
		if e.not != "" {
			f.markRejected(e.not, f.now().after(rejectionLife))
		}
		return nil, f.again(f.lastFailure(), f.now())
	}
	if row == alien {
		if f.own.Load() {
			f.raise(AlarmCollision, "the row now holds another app's token: give each app a key of its own")
			return nil, ErrCollision
		}
		f.raise(AlarmCollision, "the row held another app's token and is taken over: give each app a key of its own")
	}
	return nil, nil
}

// errHeld says that another process holds the lock.
var errHeld = errors.New("lock held")

// tryLocked takes the lock once and does the errand under it.
func (f *Fetcher) tryLocked(ctx context.Context, e errand) (*held, error) {
	lock := f.table.Lock(LockName(f.key), f.config.lockTTL)
	defer f.release(ctx, lock) // even if it seems not to be held: the answer may have been lost
	bounded, cancel := context.WithTimeout(ctx, f.config.storeTimeout)
	got, err := lock.Acquire(bounded)
	cancel()
	if err != nil {
		return nil, &tableError{err}
	}
	if !got {
		return nil, errHeld
	}
	return f.locked(ctx, lock, e)
}

// release gives the lock back even if ctx has ended. An error is ignored: the lock then ends with its TTL.
func (f *Fetcher) release(ctx context.Context, lock Lock) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.config.storeTimeout)
	defer cancel()
	_, _ = lock.Release(ctx)
}

// locked looks again, because the row may have been filled while the lock was being taken, and fetches if that is still wanted.
func (f *Fetcher) locked(ctx context.Context, lock Lock, e errand) (*held, error) {
	v, err := f.look(ctx)
	if err != nil {
		return nil, err
	}
	f.absorb(v)
	if h := f.restorable(v, e); h != nil { // also while the vendor is down
		return f.restore(ctx, lock, h)
	}
	if h, err := f.settle(v, e); h != nil || err != nil {
		return h, err
	}
	f.tellRejected(e)
	begun := f.now()
	token, from, err := f.fetch(ctx)
	took := f.now().since(begun)
	if err != nil {
		return nil, f.fetchFailed(ctx, lock, v, e, err, took)
	}
	h := f.newHeld(token.Value, from, token.ExpiresIn, token.ExpiresIn, FromSource)
	f.fetched(h, e.why, took)
	stored, err := f.put(ctx, lock, h, token.ExpiresIn)
	if err == nil && !stored {
		// A successor fetches, or has: its token is the newer one, and with some vendors the only one that still works.
		return nil, errLockLost
	}
	if err != nil {
		// It is the vendor's newest token, and perhaps the only one that still works. The row gets it as soon as it can.
		f.emit(Event{Kind: EventStoreTrouble, Err: fmt.Errorf("fetched but not stored: %w", err)})
		h.unstored = true
	}
	return f.keep(ctx, lock, v, e, h)
}

func (f *Fetcher) put(ctx context.Context, lock Lock, h *held, ttl time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, f.config.storeTimeout)
	defer cancel()
	return lock.PutIfLocked(ctx, f.key, f.column(h.token, ttl), ttl)
}

// keep takes a fetched token into memory and tells the others about it.
func (f *Fetcher) keep(ctx context.Context, lock Lock, v view, e errand, h *held) (*held, error) {
	f.noteSuccess()
	f.own.Store(true)
	next := state{App: f.info.App, Token: h.sum, Life: int(h.life / time.Second), Reason: e.why, Rejection: v.state.Rejection}
	var err error
	same := e.not != "" && e.not == h.sum
	if e.not != "" {
		next.Rejection = &rejection{Token: e.not, Same: same}
		f.noteRejectFetch()
	} else if r := next.Rejection; r != nil && r.Token == h.sum {
		confirmed := *r
		confirmed.Same = true // the vendor was asked again, and insists on it
		next.Rejection = &confirmed
	}
	if same {
		err = f.noteSame(h.sum)
	} else if e.not != "" {
		f.clear(AlarmSameToken)
	}
	f.unreject(h.sum)
	if e.forced() {
		f.clearAll()
	}
	h = f.take(h)
	f.nextTend.Store(f.now().after(h.calm)) // a reader of Laravel 9 or older may delete the row
	if !h.unstored {
		f.writeState(ctx, lock, next)
	}
	return h, err
}

// fetchFailed remembers why a fetch failed, and tells the others before they ask the vendor the same.
func (f *Fetcher) fetchFailed(ctx context.Context, lock Lock, v view, e errand, err error, took time.Duration) error {
	noted, told := f.noteFailure(err, v.state.Failure)
	f.counts.outcome(string(noted.class))
	f.emit(Event{Kind: EventFetchFailed, Why: e.why, Class: noted.class, Err: err, Took: took})
	next := v.state
	next.Failure = told
	if e.not != "" {
		next.Rejection = &rejection{Token: e.not}
		f.markRejected(e.not, f.now().after(rejectionLife))
		f.noteRejectFetch()
	}
	if f.writeState(ctx, lock, next) {
		f.mu.Lock()
		if f.failure == noted {
			shared := *noted
			shared.shared = true
			f.failure = &shared
		}
		f.mu.Unlock()
	}
	f.judgeFailing()
	return err
}

func (f *Fetcher) fetched(h *held, why string, took time.Duration) {
	f.counts.outcome("ok")
	f.emit(Event{Kind: EventFetched, Why: why, Token: Mask(h.token), Took: took})
}

// restorable returns the token in memory if the row should have it: the row was deleted, by cache:clear or by a reader of Laravel 9 or older who saw
// its predecessor expire, or the database was away or has lost it.
func (f *Fetcher) restorable(v view, e errand) *held {
	now, h := f.now(), f.held.Load()
	if e.forced() || !h.good(now) || h.sum == e.not || h.left(now) <= max(e.enough(h), urgent(h), time.Second) {
		return nil
	}
	if r := v.state.Rejection; r != nil && r.Token == h.sum && !r.Same {
		return nil
	}
	if v.token.Value == "" || f.isOlder(v, h, now) {
		return h
	}
	return nil
}

func (f *Fetcher) restore(ctx context.Context, lock Lock, h *held) (*held, error) {
	left := h.left(f.now()) / time.Second * time.Second // the row must not outlive it
	stored, err := f.put(ctx, lock, h, left)
	if err != nil {
		return nil, &tableError{err}
	}
	if !stored {
		return nil, errLockLost
	}
	f.counts.restored.Add(1)
	f.emit(Event{Kind: EventRestored, Token: Mask(h.token)})
	again := *h
	again.unstored = false
	return f.take(&again), nil
}
