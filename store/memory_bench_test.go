package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/record"
)

// BenchmarkMemoryGet is a Get that the memory answers, beside what it is made of: a hit of otter alone, without a time to live and with one, and
// the reading of the monotonic clock. And beside what it saves: the same Get without a memory, of a SQLite file on this machine.
func BenchmarkMemoryGet(b *testing.B) {
	const key = "dingding_access_token"
	value := strings.Repeat("v", 32)
	var got string

	get := func(opts ...store.Option) func(*testing.B) {
		return func(b *testing.B) {
			s := openSQLite(b, opts...)
			if err := s.Put(b.Context(), key, value, time.Hour); err != nil {
				b.Fatal(err)
			}
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Get(ctx, key, &got); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	bare := func(o *otter.Options[string, string]) func(*testing.B) {
		return func(b *testing.B) {
			cache := otter.Must(o)
			defer cache.StopAllGoroutines()
			cache.Set(key, value)
			b.ReportAllocs()
			for b.Loop() {
				var ok bool
				if got, ok = cache.GetIfPresent(key); !ok {
					b.Fatal("missing")
				}
			}
		}
	}
	memory := store.WithMemory(1<<20, time.Hour)
	b.Run("store", get(memory))
	b.Run("store with recorder", get(memory, store.WithRecorder(new(record.Counter))))
	b.Run("otter", bare(&otter.Options[string, string]{MaximumSize: 1000}))
	b.Run("otter with ttl", bare(&otter.Options[string, string]{MaximumSize: 1000, ExpiryCalculator: otter.ExpiryWriting[string, string](time.Hour)}))
	b.Run("clock", func(b *testing.B) {
		began := time.Now()
		for b.Loop() {
			_ = time.Since(began)
		}
	})
	b.Run("sqlite", get())
}
