package dotenv

import (
	"regexp"
	"strings"
)

// maxValue bounds what ${NAME} can expand to, in bytes: lines that double each other's values stop here.
const maxValue = 1 << 20

// The states of parseValue, as phpdotenv's parser has them.
const (
	initial = iota
	unquoted
	singleQuoted
	doubleQuoted
	escape
	afterValue
	comment
)

// parseValue returns the value that the text after = stands for, or what is wrong with it.
func parseValue(text string, resolve func(string) (string, bool)) (value, msg string) {
	var out strings.Builder
	var dollars []int // where in out a $ may begin ${NAME}

	state := initial
	for i := range len(text) {
		c := text[i]
		switch state {
		case initial, unquoted:
			switch {
			case state == initial && c == '\'':
				state = singleQuoted
			case state == initial && c == '"':
				state = doubleQuoted
			case c == '#':
				state = comment
			case state == unquoted && isSpace(c) && strings.Trim(out.String(), " \t\n\v\f\r") != "":
				state = afterValue // form feeds that begin a value, which trim leaves, belong to it
			default:
				state = unquoted
				if c == '$' {
					dollars = append(dollars, out.Len())
				}
				out.WriteByte(c)
			}
		case singleQuoted:
			if c == '\'' {
				state = afterValue
				continue
			}
			out.WriteByte(c)
		case doubleQuoted:
			switch c {
			case '"':
				state = afterValue
				continue
			case '\\':
				state = escape
				continue
			case '$':
				dollars = append(dollars, out.Len())
			}
			out.WriteByte(c)
		case escape:
			plain, ok := escapes[c]
			if !ok {
				return "", `an escape sequence that double quotes do not know; they know \" \\ \$ \n \r \t \f \v (write \\ for a backslash, or use single quotes)`
			}
			out.WriteByte(plain)
			state = doubleQuoted
		case afterValue:
			switch {
			case c == '#':
				state = comment
			case !isSpace(c):
				return "", "unexpected whitespace in the value, or text after its closing quote; put the whole value in quotes"
			}
		}
	}
	switch state {
	case singleQuoted, doubleQuoted, escape:
		return "", "the closing quote is missing"
	}
	return expand(out.String(), dollars, resolve)
}

var escapes = map[byte]byte{
	'"': '"', '\\': '\\', '$': '$', 'n': '\n', 'r': '\r', 't': '\t', 'f': '\f', 'v': '\v',
}

var reference = regexp.MustCompile(`^\$\{([a-zA-Z0-9_.]+)\}`)

// expand replaces ${NAME} at the given places, from the last to the first as phpdotenv does: in ${A${B}} the inner one is
// replaced before the outer one is looked at.
func expand(value string, dollars []int, resolve func(string) (string, bool)) (_, msg string) {
	for n := len(dollars) - 1; n >= 0; n-- {
		i := dollars[n]
		match := reference.FindStringSubmatch(value[i:])
		if match == nil {
			continue
		}
		replacement, ok := resolve(match[1])
		if !ok {
			continue
		}
		if len(value)+len(replacement) > maxValue {
			return "", "the value is longer than 1 MiB once its ${NAME} are replaced"
		}
		value = value[:i] + replacement + value[i+len(match[0]):]
	}
	return value, ""
}
