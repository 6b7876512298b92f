package fetcher_test

import (
	"context"
	"fmt"
	"log"
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

func createTables(ctx context.Context, db *store.Store) {
	m, err := migrations.New(db.DB().DB, migrations.SQLite)
	if err == nil {
		_, err = m.Up(ctx)
	}
	if err != nil {
		log.Fatal(err)
	}
}
