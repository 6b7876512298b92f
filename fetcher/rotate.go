package fetcher

import (
	"context"
	"errors"
	"sync"
	"time"
)

// rememberOlder is how long the older credentials come first after they were the ones that worked: long enough that a vendor which
// counts refusals is not asked in vain at each refresh of a busy day, short enough that a change shows on the same one.
const rememberOlder = 10 * time.Minute

// Rotate returns the source for the time in which an app's secret is being changed: it asks with the newer credentials and, if the
// vendor does not accept those ([ClassCredential]), with the older. So a new secret can be rolled out before the vendor knows it,
// and the former one removed after it is gone. Both must be of the same app, since their tokens are stored in the same row.
//
// When the older ones worked, they come first for 10 minutes, in this process. A failure of any other class is returned at once, because the
// other credentials would not help. If the vendor accepts neither, the error names both.
//
// Its Info is the newer source's, with a Fingerprint that changes when either's does.
func Rotate(newer, older Source) Source {
	info := newer.Info()
	info.Fingerprint = Fingerprint(info.Fingerprint, older.Info().Fingerprint)
	return &rotation{newer: newer, older: older, info: info}
}

type rotation struct {
	newer, older Source
	info         Info

	mu         sync.Mutex
	olderUntil time.Time // when the older source comes first no more
}

func (r *rotation) Info() Info { return r.info }

func (r *rotation) Fetch(ctx context.Context) (Token, error) {
	first, second, olderFirst := r.newer, r.older, r.olderFirst()
	if olderFirst {
		first, second = second, first
	}
	token, refusal := first.Fetch(ctx)
	if !refusesCredentials(refusal) {
		return token, refusal
	}
	token, err := second.Fetch(ctx)
	r.remember(err == nil && !olderFirst)
	switch {
	case err == nil:
		return token, nil
	case olderFirst:
		return Token{}, r.both(err, refusal)
	}
	return Token{}, r.both(refusal, err)
}

// both is the error of a rotation of which one source was refused and the other failed too. It is of the other's class, as long as that
// may pass; if both were refused, it says what to do about the newer.
func (r *rotation) both(newer, older error) error {
	decisive := newer
	if refusesCredentials(newer) && !refusesCredentials(older) {
		decisive = older
	}
	failure := SourceError{Class: ClassUnknown, Err: decisive}
	var cause *SourceError
	if errors.As(decisive, &cause) {
		failure = *cause
	}
	failure.Source = r.info.Name
	failure.Message = "with the newer credentials: " + text(newer) + "; with the older: " + text(older)
	return &failure
}

// text is an error's message and code, without the source, which both have in common, and the advice, of which there is to be one.
func text(err error) string {
	var failure *SourceError
	if !errors.As(err, &failure) {
		return err.Error()
	}
	if failure.Code != "" {
		return failure.Message + " (code " + failure.Code + ")"
	}
	return failure.Message
}

func refusesCredentials(err error) bool {
	var failure *SourceError
	return errors.As(err, &failure) && failure.Class == ClassCredential
}

func (r *rotation) olderFirst() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Before(r.olderUntil)
}

// remember notes that the older credentials worked when the newer did not, or that they no longer do.
func (r *rotation) remember(older bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.olderUntil = time.Time{}
	if older {
		r.olderUntil = time.Now().Add(rememberOlder)
	}
}
