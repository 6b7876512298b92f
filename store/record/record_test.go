package record_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/store/record"
)

var (
	ctx = context.Background()
	hit = record.Operation{Name: record.Get, Outcome: record.Hit, Key: "a", Rows: 1, Duration: time.Millisecond}
)

func TestCounter_SumsByNameAndOutcome(t *testing.T) {
	var c record.Counter
	c.Operation(ctx, hit)
	c.Operation(ctx, hit)
	c.Operation(ctx, record.Operation{Name: record.Get, Outcome: record.Miss, Duration: time.Second})
	c.Operation(ctx, record.Operation{Name: record.Prune, Outcome: record.Done, Rows: 9})
	c.Retry(ctx, record.Retry{Cause: record.Busy})
	for _, check := range []struct{ got, want any }{
		{c.Total(record.Get), record.Total{Operations: 3, Rows: 2, Duration: time.Second + 2*time.Millisecond}},
		{c.Total(record.Get, record.Miss), record.Total{Operations: 1, Duration: time.Second}},
		{c.Total(record.Get, record.Miss, record.Hit).Operations, int64(3)},
		{c.Total(record.Put), record.Total{}},
		{c.Operations(), int64(4)},
		{c.Retries()[record.Busy], int64(1)},
	} {
		if check.got != check.want {
			t.Errorf("got %+v, want %+v", check.got, check.want)
		}
	}
	c.Reset()
	if c.Operations() != 0 || len(c.Retries()) != 0 {
		t.Error("something is left after Reset")
	}
}

func TestMulti_TellsAllInTheirOrder(t *testing.T) {
	var told []string
	listen := func(name string) record.Recorder {
		return record.Events(func(_ context.Context, e record.Event) { told = append(told, name+" "+e.Key) })
	}
	var c record.Counter
	m := record.Multi(listen("first"), &c, listen("second"))
	m.Operation(ctx, hit)
	m.Retry(ctx, record.Retry{Cause: record.Busy})
	if !slices.Equal(told, []string{"first a", "second a"}) || c.Operations() != 1 || c.Retries()[record.Busy] != 1 {
		t.Errorf("told %q, counted %d", told, c.Operations())
	}
}

// Whoever has seen enough of an operation's events gets no more.
func TestOperation_EventsCanBeLeft(t *testing.T) {
	many := record.Operation{Name: record.Many, Keys: func(yield func(string, record.Outcome) bool) {
		_ = yield("a", record.Hit) && yield("b", record.Miss)
	}}
	var seen []record.Event
	for e := range many.Events() {
		seen = append(seen, e)
		break
	}
	if len(seen) != 1 || seen[0] != (record.Event{Name: record.CacheHit, Key: "a"}) {
		t.Errorf("saw %v", seen)
	}
	for e := range (record.Operation{Name: record.Pull, Outcome: record.Hit}).Events() {
		if e.Name != record.CacheHit {
			t.Errorf("saw %v after the loop had ended", e)
		}
		break
	}
}

func TestSlog_LogsKeysAndErrorsAtDebug(t *testing.T) {
	var buf bytes.Buffer
	logger := func(level slog.Level) record.Recorder {
		buf.Reset()
		return record.Slog(slog.New(slog.NewTextHandler(&buf, &slog.HandlerOptions{Level: level, ReplaceAttr: withoutTime})))
	}
	r := logger(slog.LevelDebug)
	r.Operation(ctx, hit)
	r.Operation(ctx, record.Operation{Name: record.LockAcquire, Outcome: record.Failed, Key: "l", Err: errors.New("down")})
	r.Retry(ctx, record.Retry{Cause: record.Deadlock, Attempt: 2, Err: errors.New("1213")})
	want := `level=DEBUG msg=CacheHit operation=get outcome=hit key=a rows=1 duration=1ms
level=DEBUG msg="cache lock_acquire" operation=lock_acquire outcome=failed key=l rows=0 duration=0s err=down
level=INFO msg="cache statement is repeated" cause=deadlock attempt=2 err=1213
`
	if buf.String() != want {
		t.Errorf("log is\n%s\nwant\n%s", &buf, want)
	}
	r = logger(slog.LevelInfo)
	r.Operation(ctx, hit)
	r.Retry(ctx, record.Retry{Cause: record.Deadlock, Attempt: 2, Err: errors.New("1213")})
	if got := buf.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "deadlock") {
		t.Errorf("log is %s", got)
	}
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
