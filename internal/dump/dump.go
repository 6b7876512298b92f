// Package dump is the form in which rows of the cache table are kept in files: one JSON object a line, each complete in itself.
//
//	{"key":"greeting","value":"s:5:\"hello\";","expiration":1788000000,"ttl":600}
//
// The value is the row's own bytes, PHP's serialization. Where a key or value is not UTF-8, which JSON cannot say, its base64 stands in key_base64 or
// value_base64 instead. The expiration is in Unix seconds, and ttl how many of them were left when the row was read.
package dump

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/larder-cache/larder/store"
)

// A Writer writes rows. Flush must be called at the end.
type Writer struct{ out *bufio.Writer }

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{bufio.NewWriterSize(w, 64<<10)} }

// Write writes one row. It makes no copy of the value, which may be 16 MB.
func (w *Writer) Write(r store.Row) error {
	_, _ = w.out.WriteString("{") // the first error of a bufio.Writer is returned by all that follow
	w.field("key", []byte(r.Key))
	_, _ = w.out.WriteString(",")
	w.field("value", r.Value)
	_, err := fmt.Fprintf(w.out, ",\"expiration\":%d,\"ttl\":%d}\n", r.Expiration, int64(r.TTL/time.Second))
	return err
}

// Flush writes what is still in memory.
func (w *Writer) Flush() error { return w.out.Flush() }

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

// A Reader reads rows. Its errors name the line.
type Reader struct {
	in   *bufio.Reader
	line int
	room room
}

// NewReader returns a Reader of r.
func NewReader(r io.Reader) *Reader { return &Reader{in: bufio.NewReaderSize(r, 64<<10)} }

// Line returns the number of the line that was read last, from 1.
func (r *Reader) Line() int { return r.line }

// Next returns the next row, or io.EOF after the last. Empty lines are passed over. Of a value of megabytes there is one copy in memory.
func (r *Reader) Next() (store.Row, error) {
	for {
		l, err := r.next()
		if len(l.text) == 0 && errors.Is(err, io.EOF) {
			return store.Row{}, io.EOF
		}
		r.line++
		if err != nil && !errors.Is(err, io.EOF) {
			return store.Row{}, fmt.Errorf("line %d: %w", r.line, explain(err))
		}
		if len(bytes.TrimSpace(l.text)) == 0 {
			continue
		}
		row, err := parse(l)
		if err != nil {
			return store.Row{}, fmt.Errorf("line %d: %w", r.line, err)
		}
		return row, nil
	}
}

func (r *Reader) next() (longLine, error) {
	if !r.isShort() {
		return readLong(r.in, &r.room)
	}
	text, err := r.in.ReadSlice('\n')
	return longLine{text: text}, err
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

// A line is one row as JSON.
type line struct {
	Key         *string `json:"key"`
	KeyBase64   *string `json:"key_base64"`
	Value       *string `json:"value"`
	ValueBase64 *string `json:"value_base64"`
	Expiration  *int64  `json:"expiration"`
	TTL         *int64  `json:"ttl"`
}

// parse refuses whatever it does not understand to the end: a misspelled field would else be a lost one.
func parse(read longLine) (store.Row, error) {
	text := read.text
	if !utf8.Valid(text) {
		return store.Row{}, errNotUTF8
	}
	var l line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok && syntax.Offset > int64(read.cut) {
			syntax.Offset += int64(read.cutBytes)
		}
		return store.Row{}, explain(err)
	}
	if d.More() {
		return store.Row{}, errors.New("more than one JSON object on a line")
	}
	var (
		row store.Row
		key []byte
		err error
	)
	if key, err = either("key", l.Key, l.KeyBase64, text); err != nil {
		return row, err
	}
	if row.Value, err = either("value", l.Value, l.ValueBase64, text); err != nil {
		return row, err
	}
	if read.value != nil {
		row.Value = read.value
	}
	if l.Expiration == nil {
		return row, errors.New(`"expiration" is missing: the Unix seconds at which the row expires`)
	}
	row.Key, row.Expiration = string(key), *l.Expiration
	if l.TTL != nil {
		const most = int64(1<<63-1) / int64(time.Second)
		row.TTL = time.Duration(max(-most, min(*l.TTL, most))) * time.Second
	}
	return row, nil
}

// either returns the bytes of a field that has two forms.
func either(name string, plain, encoded *string, text []byte) ([]byte, error) {
	switch {
	case plain != nil && encoded != nil:
		return nil, fmt.Errorf("%q and %q: want one of them", name, name+"_base64")
	case plain != nil:
		if loneSurrogate(*plain, text) {
			return nil, fmt.Errorf("%q: %w", name, errLoneSurrogate)
		}
		return []byte(*plain), nil
	case encoded != nil:
		raw, err := base64.StdEncoding.DecodeString(*encoded)
		if err != nil {
			return nil, fmt.Errorf("%q is no base64", name+"_base64")
		}
		return raw, nil
	}
	return nil, fmt.Errorf("%q is missing", name)
}

var (
	errNotUTF8       = errors.New("it is not UTF-8")
	errNoBase64      = errors.New(`"value_base64" is no base64`)
	errLoneSurrogate = errors.New(`\uD800 to \uDFFF stand alone for no character`)
)

// loneSurrogate reports whether the JSON has half of a surrogate pair, of which the decoder makes U+FFFD.
func loneSurrogate(said string, text []byte) bool {
	const strange = "\uFFFD"
	return strings.Contains(said, strange) && !bytes.Contains(text, []byte(strange)) && !bytes.Contains(bytes.ToLower(text), []byte(`\ufffd`))
}

// explain tells what is wrong without repeating the line, which may hold secrets.
func explain(err error) error {
	var (
		syntax *json.SyntaxError
		kind   *json.UnmarshalTypeError
	)
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("it is no JSON, at byte %d", syntax.Offset)
	case errors.As(err, &kind) && kind.Field == "":
		return fmt.Errorf("want a JSON object, got %s", kind.Value)
	case errors.As(err, &kind):
		return fmt.Errorf("%s: got %s", strconv.Quote(kind.Field), kind.Value)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it ends in the middle of its JSON")
	}
	return err // an unknown field, by its name
}
