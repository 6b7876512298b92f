package fetcher

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Run keeps the token fresh until ctx ends: it fetches it if there is none, looks at the row every 15 s, so that this process learns what
// others stored, fetches the next token ahead of its expiry, and writes the row again if it was deleted without another token in its place.
// Any number of processes may run it; one of them does the work at a time. It returns nil, after what it was at has ended: a token that the
// vendor has given is stored, and the lock released.
//
// Without Run, calls of Token look at the row and refresh it in the background as needed: who calls it at least once a minute loses little.
func (f *Fetcher) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		fl := f.flights.start(tending, f.tend)
		select {
		case <-fl.done:
			if errors.Is(fl.err, ErrClosed) {
				return fl.err
			}
		case <-ctx.Done():
			continue
		}
		timer := time.NewTimer(time.Duration(f.nextTend.Load() - f.now().mono))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	return f.flights.join(context.WithoutCancel(ctx), tending)
}

// RunAll runs the fetchers until ctx ends, and returns when all have returned.
func RunAll(ctx context.Context, fetchers ...*Fetcher) error {
	errs := make([]error, len(fetchers))
	var wg sync.WaitGroup
	for i, f := range fetchers {
		wg.Go(func() { errs[i] = f.Run(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Close waits for what Token and Reject have left to run in the background, such as a refresh, so that a short-lived process does not end in the
// middle of it; and lets nothing new begin: after it only tokens in memory are handed out, and else [ErrClosed]. It returns ctx's error if that
// ends first. It does not end Run.
func (f *Fetcher) Close(ctx context.Context) error {
	f.flights.close()
	return f.flights.join(ctx, "")
}

// tending is the name of the flight that keeps the row, whether Run or a caller has started it.
const tending = "tend"

// tendSoon has the row looked after behind the caller's back, if that is due.
func (f *Fetcher) tendSoon(now instant) {
	if now.mono >= f.nextTend.Load() {
		f.flights.start(tending, f.tend)
	}
}

// tend compares memory with the row, once, and does what follows. It waits for nobody.
func (f *Fetcher) tend() (*held, error) {
	h, err := f.tendRow(context.Background())
	f.judgeFailing()
	f.nextTend.Store(f.now().after(f.untilNext(err)))
	return h, err
}

func (f *Fetcher) tendRow(ctx context.Context) (*held, error) {
	v, err := f.look(ctx)
	if err != nil {
		return f.withoutTable(ctx, errand{why: whyAhead, enough: urgent}, err)
	}
	f.noteWell()
	row := f.absorb(v)
	now, h := f.now(), f.held.Load()
	e := errand{why: whyAhead, enough: ahead}
	switch {
	case !h.good(now):
		e = errand{why: whyMissing, enough: urgent}
	case f.restorable(v, e) != nil:
	case row == alien && f.own.Load():
		f.raise(AlarmCollision, "the row now holds another app's token: give each app a key of its own")
		return h, nil
	case !h.isSoft(now):
		return h, nil
	}
	if f.restorable(v, e) == nil {
		if h, err := f.settle(v, e); h != nil || err != nil {
			return h, err
		}
	}
	h, err = f.tryLocked(ctx, e)
	var trouble *tableError
	if errors.As(err, &trouble) {
		return f.withoutTable(ctx, e, err)
	}
	return h, err
}

// untilNext returns when to tend again, after an attempt that ended with err.
func (f *Fetcher) untilNext(err error) time.Duration {
	now, h := f.now(), f.held.Load()
	pause := f.jittered(lookEvery)
	if h.good(now) && !h.isSoft(now) {
		pause = min(pause, time.Duration(int64(h.calm)-(now.mono-h.at.mono)))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil && (errors.Is(err, errHeld) || errors.Is(err, errLockLost)) {
		pause = min(pause, f.jittered(time.Second))
	}
	if f.failure != nil && f.failure.until > now.mono {
		pause = min(pause, time.Duration(f.failure.until-now.mono))
	}
	return max(pause, firstPause*5)
}
