package store_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/larder-cache/larder/store"
)

func ExampleRemember() {
	s, closeStore := exampleStore()
	defer closeStore()
	ctx := context.Background()

	countUsers := func(context.Context) (int, error) {
		fmt.Println("counting")
		return 42, nil
	}
	for range 2 {
		// WithLock: of all servers, one counts.
		n, err := store.Remember(ctx, s, "users:count", 10*time.Minute, countUsers, store.WithLock(10*time.Second, 5*time.Second))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(n)
	}
	// Output:
	// counting
	// 42
	// 42
}

func ExampleRememberTTL() {
	s, closeStore := exampleStore()
	defer closeStore()
	ctx := context.Background()

	ticket, err := store.RememberTTL(ctx, s, "ticket", func(context.Context) (string, time.Duration, error) {
		return "abc", 7200 * time.Second, nil // the upstream says how long it is good
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ticket)
	// Output: abc
}

func ExampleFlexible() {
	s, closeStore := exampleStore()
	defer closeStore()
	ctx := context.Background()
	defer func() { _ = s.Wait(ctx) }() // for refreshes that are still running

	// For a minute the value is fresh. For an hour it is still given out, and refreshed behind the caller's back.
	rate, err := store.Flexible(ctx, s, "rate:usd", time.Minute, time.Hour, func(context.Context) (float64, error) {
		return 1.25, nil
	})
	if errors.Is(err, store.ErrStale) {
		log.Print(err) // the rate is good, but older than it should be
	} else if err != nil {
		log.Fatal(err)
	}
	fmt.Println(rate)
	// Output: 1.25
}

func ExampleStore_Memo() {
	s, closeStore := exampleStore()
	defer closeStore()
	ctx := context.Background()

	if err := s.Put(ctx, "theme", "dark", time.Hour); err != nil {
		log.Fatal(err)
	}
	memo := s.Memo() // one for each request
	for range 3 {
		var theme string
		if err := memo.Get(ctx, "theme", &theme); err != nil { // asks the database once
			log.Fatal(err)
		}
		fmt.Println(theme)
	}
	// Output:
	// dark
	// dark
	// dark
}

func ExampleLock_Hold() {
	s, closeStore := exampleStore()
	defer closeStore()
	ctx := context.Background()

	// If this process dies, the others wait 10 s. While it lives, the lock does not end.
	lock := s.Lock("import", 10*time.Second)
	if err := lock.Block(ctx, 5*time.Second); err != nil {
		log.Fatal(err)
	}
	held, release, err := lock.Hold(ctx)
	if err != nil {
		log.Fatal(err)
	}
	work := func(ctx context.Context) error { return ctx.Err() } // stops when the lock is lost
	fmt.Println(work(held), release())
	// Output: <nil> <nil>
}

func ExampleWithoutOverlapping() {
	s, closeStore := exampleStore()
	defer closeStore()
	ctx := context.Background()

	err := store.WithoutOverlapping(ctx, s, "report", time.Minute, 5*time.Second, func(context.Context) error {
		fmt.Println("alone in the fleet")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: alone in the fleet
}

func ExampleStore_Funnel() {
	s, closeStore := exampleStore()
	defer closeStore()
	ctx := context.Background()

	// At most 5 calls of this API at a time, on all servers together.
	api := s.Funnel("slow-api").Limit(5).ReleaseAfter(time.Minute).Block(3 * time.Second)
	err := api.Then(ctx, func(context.Context) error {
		fmt.Println("calling")
		return nil
	})
	if errors.Is(err, store.ErrLimiterTimeout) {
		log.Fatal("try later")
	}
	fmt.Println(err)
	// Output:
	// calling
	// <nil>
}
