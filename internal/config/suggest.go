package config

import "strings"

// suggest ends a message about an unknown name: " (did you mean ...?)" if a known one is near, else the list of the known ones.
func suggest(name string, known []string) string {
	best, least := "", 1+len(name)/3
	for _, k := range known {
		if d := distance(strings.ToLower(strings.ReplaceAll(name, "-", "_")), k); d <= least && (best == "" || d < least) {
			best, least = k, d
		}
	}
	if best != "" {
		return ` (did you mean "` + best + `"?)`
	}
	return "; want " + strings.Join(known, ", ")
}

// distance is the number of insertions, deletions, replacements and swaps of neighbours that turn a into b.
func distance(a, b string) int {
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
