//go:build bench

package bench

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/testdb"
)

var (
	page   = flag.String("page", "", "the file that the report is written to, as Markdown; none by default")
	tokens = flag.String("tokens", "", "the file whose table of tokens is replaced; none by default")
)

// perComparison is how long each comparison may take.
const perComparison = 4 * time.Second

// TestGoals measures everything, reports it, and then fails if a goal was missed. The lines come as they are measured, the table at the end.
func TestGoals(t *testing.T) {
	server := testdb.Roomy(t)
	s := newSubject(t, server)
	rep := report{machine: append(machine(t, s), s.laravelVersion(t))}
	add := func(results ...result) {
		for _, r := range results {
			fmt.Println(r.line())
		}
		rep.results = append(rep.results, results...)
	}
	compare := func(t *testing.T, comparisons ...comparison) {
		for _, c := range comparisons {
			results, err := c.measure(perComparison)
			if err != nil {
				t.Fatal(err)
			}
			add(results...)
		}
	}
	t.Run("ByHand", func(t *testing.T) { compare(t, s.byHandComparisons(t)...) })
	t.Run("PutMany", func(t *testing.T) {
		compare(t, newSubject(t, testdb.Durable(t)).putMany("put-many-1000", 0.10, "waits for its disk at each commit"))
		compare(t, s.putMany("put-many-1000-no-wait", 0, "does not wait for its disk"))
	})
	t.Run("Laravel", func(t *testing.T) { compare(t, s.laravelComparisons(t)...) })
	t.Run("InProcess", func(t *testing.T) { compare(t, append(inProcess(), memoryComparison(t))...) })
	var rushes string
	t.Run("Tokens", func(t *testing.T) {
		compare(t, tokenComparisons(t)...)
		results, table := tokenRushes(t, server)
		add(results...)
		rushes = table
	})
	t.Run("PruneStall", func(t *testing.T) { add(newSubject(t, server).pruneStall(t)...) })
	t.Run("PruneByKey", func(t *testing.T) { add(newSubject(t, testdb.Durable(t)).pruneByKey(t)...) })
	t.Run("CommandLine", func(t *testing.T) { add(commandLine(t, server)...) })
	t.Run("LargeTable", func(t *testing.T) {
		large, small := newSubject(t, server), newSubject(t, server)
		large.fill(t, "live", million/2, inADay)
		add(large.pruneBacklog(t)...)
		large.fill(t, "more", million/2, inADay)
		small.fill(t, "live", million/100, inADay)
		compare(t, large.firstPages()...)
		add(listMemory(t, large, small)...)
	})

	fmt.Println()
	if err := rep.table(os.Stdout); err != nil {
		t.Fatal(err)
	}
	if *page != "" {
		if err := os.WriteFile(*page, []byte(rep.page()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if *tokens != "" {
		if err := writeTokens(*tokens, rushes); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range rep.missed() {
		t.Errorf("GOAL MISSED: %s", line)
	}
}

func writeTokens(path, table string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	written, err := withTable(string(text), table)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(written), 0o644)
}
