package php

import "strconv"

// Encode returns v as PHP's serialize writes it. For a Value that [Decode] made of PHP's own output these are the same
// bytes.
//
// The error is a [*LimitError] for more than [MaxDepth] levels (an [Array] that contains itself among them), or an
// [*UnsupportedTypeError] for a value that PHP could not read back, such as an [Object] without a class.
func Encode(v Value) ([]byte, error) { return AppendValue(nil, v) }

// AppendValue appends v to dst as [Encode] writes it. If it fails it returns dst as it was.
func AppendValue(dst []byte, v Value) ([]byte, error) {
	e := encoder{dst: dst}
	if err := e.value(v); err != nil {
		return dst, err
	}
	return e.dst, nil
}

// An encoder appends to dst. It serves [Encode] and [Marshal], which may not write all that Encode may.
type encoder struct {
	dst      []byte
	depth    int
	dataOnly bool // refuse objects, enums and references
}

func (e *encoder) value(v Value) error {
	switch v := normal(v).(type) {
	case nil:
		e.dst = append(e.dst, "N;"...)
	case Bool:
		e.dst = appendBool(e.dst, bool(v))
	case Int:
		e.dst = AppendInt(e.dst, int64(v))
	case Float:
		e.dst = appendFloatValue(e.dst, float64(v))
	case String:
		e.dst = AppendString(e.dst, string(v))
	case *Array:
		return e.array(v)
	default:
		if e.dataOnly {
			return &UnsupportedTypeError{Type: goType(v), Reason: "a PHP " + v.Type() + " is only read, never written; to copy one use Encode"}
		}
		return e.special(v)
	}
	return nil
}

// special writes the kinds that Go values have no like of.
func (e *encoder) special(v Value) error {
	switch v := v.(type) {
	case *Object:
		return e.object(v)
	case *Custom:
		if !validClass(v.Class) {
			return badValue(v, "its Class is not the name of a PHP class")
		}
		e.dst = append(e.dst, "C:"...)
		e.dst = appendQuoted(e.dst, v.Class)
		e.dst = append(e.dst, ':')
		e.dst = strconv.AppendInt(e.dst, int64(len(v.Data)), 10)
		e.dst = append(e.dst, ":{"...)
		e.dst = append(e.dst, v.Data...)
		e.dst = append(e.dst, '}')
	case Enum:
		if !validClass(v.Class) || !validCase(v.Case) {
			return badValue(v, "its Class and Case are not the names of a PHP enum and case")
		}
		e.dst = append(e.dst, "E:"...)
		e.dst = strconv.AppendInt(e.dst, int64(len(v.Class)+1+len(v.Case)), 10)
		e.dst = append(e.dst, ':', '"')
		e.dst = append(e.dst, v.Class...)
		e.dst = append(e.dst, ':')
		e.dst = append(e.dst, v.Case...)
		e.dst = append(e.dst, '"', ';')
	case Reference:
		if v.Index < 1 {
			return badValue(v, "its Index is less than 1")
		}
		tag := byte('R')
		if v.Object {
			tag = 'r'
		}
		e.dst = append(e.dst, tag, ':')
		e.dst = strconv.AppendInt(e.dst, v.Index, 10)
		e.dst = append(e.dst, ';')
	}
	return nil
}

func (e *encoder) array(a *Array) error {
	if err := e.openArray(a.Len()); err != nil {
		return err
	}
	for k, v := range a.All() {
		e.dst = appendKey(e.dst, k)
		if err := e.value(v); err != nil {
			return under(k, err)
		}
	}
	e.closeArray(a.Len())
	return nil
}

// openArray begins an array of n entries.
func (e *encoder) openArray(n int) error {
	e.dst = append(e.dst, "a:"...)
	e.dst = strconv.AppendInt(e.dst, int64(n), 10)
	e.dst = append(e.dst, ":{"...)
	if n == 0 {
		return nil
	}
	return e.descend()
}

func (e *encoder) closeArray(n int) {
	e.dst = append(e.dst, '}')
	if n > 0 {
		e.depth--
	}
}

func (e *encoder) descend() error {
	if e.depth++; e.depth > MaxDepth {
		return &LimitError{What: "levels of nesting", Limit: MaxDepth}
	}
	return nil
}

func (e *encoder) object(o *Object) error {
	if !validClass(o.Class) {
		return badValue(o, "its Class is not the name of a PHP class")
	}
	e.dst = append(e.dst, "O:"...)
	e.dst = appendQuoted(e.dst, o.Class)
	e.dst = append(e.dst, ':')
	e.dst = strconv.AppendInt(e.dst, int64(len(o.Properties)), 10)
	e.dst = append(e.dst, ":{"...)
	if err := e.descend(); err != nil {
		return err
	}
	for i := range o.Properties {
		p := &o.Properties[i]
		k := Key{text: p.Name, isText: true}
		if p.IntKey {
			if k = StringKey(p.Name); k.isText {
				return badValue(o, "the Name of a property with IntKey is not an int")
			}
		}
		e.dst = appendPropertyKey(e.dst, p, k)
		if err := e.value(p.Value); err != nil {
			return under(k, err)
		}
	}
	e.dst = append(e.dst, '}')
	e.depth--
	return nil
}

func appendPropertyKey(dst []byte, p *Property, k Key) []byte {
	mark := p.Class
	switch p.Visibility {
	case Private:
	case Protected:
		mark = "*"
	default:
		return appendKey(dst, k)
	}
	dst = append(dst, "s:"...)
	dst = strconv.AppendInt(dst, int64(len(mark)+2+len(p.Name)), 10)
	dst = append(dst, ":\"\x00"...)
	dst = append(dst, mark...)
	dst = append(dst, 0)
	dst = append(dst, p.Name...)
	return append(dst, '"', ';')
}

func badValue(v Value, reason string) error {
	return &UnsupportedTypeError{Type: goType(v), Reason: reason}
}

// AppendString appends s to dst as a PHP string. It is [Append] for a string, and allocates nothing if dst has room.
func AppendString(dst []byte, s string) []byte { return appendString(dst, s) }

func appendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, "s:"...)
	dst = appendQuoted(dst, s)
	return append(dst, ';')
}

// AppendInt appends n to dst as a PHP int. It is [Append] for an int, and allocates nothing if dst has room.
func AppendInt(dst []byte, n int64) []byte {
	dst = append(dst, "i:"...)
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, ';')
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, "b:1;"...)
	}
	return append(dst, "b:0;"...)
}

func appendFloatValue(dst []byte, f float64) []byte {
	dst = append(dst, "d:"...)
	dst = appendFloat(dst, f, 'E')
	return append(dst, ';')
}

func appendKey(dst []byte, k Key) []byte {
	if k.isText {
		return AppendString(dst, k.text)
	}
	return AppendInt(dst, k.num)
}

// appendQuoted appends the length of s and s in quotes.
func appendQuoted[T string | []byte](dst []byte, s T) []byte {
	dst = strconv.AppendInt(dst, int64(len(s)), 10)
	dst = append(dst, ':', '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
