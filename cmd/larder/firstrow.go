package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/store"
)

// A firstLook is the table as fetchers see it, and tells when, for the first time, none of the rows is there that one of them looks for.
type firstLook struct {
	fetcher.Store
	once    sync.Once
	nothing func(context.Context)
}

func (f *firstLook) Many(ctx context.Context, keys ...string) (map[string]store.Item, error) {
	found, err := f.Store.Many(ctx, keys...)
	if err == nil && len(found) == 0 {
		f.once.Do(func() { f.nothing(ctx) })
	}
	return found, err
}

// tokenTable is what the fetchers of tokens use of the store. Before they store a first row, it is told if that is with a prefix that no row has: a
// token that is stored beside PHP's rows looks well to everybody but PHP.
func (a *app) tokenTable(s *store.Store) fetcher.Store {
	return &firstLook{Store: fetcher.On(s), nothing: func(ctx context.Context) { a.warnOfPrefix(ctx, s) }}
}

// maxWarning is how long a token waits for a warning.
const maxWarning = time.Second

// warnOfPrefix tells if no row has the configured prefix, and rows have others that may be meant.
func (a *app) warnOfPrefix(ctx context.Context, s *store.Store) {
	if a.level() > slog.LevelWarn {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, maxWarning)
	defer cancel()
	if found, flags := a.prefixesInUse(ctx, s); found != "" {
		a.sayf("warning: no row has the prefix %q (from %s), and there are rows with %s: PHP does not find the token if its prefix is another one. "+
			"Is it %s? larder doctor says more", s.Prefix(), a.loaded.Prefix.Source, found, flags)
	}
}
