// Package duration is how larder reads and writes lengths of time: the same in flags, in larder.yaml and in a request, so that what is printed in one
// place can be given in another.
package duration

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ErrForm is what [Parse] says of a text that is no duration: it names the forms that are.
var ErrForm = errors.New("want seconds or a duration, such as 600, 90s, 10m, 1h30m, 1d or 2w")

// part is a number and its unit. Blanks may stand between the parts, as [Rough] prints them.
var part = regexp.MustCompile(`^ *([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h|d|w) *`)

// days are the units that Go's durations do not have. A day has 24 hours, whatever the clocks are put to.
var days = map[string]float64{"d": 1, "w": 7}

// Parse reads a duration: a whole number of seconds (600), or Go's notation (10m, 1h30m, 1.5s) with days and weeks (1d, 2w, 1d12h) besides. It may be
// negative. The error is [ErrForm], or says that the duration is longer than 292 years.
func Parse(text string) (time.Duration, error) {
	rest, negative := strings.CutPrefix(text, "-")
	if !negative {
		rest = strings.TrimPrefix(rest, "+")
	}
	if isDigits(rest) {
		rest += "s"
	}
	total := time.Duration(0)
	for first := true; first || rest != ""; first = false {
		m := part.FindStringSubmatch(rest)
		if m == nil {
			return 0, ErrForm
		}
		d, err := length(m[1], m[2])
		if err != nil {
			return 0, err
		}
		if total += d; total < 0 {
			return 0, errTooLong
		}
		rest = rest[len(m[0]):]
	}
	if negative {
		total = -total
	}
	return total, nil
}

var errTooLong = errors.New("want a duration of at most 292 years, such as 3650d")

func length(number, unit string) (time.Duration, error) {
	perUnit, ok := days[unit]
	if !ok {
		d, err := time.ParseDuration(number + unit)
		if err != nil { // the form is right
			return 0, errTooLong
		}
		return d, nil
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n*perUnit*float64(24*time.Hour) >= math.MaxInt64 {
		return 0, errTooLong
	}
	return time.Duration(n * perUnit * float64(24*time.Hour)), nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// Text writes a duration exactly, so that [Parse] reads the same one: 10m, 1h30m, 1d12h. Zero is 0s.
func Text(d time.Duration) string {
	if d < 0 {
		if d == math.MinInt64 {
			return d.String()
		}
		return "-" + Text(-d)
	}
	text := ""
	if n := d / (24 * time.Hour); n > 0 {
		text, d = fmt.Sprintf("%dd", n), d%(24*time.Hour)
	}
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}} {
		if n := d / u.unit; n > 0 {
			text, d = text+strconv.FormatInt(int64(n), 10)+u.name, d%u.unit
		}
	}
	if d > 0 || text == "" {
		text += d.String()
	}
	return text
}

// years is from when on days say less to a reader than years. These, of 365 days and a quarter, are not for giving back: [Parse] has no unit of
// which nobody knows how long it is.
const years = 10 * 365 * 24 * time.Hour

// Rough writes how long a duration is, whatever its sign, in two units for those who read it: 1h 56m, 2d 3h, 12s; and from ten years on in
// those: 56 years.
func Rough(d time.Duration) string {
	d = d.Abs()
	switch {
	case d >= years:
		return fmt.Sprintf("%d years", max(10, d/(8766*time.Hour)))
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd %dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh %dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm %ds", d/time.Minute, d%time.Minute/time.Second)
	case d >= 10*time.Second:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return d.Round(time.Millisecond).String()
}
