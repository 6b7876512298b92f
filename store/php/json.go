package php

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSON returns v as JSON, for people and programs that read no PHP. What JSON can say is as PHP's json_encode has it
// with JSON_PRESERVE_ZERO_FRACTION, JSON_UNESCAPED_UNICODE and JSON_UNESCAPED_SLASHES: an array whose keys are 0, 1,
// 2, ... in order is an array, any other an object in its order; ints are exact and floats keep a fraction (1.0).
//
// What JSON cannot say, and json_encode refuses or loses, is an object whose first key starts with a $:
//
//	{"$float":"INF"}                         INF, -INF or NAN
//	{"$bytes":"/wA="}                        a string that is not UTF-8, in base64; also in the places of names below
//	{"$array":[["$a",1],[5,2]]}              an array that is no list, with a key that starts with $ or is not UTF-8:
//	                                         its keys and values in order
//	{"$object":"App\\User","properties":[{"name":"id","visibility":"public","value":7}]}
//	                                         an object; a private property also has "class", the class that declares
//	                                         it, and an int key (of __serialize) is a number as the name
//	{"$custom":"Old","data":"..."}           an object that wrote itself (Serializable)
//	{"$enum":"Suit::Hearts"}                 a case of an enum
//	{"$ref":2}                               a PHP reference (&) to the second value of the whole, as [Reference] counts
//	{"$ref":2,"object":true}                 the same object as the second value
//
// No two different Values have the same JSON, and only these forms have a first key that starts with $. References are
// not followed, so the length of the JSON is proportional to that of the serialized text.
//
// The error is a [*LimitError] for more than [MaxDepth] levels.
func JSON(v Value) ([]byte, error) { return AppendJSON(nil, v) }

// AppendJSON appends v to dst as [JSON] writes it. If it fails it returns dst as it was.
func AppendJSON(dst []byte, v Value) ([]byte, error) {
	w := jsonWriter{dst: dst}
	if err := w.value(v); err != nil {
		return dst, err
	}
	return w.dst, nil
}

type jsonWriter struct {
	dst   []byte
	depth int
	most  int // bytes, after which no further value begins; 0: no bound
}

// errFull ends the writing of what would be longer than the bound.
var errFull = errors.New("there is more")

func (w *jsonWriter) raw(s string) { w.dst = append(w.dst, s...) }

func (w *jsonWriter) value(v Value) error {
	if w.depth++; w.depth > MaxDepth+1 { // a scalar in MaxDepth arrays is one step deeper than they are
		return &LimitError{What: "levels of nesting", Limit: MaxDepth}
	}
	defer func() { w.depth-- }()
	if w.most > 0 && len(w.dst) >= w.most {
		return errFull
	}

	switch v := normal(v).(type) {
	case nil:
		w.raw("null")
	case Bool:
		w.dst = strconv.AppendBool(w.dst, bool(v))
	case Int:
		w.dst = strconv.AppendInt(w.dst, int64(v), 10)
	case Float:
		w.float(float64(v))
	case String:
		w.string(string(v))
	case *Array:
		return w.array(v)
	case *Object:
		return w.object(v)
	case *Custom:
		w.raw(`{"$custom":`)
		w.string(v.Class)
		w.raw(`,"data":`)
		w.string(v.Data)
		w.raw("}")
	case Enum:
		w.raw(`{"$enum":`)
		w.string(v.Class + "::" + v.Case)
		w.raw("}")
	case Reference:
		w.raw(`{"$ref":`)
		w.dst = strconv.AppendInt(w.dst, v.Index, 10)
		if v.Object {
			w.raw(`,"object":true`)
		}
		w.raw("}")
	}
	return nil
}

func (w *jsonWriter) float(f float64) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		w.raw(`{"$float":"`)
		w.dst = appendFloat(w.dst, f, 'e')
		w.raw(`"}`)
		return
	}
	start := len(w.dst)
	w.dst = appendFloat(w.dst, f, 'e')
	if bytes.IndexByte(w.dst[start:], '.') < 0 {
		w.raw(".0")
	}
}

func (w *jsonWriter) array(a *Array) error {
	switch {
	case a.IsList():
		w.raw("[")
		for i, e := range a.entries {
			w.comma(i)
			if err := w.value(e.value); err != nil {
				return err
			}
		}
		w.raw("]")
		return nil
	case ambiguous(a):
		return w.pairs(a)
	}
	w.raw("{")
	for i, e := range a.entries {
		w.comma(i)
		w.string(e.key.String())
		w.raw(":")
		if err := w.value(e.value); err != nil {
			return err
		}
	}
	w.raw("}")
	return nil
}

// ambiguous reports whether an array has a key that an object of JSON cannot have, or that would look like a form of
// ours.
func ambiguous(a *Array) bool {
	for _, e := range a.entries {
		if e.key.isText && (strings.HasPrefix(e.key.text, "$") || !utf8.ValidString(e.key.text)) {
			return true
		}
	}
	return false
}

func (w *jsonWriter) pairs(a *Array) error {
	w.raw(`{"$array":[`)
	for i, e := range a.entries {
		w.comma(i)
		w.raw("[")
		w.key(e.key)
		w.raw(",")
		if err := w.value(e.value); err != nil {
			return err
		}
		w.raw("]")
	}
	w.raw("]}")
	return nil
}

func (w *jsonWriter) object(o *Object) error {
	w.raw(`{"$object":`)
	w.string(o.Class)
	w.raw(`,"properties":[`)
	for i, p := range o.Properties {
		w.comma(i)
		w.raw(`{"name":`)
		if p.IntKey {
			w.key(StringKey(p.Name))
		} else {
			w.string(p.Name)
		}
		w.raw(`,"visibility":"` + p.Visibility.String() + `"`)
		if p.Visibility == Private {
			w.raw(`,"class":`)
			w.string(p.Class)
		}
		w.raw(`,"value":`)
		if err := w.value(p.Value); err != nil {
			return err
		}
		w.raw("}")
	}
	w.raw("]}")
	return nil
}

func (w *jsonWriter) comma(i int) {
	if i > 0 {
		w.raw(",")
	}
}

func (w *jsonWriter) key(k Key) {
	if k.isText {
		w.string(k.text)
	} else {
		w.dst = strconv.AppendInt(w.dst, k.num, 10)
	}
}

// string appends s in quotes, or as $bytes if it is not UTF-8.
func (w *jsonWriter) string(s string) {
	if !utf8.ValidString(s) {
		w.raw(`{"$bytes":"`)
		w.dst = base64.StdEncoding.AppendEncode(w.dst, []byte(s))
		w.raw(`"}`)
		return
	}
	const hex = "0123456789abcdef"
	w.raw(`"`)
	plain := 0 // where the bytes begin that need no escape
	for i, r := range s {
		var escape string
		switch r {
		case '"':
			escape = `\"`
		case '\\':
			escape = `\\`
		case '\b':
			escape = `\b`
		case '\f':
			escape = `\f`
		case '\n':
			escape = `\n`
		case '\r':
			escape = `\r`
		case '\t':
			escape = `\t`
		case '\u2028':
			escape = `\u2028`
		case '\u2029':
			escape = `\u2029`
		default:
			if r >= ' ' {
				continue
			}
			escape = `\u00` + string(hex[r>>4]) + string(hex[r&15])
		}
		w.raw(s[plain:i])
		w.raw(escape)
		plain = i + utf8.RuneLen(r)
	}
	w.raw(s[plain:])
	w.raw(`"`)
}
