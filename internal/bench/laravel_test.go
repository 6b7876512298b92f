package bench

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/laravel"
)

//go:embed laravel.php
var script string

// newestLaravel returns the newest Laravel that there is.
func newestLaravel() laravel.Release {
	releases := laravel.Releases()
	return releases[len(releases)-1]
}

// laravelComparisons compares larder with a Laravel on the same tables, one client each. Laravel measures its own loops.
func (s *subject) laravelComparisons(tb testing.TB) []comparison {
	tb.Helper()
	release := newestLaravel()
	peer := release.OnMySQL(tb, s.db, prefix).Start(tb, script)
	does := func(operation string) run {
		return func(n int) (time.Duration, error) {
			var took time.Duration
			peer.Ask(tb, &took, []any{operation, n})
			return took, nil
		}
	}

	ctx := context.Background()
	version := "Laravel " + release.Version(tb)
	n := 0
	next := func() int { n++; return n }
	if err := s.store.Put(ctx, "go", payload(0), time.Hour); err != nil {
		tb.Fatal(err)
	}
	if err := s.store.Put(ctx, "go-counter", 0, time.Hour); err != nil {
		tb.Fatal(err)
	}
	comparisons := []comparison{
		{name: "get", goal: 0.40, larder: timed(func() error {
			var got string
			return s.store.Get(ctx, "go", &got)
		})},
		{name: "add", goal: 0.40, larder: timed(func() error {
			return yes(s.store.Add(ctx, "go-added:"+strconv.Itoa(next()), payload(n), time.Hour))
		})},
		{name: "increment", goal: 0.40, larder: timed(func() error {
			_, err := s.store.Increment(ctx, "go-counter", 1)
			return err
		})},
		{name: "put", goal: 0.75, larder: timed(func() error {
			return s.store.Put(ctx, "go:"+strconv.Itoa(n%1000), payload(next()), time.Hour)
		})},
		{name: "lock", goal: 0.75, larder: timed(func() error {
			lock := s.store.Lock("go:"+strconv.Itoa(next()%100), time.Minute)
			if err := yes(lock.Acquire(ctx)); err != nil {
				return err
			}
			return yes(lock.Release(ctx))
		})},
	}
	for i := range comparisons {
		c := &comparisons[i]
		c.reference, c.other, c.slice = version, does(c.name), 2*defaultSlice
		c.name = "laravel-" + c.name
	}
	return comparisons
}

// laravelVersion describes the Laravel that was measured.
func (s *subject) laravelVersion(tb testing.TB) string {
	tb.Helper()
	release := newestLaravel()
	php := release.OnMySQL(tb, s.db, prefix).Run(tb, "echo PHP_VERSION;")
	return fmt.Sprintf("Laravel %s on PHP %s, one process, its code compiled once", release.Version(tb), strings.TrimSpace(php))
}
