// Package workers runs fetchers as processes of their own, which tests may kill and stop, and the recipe that they are in place of: a real Laravel that
// fetches the token itself. Both do the same for the same callers and tell the same figures.
//
// The processes are the test's own binary, so its TestMain begins with [ServeIfAsked].
package workers

import (
	"time"
)

// A Calls says what callers do: N of them ask for the token, the first at Begin, the others each Every later.
type Calls struct {
	Begin time.Time
	N     int
	Every time.Duration
}

// An Outcome is what the callers got. A wait counts from when the caller came, also while it stood behind others.
type Outcome struct {
	Failed int           // who got no token
	Waited int           // who waited for longer than Noticeable
	Worst  time.Duration // the longest wait
	Tokens []string      // the different ones
	Errors []string      // and errors
}

// Noticeable is the wait from which on a caller counts as waiting: much longer than reading a row takes on a busy machine, and shorter
// than what vendors take who are slow.
const Noticeable = 250 * time.Millisecond

// Together returns what the callers of several processes got.
func Together(outcomes ...Outcome) (all Outcome) {
	tokens, errors := map[string]bool{}, map[string]bool{}
	for _, o := range outcomes {
		all.Failed, all.Waited, all.Worst = all.Failed+o.Failed, all.Waited+o.Waited, max(all.Worst, o.Worst)
		all.Tokens, all.Errors = union(tokens, all.Tokens, o.Tokens), union(errors, all.Errors, o.Errors)
	}
	return all
}

func union(seen map[string]bool, all, more []string) []string {
	for _, s := range more {
		if !seen[s] {
			seen[s] = true
			all = append(all, s)
		}
	}
	return all
}
