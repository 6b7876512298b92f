package store

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"
)

// A Memo remembers what was read from a store, for the length of one request: each key is read once, also one that is missing, and reads after
// that are free. Writes through the Memo go to the store and make it read the key again, and so does the end of a value's time, which may be
// seen a second late; writes past it, by this process or another, it does not see, so it should not live long.
//
// It is Laravel's Cache::memo() (12.9 and later), and safe for concurrent use. What it has no method for, use on the store itself.
type Memo struct {
	store *Store

	mu     sync.Mutex
	known  map[string]memoized
	writes int // how many have ended
}

// memoized is what is known about a key.
type memoized struct {
	item  Item
	found bool
	read  time.Time // on the monotonic clock, before the store was asked
}

// Memo returns a new Memo over the store.
func (s *Store) Memo() *Memo { return &Memo{store: s, known: map[string]memoized{}} }

// Get is [Store.Get].
func (m *Memo) Get(ctx context.Context, key string, dst any) error {
	item, err := m.item(ctx, key)
	if err == nil {
		err = item.Decode(dst)
	}
	if err != nil {
		return fmt.Errorf("get %s: %w", shown(key), err)
	}
	return nil
}

// Item is [Store.Item]. The item's TTL is what is left of it. Its Raw is shared: do not change it.
func (m *Memo) Item(ctx context.Context, key string) (Item, error) {
	item, err := m.item(ctx, key)
	if err != nil {
		return Item{}, fmt.Errorf("get %s: %w", shown(key), err)
	}
	return item, nil
}

// Has is [Store.Has], but reads the value.
func (m *Memo) Has(ctx context.Context, key string) (bool, error) {
	items, err := m.many(ctx, key)
	if err != nil {
		return false, fmt.Errorf("has %s: %w", shown(key), err)
	}
	return len(items) > 0, nil
}

// Many is [Store.Many]. It reads the keys that are not known yet, in one go.
func (m *Memo) Many(ctx context.Context, keys ...string) (map[string]Item, error) {
	return m.many(ctx, keys...)
}

func (m *Memo) item(ctx context.Context, key string) (Item, error) {
	items, err := m.many(ctx, key)
	if err != nil {
		return Item{}, err
	}
	item, ok := items[key]
	if !ok {
		return Item{}, ErrNotFound
	}
	return item, nil
}

func (m *Memo) many(ctx context.Context, keys ...string) (map[string]Item, error) {
	items, unknown, writes := m.recall(keys)
	if len(unknown) == 0 {
		return items, nil
	}
	now := time.Now()
	read, err := m.store.Many(ctx, unknown...)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range unknown {
		item, found := read[key]
		if found {
			items[key] = item
		}
		if m.writes == writes { // or what was read may be older than what was written
			m.known[key] = memoized{item, found, now}
		}
	}
	return items, nil
}

// recall returns what is known of the keys, and which are not known.
func (m *Memo) recall(keys []string) (items map[string]Item, unknown []string, writes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	items = make(map[string]Item, len(keys))
	for _, key := range keys {
		k, ok := m.known[key]
		k.item.TTL -= time.Since(k.read)
		switch {
		case !ok, k.found && k.item.TTL <= 0:
			unknown = append(unknown, key)
		case k.found:
			items[key] = k.item
		}
	}
	return items, unknown, m.writes
}

// wrote forgets what is known of keys that were written, successfully or not, and of those that the database may take for them, whose row the
// write may have taken over; of all keys if none is named.
func (m *Memo) wrote(keys ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	if len(keys) == 0 {
		clear(m.known)
	}
	for _, key := range keys {
		delete(m.known, key)
		if m.store.dialect.equatesKeys() {
			maps.DeleteFunc(m.known, func(known string, _ memoized) bool { return mayBeEqual(known, key) })
		}
	}
}

// Reset forgets everything that was read.
func (m *Memo) Reset() { m.wrote() }

// Put is [Store.Put].
func (m *Memo) Put(ctx context.Context, key string, value any, ttl time.Duration) error {
	defer m.wrote(key)
	return m.store.Put(ctx, key, value, ttl)
}

// Forever is [Store.Forever].
func (m *Memo) Forever(ctx context.Context, key string, value any) error {
	defer m.wrote(key)
	return m.store.Forever(ctx, key, value)
}

// PutMany is [Store.PutMany]. The Memo forgets all it knows.
func (m *Memo) PutMany(ctx context.Context, values map[string]any, ttl time.Duration) error {
	defer m.wrote()
	return m.store.PutMany(ctx, values, ttl)
}

// Add is [Store.Add], and atomic, which Laravel's memo does not have.
func (m *Memo) Add(ctx context.Context, key string, value any, ttl time.Duration) (bool, error) {
	defer m.wrote(key)
	return m.store.Add(ctx, key, value, ttl)
}

// Increment is [Store.Increment].
func (m *Memo) Increment(ctx context.Context, key string, by int64) (int64, error) {
	defer m.wrote(key)
	return m.store.Increment(ctx, key, by)
}

// Decrement is [Store.Decrement].
func (m *Memo) Decrement(ctx context.Context, key string, by int64) (int64, error) {
	defer m.wrote(key)
	return m.store.Decrement(ctx, key, by)
}

// IncrementOrAdd is [Store.IncrementOrAdd].
func (m *Memo) IncrementOrAdd(ctx context.Context, key string, by int64, ttl time.Duration) (int64, error) {
	defer m.wrote(key)
	return m.store.IncrementOrAdd(ctx, key, by, ttl)
}

// Touch is [Store.Touch].
func (m *Memo) Touch(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	defer m.wrote(key)
	return m.store.Touch(ctx, key, ttl)
}

// Forget is [Store.Forget].
func (m *Memo) Forget(ctx context.Context, key string) (bool, error) {
	defer m.wrote(key, companionPrefix+key)
	return m.store.Forget(ctx, key)
}

// Pull is [Store.Pull], which reads the store in any case.
func (m *Memo) Pull(ctx context.Context, key string, dst any) error {
	defer m.wrote(key, companionPrefix+key)
	return m.store.Pull(ctx, key, dst)
}

// Flush is [Store.Flush]. The Memo forgets all it knows.
func (m *Memo) Flush(ctx context.Context) (int64, error) {
	defer m.wrote()
	return m.store.Flush(ctx)
}
