// Package bench measures larder beside what it is in place of: statements by hand over database/sql, a real Laravel, one big DELETE.
//
// make bench runs all of it, prints a table and the line "ratio NAME VALUE <= GOAL" for each figure, writes docs/performance.md, and fails if a
// figure misses its goal. A ratio is larder's time over the reference's, so that less is better and a faster machine changes little. The two
// are measured in turn, in slices of some milliseconds, by the same process against the same server.
//
// It also has callers come to ten processes of larder and to ten of the Laravel recipe, and puts into docs/tokens.md what they had to wait.
//
// The comparisons are ordinary benchmarks too:
//
//	go test -bench 'Comparisons/^get$' ./internal/bench
package bench
