package laravel_test

import (
	_ "embed"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/laravel"
)

//go:embed oracle.php
var oraclePHP string

// The steps of a run, and the number that its scripts follow from, can be set in the environment. scripts/test-peers.sh does.
const (
	envSteps = "LARDER_ORACLE_STEPS" // on MariaDB; SQLite, which has fewer differences, gets a fifth
	envSeed  = "LARDER_ORACLE_SEED"

	fullRun = 10_000 // steps on MariaDB in which every difference of the list must occur
	episode = 200    // steps from empty tables on
)

// The same scripts of random operations are performed by larder and by a real Laravel, on tables of the same make. After each step both have
// answered the same and all rows are the same, byte for byte, but for what the list of differences allows.
func TestOracle_LarderDoesWhatLaravelDoes(t *testing.T) {
	for _, release := range laravel.Releases() {
		for _, engine := range []string{"MySQL", "SQLite"} {
			t.Run(release.String()+"/"+engine, func(t *testing.T) {
				steps := setting(t, envSteps, 1500)
				full := steps >= fullRun
				if engine == "SQLite" {
					steps /= 5
				}
				o := &oracle{twins: newTwins(t, release, engine == "MySQL", oraclePHP), used: map[string]int{}}
				o.run(t, uint64(setting(t, envSeed, 1)), steps)
				o.report(t, full)
			})
		}
	}
}

// Users find the list of differences in docs/laravel.md, as a table.
func TestOracle_DocumentedDifferencesAreTheList(t *testing.T) {
	text, err := os.ReadFile("../../docs/laravel.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Where larder differs from Laravel on purpose\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var documented, listed []string
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| `") {
			documented = append(documented, strings.TrimSpace(line))
		}
	}
	for _, d := range differences {
		listed = append(listed, fmt.Sprintf("| `%s` | %s | %s | %s |", d.id, d.where(), d.what, d.why))
	}
	if !slices.Equal(documented, listed) {
		t.Errorf("the table in docs/laravel.md should be\n%s", strings.Join(listed, "\n"))
	}
}

func setting(t *testing.T, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%q: want a number", name, text)
	}
	return n
}

type oracle struct {
	*twins
	steps int
	used  map[string]int // how many answers and rows each difference has excused
}

func (o *oracle) run(t *testing.T, seed uint64, steps int) {
	t.Logf("%s, seed %d, %d steps", o.release.Version(t), seed, steps)
	g := newGenerator(seed, features(t, o.release))
	script := g.boundaries() // besides the steps that were asked for
	for all := len(script) + steps; len(script) > 0; script = g.script(min(episode, all-o.steps)) {
		first := o.steps
		if at, trouble := o.episode(t, script); trouble != "" {
			shortest, trouble := o.shrink(t, script[:at+1], trouble)
			var text strings.Builder
			for i, s := range shortest {
				fmt.Fprintf(&text, "%4d  at %d: %v\n", i, s.Now, s)
			}
			t.Fatalf("unexplained difference in step %d of seed %d (%s=%d %s=%d)\nthe shortest script that shows it:\n%s%s",
				first+at, seed, envSeed, seed, envSteps, steps, text.String(), trouble)
		}
	}
}

// episode performs a script from empty tables on. It stops at the first step with an unexplained difference and tells it.
func (o *oracle) episode(t *testing.T, script []step) (at int, trouble string) {
	o.clear(t)
	common := tables{}
	for i, s := range script {
		if common, trouble = o.step(t, s, common); trouble != "" {
			return i, trouble
		}
		o.steps++
	}
	return 0, ""
}

// step performs one step on both sides, whose tables are the same before and after it.
func (o *oracle) step(t *testing.T, s step, before tables) (after tables, trouble string) {
	t.Helper()
	if s.Op == "poke" {
		o.poke(t, s)
		return o.tables(t, theirs), ""
	}
	seen := &observed{step: s, before: before, since: o.isSince, mysql: o.mysql}
	seen.alike = func(a, b string) bool { return o.alike(t, a, b) }
	o.php.Ask(t, &seen.answers[theirs], s.command())
	seen.answers[ours] = o.perform(t, s)
	seen.after = [2]tables{o.tables(t, theirs), o.tables(t, ours)}
	met := maps.Clone(o.used)

	if !seen.sameAnswer() && !o.excused(func(d difference) bool { return d.answer != nil && d.answer(seen) }) {
		return tables{}, seen.String()
	}
	diffs := seen.rowDiffs()
	for _, diff := range diffs {
		explained := false
		for _, d := range differences {
			if o.applies(d) && d.row != nil && d.row(seen, diff) {
				o.used[d.id]++
				o.align(t, diff, d.keep)
				explained = true
				break
			}
		}
		if !explained {
			return tables{}, seen.String()
		}
	}
	for _, d := range differences {
		if o.applies(d) && d.must != nil && d.must(seen) && o.used[d.id] == met[d.id] {
			return tables{}, fmt.Sprintf("larder does as Laravel does, against %s:\n%v", d.id, seen)
		}
	}
	if len(diffs) == 0 {
		return seen.after[theirs], ""
	}
	aligned := [2]tables{o.tables(t, theirs), o.tables(t, ours)}
	if !aligned[theirs].equal(aligned[ours]) {
		t.Fatalf("%v: cannot make both the same again:\nLaravel\n%vlarder\n%v", s, aligned[theirs], aligned[ours])
	}
	return aligned[theirs], ""
}

func (o *oracle) excused(by func(difference) bool) bool {
	for _, d := range differences {
		if o.applies(d) && by(d) {
			o.used[d.id]++
			return true
		}
	}
	return false
}

// applies tells whether a difference exists in this release on this engine.
func (o *oracle) applies(d difference) bool {
	engine := o.mysql && d.mysql || !o.mysql && d.sqlite || !d.mysql && !d.sqlite
	return engine && o.isSince(d.since[0], d.since[1]) && (d.until == [2]int{} || !o.isSince(d.until[0], d.until[1]))
}

// report tells how often each difference was met. One that no full run meets is a dead excuse.
func (o *oracle) report(t *testing.T, full bool) {
	for _, d := range differences {
		if !o.applies(d) {
			continue
		}
		t.Logf("%6d  %s", o.used[d.id], d.id)
		if full && o.used[d.id] == 0 {
			t.Errorf("the difference %s was never met in %d steps: does it exist?", d.id, o.steps)
		}
	}
}

// shrink leaves out of a script what it can, as long as its last step still shows a difference.
func (o *oracle) shrink(t *testing.T, script []step, trouble string) ([]step, string) {
	for size := len(script) / 2; size > 0; size /= 2 {
		for from := 0; from+size < len(script); {
			shorter := slices.Concat(script[:from], script[from+size:])
			if at, still := o.episode(t, shorter); still != "" && at == len(shorter)-1 {
				script, trouble = shorter, still
			} else {
				from += size
			}
		}
	}
	return script, trouble
}

func (o *observed) sameAnswer() bool {
	a, b := o.answers[theirs], o.answers[ours]
	return (a.Fault != "") == (b.Fault != "") && string(a.Value) == string(b.Value)
}

func (o *observed) rowDiffs() []rowDiff {
	var diffs []rowDiff
	for _, lock := range []bool{false, true} {
		before, rows := o.before.cache, [2]map[string]row{o.after[theirs].cache, o.after[ours].cache}
		if lock {
			before, rows = o.before.locks, [2]map[string]row{o.after[theirs].locks, o.after[ours].locks}
		}
		all := maps.Clone(rows[theirs])
		maps.Copy(all, rows[ours])
		for _, key := range slices.Sorted(maps.Keys(all)) {
			d := rowDiff{lock: lock, key: key, before: in(before, key), rows: [2]*row{in(rows[theirs], key), in(rows[ours], key)}}
			if !sameRow(d.rows[theirs], d.rows[ours]) {
				diffs = append(diffs, d)
			}
		}
	}
	return diffs
}

func in(rows map[string]row, key string) *row {
	if r, ok := rows[key]; ok {
		return &r
	}
	return nil
}

func (o *observed) String() string {
	return fmt.Sprintf("%v\nbefore\n%vLaravel answers %v and has\n%vlarder answers %v and has\n%v",
		o.step, o.before, o.answers[theirs], o.after[theirs], o.answers[ours], o.after[ours])
}
