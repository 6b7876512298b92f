package fetcher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/larder-cache/larder/store"
)

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

// column is what a row has for the token.
func (f *Fetcher) column(token string, ttl time.Duration) any {
	if f.config.shape == ShapeArray {
		return struct {
			Token     string `php:"access_token"`
			ExpiresIn int64  `php:"expires_in"`
		}{token, int64((ttl + time.Second - 1) / time.Second)}
	}
	return token
}

// A view is what the table said: the row and the state in one round trip.
type view struct {
	at    instant // before the statement was sent
	token Token   // "" if the row is missing or holds none
	sum   string
	state state
}

// A tableError is the database's, as against the source's. It is not seen.
type tableError struct{ err error }

func (e *tableError) Error() string { return e.err.Error() }
func (e *tableError) Unwrap() error { return e.err }

func (f *Fetcher) look(ctx context.Context) (view, error) {
	ctx, cancel := context.WithTimeout(ctx, f.config.storeTimeout)
	defer cancel()
	v := view{at: f.now()}
	items, err := f.table.Many(ctx, f.key, StateKey(f.key))
	if err != nil {
		return v, &tableError{err}
	}
	if item, ok := items[StateKey(f.key)]; ok {
		v.state = stateOf(item)
	}
	if item, ok := items[f.key]; ok {
		if token, ok := TokenOf(item); ok {
			v.token, v.sum = token, Fingerprint(token.Value)
		}
	}
	return v, nil
}

// A standing is what a row is worth to a fetcher.
type standing int

const (
	absent standing = iota // there is no live row, or no token in it
	taken                  // the token is in memory now
	older                  // the token in memory came after it: the database has lost a write
	unfit                  // the vendor does not accept it
	alien                  // it is another app's
)

// absorb takes the row's token into memory, unless there is a reason not to.
func (f *Fetcher) absorb(v view) standing {
	if v.token.Value == "" {
		return absent
	}
	now, before := f.now(), f.held.Load()
	if until, ok := f.isRejected(v); ok {
		f.markRejected(v.sum, until) // which looking again makes no longer
		return unfit
	}
	if f.isAlien(v) {
		return alien
	}
	if before.good(now) && f.isOlder(v, before, now) {
		return older
	}
	life := f.credible(v, before)
	if life <= 0 {
		return absent
	}
	whole := time.Duration(0)
	switch {
	case v.state.Token == v.sum:
		whole = time.Duration(v.state.Life) * time.Second
	case before != nil && before.sum == v.sum:
		whole = before.whole
	}
	h := f.newHeld(v.token.Value, v.at, life, max(whole, 0), FromRow)
	if before != nil && before.sum == h.sum {
		h.token = before.token // one copy in memory
	} else {
		f.emit(Event{Kind: EventAdopted, Token: Mask(h.token)})
		f.noteReplaced(v, before)
	}
	if f.take(h) != h {
		return older
	}
	if x := f.lastFailure(); x != nil && v.state.Failure == nil && (x.shared || before == nil || before.sum != h.sum) {
		f.noteSuccess() // somebody else's
	}
	if f.info.App != "" && v.state.Token == v.sum && v.state.App == f.info.App {
		f.own.Store(true)
	}
	return taken
}

// isRejected reports whether the vendor is known not to accept the row's token, and did not insist on it; and until when that is to count.
func (f *Fetcher) isRejected(v view) (until int64, rejected bool) {
	if r := v.state.Rejection; r != nil && r.Token == v.sum {
		if r.Same {
			f.unreject(v.sum)
			return 0, false
		}
		if left := rejectionLife - time.Duration(r.Ago)*time.Second; left > 0 {
			return v.at.after(left), true
		}
	} // or it was reported again, here, while nobody could ask the vendor and so tell the others
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rejectedUntil, f.rejected == v.sum && v.at.mono < f.rejectedUntil
}

func (f *Fetcher) unreject(sum string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rejected == sum {
		f.rejected = ""
	}
}

// isAlien reports whether a fetcher for another app stored the row's token. It can only be told of rows that larder stored.
func (f *Fetcher) isAlien(v view) bool {
	return v.state.Token == v.sum && v.state.App != "" && f.info.App != "" && v.state.App != f.info.App
}

// isOlder reports whether the token in memory was stored, or was to be stored, after the row's.
func (f *Fetcher) isOlder(v view, before *held, now instant) bool {
	const clearly = time.Minute
	if before.unstored && before.left(now)-clearly > v.token.ExpiresIn {
		return true
	}
	return before.sum != v.sum && f.isFormer(v.sum) && before.left(now) > v.token.ExpiresIn
}

// credible returns how much longer the row's token can be used. A row that lives for longer than any of the vendor's tokens, such as one that PHP
// stored forever, ends when the token could have been given at the latest: its documented life after it was first seen.
func (f *Fetcher) credible(v view, before *held) time.Duration {
	life, documented := v.token.ExpiresIn, f.info.Life
	if documented == 0 || life <= documented {
		return life
	}
	if before != nil && before.sum == v.sum {
		return min(documented, before.left(v.at))
	}
	return documented
}

// noteReplaced counts tokens that somebody else put in the place of one that had its life before it. Of a vendor that ends the former token,
// that is two fetchers working against each other.
func (f *Fetcher) noteReplaced(v view, before *held) {
	now := f.now()
	if f.info.Renewal != NewOldDies || !before.good(now) || before.isSoft(now) {
		return
	}
	if v.state.Token == v.sum && (v.state.Reason == whyRejected || v.state.Reason == whyAsked) {
		return
	}
	life := f.info.Life
	if life == 0 {
		life = before.life
	}
	f.mu.Lock()
	kept := f.replaced[:0]
	for _, at := range f.replaced {
		if now.mono-at < int64(life) {
			kept = append(kept, at)
		}
	}
	f.replaced = append(kept, now.mono)
	n := len(f.replaced)
	f.mu.Unlock()
	if n >= 2 {
		f.raise(AlarmFlapping, fmt.Sprintf("the token was replaced %d times within %v by others: something else fetches tokens of this app, "+
			"and each new one ends the former", n, life))
	}
}

// ErrCollision is returned when the row belongs to another app: somebody has configured one key for two. It is not fought over: the fetcher that
// came last has the row.
var ErrCollision = errors.New("the row belongs to another app: give each app a key of its own")
