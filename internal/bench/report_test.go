package bench

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// A kind is what a result's value is.
type kind string

const (
	ratio        kind = "ratio"  // larder's time, or memory, over the reference's
	allocations  kind = "allocs" // of one call
	count        kind = "count"
	milliseconds kind = "ms" // larder's time less the reference's
	megabytes    kind = "MB" // of physical memory, as the system counts it for a process
)

// A result is one figure that was measured.
type result struct {
	kind      kind
	name      string
	value     float64
	goal      float64
	atMost    bool   // that a goal of 0 is one. A ratio has none then
	larder    string // for people
	reference string
}

func (r result) hasGoal() bool { return r.goal > 0 || r.atMost }

func (r result) missed() bool { return r.hasGoal() && !(r.shown(r.value) <= r.shown(r.goal)) } // the other way round NaN would pass

// shown is a value as far as it is printed, so that what is printed is what is judged.
func (r result) shown(value float64) float64 {
	rounded, _ := strconv.ParseFloat(r.text(value), 64) // of what was formatted
	return rounded
}

func (r result) text(value float64) string {
	switch r.kind {
	case ratio:
		return strconv.FormatFloat(value, 'f', 2, 64)
	case milliseconds, megabytes:
		return strconv.FormatFloat(value, 'f', 1, 64)
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}

// line is the result for programs.
func (r result) line() string {
	s := fmt.Sprintf("%s %s %s", r.kind, r.name, r.text(r.value))
	if r.hasGoal() {
		s += " <= " + r.text(r.goal)
	}
	return s
}

// A report is all that was measured, and on what.
type report struct {
	machine []string
	results []result
}

const reportHead = `# Performance

What ` + "`make bench`" + ` measured, which writes this page. A ratio is larder's time over the reference's, less is better; the two are measured in turn,
in short slices, by one process against one server, and what is shown are medians. The times are this machine's; compare ratios.

`

const reportTail = `
*By hand* is database/sql and go-sql-driver with interpolated parameters and the timeouts that Open sets, values not decoded, answers not looked at, nothing repeated. *Bare* statements promise
less than larder's: that a key is itself alone, whatever the column's collation equates with it; that an expired row is no obstacle; that what
happened is told. The server works these promises out, and the ratio is their price, in the time that a round trip takes anyway.

*cli* and *peak-memory* are of the program as a process of its own, on a table of a million rows with values of up to 16.7 MB; its memory is all that is resident,
the pages of the program itself among it. The prunes of 500,000 rows are medians of three; a *prune-500000-writers* is how much longer a write waited at most,
in the median half second, than it does while nothing is pruned.

Unless said otherwise the server does not wait for its disk at a commit: with that, both sides of each write would take the same time longer, and the ratios
be nearer to 1, but for batches, which save commits.
`

var columns = []string{"figure", "larder", "reference", "value", "goal"}

// cells are the result for people.
func (r result) cells() []string {
	name, goal := r.name, ""
	if r.kind != ratio {
		name += ", " + string(r.kind)
	}
	if r.hasGoal() {
		goal = "≤ " + r.text(r.goal)
		if r.missed() {
			goal += " MISSED"
		}
	}
	return []string{name, r.larder, r.reference, r.text(r.value), goal}
}

// page is the report as Markdown.
func (r report) page() string {
	var b strings.Builder
	b.WriteString(reportHead)
	for _, m := range r.machine {
		fmt.Fprintf(&b, "- %s\n", m)
	}
	row := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	b.WriteByte('\n')
	row(columns)
	row(slices.Repeat([]string{"---"}, len(columns)))
	for _, res := range r.results {
		row(res.cells())
	}
	b.WriteString(reportTail)
	return b.String()
}

// table writes the report for a terminal.
func (r report) table(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells []string) { _, _ = fmt.Fprintln(table, strings.Join(cells, "\t")) }
	row(columns)
	for _, res := range r.results {
		row(res.cells())
	}
	return table.Flush() // which tells the rows' errors too
}

// missed names the results that are above their goals.
func (r report) missed() (lines []string) {
	for _, res := range r.results {
		if res.missed() {
			lines = append(lines, fmt.Sprintf("%s is %s, above its goal of %s", res.name, res.text(res.value), res.text(res.goal)))
		}
	}
	return lines
}
