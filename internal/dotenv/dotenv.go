// Package dotenv reads .env files by the rules of vlucas/phpdotenv 5.6, the parser that Laravel 8 and later use, so that
// larder sees the settings that the PHP application sees.
//
// A file is UTF-8, with or without a byte order mark; its lines end in LF, CRLF or CR. Blank lines and lines that begin with
// # are skipped. Every other line is [export ]NAME=VALUE:
//
//   - NAME may be quoted and consists of letters, marks, digits, _ and dots. NAME without = unsets the variable.
//   - An unquoted VALUE ends at white space or at a #, even one within a word (pa#ss is pa). What follows the white space must
//     be a comment; APP_NAME=My App is an error. Backslashes and inner quotes stand for themselves.
//   - A 'single-quoted' VALUE is literal.
//   - A "double-quoted" VALUE knows \" \\ \$ \n \r \t \f \v; any other escape is an error. It may go on over several lines if
//     the quote follows the = directly.
//   - ${NAME} in an unquoted or double-quoted VALUE is replaced by the real environment's NAME or, failing that, by that of an
//     earlier line. An unknown one stays as it is, and so does $NAME.
//   - Of several lines with one NAME the last counts.
//
// There is one difference: where a quote that is opened on one line is never closed, phpdotenv drops the rest of the file
// without a word, and Parse returns an error.
package dotenv

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Var is the value of one variable, and the line, counted from 1, on which its definition begins.
type Var struct {
	Value string
	Line  int
}

// Vars are the variables that a file sets, by name.
type Vars map[string]Var

// Lookup returns the value of the named variable and whether the file sets it. A variable of the real environment takes
// precedence over the file's; that is the caller's to do.
func (v Vars) Lookup(name string) (string, bool) {
	found, ok := v[name]
	return found.Value, ok
}

// A ParseError tells what is wrong with a file and where. It never contains text from the file, which may be a secret.
type ParseError struct {
	File string // the file's name, or "" if it was not known
	Line int    // counted from 1; of a value of several lines, the first
	Msg  string
}

// Error returns FILE:LINE: MESSAGE.
func (e *ParseError) Error() string {
	if e.File == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Msg)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
}

// ReadFile reads and parses the named file as [Parse] does. It returns the error of [os.ReadFile], or a [*ParseError] that
// carries the file's name.
func ReadFile(name string, lookup func(string) (string, bool)) (Vars, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	vars, err := Parse(data, lookup)
	if parseErr, ok := errors.AsType[*ParseError](err); ok {
		parseErr.File = name
	}
	return vars, err
}

// Parse returns the variables that the contents of a .env file set. The function lookup gives the real environment, for
// ${NAME}; nil is an empty one. An error is a [*ParseError], for the first line that phpdotenv would refuse. Bytes that are
// not UTF-8 become question marks, as they do in phpdotenv.
func Parse(data []byte, lookup func(string) (string, bool)) (Vars, error) {
	if lookup == nil {
		lookup = func(string) (string, bool) { return "", false }
	}
	vars := Vars{}
	resolve := func(name string) (string, bool) {
		if value, ok := lookup(name); ok {
			return value, true
		}
		return vars.Lookup(name)
	}
	entries, err := split(data)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name, value, msg := parseEntry(e.text, resolve)
		switch {
		case msg != "":
			return nil, &ParseError{Line: e.line, Msg: msg}
		case value == nil:
			delete(vars, name)
		default:
			vars[name] = Var{Value: *value, Line: e.line}
		}
	}
	return vars, nil
}

// An entry is one definition, of one line or more.
type entry struct {
	text string
	line int
}

var lineEnd = regexp.MustCompile("\r\n|\n|\r")

// split cuts a file into definitions, without comments and blank lines. A comment that looks like the start of a value of
// several lines is continued like one, because phpdotenv tests for that first.
func split(data []byte) ([]entry, error) {
	text := validUTF8(string(bytes.TrimPrefix(data, []byte("\ufeff"))))

	var entries []entry
	var open []string // the lines of a value whose quote is open
	var opened int
	for i, line := range lineEnd.Split(text, -1) {
		number := i + 1
		switch {
		case open != nil:
			open = append(open, line)
			if !closesQuote(line, 1) {
				continue
			}
			line, number, open = strings.Join(open, "\n"), opened, nil
		case strings.Contains(line, `="`) && !closesQuote(line, 2):
			open, opened = []string{line}, number
			continue
		}
		if line := strings.Trim(line, blanks); line == "" || line[0] == '#' {
			continue
		}
		entries = append(entries, entry{line, number})
	}
	if open != nil {
		return nil, &ParseError{Line: opened, Msg: `the double quote that opens here is never closed; close it, or write \" for a quote within a value`}
	}
	return entries, nil
}

// validUTF8 replaces each byte that is not part of a UTF-8 sequence by a question mark.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd") {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// blanks are the bytes that PHP's trim removes.
const blanks = " \n\r\t\x00\x0b"

// closesQuote tells whether a line holds at least want double quotes that follow something other than a backslash, or is
// nothing but a double quote. This is phpdotenv's test for the end of a value, to the letter.
func closesQuote(line string, want int) bool {
	if line == `"` {
		return true
	}
	line = strings.ReplaceAll(line, `\\`, "")
	n := 0
	for i := 1; i < len(line); i++ {
		if line[i] == '"' && line[i-1] != '\\' {
			n++
		}
	}
	return n >= want
}

// parseEntry returns the name and the value of a definition, or what is wrong with it. The value is nil for a name
// without =.
func parseEntry(text string, resolve func(string) (string, bool)) (name string, value *string, msg string) {
	name, rest, assigned := strings.Cut(text, "=")
	if assigned {
		name = strings.Trim(name, blanks)
		if name == "" {
			return "", nil, "an equals sign without a name before it; write NAME=VALUE"
		}
	}
	name, ok := parseName(name)
	if !ok {
		return "", nil, "this is not a variable's name, nor a comment; a name consists of letters, digits, _ and dots (a value of several lines must be in double quotes)"
	}
	if !assigned {
		return name, nil, ""
	}
	parsed, msg := parseValue(strings.Trim(rest, blanks), resolve)
	return name, &parsed, msg
}

func parseName(name string) (string, bool) {
	// The length is phpdotenv's: "export A" is not taken for an export.
	if after, ok := strings.CutPrefix(name, "export"); ok && utf8.RuneCountInString(name) > 8 && isSpace(after[0]) {
		name = strings.TrimLeft(after, " \t\n\r\v\f")
	}
	if n := len(name); utf8.RuneCountInString(name) >= 3 && name[0] == name[n-1] && (name[0] == '"' || name[0] == '\'') {
		name = name[1 : n-1]
	}
	for _, r := range name {
		if r != '_' && r != '.' && !unicode.In(r, unicode.Ll, unicode.Lu, unicode.M, unicode.N) {
			return "", false
		}
	}
	return name, name != ""
}

// isSpace is PHP's ctype_space.
func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }
