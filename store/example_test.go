package store_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/larder-cache/larder/migrations"
	"github.com/larder-cache/larder/store"
)

// exampleStore opens a store on a new SQLite file with its tables. A program of yours opens the database it has:
//
//	s, err := store.Open("mysql://user:password@host/database", store.WithPrefix("laravel_cache_"))
func exampleStore(opts ...store.Option) (s *store.Store, closeStore func()) {
	dir, err := os.MkdirTemp("", "larder-example-")
	if err != nil {
		log.Fatal(err)
	}
	s, err = store.Open("sqlite:"+filepath.Join(dir, "larder.db"), append(opts, store.WithPrefix("laravel_cache_"))...)
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

func ExampleStore_Get() {
	s, closeStore := exampleStore()
	defer closeStore()
	ctx := context.Background()

	type settings struct {
		Theme string   `php:"theme"`
		Tags  []string `php:"tags"`
	}
	// PHP reads it as ['theme' => 'dark', 'tags' => ['a', 'b']].
	if err := s.Put(ctx, "settings", settings{"dark", []string{"a", "b"}}, 10*time.Minute); err != nil {
		log.Fatal(err)
	}

	var got settings
	if err := s.Get(ctx, "settings", &got); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", got)

	err := s.Get(ctx, "nothing", &got)
	fmt.Println(errors.Is(err, store.ErrNotFound))
	// Output:
	// {Theme:dark Tags:[a b]}
	// true
}

func ExampleStore_Item() {
	s, closeStore := exampleStore()
	defer closeStore()
	ctx := context.Background()

	if err := s.Put(ctx, "greeting", "hello", time.Minute); err != nil {
		log.Fatal(err)
	}
	item, err := s.Item(ctx, "greeting")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(item.Raw), item.TTL > 58*time.Second)
	// Output: s:5:"hello"; true
}

func ExampleStore_Add() {
	s, closeStore := exampleStore()
	defer closeStore()
	ctx := context.Background()

	// Of all servers that try, one sends the newsletter.
	for range 2 {
		first, err := s.Add(ctx, "newsletter:2024-05", true, 24*time.Hour)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(first)
	}
	// Output:
	// true
	// false
}

func ExampleStore_IncrementOrAdd() {
	s, closeStore := exampleStore()
	defer closeStore()
	ctx := context.Background()

	for range 3 {
		n, err := s.IncrementOrAdd(ctx, "logins:ann", 1, time.Minute)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(n)
	}
	// Output:
	// 1
	// 2
	// 3
}

func ExampleStore_Lock() {
	s, closeStore := exampleStore()
	defer closeStore()
	ctx := context.Background()

	// The same lock as PHP's Cache::lock('report', 30).
	lock := s.Lock("report", 30*time.Second)
	if err := lock.Block(ctx, 5*time.Second); err != nil { // or Acquire, which does not wait
		log.Fatal(err)
	}
	defer func() { _, _ = lock.Release(ctx) }()

	other, err := s.Lock("report", 30*time.Second).Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("another owner gets it:", other)
	// Output: another owner gets it: false
}

func ExampleStore_List() {
	s, closeStore := exampleStore()
	defer closeStore()
	ctx := context.Background()

	err := s.PutMany(ctx, map[string]any{"user:1": "Ann", "user:2": []int{1, 2}, "other": 7}, time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	for e, err := range s.List(ctx, store.ListOptions{Pattern: "user:*"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Key, e.Type, e.Size)
	}
	// Output:
	// user:1 string 10
	// user:2 array 22
}

func ExampleStore_Prune() {
	s, closeStore := exampleStore()
	defer closeStore()
	ctx := context.Background()

	err := s.PutMany(ctx, map[string]any{"a": 1, "b": 2, "c": 3}, time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	// Run it from every server, once a minute: one of them does the work.
	res, err := s.Prune(ctx, store.PruneOptions{MaxRows: 2})
	if errors.Is(err, store.ErrPruning) {
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Expired, "expired,", res.Evicted, "over the bound")
	// Output: 0 expired, 1 over the bound
}

func ExampleStore_Stats() {
	s, closeStore := exampleStore()
	defer closeStore()
	ctx := context.Background()

	err := s.PutMany(ctx, map[string]any{"user:1": "Ann", "user:2": []int{1, 2}, "other": 7}, 30*time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	st, err := s.Stats(ctx, store.StatsOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(st.Live.Rows, "live rows,", st.Live.Bytes, "bytes, the largest:", st.Biggest[0].Key)
	for _, f := range st.Keys.Largest {
		fmt.Printf("%q %d\n", f.Name, f.Rows)
	}
	for _, b := range st.Expires {
		if b.Rows > 0 {
			fmt.Println(b.Name, b.Rows)
		}
	}
	// Output:
	// 3 live rows, 36 bytes, the largest: user:2
	// "user:" 2
	// "" 1
	// <1h 3
}

// Rows are copied whole, with the time that they still live, to another database.
func ExampleStore_Export() {
	from, closeFrom := exampleStore()
	defer closeFrom()
	to, closeTo := exampleStore()
	defer closeTo()
	ctx := context.Background()
	if err := from.PutMany(ctx, map[string]any{"user:1": "Ada", "user:2": "Grace", "other": 7}, time.Hour); err != nil {
		log.Fatal(err)
	}

	var batch []store.Row
	for row, err := range from.Export(ctx, store.ExportOptions{Pattern: "user:*"}) {
		if err != nil {
			log.Fatal(err)
		}
		batch = append(batch, row)
	}
	result, err := to.Import(ctx, batch, store.ImportOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("stored:", result.Stored)
	for entry, err := range to.List(ctx, store.ListOptions{}) {
		fmt.Println(entry.Key, entry.Type, err)
	}
	// Output:
	// stored: 2
	// user:1 string <nil>
	// user:2 string <nil>
}
