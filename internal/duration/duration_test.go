package duration_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/duration"
)

const day = 24 * time.Hour

func TestParse_ReadsSecondsGosNotationDaysAndWeeks(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"600": 10 * time.Minute, "0": 0, "0s": 0, "-5": -5 * time.Second, "+5": 5 * time.Second,
		"10m": 10 * time.Minute, "1h30m": 90 * time.Minute, "1.5s": 1500 * time.Millisecond, ".5m": 30 * time.Second, "250ms": 250 * time.Millisecond,
		"1d": day, "2w": 14 * day, "1d12h": 36 * time.Hour, "1.5d": 36 * time.Hour, "1w2d3h4m5s": 9*day + 3*time.Hour + 4*time.Minute + 5*time.Second,
		"1h 56m": 116 * time.Minute, "315360000": 3650 * day, "-1d": -day,
	} {
		if got, err := duration.Parse(text); err != nil || got != want {
			t.Errorf("%q is %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestParse_RefusesOthersAndNamesTheForms(t *testing.T) {
	for _, text := range []string{"", " ", "-", "--5", "m", "10 m", "1y", "1D", "10M", "1.5", "1d-2h", "soon", "1h30", "٣s", "1e3", "0x10s", "1d,2h"} {
		if got, err := duration.Parse(text); !errors.Is(err, duration.ErrForm) {
			t.Errorf("%q is %v, %v, want ErrForm", text, got, err)
		}
	}
	for _, form := range []string{"600", "90s", "10m", "1h30m", "1d", "2w"} {
		if _, err := duration.Parse(form); err != nil || !strings.Contains(duration.ErrForm.Error(), form) {
			t.Errorf("%s: %v, and the error names the forms by %q", form, err, duration.ErrForm)
		}
	}
}

func TestParse_RefusesWhatDoesNotFit(t *testing.T) {
	for _, text := range []string{"99999999999999999999", "9999999999999h", "106752d", "20000w", "106751d106751d", "-106752d"} {
		if got, err := duration.Parse(text); err == nil || errors.Is(err, duration.ErrForm) {
			t.Errorf("%q is %v, %v, want that it is too long", text, got, err)
		}
	}
}

func TestText_IsExactAndCanBeGivenBack(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "30s": 30 * time.Second, "10m": 10 * time.Minute, "1h30m": 90 * time.Minute, "2h": 2 * time.Hour, "1d": day, "1d12h": 36 * time.Hour,
		"14d": 14 * day, "1m1.5s": 61500 * time.Millisecond, "-1d": -day, "3650d": 3650 * day, "1h5s": time.Hour + 5*time.Second,
	} {
		if got := duration.Text(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
		if back, err := duration.Parse(want); err != nil || back != d {
			t.Errorf("%q comes back as %v, %v", want, back, err)
		}
	}
}

func TestRough_HasTwoUnitsThatParseReads(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"1h 56m": 116*time.Minute + 30*time.Second, "2d 3h": 51*time.Hour + time.Minute, "10m 0s": 10 * time.Minute, "12s": 12400 * time.Millisecond,
		"5s": -5 * time.Second, "3ms": 3 * time.Millisecond, "0s": 0,
	} {
		if got := duration.Rough(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
		if _, err := duration.Parse(want); err != nil {
			t.Errorf("%q cannot be given back: %v", want, err)
		}
	}
}

// A row with a wrong expiration was "20780d 6h ago".
func TestRough_FromTenYearsOnCountsYears(t *testing.T) {
	for d, want := range map[time.Duration]string{
		20780*day + 6*time.Hour: "56 years", 3650 * day: "10 years", -3650 * day: "10 years", 3650*day - time.Second: "3649d 23h", math.MaxInt64: "292 years",
	} {
		if got := duration.Rough(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
