package fetcher_test

import (
	"slices"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/internal/workers"
	"github.com/larder-cache/larder/migrations"
)

// Scenarios with real processes, which are killed and stopped, on a real MariaDB. What depends on time alone is in scenario_test.go.

// start starts processes and waits until they are there.
func start(t *testing.T, n int, set workers.Settings) []*workers.Go {
	t.Helper()
	var all []*workers.Go
	for range n {
		all = append(all, workers.StartGo(t, set))
	}
	for _, p := range all {
		p.Status(t)
	}
	return all
}

// settings are those of a process that has the fleet's database and a fake's credentials. A holder that died is outlived soon.
func (f *fleet) settings(fake *fetchertest.Fake) workers.Settings {
	return workers.Settings{Database: f.url, Key: key, Timeout: 3 * time.Second, LockTTL: 4 * time.Second}.Of(fake)
}

// weChat returns a vendor each of whose tokens is another one, and the settings for it.
func (f *fleet) weChat(t *testing.T) (*fetchertest.Fake, workers.Settings) {
	t.Helper()
	fake := fetchertest.NewWeChat()
	t.Cleanup(fake.Close)
	set := f.settings(fake)
	set.WeChat = true
	return fake, set
}

// outcome has n callers in each of the processes at once.
func outcome(t *testing.T, processes []*workers.Go, begin func(*workers.Go, workers.Calls), n int) workers.Outcome {
	t.Helper()
	calls := workers.Calls{Begin: time.Now().Add(100 * time.Millisecond), N: n}
	for _, p := range processes {
		begin(p, calls)
	}
	var all []workers.Outcome
	for _, p := range processes {
		all = append(all, p.Outcome(t))
	}
	return workers.Together(all...)
}

func TestScenario01_ColdStartOfTenProcessesFetchesOnce(t *testing.T) {
	f := newFleet(t, migrations.MySQL)
	fake, _ := newFake(t, fetchertest.WithLatency(time.Second))
	processes := start(t, 10, workers.Settings{Database: f.url, Key: key, Timeout: 10 * time.Second}.Of(fake))
	got := outcome(t, processes, func(p *workers.Go, c workers.Calls) { p.Begin(t, c) }, 100)
	if got.Failed != 0 || len(got.Tokens) != 1 || fake.Count() != 1 {
		t.Errorf("%d fetches; 1,000 callers got %+v, want one token of one fetch", fake.Count(), got)
	}
	if got.Worst > 10*time.Second { // the lock lasts for 15; docs/tokens.md has the true figure
		t.Errorf("one waited %v for a fetch of 1 s", got.Worst)
	}
}

// A row that is about to end, and 500 calls a second: one process fetches the next token, which takes four seconds, behind the callers' backs.
func TestScenario02_NobodyWaitsForTheNextTokenUnderLoad(t *testing.T) {
	f := newFleet(t, migrations.MySQL)
	const latency = 4 * time.Second // far longer than a busy machine holds up who waits for nothing
	fake, _ := newFake(t, fetchertest.WithLatency(latency))
	processes := start(t, 4, workers.Settings{Database: f.url, Key: key, Timeout: 10 * time.Second}.Of(fake))
	if err := f.reader.Put(t.Context(), key, "the-token-of-the-hours-before", 20*time.Second); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for _, p := range processes {
		p.Begin(t, workers.Calls{Begin: begin, N: 1000, Every: 8 * time.Millisecond})
	}
	var all []workers.Outcome
	for _, p := range processes {
		all = append(all, p.Outcome(t))
	}
	got := workers.Together(all...)
	if got.Failed != 0 || got.Worst >= latency*3/4 || len(got.Tokens) != 2 || fake.Count() != 1 { // docs/tokens.md has the true figure
		t.Errorf("%d fetches; callers got %+v, want the old token and then the new one, at once", fake.Count(), got)
	}
}

func TestScenario03_HolderKilledBetweenFetchAndWriteIsOutlived(t *testing.T) {
	f := newFleet(t, migrations.MySQL)
	fake, set := f.weChat(t)
	second := start(t, 1, set)[0]
	set.Held = true
	first := start(t, 1, set)[0]

	first.Begin(t, workers.Calls{N: 1})
	first.Fetched(t)
	first.Kill(t)
	begun := time.Now()
	token, err := second.Token(t)
	if err != nil || fake.Count() != 2 {
		t.Errorf("%v, %d fetches, want the second one's", err, fake.Count())
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("took %v, want the lock's 4 s and a fetch", took)
	}
	if row, _ := f.row(); row != quoted(token) {
		t.Errorf("row is %s, want %s", row, token)
	}
}

func TestScenario04_HolderStoppedPastItsLeaseWritesNothing(t *testing.T) {
	f := newFleet(t, migrations.MySQL)
	fake, set := f.weChat(t)
	second := start(t, 1, set)[0]
	set.Held = true
	first := start(t, 1, set)[0]

	first.Begin(t, workers.Calls{N: 1})
	first.Fetched(t)
	first.Stop(t)
	first.GoOn(t)
	newer, err := second.Token(t)
	if err != nil {
		t.Fatal(err)
	}
	first.Continue(t)
	if got := first.Outcome(t); !slices.Equal(got.Tokens, []string{newer}) {
		t.Errorf("the process that was stopped hands out %v, %v, want the newer token", got.Tokens, got.Errors)
	}
	if row, _ := f.row(); row != quoted(newer) {
		t.Errorf("row is %s, want %s", row, newer)
	}
	if n := fake.Count(); n != 2 {
		t.Errorf("%d fetches, want 2", n)
	}
}

func TestScenario12_RejectionStormAcrossProcessesFetchesOnce(t *testing.T) {
	f := newFleet(t, migrations.MySQL)
	fake, set := f.weChat(t)
	fake.SetLatency(300 * time.Millisecond)
	processes := start(t, 4, set)
	first := outcome(t, processes, func(p *workers.Go, c workers.Calls) { p.Begin(t, c) }, 1)
	if len(first.Tokens) != 1 {
		t.Fatalf("%+v", first)
	}
	reject := func() workers.Outcome {
		return outcome(t, processes, func(p *workers.Go, c workers.Calls) { p.BeginReject(t, first.Tokens[0], c) }, 250)
	}
	storm := reject()
	if storm.Failed != 0 || len(storm.Tokens) != 1 || storm.Tokens[0] == first.Tokens[0] || fake.Count() != 2 {
		t.Errorf("%d fetches; 1,000 reports got %+v, want the second token", fake.Count(), storm)
	}
	late := append(processes, start(t, 1, set)...) // one of them has never had the first token
	if got := outcome(t, late, func(p *workers.Go, c workers.Calls) { p.BeginReject(t, first.Tokens[0], c) }, 50); !slices.Equal(got.Tokens, storm.Tokens) || got.Failed != 0 {
		t.Errorf("late reports got %+v, want %v", got, storm.Tokens)
	}
	if n := fake.Count(); n != 2 {
		t.Errorf("%d fetches, want 2", n)
	}
}
