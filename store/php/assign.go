package php

import (
	"reflect"
	"strconv"
	"strings"
)

// How many values Unmarshal makes by following references at most: the floor, and the factor for each byte of the text.
// A reference takes at least eight bytes there, so an honest text may refer to values of some hundred entries as often as
// it likes, and one of references to references to references cannot take more than memory in proportion to its length.
const (
	expansionFloor  = 10_000
	expansionFactor = 16
)

// An unmarshaler stores a tree of Values in Go values.
type unmarshaler struct {
	depth     int
	following map[Value]bool // the arrays and objects that references led to, and that are being stored
	limit     int
	left      int // how many more values may be made while following references
}

// store puts v into rv, which can be set.
func (u *unmarshaler) store(rv reflect.Value, v Value) error {
	t := rv.Type()
	if isValue(t) {
		return u.storeValue(rv, v)
	}
	if r, ok := v.(Reference); ok {
		return u.follow(r, t.String(), func(target Value) error { return u.store(rv, target) })
	}
	if _, null := v.(Null); null {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
			rv.SetZero()
			return nil
		}
	}
	if err := refused(t); err != nil {
		return err
	}
	switch t.Kind() {
	case reflect.Pointer:
		return u.storePointer(rv, v)
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return unsupported(t, "only any and php.Value are interfaces that a PHP value fits")
		}
		x, err := u.plain(v)
		if err == nil && x != nil {
			rv.Set(reflect.ValueOf(x))
		}
		return err
	case reflect.Bool:
		if b, ok := v.(Bool); ok {
			rv.SetBool(bool(b))
			return nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if n, ok := v.(Int); ok {
			return setInt(rv, int64(n))
		}
	case reflect.Float32, reflect.Float64:
		switch v := v.(type) {
		case Float:
			return setFloat(rv, float64(v))
		case Int:
			return setFloatOfInt(rv, int64(v))
		}
	case reflect.String:
		if s, ok := v.(String); ok && t != numberType {
			text, err := u.text(s)
			rv.SetString(text)
			return err
		}
	case reflect.Slice:
		return u.storeSlice(rv, v)
	case reflect.Array:
		return u.storeArray(rv, v)
	case reflect.Map:
		if a, ok := v.(*Array); ok {
			return u.storeMap(rv, a)
		}
	case reflect.Struct:
		switch v := v.(type) {
		case *Array:
			return u.storeStruct(rv, v.Len(), v.All())
		case *Object:
			return u.storeStruct(rv, len(v.Properties), v.all())
		}
	default:
		return unsupported(t, "no PHP value fits it")
	}
	return mismatch(t, v)
}

// storeValue puts v into a variable of type Value, or of one of the types that are Values.
func (u *unmarshaler) storeValue(rv reflect.Value, v Value) error {
	t := rv.Type()
	if reflect.TypeOf(v).AssignableTo(t) {
		rv.Set(reflect.ValueOf(v))
		return nil
	}
	if r, ok := v.(Reference); ok && r.target != nil && reflect.TypeOf(r.target).AssignableTo(t) {
		rv.Set(reflect.ValueOf(r.target))
		return nil
	}
	if _, null := v.(Null); null && t.Kind() == reflect.Pointer {
		rv.SetZero()
		return nil
	}
	return mismatch(t, v)
}

func mismatch(t reflect.Type, v Value) error { return &TypeError{Want: t.String(), Got: got(v)} }

func got(v Value) string {
	if a, ok := v.(*Array); ok {
		if a.IsList() {
			return "list"
		}
		return "array with keys other than 0, 1, 2, ..."
	}
	return typeOf(v)
}

// follow calls use with the target of r. While it runs, u counts the values that it makes.
func (u *unmarshaler) follow(r Reference, want string, use func(target Value) error) error {
	target := r.target
	switch t := target.(type) {
	case String:
		if err := u.charge(1 + len(t)/bytesPerValue); err != nil {
			return err
		}
	case nil:
		return &TypeError{Want: want, Got: "reference past a Serializable object, which only its class can resolve"}
	case *Array, *Object:
		if u.following[target] {
			return &TypeError{Want: want, Got: "reference to a value that contains it"}
		}
		if u.following == nil {
			u.following = make(map[Value]bool)
		}
		u.following[target] = true
		defer delete(u.following, target)
	}
	return use(target)
}

// enter begins an array or object of n entries, and leave ends it.
func (u *unmarshaler) enter(n int) error {
	if u.depth++; u.depth > MaxDepth+1 { // the innermost may be an empty array; deeper only references can lead
		return &LimitError{What: "levels of nesting", Limit: MaxDepth}
	}
	if len(u.following) == 0 {
		return nil
	}
	return u.charge(n + 1)
}

// bytesPerValue is how many bytes of a string count as one more value: a copy of a long string is made for every reference to it.
const bytesPerValue = 4

// charge counts values that exist only because references were followed.
func (u *unmarshaler) charge(n int) error {
	if u.left -= n; u.left < 0 {
		return &LimitError{What: "values made by following references", Limit: int64(u.limit)}
	}
	return nil
}

// chargeText charges a string that is about to be copied, if only a reference led to it.
func (u *unmarshaler) chargeText(n int) error {
	if len(u.following) == 0 {
		return nil
	}
	return u.charge(n / bytesPerValue)
}

// text copies a string out of the decoded text.
func (u *unmarshaler) text(s String) (string, error) {
	if err := u.chargeText(len(s)); err != nil {
		return "", err
	}
	return strings.Clone(string(s)), nil
}

func (u *unmarshaler) leave() { u.depth-- }

// plain returns v as the Go value that an any holds.
func (u *unmarshaler) plain(v Value) (any, error) {
	switch v := v.(type) {
	case Null:
		return nil, nil
	case Bool:
		return bool(v), nil
	case Int:
		return int64(v), nil
	case Float:
		return float64(v), nil
	case String:
		return u.text(v)
	case Reference:
		var x any
		err := u.follow(v, "any", func(target Value) (err error) {
			x, err = u.plain(target)
			return err
		})
		return x, err
	case *Array:
		if !v.IsList() {
			return v, nil
		}
		if err := u.enter(v.Len()); err != nil {
			return nil, err
		}
		defer u.leave()
		list := make([]any, v.Len())
		for i, e := range v.entries {
			x, err := u.plain(e.value)
			if err != nil {
				return nil, under(e.key, err)
			}
			list[i] = x
		}
		return list, nil
	}
	return v, nil
}

// storePointer makes nil pointers point at new variables, and stores v in the last.
func (u *unmarshaler) storePointer(rv reflect.Value, v Value) error {
	for hops := 0; rv.Kind() == reflect.Pointer && !isValue(rv.Type()); hops++ {
		if hops > MaxDepth { // the type is a pointer to itself
			return unsupported(rv.Type(), "no PHP value fits it")
		}
		if rv.IsNil() {
			rv.Set(reflect.New(rv.Type().Elem()))
		}
		rv = rv.Elem()
	}
	return u.store(rv, v)
}

func setInt(rv reflect.Value, n int64) error {
	switch {
	case rv.CanInt() && !rv.OverflowInt(n):
		rv.SetInt(n)
	case rv.CanUint() && n >= 0 && !rv.OverflowUint(uint64(n)):
		rv.SetUint(uint64(n))
	default:
		return &OverflowError{Value: strconv.FormatInt(n, 10), Type: rv.Type().String()}
	}
	return nil
}

func setFloat(rv reflect.Value, f float64) error {
	if rv.OverflowFloat(f) {
		return &OverflowError{Value: strconv.FormatFloat(f, 'g', -1, 64), Type: rv.Type().String()}
	}
	rv.SetFloat(f)
	return nil
}

// setFloatOfInt stores an int in a float if it stays the same number.
func setFloatOfInt(rv reflect.Value, n int64) error {
	f := float64(n)
	if rv.Kind() == reflect.Float32 {
		f = float64(float32(n))
	}
	// The largest ints round up to 2^63, which is no int64: Go leaves open what converting it back gives.
	if f >= 1<<63 || int64(f) != n {
		return &OverflowError{Value: strconv.FormatInt(n, 10), Type: rv.Type().String()}
	}
	rv.SetFloat(f)
	return nil
}
