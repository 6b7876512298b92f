package fetcher_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher"
)

// soon makes the row expire within the ten minutes before which DingTalk's token is refreshed.
func (f *fleet) soon() {
	f.t.Helper()
	if err := f.reader.Put(context.Background(), key, "the-old-token-of-the-row", 5*time.Minute); err != nil {
		f.t.Fatal(err)
	}
}

func TestFetcher_RefreshesAheadOnceForTheFleet(t *testing.T) {
	onEachEngine(t, func(t *testing.T, f *fleet) {
		f.soon()
		source := returning("the-next-token", 7200*time.Second)
		var wg sync.WaitGroup
		var processes []*fetcher.Fetcher
		for range 5 {
			process := newFetcher(t, f.process(), source, fetcher.WithRefreshAhead(10*time.Minute))
			processes = append(processes, process)
			for range 20 {
				wg.Go(func() {
					token, err := process.Token(context.Background())
					if err != nil || token != "the-old-token-of-the-row" && token != "the-next-token" {
						t.Errorf("got %q, %v", token, err)
					}
				})
			}
		}
		wg.Wait()
		for _, process := range processes {
			if err := process.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}
		if n := source.calls.Load(); n != 1 {
			t.Errorf("%d fetches, want 1", n)
		}
		if row, _ := f.row(); row != `s:14:"the-next-token";` {
			t.Errorf("row is %s", row)
		}
	})
}

// A short-lived process prints the token that is there, and Close lets it refresh the row before it ends: a cron job keeps the row fresh.
func TestFetcher_CloseWaitsForTheRefreshThatTokenBegan(t *testing.T) {
	onEachEngine(t, func(t *testing.T, f *fleet) {
		f.soon()
		answer := make(chan struct{})
		source := &stub{fetch: func(context.Context) (fetcher.Token, error) {
			<-answer
			return fetcher.Token{Value: "the-next-token", ExpiresIn: 7200 * time.Second}, nil
		}}
		process := newFetcher(t, f.process(), source, fetcher.WithRefreshAhead(10*time.Minute))
		if token, err := process.Token(t.Context()); err != nil || token != "the-old-token-of-the-row" {
			t.Errorf("got %q, %v, want the old token, at once", token, err)
		}
		close(answer)
		if err := process.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if row, _ := f.row(); row != `s:14:"the-next-token";` {
			t.Errorf("row is %s", row)
		}
	})
}

// Another process does not know how long the row lived that it finds; the vendor's documented life bounds what it takes for soon.
func TestFetcher_AheadIsAtMostHalfOfTheDocumentedLife(t *testing.T) {
	onEachEngine(t, func(t *testing.T, f *fleet) {
		fake, source := newFake(t)
		for range 5 {
			process := newFetcher(t, f.process(), source, fetcher.WithRefreshAhead(24*time.Hour))
			if _, err := process.Token(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if n := fake.Count(); n != 1 {
			t.Errorf("%d fetches, want 1", n)
		}
	})
}
