package bench

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

// memoryComparison compares a Get that the store's memory answers with a hit of the cache that the memory is made of. That has no time to
// live: reading the clock is a part of what larder does.
func memoryComparison(tb testing.TB) comparison {
	tb.Helper()
	ctx := context.Background()
	const key = "dingding_access_token"
	value, got := strings.Repeat("v", 32), ""

	s, err := store.Open("sqlite:"+testdb.SQLite(tb), store.WithMemory(1<<20, time.Hour))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	if _, err := s.DB().ExecContext(ctx, "CREATE TABLE cache (key TEXT PRIMARY KEY, value TEXT, expiration INTEGER)"); err != nil {
		tb.Fatal(err)
	}
	if err := s.Put(ctx, key, value, 24*time.Hour); err != nil {
		tb.Fatal(err)
	}
	cache := otter.Must(&otter.Options[string, string]{MaximumSize: 1000})
	tb.Cleanup(func() { cache.StopAllGoroutines() })
	cache.Set(key, value)

	get := func() error { return s.Get(ctx, key, &got) }
	return comparison{
		name: "memory-get", reference: "a hit of otter, without a time to live", goal: 2.0,
		larder: timed(get),
		other: timed(func() error {
			var ok bool
			if got, ok = cache.GetIfPresent(key); !ok {
				return errMissing
			}
			return nil
		}),
		allocs: &allocs{of: func() { _ = get() }, most: 0},
	}
}

var errMissing = errors.New("missing")
