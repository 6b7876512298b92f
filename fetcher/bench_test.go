package fetcher_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher"
)

var sinkTime atomic.Pointer[time.Time]

// BenchmarkTokenHot is a token from memory, beside what that cannot do without: the time and one atomic load.
func BenchmarkTokenHot(b *testing.B) {
	s := newTable()
	f, err := fetcher.NewOn(s, key, newVendor(fetcher.SameRenewed))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := f.Token(context.Background()); err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	now := time.Now()
	sinkTime.Store(&now)
	for _, parallel := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("reference/%d", parallel), func(b *testing.B) {
			each(b, parallel, func(n int) {
				for range n {
					if time.Now().Before(*sinkTime.Load()) {
						panic("time runs backwards")
					}
				}
			})
		})
		b.Run(fmt.Sprintf("token/%d", parallel), func(b *testing.B) {
			b.ReportAllocs()
			each(b, parallel, func(n int) {
				for range n {
					if token, err := f.Token(ctx); err != nil || token == "" {
						panic("no token")
					}
				}
			})
		})
	}
	if err := f.Close(ctx); err != nil {
		b.Fatal(err)
	}
}

// each shares the benchmark's iterations out among goroutines.
func each(b *testing.B, goroutines int, run func(n int)) {
	done := make(chan struct{}, goroutines)
	for i := range goroutines {
		n := b.N / goroutines
		if i < b.N%goroutines {
			n++
		}
		go func() { run(n); done <- struct{}{} }()
	}
	for range goroutines {
		<-done
	}
}
