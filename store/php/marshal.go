package php

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// Marshal returns v as PHP's serialize would write the same value:
//   - nil, nil pointers and nil interfaces are null, other pointers and interfaces what they hold;
//   - bools, ints, floats and strings are themselves; a []byte or [N]byte is a string;
//   - slices and arrays are lists; a nil slice is an empty array, since a null in a cache reads as a miss;
//   - maps with keys of a string or integer type, or of type [Key], are arrays: int keys first, in ascending order, then
//     string keys in the order of their bytes, both after a key such as "5" became the int that PHP makes of it;
//   - structs are arrays with string keys, in the order of the fields, as the tag `php:"name,omitempty"` says: a field
//     without a name goes by that of the Go field, the name "-" leaves it out, omitempty leaves it out if it is false, 0,
//     nil or of length 0. The fields of embedded structs count as those of the outer one, as in encoding/json,
//     whose own tags (`json:"name"`) are not looked at;
//   - a [Value] is itself, if it is made of data alone: null, bools, ints, floats, strings and arrays;
//   - a [json.Number] is the int or float that [FromJSON] makes of it.
//
// Objects, enums and references are never written, for PHP would run code of their classes on reading them; such Values
// are an [*UnsupportedTypeError]. So are funcs, channels, complex numbers and structs without a usable field, as well as
// [time.Time] and [time.Duration], which have no one form in PHP. An unsigned integer above PHP's largest int is an
// [*OverflowError]. More than [MaxDepth] levels are a [*LimitError], and so a pointer that leads back to itself.
func Marshal(v any) ([]byte, error) {
	var dst []byte
	if s, ok := v.(string); ok { // what caches hold most, in one allocation
		dst = make([]byte, 0, len(s)+len(`s:12345678:"";`))
	}
	return Append(dst, v)
}

// Append appends v to dst as [Marshal] writes it. If it fails it returns dst as it was.
//
// For a scalar or a []byte it allocates nothing if dst has room. That v is an any may cost its caller an allocation, which
// [AppendString] and [AppendInt] save.
func Append(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "N;"...), nil
	case string:
		return appendString(dst, v), nil
	case []byte:
		return appendString(dst, v), nil
	case bool:
		return appendBool(dst, v), nil
	case int:
		return AppendInt(dst, int64(v)), nil
	case int64:
		return AppendInt(dst, v), nil
	case float64:
		return appendFloatValue(dst, v), nil
	}
	e := encoder{dst: dst, dataOnly: true}
	if err := e.goValue(reflect.ValueOf(v)); err != nil {
		return dst, err
	}
	return e.dst, nil
}

var (
	valueType    = reflect.TypeFor[Value]()
	keyType      = reflect.TypeFor[Key]()
	numberType   = reflect.TypeFor[json.Number]()
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
)

// goValue appends any Go value.
func (e *encoder) goValue(rv reflect.Value) error {
	for hops := 0; rv.Kind() == reflect.Pointer || rv.Kind() == reflect.Interface; hops++ {
		if rv.IsNil() {
			return e.value(nil)
		}
		if hops > MaxDepth { // a pointer to an interface can hold itself
			return &LimitError{What: "pointers in a row", Limit: MaxDepth}
		}
		if isValue(rv.Type()) {
			break
		}
		rv = rv.Elem()
	}
	t := rv.Type()
	if isValue(t) {
		return e.value(rv.Interface().(Value))
	}
	if err := refused(t); err != nil {
		return err
	}
	switch t.Kind() {
	case reflect.Bool:
		e.dst = appendBool(e.dst, rv.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		e.dst = AppendInt(e.dst, rv.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		n, err := phpInt(rv.Uint())
		if err != nil {
			return err
		}
		e.dst = AppendInt(e.dst, n)
	case reflect.Float32, reflect.Float64:
		e.dst = appendFloatValue(e.dst, rv.Float())
	case reflect.String:
		if t == numberType {
			return e.number(rv.String())
		}
		e.dst = AppendString(e.dst, rv.String())
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			e.bytes(rv)
			return nil
		}
		return e.list(rv)
	case reflect.Map:
		return e.goMap(rv)
	case reflect.Struct:
		return e.goStruct(rv)
	default:
		return unsupported(t, "it has no form in PHP")
	}
	return nil
}

// isValue reports whether t is Value or the type of one of its kinds. A pointer to a kind that is none itself, such as *Int,
// has the methods of a Value too, but is a pointer like any other.
func isValue(t reflect.Type) bool {
	return t.Implements(valueType) && (t.Kind() != reflect.Pointer || !t.Elem().Implements(valueType))
}

// number appends a [json.Number] as the number that it spells.
func (e *encoder) number(text string) error {
	p := jsonParser{scanner: scanner{data: []byte(text)}}
	v, err := p.number()
	if err != nil || p.rest() > 0 {
		return unsupported(numberType, "its text is not a JSON number")
	}
	return e.value(v)
}

// bytes appends a slice or array of bytes as a string.
func (e *encoder) bytes(rv reflect.Value) {
	if rv.Kind() == reflect.Slice || rv.CanAddr() {
		e.dst = appendString(e.dst, rv.Bytes())
		return
	}
	b := make([]byte, rv.Len()) // an array that has no address, as in an interface
	reflect.Copy(reflect.ValueOf(b), rv)
	e.dst = appendString(e.dst, b)
}

func (e *encoder) list(rv reflect.Value) error {
	n := rv.Len()
	if err := e.openArray(n); err != nil {
		return err
	}
	for i := range n {
		e.dst = AppendInt(e.dst, int64(i))
		if err := e.goValue(rv.Index(i)); err != nil {
			return under(IntKey(int64(i)), err)
		}
	}
	e.closeArray(n)
	return nil
}

func (e *encoder) goMap(rv reflect.Value) error {
	type mapEntry struct {
		key   Key
		value reflect.Value
	}
	entries := make([]mapEntry, 0, rv.Len())
	for it := rv.MapRange(); it.Next(); {
		k, err := mapKey(it.Key())
		if err != nil {
			return err
		}
		entries = append(entries, mapEntry{k, it.Value()})
	}
	slices.SortFunc(entries, func(a, b mapEntry) int { return a.key.compare(b.key) })
	if err := e.openArray(len(entries)); err != nil {
		return err
	}
	for i, m := range entries {
		if i > 0 && m.key == entries[i-1].key {
			return under(m.key, unsupported(rv.Type(), "two of its keys are the same key in PHP"))
		}
		e.dst = appendKey(e.dst, m.key)
		if err := e.goValue(m.value); err != nil {
			return under(m.key, err)
		}
	}
	e.closeArray(len(entries))
	return nil
}

// mapKey returns the PHP key of a key of a Go map.
func mapKey(rv reflect.Value) (Key, error) {
	t := rv.Type()
	switch {
	case t == keyType:
		k := rv.Interface().(Key)
		return k, nil
	case t.Kind() == reflect.Interface && !rv.IsNil():
		return mapKey(rv.Elem())
	case t.Kind() == reflect.String:
		return StringKey(rv.String()), nil
	case rv.CanInt():
		return IntKey(rv.Int()), nil
	case rv.CanUint():
		n, err := phpInt(rv.Uint())
		return IntKey(n), err
	}
	return Key{}, unsupported(t, "a key of a PHP array is an integer or a string")
}

func phpInt(n uint64) (int64, error) {
	if n > math.MaxInt64 {
		return 0, &OverflowError{Value: strconv.FormatUint(n, 10), Type: "PHP int"}
	}
	return int64(n), nil
}

// refused returns an error for the types whose kind would do, but which have no one form in PHP: better none than one
// that a reader takes for another.
func refused(t reflect.Type) error {
	switch t {
	case timeType:
		return unsupported(t, "convert it, for example with Unix or Format")
	case durationType:
		return unsupported(t, "convert it, for example with Seconds")
	}
	return nil
}

func unsupported(t reflect.Type, reason string) error {
	return &UnsupportedTypeError{Type: t.String(), Reason: reason}
}

// goType names the type of v for an error.
func goType(v any) string {
	if v == nil {
		return "nil"
	}
	return reflect.TypeOf(v).String()
}
