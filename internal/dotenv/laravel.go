package dotenv

import (
	"regexp"
	"strings"
)

// A Kind tells what PHP's type a setting has after Laravel's env().
type Kind int

// The kinds of a [Value].
const (
	Absent Kind = iota // the variable is not set: env() returns its default
	Null               // null or (null): env() returns null, not its default
	Bool               // true, (true), false or (false)
	String             // anything else; empty, (empty) and a blank value are the empty string
)

// A Value is what Laravel's env() makes of a variable.
type Value struct {
	Kind Kind
	text string
}

// String returns the value as PHP converts it to a string: that of true is "1", those of false and null are empty.
func (v Value) String() string { return v.text }

// Or returns the value as a string, or the given default if the variable is absent, as the second argument of env() does.
func (v Value) Or(absent string) string {
	if v.Kind == Absent {
		return absent
	}
	return v.text
}

// PHP's dot does not match a newline, nor does Go's.
var quoted = regexp.MustCompile(`\A(?:"(.*)"|'(.*)')\z`)

// Env maps a variable as Laravel's env() does (unchanged since Laravel 5.8): true, false, empty and null, in any case and with
// or without parentheses, are PHP's values of that name, and one pair of quotes that surrounds the whole value is removed. The
// argument ok tells whether the variable is set at all.
//
// Only Laravel's own settings go through env(). The quotes that it removes are ones that phpdotenv left, as in '"a"'.
func Env(value string, ok bool) Value {
	if !ok {
		return Value{}
	}
	switch strings.ToLower(value) {
	case "true", "(true)":
		return Value{Bool, "1"}
	case "false", "(false)":
		return Value{Bool, ""}
	case "empty", "(empty)":
		return Value{String, ""}
	case "null", "(null)":
		return Value{Kind: Null}
	}
	if m := quoted.FindStringSubmatch(value); m != nil {
		return Value{String, m[1] + m[2]}
	}
	return Value{String, value}
}
