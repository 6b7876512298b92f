package fetcher

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// An Observer is told of what happens to a token, for metrics and logs. Tokens from memory are not told one by one: [Status] counts them. Observe
// is called by many goroutines, and what it waits for waits too.
type Observer interface {
	Observe(Event)
}

// An EventKind says what happened. Its value is stable and may be used as a label.
type EventKind string

const (
	EventFetched      EventKind = "fetched"       // the vendor gave a token
	EventFetchFailed  EventKind = "fetch_failed"  // it did not
	EventAdopted      EventKind = "adopted"       // the row had a token that this process did not know
	EventRestored     EventKind = "restored"      // the row was missing or old, and was written again
	EventRejected     EventKind = "rejected"      // somebody said that the current token was rejected, and the vendor is asked for another
	EventHandedOut    EventKind = "handed_out"    // a token that was not in memory, or is stale, was handed out: see Origin
	EventStoreTrouble EventKind = "store_trouble" // the database could not be used
	EventStoreWell    EventKind = "store_well"    // it can be again
	EventAlarm        EventKind = "alarm"         // somebody should look: see Alarm
	EventAlarmCleared EventKind = "alarm_cleared" // no more
)

// An Event is one thing that happened. It contains no secret.
type Event struct {
	Kind   EventKind
	Key    string
	Token  string        // masked, "" if none is concerned
	Origin Origin        // of EventHandedOut
	Why    string        // a fetch: "missing", "ahead", "rejected" or "refresh"
	Class  Class         // of EventFetchFailed
	Err    error         // what went wrong
	Took   time.Duration // a fetch
	Alarm  Alarm
}

// An Alarm is something that does not pass by itself, or has not passed for too long.
type Alarm struct {
	Kind  AlarmKind
	Text  string // what is wrong, and what to do
	Since time.Time
}

// An AlarmKind's value is stable and may be used as a label.
type AlarmKind string

const (
	// AlarmFailing means that refreshing has failed for half of the time ahead, or that it cannot succeed.
	AlarmFailing AlarmKind = "failing"
	// AlarmSameToken means that an API rejects the token that the vendor gives.
	AlarmSameToken AlarmKind = "same_token"
	// AlarmWrongApp means that an API calls the token another app's.
	AlarmWrongApp AlarmKind = "wrong_app"
	// AlarmCollision means that another app's fetcher has the same row.
	AlarmCollision AlarmKind = "collision"
	// AlarmFlapping means that something else fetches tokens of this app, and so ends them, more often than their life explains.
	AlarmFlapping AlarmKind = "flapping"
)

// alarmLife is how long an alarm lasts that was not raised again, but for AlarmFailing, which ends with the next success.
const alarmLife = time.Hour

type raised struct {
	Alarm
	until int64
}

// raise raises an alarm, and tells of it unless it was raised already.
func (f *Fetcher) raise(kind AlarmKind, text string) {
	now := f.now()
	f.mu.Lock()
	before, ok := f.alarms[kind]
	alarm := Alarm{Kind: kind, Text: text, Since: time.Unix(0, now.wall)}
	ok = ok && now.mono < before.until
	if ok {
		alarm.Since = before.Since
	}
	until := now.after(alarmLife)
	if kind == AlarmFailing {
		until = now.after(100 * 365 * 24 * time.Hour)
	}
	f.alarms[kind] = raised{alarm, until}
	f.mu.Unlock()
	if !ok {
		f.emit(Event{Kind: EventAlarm, Alarm: alarm})
	}
}

func (f *Fetcher) clear(kind AlarmKind) {
	f.mu.Lock()
	before, ok := f.alarms[kind]
	delete(f.alarms, kind)
	f.mu.Unlock()
	if ok {
		f.emit(Event{Kind: EventAlarmCleared, Alarm: before.Alarm})
	}
}

func (f *Fetcher) clearAll() {
	for _, kind := range []AlarmKind{AlarmFailing, AlarmSameToken, AlarmWrongApp, AlarmCollision, AlarmFlapping} {
		f.clear(kind)
	}
}

// judgeFailing raises AlarmFailing if the last fetch failed, and either cannot succeed or less than half of the time ahead is left.
func (f *Fetcher) judgeFailing() {
	x := f.lastFailure()
	if x == nil {
		return
	}
	now, h := f.now(), f.held.Load()
	if x.class.Permanent() || !h.good(now) || h.left(now) < f.ahead(h.whole)/2 {
		f.raise(AlarmFailing, fmt.Sprintf("no new token can be had: %v", x.err))
	}
}

// emit tells of an event.
func (f *Fetcher) emit(e Event) {
	e.Key = f.key
	if f.config.observer != nil {
		f.config.observer.Observe(e)
	}
	f.logging.log(e, f.now())
}

// counts are what a fetcher has done so far.
type counts struct {
	fromMemory sampled
	fromRow    atomic.Uint64
	fromSource atomic.Uint64
	stale      atomic.Uint64
	lockWaits  atomic.Uint64
	rejections atomic.Uint64
	restored   atomic.Uint64
	direct     atomic.Uint64

	mu       sync.Mutex
	outcomes map[string]uint64
}

func (c *counts) outcome(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outcomes == nil {
		c.outcomes = map[string]uint64{}
	}
	c.outcomes[what]++
}

// sampled is a counter for goroutines that count all the time: one in 16 counts for all of them, chosen at random, which costs 3 ns where a
// cache line that all processors want costs 20 and more. After n counts it is within about 8 times the root of n of what it should be.
type sampled struct {
	_ [64]byte
	n atomic.Uint64
	_ [64]byte
}

const sampling = 16

func (s *sampled) add() {
	if rand.Uint32()%sampling == 0 {
		s.n.Add(sampling)
	}
}

// A Status is what a fetcher knows and has done, at one moment. It contains no secret.
type Status struct {
	Key    string
	Source string
	Token  string // masked; "" if there is none in memory
	Origin Origin // where this process has it from; "" if there is none

	Age         time.Duration // since this process read or fetched it
	Remaining   time.Duration // until its row expires; 0 or less: it is not handed out
	NextRefresh time.Duration // until it is refreshed ahead; 0 or less: it is due
	NextAttempt time.Duration // until a fetch may be tried again after a failure; 0: at once

	HandedOut     map[Origin]uint64 // hand-outs, by where the token came from; those from memory are estimated from a sample, one in 16
	Fetches       map[string]uint64 // this process's fetches, by "ok" or the class of failure
	LockWaits     uint64            // how often another process's lock was waited for
	Rejections    uint64            // calls of Reject
	Restored      uint64            // rows that were written again
	DirectFetches uint64            // fetches without the database

	LastError error // why the last fetch failed, nil after a success
	Alarms    []Alarm
}

// Status returns what the fetcher knows and has done. It asks neither the database nor the vendor.
func (f *Fetcher) Status() Status {
	now, h := f.now(), f.held.Load()
	s := Status{
		Key: f.key, Source: f.info.Name,
		HandedOut: map[Origin]uint64{
			FromMemory: f.counts.fromMemory.n.Load(), FromRow: f.counts.fromRow.Load(),
			FromSource: f.counts.fromSource.Load(), FromStale: f.counts.stale.Load(),
		},
		LockWaits: f.counts.lockWaits.Load(), Rejections: f.counts.rejections.Load(),
		Restored: f.counts.restored.Load(), DirectFetches: f.counts.direct.Load(),
	}
	if h != nil {
		s.Token, s.Origin = Mask(h.token), h.origin
		s.Age, s.Remaining, s.NextRefresh = now.since(h.at), h.left(now), h.soft-now.since(h.at)
		if h.rejected {
			s.Remaining = 0
		}
	}
	f.counts.mu.Lock()
	s.Fetches = maps.Clone(f.counts.outcomes)
	f.counts.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failure != nil {
		s.LastError = f.failure.err
		s.NextAttempt = max(0, time.Duration(f.failure.until-now.mono))
	}
	for _, a := range f.alarms {
		if now.mono < a.until {
			s.Alarms = append(s.Alarms, a.Alarm)
		}
	}
	slices.SortFunc(s.Alarms, func(a, b Alarm) int { return a.Since.Compare(b.Since) })
	return s
}

// Info describes the source that the fetcher asks.
func (f *Fetcher) Info() Info { return f.info }

// Fresh returns nil if the token in memory can be used for at least that long, and else why not. It is for health checks, of a process
// that calls Run or Token.
func (f *Fetcher) Fresh(atLeast time.Duration) error {
	now, h := f.now(), f.held.Load()
	switch x := f.lastFailure(); {
	case h.good(now) && h.left(now) >= atLeast:
		return nil
	case x != nil:
		return fmt.Errorf("token %q: %w", f.key, x.err)
	case h.good(now):
		return fmt.Errorf("token %q: lives for %v, want %v", f.key, h.left(now).Round(time.Second), atLeast)
	}
	return fmt.Errorf("token %q: %w", f.key, errNoToken)
}

// errNoToken says that there is none in memory.
var errNoToken = errors.New("no token yet")
