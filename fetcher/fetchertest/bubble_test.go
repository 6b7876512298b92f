package fetchertest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/dingtalk"
	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/migrations"
	"github.com/larder-cache/larder/store"
)

// A day with DingTalk in a few milliseconds: the fake, the source, the fetcher and the store are all in one bubble, whose time the store counts by too.
// The tokens' rows expire after 7000 s of it, and one fetch in that time is enough.
func TestInMemory_ADayInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open("sqlite::memory:", store.WithClock(time.Now))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		m, err := migrations.For(db)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		fake := fetchertest.NewDingTalk(fetchertest.InMemory())
		defer fake.Close()
		source, err := dingtalk.New(fake.AppKey, fake.AppSecret, dingtalk.WithBaseURL(fake.URL), dingtalk.WithHTTPClient(fake.Client()))
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := fetcher.New(db, "dingding_access_token", source)
		if err != nil {
			t.Fatal(err)
		}
		for range 24 * 60 {
			if _, err := tokens.Token(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		if err := tokens.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(fake.Calls()); n < 13 || n > 14 { // one in 7000 s, less the 10 minutes by which the next one is fetched ahead
			t.Errorf("%d fetches in a day, want 13 or 14", n)
		}
	})
}
