package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"unicode/utf8"
)

// readKeys yields the keys in a stream of JSON: of each object its key, as list and export print it, or a string that is a key by itself. The last
// may be an error, also the context's.
func readKeys(ctx context.Context, in io.Reader) iter.Seq2[string, error] {
	type read struct {
		key string
		err error
	}
	return func(yield func(string, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		keys := make(chan read)
		go func() { // a read from a terminal or a pipe does not end with the context
			defer close(keys)
			d := json.NewDecoder(in)
			for n := 1; ; n++ {
				var k jsonText
				err := d.Decode(&k)
				if err == io.EOF {
					return
				}
				if err != nil {
					err = fmt.Errorf("standard input, key %d: %w", n, explainKeys(err))
				}
				select {
				case keys <- read{k.text, err}:
				case <-ctx.Done():
					return
				}
				if err != nil {
					return
				}
			}
		}()
		for {
			select {
			case k, more := <-keys:
				if !more || !yield(k.key, k.err) || k.err != nil {
					return
				}
			case <-ctx.Done():
				yield("", fmt.Errorf("read standard input: %w", ctx.Err()))
				return
			}
		}
	}
}

var (
	errNoKey   = errors.New(`there is no "key" in it`)
	errNotUTF8 = errors.New("it is not UTF-8")
)

// explainKeys says what is wanted where something else was read, which is a mistake of the command line.
func explainKeys(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errNoKey) || errors.Is(err, errNotUTF8) {
		return usagef("%w: want JSON, as larder list -o json prints it", err)
	}
	return err
}

// A jsonText is a key that is read from one of the forms in which larder prints it: alone, as jsonKey has it, or in an object that is about a row.
type jsonText struct{ text string }

// UnmarshalJSON implements [json.Unmarshaler].
func (t *jsonText) UnmarshalJSON(from []byte) error {
	if !utf8.Valid(from) {
		return errNotUTF8 // characters would be replaced, and it would be another key
	}
	if from[0] == '"' {
		return json.Unmarshal(from, &t.text)
	}
	var object struct {
		Key    *jsonText `json:"key"`
		Base64 *[]byte   `json:"key_base64"` // of export
		Bytes  *[]byte   `json:"$bytes"`     // of all others
	}
	if from[0] != '{' {
		return errNoKey
	}
	if err := json.Unmarshal(from, &object); err != nil {
		return errNoKey
	}
	switch {
	case object.Key != nil:
		*t = *object.Key
	case object.Base64 != nil:
		t.text = string(*object.Base64)
	case object.Bytes != nil:
		t.text = string(*object.Bytes)
	default:
		return errNoKey
	}
	return nil
}
