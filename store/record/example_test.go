package record_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/larder-cache/larder/migrations"
	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/record"
)

// exampleStore returns a store with the recorder on a new SQLite file with its tables, and what removes both.
func exampleStore(r record.Recorder) (s *store.Store, done func()) {
	dir, err := os.MkdirTemp("", "larder")
	if err != nil {
		log.Fatal(err)
	}
	s, err = store.Open("sqlite:"+filepath.Join(dir, "larder.db"), store.WithRecorder(r))
	if err != nil {
		log.Fatal(err)
	}
	m, err := migrations.For(s)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := m.Up(context.Background()); err != nil {
		log.Fatal(err)
	}
	return s, func() {
		_ = s.Close()
		_ = os.RemoveAll(dir)
	}
}

// A Counter says in a test how often the database was asked.
func ExampleCounter() {
	ctx := context.Background()
	var counter record.Counter
	s, done := exampleStore(&counter)
	defer done()

	_ = s.Put(ctx, "greeting", "hello", time.Minute)
	_ = s.Get(ctx, "greeting", new(string))
	_ = s.Get(ctx, "farewell", new(string))

	fmt.Println("gets:", counter.Total(record.Get).Operations)
	fmt.Println("misses:", counter.Total(record.Get, record.Miss).Operations)
	// Output:
	// gets: 2
	// misses: 1
}

// Events are for programs that act on keys, as listeners of Laravel's cache events do.
func ExampleEvents() {
	ctx := context.Background()
	s, done := exampleStore(record.Events(func(_ context.Context, e record.Event) { fmt.Println(e.Name, e.Key) }))
	defer done()

	_ = s.Put(ctx, "greeting", "hello", time.Minute)
	_, _ = s.Many(ctx, "greeting", "farewell")
	_, _ = s.Forget(ctx, "greeting")
	// Output:
	// KeyWritten greeting
	// CacheHit greeting
	// CacheMissed farewell
	// KeyForgotten greeting
}
