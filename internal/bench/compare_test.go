package bench

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

// A run does something n times and returns how long that took.
type run func(n int) (time.Duration, error)

// A comparison is one thing done by larder and by a reference.
type comparison struct {
	name      string
	reference string // what it is, for people
	goal      float64
	larder    run
	other     run
	slice     time.Duration // how long the reference is measured at a time, about. Defaults to defaultSlice.
	allocs    *allocs       // of larder's side. Defaults to none that count.
}

// An allocs is a bound on the allocations of one call.
type allocs struct {
	of   func()
	most float64
}

// The length of a slice is short against the times in which the machine is busy with something else, and long against the clock.
const (
	defaultSlice = 15 * time.Millisecond
	fewestRounds = 7
)

// timed makes a run of a function that is called once for each of the n.
func timed(do func() error) run {
	return func(n int) (time.Duration, error) {
		start := time.Now()
		for range n {
			if err := do(); err != nil {
				return 0, err
			}
		}
		return time.Since(start), nil
	}
}

// measure runs the two sides in turn for about as long as it may take. The ratio is the median of the rounds' own: a slow moment then spoils one
// round, and not the time of one side.
func (c comparison) measure(budget time.Duration) ([]result, error) {
	n, err := c.calibrate()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	var ours, theirs, ratios []float64
	for start := time.Now(); len(ratios) < fewestRounds || time.Since(start) < budget; {
		var a, b time.Duration
		if len(ratios)%2 == 0 {
			a, b, err = both(c.larder, c.other, n)
		} else {
			b, a, err = both(c.other, c.larder, n)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		ours, theirs = append(ours, float64(a)/float64(n)), append(theirs, float64(b)/float64(n))
		ratios = append(ratios, float64(a)/float64(b))
	}
	results := []result{{
		kind: ratio, name: c.name, value: median(ratios), goal: c.goal,
		larder: duration(median(ours)), reference: duration(median(theirs)) + ", " + c.reference,
	}}
	if c.allocs != nil {
		results = append(results, c.allocs.measure(c.name))
	}
	return results, nil
}

func both(first, second run, n int) (a, b time.Duration, err error) {
	if a, err = first(n); err == nil {
		b, err = second(n)
	}
	return a, b, err
}

// calibrate returns how many times fill a slice, and warms both sides up.
func (c comparison) calibrate() (int, error) {
	slice := c.slice
	if slice == 0 {
		slice = defaultSlice
	}
	for n := 1; ; n *= 2 {
		_, took, err := both(c.larder, c.other, n)
		if err != nil {
			return 0, err
		}
		if took >= slice/4 {
			return max(1, int(float64(n)*float64(slice)/float64(took))), nil
		}
	}
}

func (a *allocs) measure(name string) result {
	n := testing.AllocsPerRun(1000, a.of)
	return result{kind: allocations, name: name, value: n, goal: a.most, atMost: true, larder: fmt.Sprint(n, " a call")}
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	if len(sorted) == 0 {
		return math.NaN()
	}
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// duration writes nanoseconds with three digits.
func duration(ns float64) string {
	d := time.Duration(ns)
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%.3g ns", ns)
	case d < time.Millisecond:
		return fmt.Sprintf("%.3g µs", ns/1e3)
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", ns/1e6)
	}
	return fmt.Sprintf("%.3g s", ns/1e9)
}
