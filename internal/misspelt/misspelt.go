// Package misspelt finds what somebody meant who has written something else.
package misspelt

import (
	"iter"
	"slices"
	"strings"
)

// Nearest returns the known name that is written most like the given one, "" if none is near: one edit in three characters, and one more,
// whatever the case of letters. A name is not near itself.
func Nearest(name string, known iter.Seq[string]) string {
	folded := strings.ToLower(name)
	best, least := "", 1+len(name)/3
	for k := range known {
		if len(k) > len(name)+least || len(name) > len(k)+least {
			continue // a difference in length is as many edits
		}
		if d := Distance(folded, strings.ToLower(k)); d <= least && d < len(name) && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}

// Among is Nearest for a list.
func Among(name string, known []string) string { return Nearest(name, slices.Values(known)) }

// Distance is the number of insertions, deletions, replacements and swaps of neighbours that turn a into b.
func Distance(a, b string) int {
	var before, row, next []int
	for j := range len(b) + 1 {
		row = append(row, j)
	}
	for i := range len(a) {
		next = []int{i + 1}
		for j := range len(b) {
			d := row[j]
			if a[i] != b[j] {
				d++
			}
			d = min(d, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d = min(d, before[j-1]+1)
			}
			next = append(next, d)
		}
		before, row = row, next
	}
	return row[len(b)]
}
