package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/child"
	"github.com/larder-cache/larder/internal/testdb"
)

// mostMemory is what a command may take, in MB, whatever the table. A good third of that is the program itself.
const mostMemory = 60

// commandLine runs larder's commands as a user does, each a process of its own, on a table of a million rows, half of them expired, with some
// values of 1 MB and two of 16.7 MB.
func commandLine(tb testing.TB, server *testdb.Server) []result {
	tb.Helper()
	s := newSubject(tb, server)
	s.fill(tb, "old", million/2, lastDay)
	s.fill(tb, "live", million/2, inADay)
	for name, text := range map[string]string{"big": "REPEAT('\"ü',333333)", "huge": "REPEAT('0123456789',1670000)"} {
		for i := range map[string]int{"big": 5, "huge": 2}[name] {
			err := s.statement("INSERT INTO cache SELECT ?,CONCAT('s:',LENGTH(t),':\"',t,'\";'),UNIX_TIMESTAMP()+86400 FROM (SELECT "+text+" t) large",
				fmt.Sprint(prefix, name, ":", i))
			if err != nil {
				tb.Fatal(err)
			}
		}
	}
	l := child.Larder{Program: child.Build(tb), Database: s.db.URL(), Prefix: prefix}
	return append([]result{s.firstPageOfProcess(tb, l)}, peaks(tb, l)...)
}

// firstPageOfProcess compares the time of a whole process with that of the statement which it sends.
func (s *subject) firstPageOfProcess(tb testing.TB, l child.Larder) result {
	tb.Helper()
	bare := s.firstPages()[1]
	var ours, theirs, more []float64
	for range 21 {
		run, err := l.Run(context.Background(), nil, "list", "--limit", "20")
		if err != nil {
			tb.Fatal(err)
		}
		took, err := bare.other(1)
		if err != nil {
			tb.Fatal(err)
		}
		ours, theirs, more = append(ours, float64(run.Took)), append(theirs, float64(took)), append(more, float64(run.Took-took))
	}
	return result{
		kind: milliseconds, name: "cli-list-20", value: inMilliseconds(median(more)), goal: 100,
		larder:    duration(median(ours)) + ", larder list --limit 20, from its start to its end",
		reference: duration(median(theirs)) + ", the statement alone, " + bare.reference,
	}
}

func inMilliseconds(nanoseconds float64) float64 { return nanoseconds / float64(time.Millisecond) }

// peaks tells how much memory the commands take that go through a whole table.
func peaks(tb testing.TB, l child.Larder) (results []result) {
	tb.Helper()
	dump := filepath.Join(tb.TempDir(), "rows.jsonl")
	copied := l
	copied.Prefix = "copied_cache_"
	for _, c := range []struct {
		name string
		of   child.Larder
		args []string
	}{
		{"list", l, []string{"list"}},
		{"list-json", l, []string{"list", "-o", "json", "--state", "all"}},
		{"list-by-size", l, []string{"list", "--sort", "size"}},
		{"stats", l, []string{"stats", "--sample-above", "0"}},
		{"doctor", l, []string{"doctor"}},
		{"export", l, []string{"export", "--to", dump}},
		{"import", copied, []string{"import", dump}},
		{"flush", copied, []string{"flush", "--yes"}},
		{"prune", l, []string{"prune"}},
	} {
		run, err := c.of.Run(context.Background(), nil, c.args...)
		if err != nil {
			tb.Fatal(err)
		}
		results = append(results, result{
			kind: megabytes, name: "peak-memory-" + c.name, value: float64(run.Peak) / 1e6, goal: mostMemory,
			larder: fmt.Sprintf("%s, a table of %d rows", duration(float64(run.Took)), million),
		})
	}
	return results
}
