package record

import (
	"context"
	"iter"
)

// An EventName is that of one of Laravel's cache events.
type EventName string

// The events. Laravel has none for add, increment, touch and locks.
const (
	CacheHit         EventName = "CacheHit"
	CacheMissed      EventName = "CacheMissed"
	KeyWritten       EventName = "KeyWritten"
	KeyWriteFailed   EventName = "KeyWriteFailed"
	KeyForgotten     EventName = "KeyForgotten"
	KeyForgetFailed  EventName = "KeyForgetFailed"
	CacheFlushed     EventName = "CacheFlushed"
	CacheFlushFailed EventName = "CacheFlushFailed"
)

// An Event is what happened to one key, under the name that Laravel has for it.
type Event struct {
	Name EventName
	Key  string // without prefix; "" for a flush
	Err  error  // of an event whose name ends with Failed
}

// Events returns a recorder that calls fn for each event, and hears nothing else. As in Laravel an operation on several keys is an event for
// each of them. Unlike in Laravel a key is forgotten only if there was a row, and only Store.Forget and Store.Pull, or storing for no time, do that.
func Events(fn func(context.Context, Event)) Recorder { return events(fn) }

type events func(context.Context, Event)

func (fn events) Operation(ctx context.Context, o Operation) {
	for e := range o.Events() {
		fn(ctx, e)
	}
}

func (events) Retry(context.Context, Retry) {}

// Events returns what Laravel would have told of the operation.
func (o Operation) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		if o.Keys == nil {
			o.eventsOf(o.Key, o.Outcome, yield)
			return
		}
		for key, outcome := range o.Keys {
			if !o.eventsOf(key, outcome, yield) {
				return
			}
		}
	}
}

// eventsOf yields what there is to tell of one key, and reports whether to go on.
func (o Operation) eventsOf(key string, outcome Outcome, yield func(Event) bool) bool {
	tell := func(name EventName) bool { return yield(Event{Name: name, Key: key}) }
	fail := func(name EventName) bool { return yield(Event{Name: name, Key: key, Err: o.Err}) }
	switch o.Name {
	case Get, Has, Many, Pull:
		switch {
		case outcome == Miss:
			return tell(CacheMissed)
		case !outcome.IsError():
			return tell(CacheHit) && (o.Name != Pull || tell(KeyForgotten))
		}
	case Put, Forever, PutMany, PutIfLocked:
		switch {
		case outcome == Stored:
			return tell(KeyWritten)
		case outcome == Forgotten:
			return tell(KeyForgotten)
		case outcome.IsError():
			return fail(KeyWriteFailed)
		}
	case Forget:
		switch {
		case outcome == Forgotten:
			return tell(KeyForgotten)
		case outcome.IsError():
			return fail(KeyForgetFailed)
		}
	case Flush:
		if outcome.IsError() {
			return fail(CacheFlushFailed)
		}
		return tell(CacheFlushed)
	}
	return true
}
