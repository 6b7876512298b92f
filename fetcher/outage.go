package fetcher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/larder-cache/larder/store"
)

// How often a process that has neither a token nor the database may ask the vendor by itself: once a minute, and after fetches in vain 2, 4 and then 5
// minutes later. It is a bound for the vendor's sake, which each process keeps for itself, a fifth sooner or later than the others: of a hundred
// processes at most a hundred ask in a minute, and twenty while the vendor is in trouble too. Those that get a token do not ask again while it lives.
const (
	directEvery = time.Minute
	maxDirect   = 5 * time.Minute
)

// withoutTable does an errand while the database cannot be used: with the token in memory, or, where that harms nobody, a token of this process's own.
// A token that was rejected is out of use then, as after a fetch that failed.
func (f *Fetcher) withoutTable(ctx context.Context, e errand, trouble error) (*held, error) {
	h, err := f.alone(ctx, e, trouble)
	if err != nil && e.not != "" && !errors.Is(err, ErrSameToken) {
		f.markRejected(e.not, f.now().after(rejectionLife))
	}
	return h, err
}

func (f *Fetcher) alone(ctx context.Context, e errand, trouble error) (*held, error) {
	var table *tableError
	if errors.As(trouble, &table) {
		trouble = table.err
	}
	f.noteTrouble(trouble)
	now, h := f.now(), f.held.Load()
	if !e.forced() && h.good(now) && h.sum != e.not && h.left(now) > e.enough(h) {
		return h, nil
	}
	if e.forced() || !f.info.Renewal.harmless() || isConfiguration(trouble) {
		return nil, trouble
	}
	if x := f.lastFailure(); x != nil && now.mono < x.until {
		return nil, fmt.Errorf("%w; and the database: %w", x.err, trouble)
	}
	f.mu.Lock()
	wait := time.Duration(f.nextDirect - now.mono)
	if wait <= 0 {
		f.nextDirect = now.after(f.jittered(min(directEvery<<min(f.inVain, 10), maxDirect)))
	}
	f.mu.Unlock()
	if wait > 0 {
		return nil, fmt.Errorf("%w (without the database a token is fetched at most once in %v, next in %v)", trouble, directEvery, wait.Round(time.Second))
	}
	return f.fetchAlone(ctx, e, trouble)
}

// harmless reports whether a process may ask the vendor by itself without ending the others' token.
func (r Renewal) harmless() bool { return r == SameRenewed || r == SameRemainder || r == NewOldValid }

// isConfiguration reports whether the database is well, and what was asked of it wrong. Fetching past it would hide that.
func isConfiguration(err error) bool {
	var limit *store.LimitError
	return errors.As(err, &limit) || errors.Is(err, store.ErrNoTable) || errors.Is(err, store.ErrNoAccess) || errors.Is(err, store.ErrLookalikeKey)
}

// fetchAlone fetches a token for this process alone. It is written into the row when the database is back.
func (f *Fetcher) fetchAlone(ctx context.Context, e errand, trouble error) (*held, error) {
	f.tellRejected(e)
	begun := f.now()
	token, from, err := f.fetch(ctx)
	took := f.now().since(begun)
	if err != nil {
		noted, _ := f.noteFailure(err, nil)
		f.noteDirect(true)
		f.counts.outcome(string(noted.class))
		f.emit(Event{Kind: EventFetchFailed, Why: e.why, Class: noted.class, Err: err, Took: took})
		f.judgeFailing()
		return nil, fmt.Errorf("%w; and the database: %w", err, trouble)
	}
	f.counts.direct.Add(1)
	f.noteDirect(e.not != "") // a token that replaces one after another that is rejected is of no more use than none
	h := f.newHeld(token.Value, from, token.ExpiresIn, token.ExpiresIn, FromSource)
	h.unstored = true
	f.fetched(h, e.why, took)
	f.noteSuccess()
	if e.not != "" {
		f.noteRejectFetch()
		if e.not == h.sum {
			f.unreject(h.sum)
			f.take(h)
			return nil, f.noteSame(h.sum)
		}
	}
	return f.take(h), nil
}

// noteDirect counts the fetches without the database that were in vain, since the last that was not.
func (f *Fetcher) noteDirect(inVain bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if inVain {
		f.inVain++
		return
	}
	f.inVain, f.nextDirect = 0, f.now().after(f.jittered(directEvery))
}

// noteTrouble tells once that the database is in trouble, and noteWell that it is not any more.
func (f *Fetcher) noteTrouble(err error) {
	if f.trouble.CompareAndSwap(false, true) {
		f.emit(Event{Kind: EventStoreTrouble, Err: err})
	}
}

func (f *Fetcher) noteWell() {
	if f.trouble.CompareAndSwap(true, false) {
		f.mu.Lock()
		f.inVain = 0
		f.mu.Unlock()
		f.emit(Event{Kind: EventStoreWell})
	}
}
