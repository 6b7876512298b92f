package dump

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// A longLine is a line without its value, which is read as it arrives: a line of 16 MB and what encoding/json makes of it on the way would be five
// times that in memory.
type longLine struct {
	text  []byte // with "" where the value stood
	value []byte // nil if there was none

	cut, cutBytes int // where the value stood in text, and how many bytes it had in the line
}

// readLong reads the rest of a line, to its end or that of the file.
func readLong(in *bufio.Reader, room *room) (longLine, error) {
	var (
		l      longLine
		quoted bool
	)
	for {
		c, err := in.ReadByte()
		if err != nil || c == '\n' {
			return l, err
		}
		l.text = append(l.text, c)
		switch {
		case quoted && c == '\\':
			if c, err = in.ReadByte(); err != nil {
				return l, err
			}
			l.text = append(l.text, c)
		case c == '"' && !quoted && l.beforeValue():
			if err := l.take(in, room); err != nil {
				return l, err
			}
		case c == '"':
			quoted = !quoted
		}
	}
}

// beforeValue reports whether the string that has just begun is the value.
func (l *longLine) beforeValue() bool {
	name, isField := bytes.CutSuffix(bytes.TrimSpace(l.text[:len(l.text)-1]), []byte(":"))
	name = bytes.TrimSpace(name)
	return isField && (bytes.HasSuffix(name, []byte(`"value"`)) || bytes.HasSuffix(name, []byte(`"value_base64"`)))
}

// take reads the value to its closing quote.
func (l *longLine) take(in *bufio.Reader, room *room) error {
	if l.value != nil {
		return errors.New("it has two values")
	}
	var (
		inside = &stringReader{in: in, offset: len(l.text)}
		from   = io.Reader(inside)
		coded  = bytes.HasSuffix(bytes.TrimRight(l.text, "\": \t\r"), []byte("_base64"))
	)
	if coded {
		from = base64.NewDecoder(base64.StdEncoding.Strict(), &paddedReader{r: inside})
	}
	value, err := room.read(from)
	if corrupt := base64.CorruptInputError(0); errors.As(err, &corrupt) || coded && errors.Is(err, io.ErrUnexpectedEOF) && inside.ended {
		return errNoBase64
	}
	if err != nil {
		return err
	}
	l.value, l.cut, l.cutBytes = value, len(l.text), inside.offset-len(l.text)
	l.text = append(l.text, '"')
	return nil
}

// A paddedReader refuses base64 that goes on after its padding, which a base64.NewDecoder does not always.
type paddedReader struct {
	r      io.Reader
	padded bool
}

func (p *paddedReader) Read(into []byte) (int, error) {
	n, err := p.r.Read(into)
	for _, c := range into[:n] {
		if p.padded && c != '=' && c != '\r' && c != '\n' {
			return 0, errNoBase64
		}
		p.padded = p.padded || c == '='
	}
	return n, err
}

// A room is memory in which values are put together, kept for the next one unless a value takes most of it.
type room []byte

// largeRoom is what a MEDIUMTEXT column holds. Memory that is only reserved costs nothing, and a buffer that grows is there twice.
const largeRoom = 16 << 20

// read reads all.
func (r *room) read(from io.Reader) ([]byte, error) {
	value := (*r)[:0]
	for {
		if len(value) == cap(value) {
			size := max(64<<10, 2*cap(value))
			if size > 1<<20 {
				size = max(largeRoom, cap(value)+cap(value)/4)
			}
			value = append(make([]byte, 0, size), value...)
		}
		n, err := from.Read(value[len(value):cap(value)])
		value = value[:len(value)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if len(value) < cap(value)/2 {
		*r = value
		return bytes.Clone(value), nil
	}
	*r = nil
	return value, nil
}

// A stringReader reads what a JSON string says, from behind its opening quote, and takes its closing one.
type stringReader struct {
	in     *bufio.Reader
	offset int    // in the line
	said   string // and not yet read
	ended  bool
}

func (s *stringReader) Read(p []byte) (int, error) {
	for s.said == "" {
		if s.ended {
			return 0, io.EOF
		}
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.said)
	s.said = s.said[n:]
	return n, nil
}

// next decodes as much of the string as is in the buffer.
func (s *stringReader) next() error {
	for wanted := 1; ; {
		text, err := s.in.Peek(max(wanted, s.in.Buffered()))
		n, ended := wholeCharacters(text)
		switch {
		case bytes.IndexByte(text[:n], '\n') >= 0: // none may stand in a string: it is the line's end
			return io.ErrUnexpectedEOF
		case n == 0 && !ended && errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		case n == 0 && !ended && err != nil:
			return err
		case n == 0 && !ended:
			wanted = len(text) + 1
			continue
		}
		if s.said, err = unquote(text[:n]); err != nil {
			if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
				syntax.Offset += int64(s.offset - 1) // without the quote that was put before
			}
			return err
		}
		if s.ended = ended; ended {
			n++
		}
		s.offset += n
		_, err = s.in.Discard(n) // they are in the buffer
		return err
	}
}

// wholeCharacters returns how many bytes at the beginning of a string's text, or up to its closing quote, are no part of a character, escape or
// surrogate pair that goes on behind the text.
func wholeCharacters(text []byte) (n int, ended bool) {
	const escape = len(`\u0000`)
	for n < len(text) {
		rest, size := text[n:], 1
		switch {
		case rest[0] == '"':
			return n, true
		case rest[0] == '\\' && len(rest) > 1 && rest[1] == 'u':
			size = escape
			half := len(rest) >= 4 && (rest[2] == 'd' || rest[2] == 'D') && bytes.IndexByte([]byte("89abAB"), rest[3]) >= 0
			if half && len(rest) < 2*escape && bytes.IndexByte(rest, '"') < 0 {
				return n, false // its other half may follow
			}
		case rest[0] == '\\':
			size = 2
		case rest[0] >= utf8.RuneSelf:
			if !utf8.FullRune(rest) {
				return n, false
			}
			_, size = utf8.DecodeRune(rest)
		}
		if size > len(rest) {
			return n, false
		}
		n += size
	}
	return n, false
}

// unquote returns what the text of a JSON string says.
func unquote(text []byte) (said string, err error) {
	if !utf8.Valid(text) {
		return "", errNotUTF8
	}
	quoted := append(append(append(make([]byte, 0, len(text)+2), '"'), text...), '"')
	if err := json.Unmarshal(quoted, &said); err != nil {
		return "", err
	}
	if loneSurrogate(text) {
		return "", errLoneSurrogate
	}
	return said, nil
}
