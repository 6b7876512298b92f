package fetcher_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/php"
)

// A table is the shared database in memory, with the rules of the store: whole seconds, one clock, fenced writes.
type table struct {
	mu     sync.Mutex
	rows   map[string]tableRow
	locks  map[string]tableLock
	owners int
	reads  int
	writes []string // keys, in order

	skew    time.Duration // of the database's clock against the processes'
	delay   time.Duration // of each statement
	failing error         // of each statement
	putting error         // of each write of a row

	acquiring func() // is called before the next acquisition, once
	answered  func() // is called after the next look has its answer and before the process has it, once
}

type tableRow struct {
	raw        []byte
	expiration int64
}

type tableLock struct {
	owner      int
	expiration int64
}

func newTable() *table { return &table{rows: map[string]tableRow{}, locks: map[string]tableLock{}} }

func (s *table) unix() int64 { return time.Now().Add(s.skew).Unix() }

// statement waits as the server would, and fails if it is told to. The caller holds no lock.
func (s *table) statement(ctx context.Context) error {
	s.mu.Lock()
	delay, err := s.delay, s.failing
	s.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (s *table) Many(ctx context.Context, keys ...string) (map[string]store.Item, error) {
	if err := s.statement(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	meanwhile := s.answered
	s.answered = nil
	items := s.many(keys)
	s.mu.Unlock()
	if meanwhile != nil {
		meanwhile()
	}
	return items, nil
}

func (s *table) many(keys []string) map[string]store.Item {
	s.reads++
	items := map[string]store.Item{}
	for _, key := range keys {
		if r, ok := s.rows[key]; ok && r.expiration > s.unix() {
			items[key] = store.Item{Key: key, Raw: r.raw, Expiration: r.expiration, TTL: time.Duration(r.expiration-s.unix()) * time.Second}
		}
	}
	return items
}

func (s *table) Lock(name string, ttl time.Duration) fetcher.Lock {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owners++
	return &tableOwner{s, name, s.owners, ttl}
}

type tableOwner struct {
	table *table
	name  string
	owner int
	ttl   time.Duration
}

func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

func (l *tableOwner) Acquire(ctx context.Context) (bool, error) {
	l.table.mu.Lock()
	meanwhile := l.table.acquiring
	l.table.acquiring = nil
	l.table.mu.Unlock()
	if meanwhile != nil {
		meanwhile()
	}
	if err := l.table.statement(ctx); err != nil {
		return false, err
	}
	s := l.table
	s.mu.Lock()
	defer s.mu.Unlock()
	if held, ok := s.locks[l.name]; ok && held.expiration > s.unix() && held.owner != l.owner {
		return false, nil
	}
	s.locks[l.name] = tableLock{l.owner, s.unix() + seconds(l.ttl)}
	return true, nil
}

func (l *tableOwner) PutIfLocked(ctx context.Context, key string, value any, ttl time.Duration) (bool, error) {
	if err := l.table.statement(ctx); err != nil {
		return false, err
	}
	s := l.table
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.putting != nil {
		return false, s.putting
	}
	if held, ok := s.locks[l.name]; !ok || held.owner != l.owner || held.expiration <= s.unix() {
		return false, nil
	}
	s.put(key, value, ttl)
	s.writes = append(s.writes, key)
	return true, nil
}

func (l *tableOwner) Release(ctx context.Context) (bool, error) {
	if err := l.table.statement(ctx); err != nil {
		return false, err
	}
	s := l.table
	s.mu.Lock()
	defer s.mu.Unlock()
	held, ok := s.locks[l.name]
	if ok = ok && held.owner == l.owner; ok {
		delete(s.locks, l.name)
	}
	return ok, nil
}

func (s *table) put(key string, value any, ttl time.Duration) {
	raw, err := php.Marshal(value)
	if err != nil {
		panic(err)
	}
	s.rows[key] = tableRow{raw, s.unix() + seconds(ttl)}
}

// What tests do to the table, as others would.
func (s *table) Put(key string, value any, ttl time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(key, value, ttl)
}

func (s *table) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = map[string]tableRow{}
}

func (s *table) Delete(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rows, key)
}

// Row returns what is stored and how long it lives, "" if no live row is.
func (s *table) Row(key string) (string, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.rows[key]
	if !ok || r.expiration <= s.unix() {
		return "", 0
	}
	return string(r.raw), time.Duration(r.expiration-s.unix()) * time.Second
}

func (s *table) Locked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.locks[fetcher.LockName(key)]
	return ok && l.expiration > s.unix()
}

func (s *table) Reads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// Meanwhile has something happen after the next look at the row and before the lock is taken.
func (s *table) Meanwhile(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acquiring = do
}

func (s *table) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = err
}

func (s *table) Delay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// A vendor is a source whose tokens are numbered: "token-0001-padded" and so on.
type vendor struct {
	mu      sync.Mutex
	info    fetcher.Info
	life    time.Duration
	latency time.Duration
	times   []time.Time
	given   int
	answer  func(ctx context.Context, n int) (fetcher.Token, error) // nil: the next token
}

func newVendor(renewal fetcher.Renewal) *vendor {
	return &vendor{life: 7200 * time.Second, info: fetcher.Info{
		Name: "vendor", Margin: 200 * time.Second, Life: 2 * time.Hour, RefreshAhead: 10 * time.Minute, Renewal: renewal,
		App: "app", Fingerprint: "credentials",
	}}
}

func (v *vendor) Info() fetcher.Info { return v.info }

func (v *vendor) Fetch(ctx context.Context) (fetcher.Token, error) {
	v.mu.Lock()
	v.times = append(v.times, time.Now())
	n, answer, latency := len(v.times), v.answer, v.latency
	v.mu.Unlock()
	if latency > 0 {
		select {
		case <-time.After(latency):
		case <-ctx.Done():
			return fetcher.Token{}, ctx.Err()
		}
	}
	if answer != nil {
		return answer(ctx, n)
	}
	return v.next(), nil
}

func (v *vendor) next() fetcher.Token {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.given++
	return fetcher.Token{Value: numbered(v.given), ExpiresIn: v.life}
}

func numbered(n int) string { return fmt.Sprintf("token-%04d-padded", n) }

func (v *vendor) Calls() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.times)
}

// Answer replaces what the vendor does; nil makes it give tokens again.
func (v *vendor) Answer(answer func(ctx context.Context, n int) (fetcher.Token, error)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answer = answer
}

func (v *vendor) Refuse(err error) {
	v.Answer(func(context.Context, int) (fetcher.Token, error) { return fetcher.Token{}, err })
}

func refusal(class fetcher.Class, after time.Duration) error {
	return &fetcher.SourceError{Source: "vendor", Class: class, Code: "4711", Message: "no " + string(class), RetryAfter: after}
}

// bubble runs test where time passes when everybody sleeps.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// process returns a fetcher as another process would have, whose time ahead is exact.
func process(t *testing.T, s fetcher.Store, source fetcher.Source, opts ...fetcher.Option) *fetcher.Fetcher {
	t.Helper()
	f, err := fetcher.NewOn(s, key, source, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return fetcher.WithoutJitter(f)
}

// running has Run going until the test ends.
func running(t *testing.T, fetchers ...*fetcher.Fetcher) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- fetcher.RunAll(ctx, fetchers...) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("run: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func wantToken(t *testing.T, f *fetcher.Fetcher, want string) {
	t.Helper()
	if got, err := f.Token(context.Background()); err != nil || got != want {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

// wantAtOnce wants the token without any time passing.
func wantAtOnce(t *testing.T, f *fetcher.Fetcher, want string) {
	t.Helper()
	begun := time.Now()
	wantToken(t, f, want)
	if waited := time.Since(begun); waited != 0 {
		t.Errorf("waited %v", waited)
	}
}

func wantError(t *testing.T, f *fetcher.Fetcher, want error) {
	t.Helper()
	if got, err := f.Token(context.Background()); got != "" || !errors.Is(err, want) {
		t.Fatalf("got %q, %v, want %v", got, err, want)
	}
}

func wantCalls(t *testing.T, v *vendor, want int) {
	t.Helper()
	if got := v.Calls(); got != want {
		t.Errorf("%d fetches, want %d", got, want)
	}
}

func wantRow(t *testing.T, s *table, want string) {
	t.Helper()
	if got, _ := s.Row(key); got != want {
		t.Errorf("row is %s, want %s", got, want)
	}
}

func quoted(token string) string { return fmt.Sprintf(`s:%d:"%s";`, len(token), token) }

func alarms(f *fetcher.Fetcher) (kinds []fetcher.AlarmKind) {
	for _, a := range f.Status().Alarms {
		kinds = append(kinds, a.Kind)
	}
	return kinds
}
