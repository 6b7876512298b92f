package oauth2_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/fetcher/oauth2"
)

// A source asks once each time; a fetcher over it asks when that is needed. A fake stands in for the server here.
func ExampleNew() {
	server := fetchertest.NewOAuth2(fetchertest.WithLife(10 * time.Minute))
	defer server.Close()

	source, err := oauth2.New(server.URL+"/token", server.AppKey, server.AppSecret, oauth2.WithScopes("orders:read"))
	if err != nil {
		log.Fatal(err)
	}
	token, err := source.Fetch(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("a token for", token.ExpiresIn)
	fmt.Println("it should be renewed", source.Info().RefreshAhead, "ahead")
	// Output:
	// a token for 10m0s
	// it should be renewed 2m0s ahead
}
