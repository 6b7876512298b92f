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

// A client whose requests carry the token. DingTalk ends it, and the request is sent once more with the next one.
func ExampleTransport() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "larder-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := store.Open("sqlite:" + filepath.Join(dir, "larder.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	createTables(ctx, db)
	vendor := fetchertest.NewDingTalk()
	defer vendor.Close()
	source, err := dingtalk.New(vendor.AppKey, vendor.AppSecret, dingtalk.WithBaseURL(vendor.URL))
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := fetcher.New(db, "dingding_access_token", source)
	if err != nil {
		log.Fatal(err)
	}

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
