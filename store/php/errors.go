package php

import (
	"fmt"
	"strconv"
)

// A SyntaxError reports text that is not what it should be: serialized data for [Decode] and [Unmarshal], JSON for
// [FromJSON]. Its message names the place and what was expected there, and never quotes the text, which may be secret.
type SyntaxError struct {
	Offset int64  // bytes before the place where reading stopped
	Msg    string // what is wrong there

	json bool
}

func (e *SyntaxError) Error() string {
	format := "serialized PHP data"
	if e.json {
		format = "JSON"
	}
	return fmt.Sprintf("invalid %s at byte %d: %s", format, e.Offset, e.Msg)
}

// A LimitError reports a value that is refused for its size: one nested deeper than [MaxDepth] (or deeper than JSON may
// be, in [FromJSON]), or one whose references, written out, would take far more room than its text.
type LimitError struct {
	What  string // "levels of nesting", "values made by following references"
	Limit int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("the value has more than %d %s", e.Limit, e.What)
}

// A TypeError reports a PHP value that [Unmarshal] does not store in the Go value that was given for it, because no
// value of one kind is turned into another kind in silence.
type TypeError struct {
	Path string // the place in the value, as in users[3].id; empty for the value itself, cut after 256 bytes
	Want string // the Go type
	Got  string // what PHP has there: "string", "null", "array with keys other than 0, 1, 2, ..."
}

func (e *TypeError) Error() string {
	return fmt.Sprintf("%scannot store a PHP %s in a Go %s", place(e.Path), e.Got, e.Want)
}

// An OverflowError reports a number that its destination cannot hold exactly: a PHP int too large for the Go type (or,
// for a float, one that would be rounded), a float beyond float32, or an unsigned Go integer above PHP's largest int.
// The message leaves the number out; Value has it.
type OverflowError struct {
	Path  string // as in TypeError
	Value string // the number in decimal
	Type  string // the type that is too small: a Go type, or "PHP int"
}

func (e *OverflowError) Error() string {
	return fmt.Sprintf("%sthe number does not fit into %s", place(e.Path), e.Type)
}

// An UnsupportedTypeError reports a Go value that has no form in PHP, or a destination that no PHP value fits.
type UnsupportedTypeError struct {
	Path   string // as in TypeError
	Type   string // the Go type
	Reason string // why, and what to do instead
}

func (e *UnsupportedTypeError) Error() string {
	return fmt.Sprintf("%sGo type %s is not supported: %s", place(e.Path), e.Type, e.Reason)
}

func place(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

func (e *TypeError) under(k Key)            { e.Path = join(k, e.Path) }
func (e *OverflowError) under(k Key)        { e.Path = join(k, e.Path) }
func (e *UnsupportedTypeError) under(k Key) { e.Path = join(k, e.Path) }

// under adds k in front of the path of err, if err has a path. The path is made while an error travels up, so that it
// costs nothing where there is none.
func under(k Key, err error) error {
	if e, ok := err.(interface{ under(Key) }); ok {
		e.under(k)
	}
	return err
}

// join is one step of a path: an int key k gives [k], a key that reads as a name gives k, any other ["k"].
func join(k Key, rest string) string {
	const maxShown = 64 // bytes of a key: keys are shown to find the place, and a long one finds it no better

	s := k.text
	switch {
	case !k.isText:
		s = "[" + strconv.FormatInt(k.num, 10) + "]"
	case len(s) > maxShown:
		s = "[" + strconv.Quote(s[:maxShown]) + "...]"
	case !isName(s):
		s = "[" + strconv.Quote(s) + "]"
	}
	if rest != "" && rest[0] != '[' {
		s += "."
	}
	return bounded(s + rest)
}

// maxPath bounds the path of an error, in bytes: a value may be nested thousands of levels deep, each with a key of its own.
const maxPath = 256

// bounded leaves the beginning of a path that is too long.
func bounded(path string) string {
	if len(path) <= maxPath {
		return path
	}
	return cut(path, maxPath) + "..."
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if digit := c >= '0' && c <= '9' || c == '-'; !letter && (i == 0 || !digit) {
			return false
		}
	}
	return s != ""
}
