package fetcher_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/dingtalk"
	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/migrations"
	"github.com/larder-cache/larder/store"
)

// Two servers share DingTalk's token through their database. A fake DingTalk stands in for the real one: leave WithBaseURL away
// to ask that.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "larder-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := store.Open("sqlite:"+filepath.Join(dir, "larder.db"), store.WithPrefix("laravel_cache_"))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	createTables(ctx, db)
	vendor := fetchertest.NewDingTalk()
	defer vendor.Close()

	for _, server := range []string{"app1", "app2"} {
		source, err := dingtalk.New(vendor.AppKey, vendor.AppSecret, dingtalk.WithBaseURL(vendor.URL))
		if err != nil {
			log.Fatal(err)
		}
		tokens, err := fetcher.New(db, "dingding_access_token", source)
		if err != nil {
			log.Fatal(err)
		}
		result, err := tokens.Get(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s has it from the %s, for %v\n", server, result.Origin, result.Token.ExpiresIn.Round(time.Minute))
	}
	fmt.Println("requests to DingTalk:", vendor.Count())
	// Output:
	// app1 has it from the source, for 1h57m0s
	// app2 has it from the row, for 1h57m0s
	// requests to DingTalk: 1
}

// exampleTokens returns a fetcher of DingTalk's token on a new SQLite file, and the fake DingTalk that it asks.
func exampleTokens(ctx context.Context, opts ...fetcher.Option) (tokens *fetcher.Fetcher, vendor *fetchertest.Fake, done func()) {
	dir, err := os.MkdirTemp("", "larder-example-")
	if err != nil {
		log.Fatal(err)
	}
	db, err := store.Open("sqlite:" + filepath.Join(dir, "larder.db"))
	if err != nil {
		log.Fatal(err)
	}
	createTables(ctx, db)
	vendor = fetchertest.NewDingTalk()
	source, err := dingtalk.New(vendor.AppKey, vendor.AppSecret, dingtalk.WithBaseURL(vendor.URL))
	if err != nil {
		log.Fatal(err)
	}
	if tokens, err = fetcher.New(db, "dingding_access_token", source, opts...); err != nil {
		log.Fatal(err)
	}
	return tokens, vendor, func() {
		_ = tokens.Close(ctx)
		vendor.Close()
		_ = db.Close()
		_ = os.RemoveAll(dir)
	}
}

// A program that sends requests of its own, and not through a Transport, says which token was not accepted, and gets another one. To say it late, or
// many times, does no harm.
func ExampleFetcher_Reject() {
	ctx := context.Background()
	tokens, vendor, done := exampleTokens(ctx)
	defer done()

	token, err := tokens.Token(ctx)
	if err != nil {
		log.Fatal(err)
	}
	vendor.Revoke(token)
	for range 3 {
		next, err := tokens.Reject(ctx, token)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("another token:", next != token)
	}
	fmt.Println("tokens fetched:", vendor.Count("token"))
	// Output:
	// another token: true
	// another token: true
	// another token: true
	// tokens fetched: 2
}

// What a health check and a page for operators need to know, without a request to anybody.
func ExampleFetcher_Status() {
	ctx := context.Background()
	tokens, _, done := exampleTokens(ctx)
	defer done()

	fmt.Println("before:", tokens.Fresh(time.Minute))
	if _, err := tokens.Token(ctx); err != nil {
		log.Fatal(err)
	}
	status := tokens.Status()
	fmt.Println("after:", tokens.Fresh(time.Minute))
	fmt.Println("the row expires in", status.Remaining.Round(time.Minute))
	fmt.Println("fetches:", status.Fetches, "alarms:", len(status.Alarms))
	// Output:
	// before: token "dingding_access_token": no token yet
	// after: <nil>
	// the row expires in 1h57m0s
	// fetches: map[ok:1] alarms: 0
}

// A client whose requests carry the token. DingTalk ends it, and the request is sent once more with the next one.
func ExampleTransport() {
	ctx := context.Background()
	tokens, vendor, done := exampleTokens(ctx)
	defer done()

	transport, err := fetcher.NewTransport(tokens, dingtalk.Scheme())
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: transport}
	for range 2 {
		resp, err := client.Get(vendor.URL + "/topapi/v2/department/listsub")
		if err != nil {
			log.Fatal(err)
		}
		_, _ = io.Copy(os.Stdout, resp.Body)
		_ = resp.Body.Close()
		fmt.Println()

		token, err := tokens.Token(ctx)
		if err != nil {
			log.Fatal(err)
		}
		vendor.Revoke(token)
	}
	fmt.Println("tokens fetched:", vendor.Count("token"))
	// Output:
	// {"errcode":0,"errmsg":"ok","result":{},"request_id":"16l4ew3d47pdp"}
	// {"errcode":0,"errmsg":"ok","result":{},"request_id":"16l4ew3d47pdp"}
	// tokens fetched: 2
}

func createTables(ctx context.Context, db *store.Store) {
	m, err := migrations.For(db)
	if err == nil {
		_, err = m.Up(ctx)
	}
	if err != nil {
		log.Fatal(err)
	}
}
