package fetchertest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/dingtalk"
	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/migrations"
	"github.com/larder-cache/larder/store"
)

// newTokens is the code under test: what a program does at its start.
func newTokens(db *store.Store, dingtalkURL, corpID, corpSecret string) (*fetcher.Fetcher, error) {
	source, err := dingtalk.New(corpID, corpSecret, dingtalk.WithBaseURL(dingtalkURL))
	if err != nil {
		return nil, err
	}
	return fetcher.New(db, "dingding_access_token", source)
}

// A test of a program that needs DingTalk's token: it works, it does not ask twice, and it says what is wrong.
func ExampleNewDingTalk() {
	ctx := context.Background()
	db, cleanUp := openTestStore(ctx)
	defer cleanUp()
	fake := fetchertest.NewDingTalk()
	defer fake.Close()

	tokens, err := newTokens(db, fake.URL, fake.AppKey, fake.AppSecret)
	if err != nil {
		panic(err)
	}

	fake.FailNext(1, fetchertest.IPNotInWhiteList)
	_, err = tokens.Token(ctx)
	if failure, ok := errors.AsType[*fetcher.SourceError](err); ok {
		fmt.Printf("%s %s: %s\n", failure.Class, failure.Code, failure.Advice)
	}

	// DingTalk is not asked again until somebody has mended that and says so.
	if _, err := tokens.Refresh(ctx); err != nil {
		panic(err)
	}
	for range 3 {
		result, err := tokens.Get(ctx)
		if err != nil {
			panic(err)
		}
		fmt.Println(len(result.Token.Value), "characters from the", result.Origin, "for", result.Token.ExpiresIn.Round(time.Minute))
	}
	for _, call := range fake.Calls() {
		fmt.Println(call.Method, call.Path, call.AppKey, "->", call.Outcome)
	}
	// Output:
	// config 60020: add this server's public address to the app's IP white list
	// 32 characters from the memory for 1h57m0s
	// 32 characters from the memory for 1h57m0s
	// 32 characters from the memory for 1h57m0s
	// GET /gettoken dingfakeappkey -> IP not in white list
	// GET /gettoken dingfakeappkey -> token
}

// openTestStore returns an empty store in a temporary folder.
func openTestStore(ctx context.Context) (db *store.Store, cleanUp func()) {
	dir, err := os.MkdirTemp("", "larder-example-")
	if err != nil {
		panic(err)
	}
	db, err = store.Open("sqlite:" + filepath.Join(dir, "larder.db"))
	if err != nil {
		panic(err)
	}
	m, err := migrations.For(db)
	if err != nil {
		panic(err)
	}
	if _, err := m.Up(ctx); err != nil {
		panic(err)
	}
	return db, func() {
		_ = db.Close()
		_ = os.RemoveAll(dir)
	}
}
