package fetcher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/larder-cache/larder/store"
)

// StateKey returns the key of the row in which fetchers of key tell each other what happened: "larder:fetch:" and the key. It is an
// array, readable by PHP, without secrets; all times in it are in seconds:
//
//	version    1
//	ttl        with which this row was written: ttl less its remaining life is its age, by the database's clock alone
//	app        whose token was stored last: Info.App, "" if the source does not say
//	token      Fingerprint of the token that was stored last
//	life       for how long it was stored
//	reason     why it was fetched: "missing", "ahead", "rejected" or "refresh"
//	failure    absent, or why the last fetch failed: fingerprint (Info.Fingerprint), class, code, status, message, advice, request,
//	           attempts (in a row), pause (for how long nobody should ask again)
//	rejection  absent, or the last one: token (Fingerprint of the rejected one), same (whether the vendor gave the same one again),
//	           ago (when), fetched (how long ago the vendor was asked because of a rejection)
//
// It lives for a day. Without it fetchers work, each by what it knows itself.
func StateKey(key string) string { return LockName(key) }

const (
	stateVersion = 1
	stateLife    = 24 * time.Hour
)

type state struct {
	Version   int        `php:"version"`
	TTL       int        `php:"ttl"`
	App       string     `php:"app"`
	Token     string     `php:"token"`
	Life      int        `php:"life"`
	Reason    string     `php:"reason"`
	Failure   *failed    `php:"failure,omitempty"`
	Rejection *rejection `php:"rejection,omitempty"`
}

type failed struct {
	Fingerprint string `php:"fingerprint"`
	Class       string `php:"class"`
	Code        string `php:"code"`
	Status      int    `php:"status"`
	Message     string `php:"message"`
	Advice      string `php:"advice"`
	Request     string `php:"request"`
	Attempts    int    `php:"attempts"`
	Pause       int    `php:"pause"`
}

type rejection struct {
	Token   string `php:"token"`
	Same    bool   `php:"same"`
	Ago     int    `php:"ago"`
	Fetched int    `php:"fetched"`
}

// stateOf reads a state row and makes its times count from now. What cannot be read says nothing, and what no fetcher writes is cut to what one may:
// anybody can write the row, and must neither stop the fleet for longer than it lives, a day, nor make it calculate with what overflows.
func stateOf(item store.Item) state {
	var s state
	if item.TTL > stateLife || item.Decode(&s) != nil || s.Version != stateVersion {
		return state{}
	}
	const day = int(stateLife / time.Second)
	within := func(n *int, least, most int) { *n = min(max(*n, least), most) }
	within(&s.TTL, 0, day)
	within(&s.Life, 0, int(maxLife/time.Second))
	age := max(0, s.TTL-int(item.TTL/time.Second))
	if s.Failure != nil {
		within(&s.Failure.Attempts, 1, maxAttempts)
		within(&s.Failure.Pause, 0, int(maxPauseAsked/time.Second))
		s.Failure.Pause -= age
	}
	if s.Rejection != nil {
		within(&s.Rejection.Ago, 0, day)
		within(&s.Rejection.Fetched, 0, day)
		s.Rejection.Ago += age
		s.Rejection.Fetched += age
	}
	return s
}

// maxAttempts is more than any pause is doubled for.
const maxAttempts = 1 << 20

// A Failure is what a state row tells of the last fetch, if that failed.
type Failure struct {
	Err      *SourceError  // why, without a Source; its RetryAfter is Pause
	Ago      time.Duration // when it was, by the database's clock
	Pause    time.Duration // for how long nobody asks the vendor again, 0 if somebody may
	Attempts int           // how many fetches failed in a row, this one included

	// Fingerprint is Info.Fingerprint of the source that failed. One with another, because somebody has changed the credentials since, does not
	// heed the pause.
	Fingerprint string
}

// LastFailure returns what the state row under [StateKey] tells of the last fetch, and whether that failed. So those who fetch no token themselves
// can say what is wrong.
func LastFailure(state store.Item) (Failure, bool) {
	s := stateOf(state)
	told := s.Failure
	if told == nil {
		return Failure{}, false
	}
	f := Failure{
		Ago:      max(0, time.Duration(s.TTL)*time.Second-state.TTL), // the row is written when a fetch fails or succeeds, and at no other time
		Pause:    time.Duration(max(0, told.Pause)) * time.Second,
		Attempts: told.Attempts, Fingerprint: told.Fingerprint,
	}
	f.Err = &SourceError{
		Class: Class(told.Class), Code: told.Code, Status: told.Status, Message: told.Message, Advice: told.Advice, RequestID: told.Request,
		RetryAfter: f.Pause,
	}
	return f, true
}

// write stores the state under the lock, and reports whether it did. It is for the others' information: its failure is not the caller's.
func (f *Fetcher) writeState(ctx context.Context, lock Lock, s state) bool {
	ctx, cancel := context.WithTimeout(ctx, f.config.storeTimeout)
	defer cancel()
	s.Version, s.TTL = stateVersion, int(stateLife/time.Second)
	stored, err := lock.PutIfLocked(ctx, StateKey(f.key), s, stateLife)
	if err != nil {
		f.emit(Event{Kind: EventStoreTrouble, Err: fmt.Errorf("tell the others: %w", err)})
	}
	return err == nil && stored
}

// A failure is why the last fetch failed, and until when nobody asks again. It never changes; another one takes its place.
type failure struct {
	err      error
	class    Class
	attempts int
	told     int64 // when the table, or the vendor, said so last
	until    int64
	shared   bool // the state row has it, and decides
}

// inForce reports whether the failure answers instead of the vendor, without another look at the state.
func (x *failure) inForce(now instant) bool {
	if x == nil || now.mono >= x.until {
		return false
	}
	return !x.shared || now.mono < x.told+int64(shortestTry)
}

func (f *Fetcher) lastFailure() *failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failure
}

// noteFailure remembers why a fetch failed, and returns it as the others should be told.
func (f *Fetcher) noteFailure(err error, before *failed) (*failure, *failed) {
	var (
		now      = f.now()
		class    = classOf(err)
		source   *SourceError
		told     = failed{Fingerprint: f.info.Fingerprint, Class: string(class), Message: "the source failed"}
		attempts = 1
	)
	if errors.As(err, &source) { // whose fields are safe to be seen; of other errors that is not known
		told.Code, told.Status, told.Message = source.Code, source.Status, source.Message
		told.Advice, told.Request = source.Advice, source.RequestID
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if before != nil && before.Fingerprint == f.info.Fingerprint {
		attempts += before.Attempts
	} else if f.failure != nil && !f.failure.shared {
		attempts += f.failure.attempts
	}
	pause := f.backOff(class, attempts, source)
	told.Attempts, told.Pause = attempts, int((pause+time.Second-1)/time.Second)
	f.failure = &failure{err: err, class: class, attempts: attempts, told: now.mono, until: now.after(pause)}
	return f.failure, &told
}

func classOf(err error) Class {
	var source *SourceError
	switch {
	case errors.As(err, &source):
		return source.Class
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return ClassTransient
	}
	return ClassUnknown
}

// Permanent reports whether a failure of the class stays until somebody changes something, here or at the vendor.
func (c Class) Permanent() bool { return c == ClassCredential || c == ClassConfig }

// How long nobody asks again after a failure. A refusal that only people can end is tried again nevertheless, once an hour for the whole fleet:
// a white list is changed at the vendor, and nobody tells the processes.
const (
	permanentPause = time.Hour
	maxPauseAsked  = time.Hour // whatever the vendor asks for
)

// isParents reports whether it was a parent that had no token, so that this source's vendor was not asked. The parent remembers why for itself, and
// answers by that; who remembered it for as long a second time would go on without a token after the parent has one again. A parent that has the
// same token again is another matter: the vendor has just refused that.
func isParents(source *SourceError) bool {
	var parents *SourceError
	return source != nil && errors.As(source.Err, &parents) && !errors.Is(source.Err, ErrSameToken)
}

func (f *Fetcher) backOff(class Class, attempts int, source *SourceError) time.Duration {
	first, most := time.Second, time.Minute
	switch {
	case isParents(source):
		source = nil // whose pause is the parent's
	case class.Permanent():
		return permanentPause
	case class == ClassProtocol, class == ClassUnknown:
		first, most = 5*time.Second, 5*time.Minute
	}
	pause := min(most, first<<min(attempts-1, 20))
	pause = max(first, f.jittered(pause))
	if source != nil {
		pause = max(pause, min(source.RetryAfter, maxPauseAsked))
	}
	return pause
}

// noteShared remembers a failure that the state row tells of, nil that it tells of none. It returns the error that answers for it.
func (f *Fetcher) noteShared(at instant, told *failed) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if told == nil || told.Fingerprint != f.info.Fingerprint || told.Pause < 0 { // 0 is still the last second
		if f.failure == nil || f.failure.shared || at.mono >= f.failure.until {
			if f.failure != nil && f.failure.shared {
				over := *f.failure // which others are looking at
				over.until = min(over.until, at.mono)
				f.failure = &over
			}
			return nil
		}
		return f.failure.err // which could not be shared
	}
	until := at.after(time.Duration(told.Pause+1) * time.Second)
	if own := f.failure; own != nil && own.shared && own.attempts == told.Attempts && string(own.class) == told.Class {
		// The table counts whole seconds. What was known before is never later than the truth by more than that, so no look makes a pause longer.
		until = min(until, own.until)
		f.failure = &failure{err: own.err, class: own.class, attempts: own.attempts, told: at.mono, until: until, shared: true}
		if at.mono >= until {
			return nil
		}
		return f.failure.err
	}
	err := &SourceError{
		Source: f.info.Name, Class: Class(told.Class), Code: told.Code, Status: told.Status, Message: told.Message,
		Advice: told.Advice, RequestID: told.Request, RetryAfter: time.Duration(told.Pause) * time.Second,
	}
	f.failure = &failure{err: err, class: err.Class, attempts: told.Attempts, told: at.mono, until: until, shared: true}
	return err
}

func (f *Fetcher) noteSuccess() {
	f.mu.Lock()
	f.failure = nil
	f.mu.Unlock()
	f.clear(AlarmFailing)
}
