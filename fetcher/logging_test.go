package fetcher_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher"
)

func TestLog_WarnsOfAFailureThatGoesOnOnceAnHour(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log, read := &seen{}, 0
		want := func(what string, warnings, least int) {
			t.Helper()
			said := log.String()[read:]
			read += len(said)
			got, all := strings.Count(said, `level=WARN msg="token fetch_failed"`), strings.Count(said, `msg="token fetch_failed"`)
			if got != warnings || all < least {
				t.Errorf("%s: %d warnings of %d failed fetches, want %d of %d or more:\n%s", what, got, all, warnings, least, said)
			}
		}
		v := newVendor(fetcher.NewOldValid)
		refuse := func(class fetcher.Class) {
			v.Answer(func(_ context.Context, n int) (fetcher.Token, error) {
				return fetcher.Token{}, &fetcher.SourceError{Source: "vendor", Class: class, Code: string(class), RequestID: fmt.Sprint("request-", n)}
			})
		}
		f := process(t, newTable(), v, fetcher.WithLogger(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		refuse(fetcher.ClassTransient)
		running(t, f)
		time.Sleep(150 * time.Minute)
		want("two hours and a half of the same", 3, 10)

		refuse(fetcher.ClassCredential)
		time.Sleep(20 * time.Minute)
		want("another failure", 1, 1)

		v.Answer(nil)
		if _, err := f.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		refuse(fetcher.ClassCredential)
		for range 2 {
			if _, err := f.Refresh(t.Context()); err == nil {
				t.Error("a vendor that refuses gave a token")
			}
		}
		want("the same after a success", 1, 2)
	})
}

// Who rejects a token is told by the next one; what should be looked at is that it goes on, of which there are alarms.
func TestLog_ARejectedTokenThatIsReplacedIsNoWarning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := &seen{}
		f := process(t, newTable(), newVendor(fetcher.NewOldValid), fetcher.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
		wantToken(t, f, numbered(1))
		if _, err := f.Reject(t.Context(), numbered(1)); err != nil {
			t.Fatal(err)
		}
		if said := log.String(); !strings.Contains(said, `level=INFO msg="token rejected"`) || strings.Contains(said, "level=WARN") {
			t.Errorf("%s", said)
		}
	})
}
