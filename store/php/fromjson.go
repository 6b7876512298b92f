package php

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth is how many arrays and objects may stand inside one another in JSON. PHP's default depth of 512 counts
// the values in the innermost one as a level too, even if it has none (PHP 8.2).
const maxJSONDepth = 511

// FromJSON returns the value that PHP's json_decode($json, true) makes of data (PHP 8.2). Objects become arrays, with
// their keys in order, "5" as the int 5, and the last of two equal keys winning; a number with neither fraction nor
// exponent is an int, or a float if 64 bits do not hold it; -0 is the int 0 and -0.0 is not; a float too large is INF.
//
// The forms that [JSON] writes for what JSON cannot say have no meaning here: they are arrays with keys that start
// with $, so that data from outside is stored as it came.
//
// The error is a [*SyntaxError], among others for invalid UTF-8, an unpaired surrogate, and bytes other than white space
// after the value; or a [*LimitError] for 512 and more levels.
func FromJSON(data []byte) (Value, error) {
	p := jsonParser{scanner: scanner{data: data}}
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	if p.space(); p.rest() > 0 {
		return nil, p.bad("the value ends here, but more data follow")
	}
	return v, nil
}

type jsonParser struct {
	scanner
	depth int
	buf   []byte // of the string being read
}

func (p *jsonParser) bad(msg string) error {
	return &SyntaxError{Offset: int64(p.pos), Msg: msg + p.orEnd(), json: true}
}

func (p *jsonParser) space() {
	for p.peek() == ' ' || p.peek() == '\t' || p.peek() == '\n' || p.peek() == '\r' {
		p.pos++
	}
}

// value reads a value and the white space before it.
func (p *jsonParser) value() (Value, error) {
	p.space()
	switch c := p.peek(); {
	case c == '{':
		return p.object()
	case c == '[':
		return p.array()
	case c == '"':
		s, err := p.string()
		return String(s), err
	case c == '-' || p.digit():
		return p.number()
	case p.word("null"):
		return Null{}, nil
	case p.word("true"):
		return Bool(true), nil
	case p.word("false"):
		return Bool(false), nil
	}
	return nil, p.bad("want a value")
}

func (p *jsonParser) word(w string) bool {
	if p.rest() < len(w) || string(p.data[p.pos:p.pos+len(w)]) != w {
		return false
	}
	p.pos += len(w)
	return true
}

func (p *jsonParser) descend() error {
	p.pos++
	if p.depth++; p.depth > maxJSONDepth {
		return &LimitError{What: "levels of nesting", Limit: maxJSONDepth}
	}
	p.space()
	return nil
}

// next reads a comma, or the closing bracket and reports that it did.
func (p *jsonParser) next(closing byte) (done bool, err error) {
	p.space()
	switch p.peek() {
	case closing:
		p.pos++
		p.depth--
		return true, nil
	case ',':
		p.pos++
		return false, nil
	}
	return false, p.bad("want , or " + string(closing))
}

func (p *jsonParser) array() (Value, error) {
	if err := p.descend(); err != nil {
		return nil, err
	}
	a := &Array{}
	if p.peek() == ']' {
		_, err := p.next(']')
		return a, err
	}
	for {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		a.Set(IntKey(int64(a.Len())), v)
		if done, err := p.next(']'); done || err != nil {
			return a, err
		}
	}
}

func (p *jsonParser) object() (Value, error) {
	if err := p.descend(); err != nil {
		return nil, err
	}
	a := &Array{}
	if p.peek() == '}' {
		_, err := p.next('}')
		return a, err
	}
	for {
		p.space()
		if p.peek() != '"' {
			return nil, p.bad("want a key in quotes")
		}
		k, err := p.string()
		if err != nil {
			return nil, err
		}
		if p.space(); p.peek() != ':' {
			return nil, p.bad("want :")
		}
		p.pos++
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		a.Set(StringKey(k), v)
		if done, err := p.next('}'); done || err != nil {
			return a, err
		}
	}
}

func (p *jsonParser) number() (Value, error) {
	start, isInt := p.pos, true
	if p.peek() == '-' {
		p.pos++
	}
	zero := p.peek() == '0'
	if n := p.digits(); n == 0 || zero && n > 1 {
		return nil, p.bad("want a number without leading zeros")
	}
	if p.peek() == '.' {
		p.pos++
		isInt = false
		if p.digits() == 0 {
			return nil, p.bad("want the digits of a fraction")
		}
	}
	if p.peek() == 'e' || p.peek() == 'E' {
		p.pos++
		p.sign()
		isInt = false
		if p.digits() == 0 {
			return nil, p.bad("want the digits of an exponent")
		}
	}
	text := string(p.data[start:p.pos])
	if isInt {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return Int(n), nil
		}
	}
	f, _ := strconv.ParseFloat(text, 64) // out of range is INF or 0, as in PHP
	return Float(f), nil
}

func (p *jsonParser) string() (string, error) {
	p.pos++
	p.buf = p.buf[:0]
	for {
		switch c := p.peek(); {
		case c == '"':
			p.pos++
			return string(p.buf), nil
		case c == '\\':
			p.pos++
			if err := p.escape(); err != nil {
				return "", err
			}
		case c < ' ':
			return "", p.bad("a string has no control characters, and ends in a quote")
		case c < utf8.RuneSelf:
			p.buf = append(p.buf, c)
			p.pos++
		default:
			r, n := utf8.DecodeRune(p.data[p.pos:])
			if r == utf8.RuneError && n == 1 {
				return "", p.bad("the string is not UTF-8")
			}
			p.buf = append(p.buf, p.data[p.pos:p.pos+n]...)
			p.pos += n
		}
	}
}

// escape reads what follows a backslash.
func (p *jsonParser) escape() error {
	const names, bytes = `"\/bfnrt`, "\"\\/\b\f\n\r\t"

	c := p.peek()
	if i := strings.IndexByte(names, c); i >= 0 {
		p.buf = append(p.buf, bytes[i])
		p.pos++
		return nil
	}
	if c != 'u' {
		return p.bad("want an escape that JSON has")
	}
	r, err := p.codeUnit()
	if err != nil {
		return err
	}
	if utf16.IsSurrogate(r) {
		second := rune(-1)
		if p.word(`\`) && p.peek() == 'u' {
			if second, err = p.codeUnit(); err != nil {
				return err
			}
		}
		if r = utf16.DecodeRune(r, second); r == utf8.RuneError {
			return p.bad("half of a surrogate pair")
		}
	}
	p.buf = utf8.AppendRune(p.buf, r)
	return nil
}

// codeUnit reads a u and four hexadecimal digits.
func (p *jsonParser) codeUnit() (rune, error) {
	p.pos++
	if p.rest() < 4 {
		return 0, p.bad("want four hexadecimal digits")
	}
	n, err := strconv.ParseUint(string(p.data[p.pos:p.pos+4]), 16, 16)
	if err != nil {
		return 0, p.bad("want four hexadecimal digits")
	}
	p.pos += 4
	return rune(n), nil
}
