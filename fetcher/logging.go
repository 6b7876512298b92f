package fetcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// warnEvery is how often a failure that goes on is warned of. Fetches fail as often as the vendor is asked, which may be every few seconds for
// days, and say nothing new.
const warnEvery = time.Hour

// A logging writes events to a log.
type logging struct {
	to *slog.Logger // nil for none

	mu     sync.Mutex
	warned string // the failure that was warned of last, "" after a success
	again  int64  // when to warn of it again
}

func (l *logging) log(e Event, now instant) {
	if l.to == nil {
		return
	}
	attrs := []slog.Attr{slog.String("key", e.Key)}
	for _, a := range []struct{ name, value string }{
		{"token", e.Token}, {"origin", string(e.Origin)}, {"why", e.Why}, {"class", string(e.Class)},
		{"alarm", string(e.Alarm.Kind)}, {"text", e.Alarm.Text},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.name, a.value))
		}
	}
	if e.Took != 0 {
		attrs = append(attrs, slog.Duration("took", e.Took))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("err", e.Err.Error()))
	}
	l.to.LogAttrs(context.Background(), l.level(e, now), "token "+string(e.Kind), attrs...)
}

// level is how loudly to tell of an event. That a token was rejected is told of as news, for it is replaced then; if that goes on there are alarms.
func (l *logging) level(e Event, now instant) slog.Level {
	switch e.Kind {
	case EventStoreTrouble, EventAlarm:
		return slog.LevelWarn
	case EventAdopted, EventHandedOut:
		return slog.LevelDebug
	case EventFetched:
		l.mu.Lock()
		l.warned = ""
		l.mu.Unlock()
	case EventFetchFailed:
		if l.isNews(failureName(e), now) {
			return slog.LevelWarn
		}
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// isNews reports whether a failure is another one than the last, or has gone on for long enough to be warned of again.
func (l *logging) isNews(failure string, now instant) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if failure == l.warned && now.mono < l.again {
		return false
	}
	l.warned, l.again = failure, now.after(warnEvery)
	return true
}

// failureName is the same for failures that differ in the name of the request alone.
func failureName(e Event) string {
	var source *SourceError
	if errors.As(e.Err, &source) {
		return fmt.Sprint(source.Class, "\x00", source.Reason, "\x00", source.Code, "\x00", source.Status)
	}
	return string(e.Class) + "\x00" + e.Err.Error()
}
