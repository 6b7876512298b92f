package fetcher_test

import (
	"context"
	"errors"
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
		var (
			wg   sync.WaitGroup
			mu   sync.Mutex
			seen = map[string]int{}
		)
		for range 5 {
			process := newFetcher(t, f.process(), source, fetcher.WithRefreshAhead(10*time.Minute))
			for range 20 {
				wg.Go(func() {
					token, err := process.Token(context.Background())
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
					}
					seen[token]++
				})
			}
		}
		wg.Wait()
		if n := source.calls.Load(); n != 1 {
			t.Errorf("%d fetches, want 1", n)
		}
		if len(seen) > 2 || seen["the-next-token"] == 0 {
			t.Errorf("tokens handed out: %v", seen)
		}
		if row, _ := f.row(); row != `s:14:"the-next-token";` {
			t.Errorf("row is %s", row)
		}
	})
}

func TestFetcher_OldTokenServesWhileRefreshingFails(t *testing.T) {
	onEachEngine(t, func(t *testing.T, f *fleet) {
		f.soon()
		source := &stub{fetch: func(context.Context) (fetcher.Token, error) { return fetcher.Token{}, errors.New("vendor is down") }}
		process := newFetcher(t, f.process(), source, fetcher.WithRefreshAhead(10*time.Minute))
		for range 50 {
			token, err := process.Token(context.Background())
			if err != nil || token != "the-old-token-of-the-row" {
				t.Fatalf("got %q, %v, want the old token", token, err)
			}
		}
		if n := source.calls.Load(); n != 1 {
			t.Errorf("%d fetches, want 1 and then a pause", n)
		}
	})
}

func TestFetcher_OldTokenServesACallerWhoCannotWait(t *testing.T) {
	onEachEngine(t, func(t *testing.T, f *fleet) {
		f.soon()
		answer := make(chan struct{})
		source := &stub{fetch: func(context.Context) (fetcher.Token, error) {
			<-answer
			return fetcher.Token{Value: "the-next-token", ExpiresIn: 7200 * time.Second}, nil
		}}
		process := newFetcher(t, f.process(), source, fetcher.WithRefreshAhead(10*time.Minute))
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		if token, err := process.Token(ctx); err != nil || token != "the-old-token-of-the-row" {
			t.Errorf("got %q, %v, want the old token", token, err)
		}
		close(answer) // and the refresh goes on
		deadline := time.Now().Add(10 * time.Second)
		for row := ""; row != `s:14:"the-next-token";`; row, _ = f.row() {
			if time.Now().After(deadline) {
				t.Fatalf("row is still %s", row)
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
}

// A vendor whose tokens live for less than the time ahead would be asked by every call.
func TestFetcher_ShortLivedTokensAreNotRefreshedByEveryCall(t *testing.T) {
	onEachEngine(t, func(t *testing.T, f *fleet) {
		source := returning("a-token-of-five-minutes", 300*time.Second)
		process := newFetcher(t, f.process(), source, fetcher.WithMargin(0), fetcher.WithRefreshAhead(10*time.Minute))
		for range 20 {
			if _, err := process.Token(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if n := source.calls.Load(); n != 1 {
			t.Errorf("%d fetches, want 1", n)
		}
	})
}

func TestFetcher_RefreshAheadOfZeroFetchesOnExpiryOnly(t *testing.T) {
	onEachEngine(t, func(t *testing.T, f *fleet) {
		f.soon()
		source := returning("the-next-token", 7200*time.Second)
		process := newFetcher(t, f.process(), source, fetcher.WithRefreshAhead(0))
		if token, err := process.Token(context.Background()); err != nil || token != "the-old-token-of-the-row" || source.calls.Load() != 0 {
			t.Errorf("got %q, %v, %d fetches", token, err, source.calls.Load())
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

func TestFetcher_RefreshesAheadAgainAndAgain(t *testing.T) {
	onEachEngine(t, func(t *testing.T, f *fleet) {
		source := returning("the-next-token", 7200*time.Second)
		process := newFetcher(t, f.process(), source, fetcher.WithRefreshAhead(10*time.Minute))
		for want := int32(1); want <= 3; want++ {
			f.soon()
			if token, err := process.Token(context.Background()); err != nil || token != "the-next-token" || source.calls.Load() != want {
				t.Fatalf("round %d: %q, %v, %d fetches", want, token, err, source.calls.Load())
			}
		}
	})
}
