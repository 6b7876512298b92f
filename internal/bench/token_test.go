package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/dingtalk"
	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/internal/workers"
	"github.com/larder-cache/larder/migrations"
	"github.com/larder-cache/larder/store"
)

func TestMain(m *testing.M) {
	workers.ServeIfAsked()
	os.Exit(m.Run())
}

const tokenKey = "dingding_access_token"

var errNoToken = errors.New("no token")

// tokenComparisons compare a token from memory with what that cannot do without: reading the clock and one atomic load.
func tokenComparisons(tb testing.TB) []comparison {
	tb.Helper()
	ctx := context.Background()
	f := newFetcher(tb)
	if _, err := f.Token(ctx); err != nil {
		tb.Fatal(err)
	}
	var since atomic.Pointer[time.Time]
	now := time.Now()
	since.Store(&now)

	hot := func(n int) error {
		for range n {
			if token, err := f.Token(ctx); err != nil || token == "" {
				return errNoToken
			}
		}
		return nil
	}
	bare := func(n int) error {
		for range n {
			if time.Now().Before(*since.Load()) {
				return errNoToken
			}
		}
		return nil
	}
	var comparisons []comparison
	for _, c := range []struct {
		name       string
		goroutines int
	}{{"token-hot", 1}, {"token-hot-16", 16}} {
		comparisons = append(comparisons, comparison{
			name: c.name, reference: fmt.Sprintf("time.Now and an atomic load, goroutines: %d", c.goroutines), goal: 1.5,
			larder: divided(c.goroutines, hot), other: divided(c.goroutines, bare),
			allocs: &allocs{of: func() { _ = hot(1) }, most: 0},
		})
	}
	return comparisons
}

// divided is timed with the work divided among goroutines, which share nothing to count it by.
func divided(goroutines int, do func(n int) error) run {
	return func(n int) (time.Duration, error) {
		errs := make([]error, goroutines)
		var wg sync.WaitGroup
		start := time.Now()
		for i := range goroutines {
			part := n / goroutines
			if i < n%goroutines {
				part++
			}
			wg.Go(func() { errs[i] = do(part) })
		}
		wg.Wait()
		return time.Since(start), errors.Join(errs...)
	}
}

// newFetcher returns a fetcher on a SQLite file and a fake DingTalk.
func newFetcher(tb testing.TB) *fetcher.Fetcher {
	tb.Helper()
	s, err := store.Open("sqlite:" + testdb.SQLite(tb))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	m, err := migrations.New(s.DB().DB, migrations.SQLite)
	if err == nil {
		_, err = m.Up(context.Background())
	}
	if err != nil {
		tb.Fatal(err)
	}
	fake := fetchertest.NewDingTalk()
	tb.Cleanup(fake.Close)
	source, err := dingtalk.New(fake.AppKey, fake.AppSecret, dingtalk.WithBaseURL(fake.URL))
	if err != nil {
		tb.Fatal(err)
	}
	f, err := fetcher.New(s, tokenKey, source)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Close(context.Background()) })
	return f
}

// A worker serves callers, be it in Go or in PHP.
type worker interface {
	Begin(tb testing.TB, calls workers.Calls)
	Outcome(tb testing.TB) workers.Outcome
}

// A rush is callers who come to ten processes.
type rush struct {
	name  string        // for people
	left  time.Duration // that the row has when they come; 0: there is none
	calls workers.Calls // to each process
}

const (
	processes = 10
	upstream  = time.Second // that the vendor takes
)

var (
	coldStart  = rush{"cold start: no row, 1,000 callers at once", 0, workers.Calls{N: 100}}
	softExpiry = rush{"expiry: a row that ends in 3 s, 1,000 callers a second for 6 s", 3 * time.Second, workers.Calls{N: 600, Every: processes * time.Millisecond}}
)

// A rushed is how that went.
type rushed struct {
	rush
	who     string
	fetches int
	workers.Outcome
}

func (r rushed) callers() int { return processes * r.calls.N }

// run has the callers come to the workers that start makes.
func (r rush) run(tb testing.TB, server *testdb.Server, who string, start func(s *subject, fake *fetchertest.Fake) worker) rushed {
	tb.Helper()
	s := newSubject(tb, server)
	fake := fetchertest.NewDingTalk(fetchertest.WithLatency(upstream))
	tb.Cleanup(fake.Close)
	var all []worker
	for range processes {
		all = append(all, start(s, fake))
	}
	if r.left > 0 {
		if err := s.store.Put(context.Background(), tokenKey, "the-token-of-the-hours-before", r.left); err != nil {
			tb.Fatal(err)
		}
	}
	calls := r.calls
	calls.Begin = time.Now().Add(100 * time.Millisecond)
	for _, w := range all {
		w.Begin(tb, calls)
	}
	var outcomes []workers.Outcome
	for _, w := range all {
		outcomes = append(outcomes, w.Outcome(tb))
	}
	return rushed{r, who, fake.Count("token"), workers.Together(outcomes...)}
}

// both runs a rush on larder and on the recipe.
func (r rush) both(tb testing.TB, server *testdb.Server) (larder, recipe rushed) {
	tb.Helper()
	larder = r.run(tb, server, "larder", func(s *subject, fake *fetchertest.Fake) worker {
		p := workers.StartGo(tb, workers.Settings{Database: s.db.URL(), Prefix: prefix, Key: tokenKey}.Of(fake))
		p.Status(tb) // it is there
		return p
	})
	release := newestLaravel()
	recipe = r.run(tb, server, "the recipe", func(s *subject, fake *fetchertest.Fake) worker {
		return workers.StartPHP(tb, release.OnMySQL(tb, s.db, prefix), fake)
	})
	if larder.Failed > 0 {
		tb.Errorf("%s: %d of larder's callers got no token: %v", r.name, larder.Failed, larder.Errors)
	}
	return larder, recipe
}

// tokenRushes measures both rushes, and returns the figures with goals, and the table for docs/tokens.md.
func tokenRushes(tb testing.TB, server *testdb.Server) ([]result, string) {
	tb.Helper()
	cold, coldRecipe := coldStart.both(tb, server)
	soft, softRecipe := softExpiry.both(tb, server)
	fetches := func(name string, larder, recipe rushed) result {
		return result{
			kind: count, name: name + "-fetches", value: float64(larder.fetches), goal: 1, atMost: true,
			larder: "10 processes, " + larder.name, reference: fmt.Sprintf("%d, the recipe on 10 processes of Laravel", recipe.fetches),
		}
	}
	return []result{
		fetches("token-cold-start", cold, coldRecipe),
		{
			kind: ratio, name: "token-cold-start-wait", value: cold.Worst.Seconds() / upstream.Seconds(), goal: 1.5,
			larder:    duration(float64(cold.Worst)) + ", the worst of 1,000 callers",
			reference: fmt.Sprintf("the vendor's %v; with the recipe the worst is %s", upstream, duration(float64(coldRecipe.Worst))),
		},
		fetches("token-expiry", soft, softRecipe),
		{
			kind: count, name: "token-expiry-waiting", value: float64(soft.Waited), atMost: true,
			larder:    fmt.Sprintf("of %d callers, longer than %v; the worst %s", soft.callers(), workers.Noticeable, duration(float64(soft.Worst))),
			reference: fmt.Sprintf("%d with the recipe, the worst %s", softRecipe.Waited, duration(float64(softRecipe.Worst))),
		},
	}, rushTable(cold, coldRecipe, soft, softRecipe)
}

func rushTable(rows ...rushed) string {
	var b strings.Builder
	b.WriteString("| what happens | with | fetches | callers that waited over 0.25 s | longest wait | callers without a token |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- |\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %d | %d of %d | %s | %d |\n", r.name, r.who, r.fetches, r.Waited, r.callers(), duration(float64(r.Worst)), r.Failed)
	}
	return b.String()
}

// The lines between which the table stands in docs/tokens.md.
const (
	tableBegins = "<!-- make bench writes what follows -->\n"
	tableEnds   = "<!-- until here -->\n"
)

// withTable returns the page with another table.
func withTable(page, table string) (string, error) {
	head, rest, begins := strings.Cut(page, tableBegins)
	_, tail, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		return "", fmt.Errorf("the page lacks one of the lines %q and %q", tableBegins, tableEnds)
	}
	return head + tableBegins + "\n" + table + "\n" + tableEnds + tail, nil
}

func TestWithTable_ReplacesTheTableAlone(t *testing.T) {
	page := "before\n" + tableBegins + "\n| old |\n\n" + tableEnds + "after\n"
	got, err := withTable(page, "| new |\n")
	if want := strings.Replace(page, "old", "new", 1); err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if _, err := withTable("a page without the lines", "x"); err == nil {
		t.Error("no error")
	}
}
