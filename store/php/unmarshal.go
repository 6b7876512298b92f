package php

import (
	"reflect"
	"strings"
)

// Unmarshal stores the value of data, which [Decode] describes, in what dst points at:
//   - a PHP bool, int, float or string in a Go value of that kind; a string also in a []byte, or a [N]byte of its length,
//     and an int also in a float that holds it exactly;
//   - a list in a slice, or an array of its length; any array in a map, whose keys are strings (an int key is its decimal
//     text), integers, interfaces (int64 or string) or of type [Key];
//   - an array or an object in a struct, by the names that [Marshal] describes. What the struct has no field for is left
//     out, and a field that the array has no key for stays as it is. Of an object all properties count, whatever their
//     visibility, and the class does not;
//   - null in a pointer, slice, map or interface, which becomes nil. For any other value a nil pointer is first made to
//     point at a new variable;
//   - any value in a [Value], or in the type that stands for its kind, such as *[Object] or [Enum];
//   - in an any: null as nil, a bool, int, float or string as bool, int64, float64 or string, a list as []any (an empty
//     array too), any other array as *[Array], an object as *[Object] or *[Custom], and an enum as [Enum].
//
// In all but Values, a [Reference] is the value that it points at.
//
// Nothing is converted silently: a string "7" for an int is a [*TypeError], a number that does not fit an
// [*OverflowError], and both name the place in the value. A destination that no PHP value fits, dst itself if it is not a
// pointer, [time.Time] and [time.Duration] are an [*UnsupportedTypeError]. References that lead back to themselves are a
// TypeError, and those that would make a small text a huge value a [*LimitError]. After an error a slice, array, map or
// struct in dst may be partly filled.
func Unmarshal(data []byte, dst any) error {
	if unmarshalScalar(data, dst) {
		return nil
	}
	rv := reflect.ValueOf(dst)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return &UnsupportedTypeError{Type: goType(dst), Reason: "the destination must be a pointer that is not nil"}
	}
	v, err := Decode(data)
	if err != nil {
		return err
	}
	limit := expansionFloor + expansionFactor*len(data)
	u := unmarshaler{limit: limit, left: limit}
	return u.store(rv.Elem(), v)
}

// unmarshalScalar is Unmarshal for the values that caches hold most, without a tree of Values, and reports whether it was
// enough. It leaves everything else to its caller, errors and mismatched types too, so that there is one place to judge
// them.
func unmarshalScalar(data []byte, dst any) bool {
	switch p := dst.(type) {
	case *string:
		if text, ok := scanString(data); ok && p != nil {
			*p = string(text)
			return true
		}
	case *[]byte:
		if text, ok := scanString(data); ok && p != nil {
			*p = append(make([]byte, 0, len(text)), text...)
			return true
		}
	case *int:
		if s, ok := scanScalar(data, 'i'); ok && p != nil && int64(int(s.num)) == s.num {
			*p = int(s.num)
			return true
		}
	case *int64:
		if s, ok := scanScalar(data, 'i'); ok && p != nil {
			*p = s.num
			return true
		}
	case *float64:
		if s, ok := scanScalar(data, 'd'); ok && p != nil {
			*p = s.float
			return true
		}
	case *bool:
		if s, ok := scanScalar(data, 'b'); ok && p != nil {
			*p = s.num != 0
			return true
		}
	case *any:
		if len(data) == 0 || p == nil {
			return false
		}
		switch s, ok := scanScalar(data, data[0]); {
		case !ok:
			return false
		case s.tag == 'N':
			*p = nil
		case s.tag == 'b':
			*p = s.num != 0
		case s.tag == 'i':
			*p = s.num
		case s.tag == 'd':
			*p = s.float
		case s.tag == 's':
			*p = string(s.bytes)
		}
		return true
	}
	return false
}

// scanString is scanScalar for a string, which is most of what caches hold, without what the other scalars need.
func scanString(data []byte) (text []byte, ok bool) {
	if len(data) < 2 || data[0] != 's' || data[1] != ':' {
		return nil, false
	}
	s := scanner{data: data, pos: 2}
	_, text, err := s.quoted("string")
	return text, err == nil && s.want(';') == nil && s.rest() == 0
}

// scanScalar returns the scalar that data are, and whether they are one with the given tag and nothing else.
func scanScalar(data []byte, tag byte) (v scalar, ok bool) {
	s := scanner{data: data}
	if got, err := s.tag(); err != nil || got != tag || strings.IndexByte("Nbids", tag) < 0 {
		return v, false
	}
	v, err := s.scalar(tag)
	return v, err == nil && s.rest() == 0
}
