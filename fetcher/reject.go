package fetcher

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrSameToken is what Reject returns, within a [SourceError], when the vendor gives the rejected token again. The token goes on being handed
	// out, because the vendor says that it is the one.
	ErrSameToken = errors.New("the vendor gives the same token again")

	// ErrRejectedTooOften is returned by Reject when the vendor was asked because of a rejection only just now, by any process. The token goes on
	// being handed out. The error that wraps it has a method RetryAfter() time.Duration, for errors.As.
	ErrRejectedTooOften = errors.New("the vendor was asked because of a rejection only just now")
)

const (
	// rejectionLife is for how long a rejected token for which there is no successor yet is not handed out. It is bounded, because
	// whoever says that a token is rejected may be wrong.
	rejectionLife = 10 * time.Minute

	// sameLife is for how long nobody asks again after the vendor gave the rejected token again.
	sameLife = time.Minute
)

// Reject says that the vendor's API did not accept the token, and returns another one.
//
// If memory or the row has another token by now, that is returned and nothing is fetched, so that a report that comes late harms nothing; of any
// number of reports of one token, anywhere in the fleet, one fetches. The row is not deleted before: PHP code that reads it has no gap,
// and goes on with the rejected token for the time of one fetch. If the fetch fails, or cannot be because the database is down, the token is not handed out by
// larder any more, for 10 minutes or until the vendor gives one. The row stays even then: without it every PHP process would ask the vendor by itself.
//
// The vendor is asked at most once in [WithRejectInterval], by the whole fleet; sooner, Reject returns [ErrRejectedTooOften]. If the vendor
// gives the same token again, Reject returns a [SourceError] that is [ErrSameToken], and for a minute answers so without asking, with the rest of
// the minute as RetryAfter. The other errors are those of [Fetcher.Token].
func (f *Fetcher) Reject(ctx context.Context, token string) (string, error) {
	h, err := f.rejectIn(ctx, token)
	if err != nil {
		return "", fmt.Errorf("another token for the rejected one of %q: %w", f.key, err)
	}
	return h.token, nil
}

func (f *Fetcher) rejectIn(ctx context.Context, token string) (*held, error) {
	f.counts.rejections.Add(1)
	now, h, sum := f.now(), f.held.Load(), Fingerprint(token)
	if h.good(now) && h.sum != sum && now.steadySince(h.at) && (f.isFormer(sum) || now.since(h.at) < shortestTry) {
		return h, nil // of a token that is not known, the row may have the successor: its user may have it from another process
	}
	if err := f.rejectMemo(now, sum); err != nil {
		return nil, err
	}
	if x := f.lastFailure(); x.inForce(now) && h != nil && h.sum == sum {
		f.markRejected(sum, now.after(rejectionLife))
		return nil, f.again(x, now)
	}
	fl := f.flights.start("reject "+sum, func() (*held, error) {
		return f.run(context.WithoutCancel(ctx), errand{why: whyRejected, enough: nothing, not: sum, masked: Mask(token)})
	})
	select {
	case <-fl.done:
		return fl.held, fl.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// tellRejected tells of a rejection because of which the vendor is asked.
func (f *Fetcher) tellRejected(e errand) {
	if e.not != "" {
		f.emit(Event{Kind: EventRejected, Token: e.masked})
	}
}

// A verdict on a rejection is remembered, so that a thousand callers do not all read the state of it.
type verdictOn struct {
	sum   string                         // "" for any
	err   func(left time.Duration) error // by how long nobody asks yet
	until int64                          // for how long memory answers
	over  int64                          // when somebody asks again
}

func (f *Fetcher) rejectMemo(now instant, sum string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, v := range []verdictOn{f.same, f.tooOften} {
		if (v.sum == "" || v.sum == sum) && now.mono < v.until {
			return v.err(time.Duration(v.over - now.mono))
		}
	}
	return nil
}

// heardOf answers a rejection by what the fleet knows of it.
func (f *Fetcher) heardOf(v view, sum string) error {
	r := v.state.Rejection
	if r == nil {
		return f.rejectMemo(f.now(), sum)
	}
	now := f.now()
	if left := sameLife - time.Duration(r.Ago)*time.Second; r.Same && r.Token == sum && left > 0 {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.same = verdictOn{sum: sum, err: f.sameAgain, until: now.after(left), over: now.after(left)}
		return f.sameAgain(left)
	}
	// A second is added because the row counts in whole ones.
	if left := f.config.rejectEvery + time.Second - time.Duration(r.Fetched)*time.Second; r.Fetched >= 0 && left > 0 {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.tooOften = verdictOn{sum: sum, err: tooOften, until: now.after(min(left, shortestTry)), over: now.after(left)}
		return tooOften(left)
	}
	return nil
}

func tooOften(left time.Duration) error { return tooOftenError{left} }

// A tooOftenError is an ErrRejectedTooOften that says for how long, to those who ask for it by an interface.
type tooOftenError struct{ left time.Duration }

func (e tooOftenError) Error() string {
	return fmt.Sprintf("%v; again in %v", ErrRejectedTooOften, e.left.Round(time.Second))
}

func (e tooOftenError) Unwrap() error { return ErrRejectedTooOften }

// RetryAfter returns for how long at most Reject answers so.
func (e tooOftenError) RetryAfter() time.Duration { return e.left }

// noteRejectFetch counts against the interval, also when the state row cannot be written.
func (f *Fetcher) noteRejectFetch() {
	f.mu.Lock()
	defer f.mu.Unlock()
	over := f.now().after(f.config.rejectEvery)
	f.tooOften = verdictOn{err: tooOften, until: over, over: over}
}

// noteSame remembers that the vendor insists on a token that its API rejects.
func (f *Fetcher) noteSame(sum string) error {
	over := f.now().after(sameLife)
	f.mu.Lock()
	f.same = verdictOn{sum: sum, err: f.sameAgain, until: over, over: over}
	f.mu.Unlock()
	f.raise(AlarmSameToken, "the vendor's API rejects the token that the vendor gives")
	return f.sameError()
}

// sameAgain is the answer to a rejection for which the vendor is not asked, because it insisted on the token only just now. It says when: by
// now the vendor may have ended the token.
func (f *Fetcher) sameAgain(left time.Duration) error {
	err, left := f.sameError(), max(time.Second, left.Round(time.Second))
	err.Message = fmt.Sprintf("the token that was rejected is the one that the vendor gave (asked %v ago, not again for %v)", max(0, sameLife-left), left)
	err.RetryAfter = left
	return err
}

func (f *Fetcher) sameError() *SourceError {
	return &SourceError{
		Source: f.info.Name, Class: ClassConfig, Message: "the token that was rejected is the one that the vendor gives",
		Advice: "credential or app mismatch: check that the API that rejects it belongs to this app, and takes this kind of token",
		Err:    ErrSameToken,
	}
}

// ReportWrongApp says that the vendor's API calls the token another app's: keys or rows were mixed up, and another token would not help. It
// raises [AlarmWrongApp] and fetches nothing.
func (f *Fetcher) ReportWrongApp(token string) {
	f.raise(AlarmWrongApp, fmt.Sprintf("the vendor's API says that the token %s is another app's: check which app fills the row, "+
		"and for which app the call was", Mask(token)))
}
