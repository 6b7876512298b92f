package fetcher

import (
	"context"
	"time"

	"github.com/larder-cache/larder/store"
)

// A Store is what a fetcher needs of the shared table. [On] makes one of a [*store.Store]; tests may have their own.
type Store interface {
	// Many returns the live rows of the keys that have one, by key, in one round trip.
	Many(ctx context.Context, keys ...string) (map[string]store.Item, error)
	// Lock returns a lock with an owner of its own, which is not acquired yet.
	Lock(name string, ttl time.Duration) Lock
}

// A Lock is what a fetcher needs of a [*store.Lock].
type Lock interface {
	// Acquire takes the lock if it is free, and reports whether it did.
	Acquire(ctx context.Context) (bool, error)
	// PutIfLocked stores a row if the lock is still held, and reports whether it was. Test and write are one.
	PutIfLocked(ctx context.Context, key string, value any, ttl time.Duration) (bool, error)
	// Release frees the lock if it is this owner's.
	Release(ctx context.Context) (bool, error)
}

// On returns what a fetcher needs of the store.
func On(s *store.Store) Store { return table{s} }

type table struct{ *store.Store }

func (t table) Lock(name string, ttl time.Duration) Lock {
	return tableLock{t.Store.Lock(name, ttl), t.Store}
}

type tableLock struct {
	*store.Lock
	store *store.Store
}

func (l tableLock) PutIfLocked(ctx context.Context, key string, value any, ttl time.Duration) (bool, error) {
	return l.store.PutIfLocked(ctx, l.Lock, key, value, ttl)
}
