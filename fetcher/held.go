package fetcher

import (
	"context"
	"slices"
	"time"
)

// A held is a token in this process's memory. It never changes; another one takes its place.
type held struct {
	token string
	sum   string        // its Fingerprint
	at    instant       // when life began to count: before the row was read, or before it was written
	life  time.Duration // from then until the row expires
	whole time.Duration // the row's whole life, 0 if that is not known

	// How long from at on the token is handed out at once...
	calm time.Duration // ...without a further thought
	soft time.Duration // ...and the next one fetched behind the callers' backs from then on
	hard time.Duration // ...and callers wait for the next one from then on

	origin   Origin // where this process has it from: FromRow or FromSource
	unstored bool   // the row does not have it, because the database could not be written
	rejected bool   // the vendor does not accept it, and gave no other
}

// calmAt reports whether the token can be handed out without looking at anything else. It is the hot path's only question.
func (h *held) calmAt(now instant) bool {
	return now.mono-h.at.mono < int64(h.calm) && now.steadySince(h.at)
}

// left returns how much longer the row lives, by the clock that says less.
func (h *held) left(now instant) time.Duration { return h.life - now.since(h.at) }

// good reports whether the token may be handed out. It is so for a nil one: no.
func (h *held) good(now instant) bool { return h != nil && !h.rejected && h.left(now) > 0 }

// isSoft and isHard report whether the windows have begun.
func (h *held) isSoft(now instant) bool { return now.since(h.at) >= h.soft }
func (h *held) isHard(now instant) bool { return now.since(h.at) >= h.hard }

// How often memory is compared with the row, by whoever asks for the token or by Run.
const (
	lookEvery   = 15 * time.Second
	lookAgain   = time.Second      // after having stored a row, which a reader of Laravel 9 or older may have deleted
	maxUrgent   = 60 * time.Second // the longest hard window
	wideJitter  = 0.2
	shortestTry = time.Second
)

// newHeld makes a token with its windows. The windows are measured by the life that remains, or the whole life if it is known: a vendor whose
// tokens live shorter than the time ahead would be asked all the time. So would one that gives the same token with what remains of its life, until
// that is nearly over: as each such row's life is shorter, it is asked again after half of it.
func (f *Fetcher) newHeld(token string, at instant, life, whole time.Duration, origin Origin) *held {
	h := &held{token: token, sum: Fingerprint(token), at: at, life: life, whole: whole, origin: origin}
	ahead := f.ahead(whole)
	measure := whole
	if measure == 0 {
		measure = life
	}
	h.soft = max(0, life-ahead)
	h.hard = max(h.soft, life-min(maxUrgent, ahead, measure/4))
	look := f.jittered(lookEvery)
	if origin == FromSource {
		look = f.jittered(lookAgain)
	}
	h.calm = min(look, h.soft)
	return h
}

// ahead returns how long before the row expires the next token is fetched, in this process: a fifth sooner or later than others, so that they do
// not all come at once. Of a row whose whole life is known it is at most half.
func (f *Fetcher) ahead(whole time.Duration) time.Duration {
	ahead := time.Duration(float64(f.config.refreshAhead) * f.spread)
	if limit := f.info.MaxRefreshAhead; limit > 0 {
		// The vendor counts from the token's end, which is later than the row's, and rows count whole seconds.
		ahead = min(ahead, max(0, limit-f.config.margin-2*time.Second))
	}
	if whole == 0 && f.info.Life > 0 {
		whole = rowTTL(f.info.Life, f.config.margin, 0)
	}
	if whole > 0 {
		ahead = min(ahead, whole/2)
	}
	return ahead
}

// take puts a token into memory and returns it; or what is there, if that is known to be later.
func (f *Fetcher) take(h *held) *held {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	before := f.held.Load()
	if before.good(now) && before.at.mono > h.at.mono && before.sum != h.sum {
		return before
	}
	if before != nil && before.sum != h.sum {
		f.formers = append(slices.DeleteFunc(f.formers, func(sum string) bool { return sum == h.sum || sum == before.sum }), before.sum)
		f.formers = f.formers[max(0, len(f.formers)-maxFormers):]
	}
	f.held.Store(h)
	return h
}

// maxFormers is how many tokens are remembered that others took the place of: those that live still.
const maxFormers = 4

// isFormer reports whether the token in memory took the place of that one.
func (f *Fetcher) isFormer(sum string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.formers, sum)
}

// markRejected takes a token out of use, if it is the one in memory, until then or until what was said of it before.
func (f *Fetcher) markRejected(sum string, until int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rejected == sum {
		until = max(until, f.rejectedUntil)
	}
	f.rejected, f.rejectedUntil = sum, until
	if h := f.held.Load(); h != nil && h.sum == sum {
		marked := *h
		marked.rejected, marked.calm = true, 0
		f.held.Store(&marked)
	}
}

// result is what callers get of a token.
func (h *held) result(now instant, origin Origin) Result {
	return Result{Token: Token{Value: h.token, ExpiresIn: h.left(now)}, Origin: origin}
}

// maxLife is how long a token is used at most, whatever the vendor says: a month is longer than the tokens live that are fetched this way,
// and shorter than what overflows anything.
const maxLife = 30 * 24 * time.Hour

// fetch asks the source once and returns the token with the TTL that its row should have, and when that began to count.
func (f *Fetcher) fetch(ctx context.Context) (Token, instant, error) {
	ctx, cancel := context.WithTimeout(ctx, f.config.timeout)
	defer cancel()
	sent := f.now()
	token, err := f.ask(ctx)
	if err != nil {
		return Token{}, sent, err
	}
	got := f.now()
	if err = token.Check(); err == nil {
		token.ExpiresIn = rowTTL(min(token.ExpiresIn, maxLife), f.config.margin, got.since(sent))
		err = token.Check()
	}
	if err != nil {
		return Token{}, sent, &SourceError{Source: f.info.Name, Class: ClassProtocol, Message: err.Error()}
	}
	return token, got, nil
}

// rowTTL returns how long a row lives whose token had the given life when it was asked for, elapsed ago. It is rounded up to
// whole seconds, as the store would: of 7200 s less 200 s, a fast reply leaves 7000. It is zero or less if nothing is left.
func rowTTL(life, margin, elapsed time.Duration) time.Duration {
	left := life - min(margin, life/2) - elapsed
	return (left + time.Second - 1) / time.Second * time.Second
}
