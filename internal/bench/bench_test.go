package bench

import (
	"slices"
	"testing"

	"github.com/larder-cache/larder/internal/testdb"
)

// BenchmarkComparisons runs each side of each comparison as an ordinary benchmark, for profiles and benchstat.
func BenchmarkComparisons(b *testing.B) {
	s := newSubject(b, testdb.Roomy(b))
	for _, c := range slices.Concat(s.byHandComparisons(b), []comparison{s.putMany("put-many-1000", 0, "does not wait for its disk")}, s.laravelComparisons(b), inProcess(), tokenComparisons(b), []comparison{memoryComparison(b)}) {
		b.Run(c.name, func(b *testing.B) {
			for _, side := range []struct {
				name string
				run  run
			}{{"larder", c.larder}, {"reference", c.other}} {
				b.Run(side.name, func(b *testing.B) {
					b.ReportAllocs()
					if _, err := side.run(b.N); err != nil {
						b.Fatal(err)
					}
				})
			}
		})
	}
}
