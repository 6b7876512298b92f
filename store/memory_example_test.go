package store_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/record"
)

// A key that every request reads is asked for once a second, and what this process writes is seen at once.
func ExampleWithMemory() {
	var counter record.Counter
	s, closeStore := exampleStore(store.WithMemory(16<<20, time.Second), store.WithRecorder(&counter))
	defer closeStore()
	ctx := context.Background()

	var rate string
	for _, now := range []string{"7.24", "7.25"} {
		if err := s.Put(ctx, "rate", now, time.Hour); err != nil {
			log.Fatal(err)
		}
		for range 100 {
			if err := s.Get(ctx, "rate", &rate); err != nil {
				log.Fatal(err)
			}
		}
		fmt.Println(rate)
	}
	total := counter.Total(record.Get).Operations
	fmt.Println(total, "reads; most asked no database:", counter.Total(record.Get, record.MemoryHit).Operations > total/2)
	// Output:
	// 7.24
	// 7.25
	// 200 reads; most asked no database: true
}
