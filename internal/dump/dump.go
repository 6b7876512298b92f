// Package dump is the form in which rows of the cache table are kept in files: one JSON object a line, each complete in itself.
//
//	{"key":"greeting","value":"s:5:\"hello\";","expiration":1788000000,"ttl":600,"dump":1}
//
// The value is the row's own bytes, PHP's serialization. Where a key or value is not UTF-8, which JSON cannot say, its base64 stands in key_base64 or
// value_base64 instead. The expiration is in Unix seconds, and ttl how many of them were left when the row was read.
//
// The first line of a dump says in dump which form this is, and the last one in rows how many rows there are, itself among them; the only line of a
// dump without any is {"dump":1,"rows":0}:
//
//	{"key":"user:7","value":"i:7;","expiration":1788000000,"ttl":600,"rows":2}
//
// So a dump that was cut off, by a full disk or because its writer was killed, is told from a whole one wherever the cut is, also at a line's end; and
// from rows that somebody wrote by hand, which begin and end as they like. Both are fields of a row and not lines of their own, so that every line is
// a row to a script which reads keys or drops lines. It is a number and no checksum, so that keys and values may be edited on the way; and it is only
// compared with all rows of an input in the end, so that dumps may be joined and sorted: the sum of their ends is then the number of their rows.
package dump

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/larder-cache/larder/store"
)

// form is what dump says in the first line.
const form = 1

// A Writer writes rows. A row's line is open until the next Write, Flush or End, as it may be the last.
type Writer struct {
	out    *bufio.Writer
	before int64
	open   bool
	rows   int64
}

// NewWriter returns a Writer to w of a dump that goes on behind so many rows, as in the file of an export that was interrupted; 0 for a new one.
func NewWriter(w io.Writer, before int64) *Writer {
	return &Writer{out: bufio.NewWriterSize(w, 64<<10), before: before}
}

// Write writes one row. It makes no copy of the value, which may be 16 MB.
func (w *Writer) Write(r store.Row) error {
	w.endLine()
	_, _ = w.out.WriteString("{") // the first error of a bufio.Writer is returned by all that follow
	w.field("key", []byte(r.Key))
	_, _ = w.out.WriteString(",")
	w.field("value", r.Value)
	_, err := fmt.Fprintf(w.out, ",\"expiration\":%d,\"ttl\":%d", r.Expiration, int64(r.TTL/time.Second))
	if w.before+w.rows == 0 {
		_, err = fmt.Fprintf(w.out, `,"dump":%d`, form)
	}
	w.open, w.rows = true, w.rows+1
	return err
}

// End ends the dump: it says how many rows there are, and flushes.
func (w *Writer) End() error {
	switch {
	case w.open:
		_, _ = w.out.WriteString(",")
	case w.before+w.rows == 0:
		_, _ = fmt.Fprintf(w.out, `{"dump":%d,`, form)
	default:
		_, _ = w.out.WriteString("{")
	}
	_, _ = fmt.Fprintf(w.out, `"rows":%d`, w.before+w.rows)
	w.open = true
	return w.Flush()
}

func (w *Writer) endLine() {
	if w.open {
		_, _ = w.out.WriteString("}\n")
		w.open = false
	}
}

// Buffered returns how many bytes are still in memory.
func (w *Writer) Buffered() int { return w.out.Buffered() }

// Flush writes what is still in memory, to the end of its line.
func (w *Writer) Flush() error {
	w.endLine()
	return w.out.Flush()
}

func (w *Writer) field(name string, text []byte) {
	if !utf8.Valid(text) {
		_, _ = w.out.WriteString(`"` + name + `_base64":"`)
		e := base64.NewEncoder(base64.StdEncoding, w.out)
		_, _ = e.Write(text)
		_ = e.Close()
		_, _ = w.out.WriteString(`"`)
		return
	}
	_, _ = w.out.WriteString(`"` + name + `":"`)
	w.escaped(text)
	_, _ = w.out.WriteString(`"`)
}

// escaped writes the inside of a JSON string.
func (w *Writer) escaped(text []byte) {
	start := 0
	for i, c := range text {
		if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
			continue
		}
		_, _ = w.out.Write(text[start:i])
		start = i + 1
		switch c {
		case '"', '\\':
			_, _ = w.out.Write([]byte{'\\', c})
		case '\n':
			_, _ = w.out.WriteString(`\n`)
		default:
			_, _ = fmt.Fprintf(w.out, `\u%04x`, c)
		}
	}
	_, _ = w.out.Write(text[start:])
}

// maxLine is how long a line may be: no server takes a longer statement, and what is longer is hardly a dump.
const maxLine = 1 << 30

// A LineError is about a line that is no row, or a row that cannot be stored.
type LineError struct {
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong with the line.
func (e *LineError) Unwrap() error { return e.Err }

// A Reader reads rows.
type Reader struct {
	// From is the first line to read; those before it are passed over, whatever they are, and counted as rows. Zero or less means the first.
	From int

	// WantTTL refuses rows without a ttl. Else theirs is 0.
	WantTTL bool

	in     *bufio.Reader
	source *source
	line   int
	most   int64 // bytes of a line
	room   room
	count  Count
}

// NewReader returns a Reader of r.
func NewReader(r io.Reader) *Reader {
	from := &source{from: r}
	return &Reader{in: bufio.NewReaderSize(from, 64<<10), source: from, most: maxLine}
}

// Line returns the number of the line that was read last, from 1.
func (r *Reader) Line() int { return r.line }

// A Count is what has been read of one dump, or of several that were joined.
type Count struct {
	Rows  int64 // and lines before From, of which each is taken for one
	Told  int64 // of how many rows the ends tell
	Begun bool  // there was a beginning
	Ended bool  // there was an end
}

// Whole reports whether the ends tell of as many rows as there were. Read to its end, a dump is then whole. Else it was cut off, or its lines were
// changed in number, or another than a [Writer] has made it.
func (c Count) Whole() bool { return c.Ended && c.Told == c.Rows }

// Cut reports whether there is a beginning or an end of a dump, and the rest is not there. Rows without either are nobody's dump.
func (c Count) Cut() bool { return (c.Begun || c.Ended) && !c.Whole() }

// Count tells what has been read until now.
func (r *Reader) Count() Count { return r.count }

// Next returns the next row, or io.EOF after the last. A line that is no row is a [LineError]; any other error is one of reading. Empty
// lines are passed over, and so is what editors add: a mark of the byte order at the beginning, and carriage returns at the ends. Of a value
// of megabytes there is one copy in memory.
func (r *Reader) Next() (store.Row, error) {
	for {
		l, err := r.next()
		switch {
		case err == io.EOF:
			return store.Row{}, err
		case err != nil && errors.Is(err, r.source.err):
			return store.Row{}, fmt.Errorf("line %d: %w", r.line, err)
		case err != nil:
			return store.Row{}, &LineError{r.line, explain(err)}
		case len(bytes.Trim(l.text, whiteSpace)) == 0:
			continue
		}
		row, isRow, err := r.parse(l)
		if err != nil {
			return store.Row{}, &LineError{r.line, err}
		}
		if isRow {
			return row, nil
		}
	}
}

// next returns the next line, or nothing of one that is before From. It is valid until the next call.
func (r *Reader) next() (l longLine, err error) {
	r.source.left = r.most
	r.line++
	if start, _ := r.in.Peek(len(byteOrderMark)); r.line == 1 && string(start) == byteOrderMark {
		_, _ = r.in.Discard(len(start)) // they are in the buffer
	}
	if _, err := r.in.Peek(1); err != nil {
		if err == io.EOF {
			r.line--
		}
		return l, err
	}
	switch {
	case r.line < r.From:
		err = r.pass()
	case r.isShort():
		l.text, err = r.in.ReadSlice('\n')
	case !r.startsObject(): // a file of something else may have no lines at all
		return l, errNoObject
	default:
		l, err = readLong(r.in, &r.room)
	}
	if err == io.EOF { // the last line has no end
		err = nil
	}
	return l, err
}

const byteOrderMark = "\uFEFF"

// whiteSpace is what JSON takes for it.
const whiteSpace = " \t\r\n"

// pass reads a line before From. It counts as a row, whatever it is, unless it is an end alone.
func (r *Reader) pass() error {
	if !r.isShort() {
		r.count.Rows++
		return r.skip()
	}
	text, err := r.in.ReadSlice('\n')
	if _, _, bad := r.parse(longLine{text: text}); bad != nil {
		r.count.Rows++
	}
	return err
}

// skip reads to the end of the line.
func (r *Reader) skip() error {
	for {
		r.source.left = r.most // of which nothing is kept
		if _, err := r.in.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// isShort reports whether the next line fits into the buffer.
func (r *Reader) isShort() bool {
	for n := 0; n < r.in.Size(); {
		text, err := r.in.Peek(max(n+1, r.in.Buffered()))
		if err != nil || bytes.IndexByte(text[n:], '\n') >= 0 {
			return true
		}
		n = len(text)
	}
	return false
}

// startsObject reports whether what is in the buffer begins as an object does, or is still white space.
func (r *Reader) startsObject() bool {
	text, _ := r.in.Peek(r.in.Buffered())
	text = bytes.TrimLeft(text, whiteSpace)
	return len(text) == 0 || text[0] == '{'
}

// A source is what lines are read from. It keeps the error of reading, which is none of the line, and does not read without end for one line. Nor
// does it read behind the end: a terminal has as many as somebody types.
type source struct {
	from  io.Reader
	left  int64 // bytes for this line; what is read ahead counts too
	err   error // of reading
	ended bool
}

func (s *source) Read(p []byte) (int, error) {
	if s.ended {
		return 0, io.EOF
	}
	if s.left <= 0 {
		return 0, errTooLong
	}
	n, err := s.from.Read(p)
	s.left -= int64(n)
	s.ended = err == io.EOF
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

var (
	errNoObject      = errors.New("it is no JSON object")
	errTooLong       = errors.New("it is longer than 1 GiB, which no row is")
	errNotUTF8       = errors.New("it is not UTF-8")
	errNoBase64      = errors.New(`"value_base64" is no base64`)
	errLoneSurrogate = errors.New(`\uD800 to \uDFFF stand alone for no character`)
)

// A line is one row as JSON.
type line struct {
	key, keyBase64, value, valueBase64 *string
	expiration, ttl, dump, rows        *int64
}

// fields are where the values of a line's fields go.
func (l *line) fields() map[string]any {
	return map[string]any{
		"key": &l.key, "key_base64": &l.keyBase64, "value": &l.value, "value_base64": &l.valueBase64, "expiration": &l.expiration, "ttl": &l.ttl,
		"dump": &l.dump, "rows": &l.rows,
	}
}

// parse returns the row of a line and counts it. A line that is only an end is no row. It refuses whatever it does not understand to the end: a
// misspelled field would else be a lost one.
func (r *Reader) parse(read longLine) (row store.Row, isRow bool, err error) {
	l, err := parseLine(bytes.TrimRight(read.text, whiteSpace))
	if err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok && syntax.Offset > int64(read.cut) {
			syntax.Offset += int64(read.cutBytes)
		}
		return row, false, explain(err)
	}
	if l.rows != nil && (*l.rows < 0 || *l.rows > math.MaxInt64-r.count.Told) {
		return row, false, errors.New(`"rows" is no number of rows`)
	}
	if l.dump != nil && *l.dump != form {
		return row, false, fmt.Errorf(`"dump" is %d: this larder reads %d, so that the rows need a newer one`, *l.dump, form)
	}
	if isRow = l != (line{dump: l.dump, rows: l.rows}) || l.rows == nil; isRow {
		if row, err = l.row(read.value, r.WantTTL); err != nil {
			return row, false, err
		}
		r.count.Rows++
	}
	r.count.Begun = r.count.Begun || l.dump != nil
	if l.rows != nil {
		r.count.Told, r.count.Ended = r.count.Told+*l.rows, true
	}
	return row, isRow, nil
}

// row returns the row of a line, with the value if that was read apart.
func (l line) row(value []byte, wantTTL bool) (row store.Row, err error) {
	key, err := either("key", l.key, l.keyBase64)
	if err != nil {
		return row, err
	}
	if row.Value, err = either("value", l.value, l.valueBase64); err != nil {
		return row, err
	}
	if value != nil {
		row.Value = value
	}
	if l.expiration == nil {
		return row, errors.New(`"expiration" is missing: the Unix seconds at which the row expires`)
	}
	if l.ttl == nil && wantTTL {
		return row, errors.New(`"ttl" is missing: how many seconds the row still lived`)
	}
	row.Key, row.Expiration = string(key), *l.expiration
	if l.ttl != nil {
		const most = int64(1<<63-1) / int64(time.Second)
		row.TTL = time.Duration(max(-most, min(*l.ttl, most))) * time.Second
	}
	return row, nil
}

// parseLine is encoding/json's decoding of an object without what that lets pass: fields that come twice, or in other letters, and halves of
// characters.
func parseLine(text []byte) (l line, err error) {
	switch {
	case !utf8.Valid(text):
		return l, errNotUTF8
	case loneSurrogate(text):
		return l, errLoneSurrogate
	}
	d := json.NewDecoder(bytes.NewReader(text))
	first, err := d.Token()
	switch {
	case err != nil:
		return l, err
	case first != json.Delim('{'):
		return l, errNoObject
	}
	fields, seen := l.fields(), map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return l, err
		}
		name := token.(string) // all that the decoder takes for an object's
		field, known := fields[name]
		switch {
		case !known:
			return l, fmt.Errorf("unknown field %q", name)
		case seen[name]:
			return l, fmt.Errorf("%q comes twice", name)
		}
		seen[name] = true
		if err := d.Decode(field); err != nil {
			if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
				err = fmt.Errorf("%q: got %s", name, kind.Value)
			}
			return l, err
		}
	}
	if _, err := d.Token(); err != nil {
		return l, err
	}
	if len(bytes.Trim(text[d.InputOffset():], whiteSpace)) > 0 {
		return l, errors.New("something follows the JSON object")
	}
	return l, nil
}

// loneSurrogate reports whether an escape is half of a surrogate pair, which has no character: the decoder would make U+FFFD of it.
func loneSurrogate(text []byte) bool {
	for {
		at := bytes.IndexByte(text, '\\')
		if at < 0 {
			return false
		}
		text = text[at:]
		unit := escaped(text)
		switch {
		case !utf16.IsSurrogate(unit):
			text = text[min(2, len(text)):] // what it escapes may be a backslash
		case utf16.DecodeRune(unit, escaped(text[6:])) == utf8.RuneError:
			return true
		default:
			text = text[12:]
		}
	}
}

// escaped returns what \uXXXX at the beginning of the text stands for, or 0.
func escaped(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return 0 // the decoder says so
	}
	return rune(unit)
}

// either returns the bytes of a field that has two forms.
func either(name string, plain, encoded *string) ([]byte, error) {
	switch {
	case plain != nil && encoded != nil:
		return nil, fmt.Errorf("%q and %q: want one of them", name, name+"_base64")
	case plain != nil:
		return []byte(*plain), nil
	case encoded != nil:
		raw, err := base64.StdEncoding.Strict().DecodeString(*encoded)
		if err != nil {
			return nil, fmt.Errorf("%q is no base64", name+"_base64")
		}
		return raw, nil
	}
	return nil, fmt.Errorf("%q is missing", name)
}

// explain tells what is wrong without repeating the line, which may hold secrets.
func explain(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("it is no JSON, at byte %d", syntax.Offset)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ends in the middle of its JSON")
	}
	return err
}
