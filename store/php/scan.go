package php

import (
	"math"
	"strconv"
)

// A scanner reads the parts that all serialized values are made of. Its methods leave pos behind what they read. They
// allocate nothing but errors, so they serve both [Decode] and the fast paths of [Unmarshal].
type scanner struct {
	data []byte
	pos  int
}

// A scalar is a value of one of the tags N, b, i, d and s. Bytes is part of the data scanned, except for S:.
type scalar struct {
	tag   byte
	num   int64 // of i and b
	float float64
	bytes []byte
	start int // of bytes in the data; -1 if they are not there as they are
}

func (s *scanner) fail(at int, msg string) error {
	return &SyntaxError{Offset: int64(at), Msg: msg}
}

func (s *scanner) rest() int { return len(s.data) - s.pos }

// peek returns the next byte, or 0 at the end. No token of the format is a NUL, so callers need not tell these apart.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

// want reads the one byte c.
func (s *scanner) want(c byte) error {
	if s.peek() != c {
		return s.fail(s.pos, "want "+string(c)+s.orEnd())
	}
	s.pos++
	return nil
}

func (s *scanner) orEnd() string {
	if s.pos >= len(s.data) {
		return ", but the data ends"
	}
	return ""
}

// tag reads the letter that tells the kind of the next value, and the colon after it. Null has no colon: the reader of
// its tag reads the rest.
func (s *scanner) tag() (byte, error) {
	if s.rest() == 0 {
		return 0, s.fail(s.pos, "want a value, but the data ends")
	}
	c := s.data[s.pos]
	switch c {
	case 'N':
		s.pos++
		return c, nil
	case 'b', 'i', 'd', 's', 'S', 'a', 'O', 'C', 'E', 'r', 'R':
		s.pos++
		return c, s.want(':')
	}
	return 0, s.fail(s.pos, "want a value, which starts with one of N b i d s a O C E r R")
}

// scalar reads what follows the tag of a scalar.
func (s *scanner) scalar(tag byte) (v scalar, err error) {
	v.tag = tag
	switch tag {
	case 'N':
	case 'b':
		if c := s.peek(); c != '0' && c != '1' {
			return v, s.fail(s.pos, "want a bool, which is 0 or 1"+s.orEnd())
		}
		v.num = int64(s.data[s.pos] - '0')
		s.pos++
	case 'i':
		v.num, err = s.int()
	case 'd':
		v.float, err = s.float()
	case 's':
		v.start, v.bytes, err = s.quoted("string")
	case 'S':
		v.tag, v.start = 's', -1
		v.bytes, err = s.escaped()
	}
	if err != nil {
		return v, err
	}
	return v, s.want(';')
}

// int reads an int as PHP does: a sign of either kind and leading zeros are allowed, and a number that 64 bits cannot
// hold becomes the nearest one that they can (PHP 8.2, which also warns).
func (s *scanner) int() (int64, error) {
	negative := s.peek() == '-'
	if negative || s.peek() == '+' {
		s.pos++
	}
	limit := uint64(math.MaxInt64)
	if negative {
		limit++
	}
	start, n := s.pos, uint64(0)
	for ; s.digit(); s.pos++ {
		if d := uint64(s.data[s.pos] - '0'); n > (limit-d)/10 {
			n = limit
		} else {
			n = n*10 + d
		}
	}
	if s.pos == start {
		return 0, s.fail(s.pos, "want digits"+s.orEnd())
	}
	if negative {
		return -int64(n), nil // also right for the smallest int, which is its own negative
	}
	return int64(n), nil
}

func (s *scanner) digit() bool {
	c := s.peek()
	return c >= '0' && c <= '9'
}

// float reads a float as PHP does: INF, -INF, NAN, or a decimal number with sign, fraction and exponent where wanted.
func (s *scanner) float() (float64, error) {
	for _, special := range [...]struct {
		text  string
		value float64
	}{{"NAN", math.NaN()}, {"INF", math.Inf(1)}, {"-INF", math.Inf(-1)}} {
		if n := len(special.text); s.rest() >= n && string(s.data[s.pos:s.pos+n]) == special.text {
			s.pos += n
			return special.value, nil
		}
	}
	start := s.pos
	s.sign()
	digits := s.digits()
	if s.peek() == '.' {
		s.pos++
		digits += s.digits()
	}
	if digits == 0 {
		return 0, s.fail(s.pos, "want a float"+s.orEnd())
	}
	if s.peek() == 'e' || s.peek() == 'E' {
		s.pos++
		s.sign()
		if s.digits() == 0 {
			return 0, s.fail(s.pos, "want the digits of an exponent"+s.orEnd())
		}
	}
	// The syntax has been checked, so the only error left is a number out of range, for which ParseFloat returns the
	// infinity or zero that PHP has too.
	f, _ := strconv.ParseFloat(string(s.data[start:s.pos]), 64)
	return f, nil
}

func (s *scanner) sign() {
	if s.peek() == '-' || s.peek() == '+' {
		s.pos++
	}
}

func (s *scanner) digits() int {
	start := s.pos
	for s.digit() {
		s.pos++
	}
	return s.pos - start
}

// length reads an unsigned number and the byte after it, which must be stop. A number beyond what the data could ever
// hold comes back as one more than their length: too much, but safe to calculate with.
func (s *scanner) length(stop byte) (int, error) {
	start, n, most := s.pos, uint64(0), uint64(len(s.data))+1
	for ; s.digit(); s.pos++ {
		n = min(n*10+uint64(s.data[s.pos]-'0'), most)
	}
	if s.pos == start {
		return 0, s.fail(s.pos, "want a length in digits"+s.orEnd())
	}
	return int(n), s.want(stop)
}

// looseLength is length as PHP reads it in objects: with a sign, and 0 without digits.
func (s *scanner) looseLength(stop byte) (int, error) {
	at := s.pos
	negative := s.peek() == '-'
	s.sign()
	if s.peek() == stop {
		s.pos++
		return 0, nil
	}
	n, err := s.length(stop)
	if err == nil && negative && n > 0 {
		err = s.fail(at, "the length is negative")
	}
	return n, err
}

// quoted reads a length and as many bytes in quotes. what they are is for errors.
func (s *scanner) quoted(what string) (start int, text []byte, err error) {
	at := s.pos
	n, err := s.openQuote(what)
	if err != nil {
		return 0, nil, err
	}
	start = s.pos
	s.pos += n
	return start, s.data[start:s.pos:s.pos], s.closeQuote(at, what)
}

// openQuote reads a length and the quote after it. It makes sure that so many bytes follow.
func (s *scanner) openQuote(what string) (n int, err error) {
	at := s.pos
	if n, err = s.length(':'); err != nil {
		return 0, err
	}
	if err := s.want('"'); err != nil {
		return 0, err
	}
	if n > s.rest() {
		return 0, s.fail(at, "the length of the "+what+" exceeds the data that follow")
	}
	return n, nil
}

// closeQuote reads the quote at the end of a text, whose length stands at at.
func (s *scanner) closeQuote(at int, what string) error {
	if s.peek() != '"' {
		return s.fail(at, "the length of the "+what+" does not match its text")
	}
	s.pos++
	return nil
}

// escaped reads the string of an S: value, which PHP reads but does not write: a backslash and two hexadecimal digits
// stand for a byte, and count as one in the length.
func (s *scanner) escaped() ([]byte, error) {
	at := s.pos
	n, err := s.openQuote("string")
	if err != nil {
		return nil, err
	}
	text := make([]byte, 0, n)
	for range n {
		c := s.peek()
		s.pos++
		if c == '\\' && s.rest() >= 2 {
			b, err := strconv.ParseUint(string(s.data[s.pos:s.pos+2]), 16, 8)
			if err != nil {
				return nil, s.fail(s.pos, "want two hexadecimal digits after a backslash")
			}
			c = byte(b)
			s.pos += 2
		}
		if s.rest() <= 0 {
			return nil, s.fail(at, "the length of the string exceeds the data that follow")
		}
		text = append(text, c)
	}
	return text, s.closeQuote(at, "string")
}
