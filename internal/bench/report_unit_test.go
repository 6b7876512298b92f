package bench

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestReport_AFigureAboveItsGoalIsNamed(t *testing.T) {
	r := report{results: []result{
		{kind: ratio, name: "good", value: 1.104, goal: 1.10}, // 1.10 as it is printed
		{kind: ratio, name: "bad", value: 1.106, goal: 1.10},
		{kind: ratio, name: "told", value: 9},
		{kind: count, name: "none", value: 0, atMost: true},
		{kind: count, name: "some", value: 1, atMost: true},
		{kind: ratio, name: "broken", value: math.NaN(), goal: 1},
		{kind: megabytes, name: "light", value: 60.04, goal: 60},
		{kind: milliseconds, name: "late", value: 100.06, goal: 100},
	}}
	got := strings.Join(r.missed(), "; ")
	want := "bad is 1.11, above its goal of 1.10; some is 1, above its goal of 0; broken is NaN, above its goal of 1.00; " +
		"late is 100.1, above its goal of 100.0"
	if got != want {
		t.Errorf("missed: %s\nwant:   %s", got, want)
	}
	for i, want := range []string{"ratio good 1.10 <= 1.10", "ratio bad 1.11 <= 1.10", "ratio told 9.00", "count none 0 <= 0"} {
		if got := r.results[i].line(); got != want {
			t.Errorf("line is %q, want %q", got, want)
		}
	}
	if page := r.page(); !strings.Contains(page, "| bad |  |  | 1.11 | ≤ 1.10 MISSED |\n") {
		t.Errorf("page:\n%s", page)
	}
}

// A machine that is ten times slower for a while spoils the rounds in which it becomes so, and no more.
func TestComparison_TheRatioIsThatOfMostRounds(t *testing.T) {
	calls := 0
	speed := func() time.Duration {
		if calls++; calls > 9 {
			return 10
		}
		return 1
	}
	c := comparison{
		name:   "x",
		larder: func(n int) (time.Duration, error) { return speed() * time.Duration(n) * 3 * time.Millisecond, nil },
		other:  func(n int) (time.Duration, error) { return speed() * time.Duration(n) * 2 * time.Millisecond, nil },
	}
	results, err := c.measure(0)
	if err != nil || results[0].value != 1.5 {
		t.Errorf("%+v, %v", results, err)
	}
}

func TestComparison_AFailureIsNoFigure(t *testing.T) {
	fails := func(int) (time.Duration, error) { return 0, errors.New("down") }
	works := func(int) (time.Duration, error) { return time.Second, nil }
	for _, c := range []comparison{{name: "x", larder: fails, other: works}, {name: "x", larder: works, other: fails}} {
		if results, err := c.measure(0); err == nil || results != nil {
			t.Errorf("%+v, %v", results, err)
		}
	}
}
