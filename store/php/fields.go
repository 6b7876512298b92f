package php

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// A structType is what [Marshal] and [Unmarshal] need to know of a Go struct type.
type structType struct {
	fields []field
	byKey  map[Key]int
}

type field struct {
	key       Key
	index     []int // the way to it, through embedded structs
	tagged    bool
	omitEmpty bool
}

var structTypes sync.Map // of reflect.Type to *structType

func structTypeOf(t reflect.Type) (*structType, error) {
	if s, ok := structTypes.Load(t); ok {
		return s.(*structType), nil
	}
	s := &structType{byKey: map[Key]int{}}
	for _, f := range dominant(collect(t, nil, nil)) {
		s.byKey[f.key] = len(s.fields)
		s.fields = append(s.fields, f)
	}
	if len(s.fields) == 0 && t.NumField() > 0 {
		return nil, unsupported(t, "none of its fields can be stored; convert it")
	}
	structTypes.Store(t, s)
	return s, nil
}

// collect returns the fields of t and of the structs embedded in it, in the order of the source. outer are the types on
// the way here, so that a type that embeds a pointer to itself comes to an end.
func collect(t reflect.Type, way []int, outer []reflect.Type) []field {
	if slices.Contains(outer, t) {
		return nil
	}
	outer = append(outer[:len(outer):len(outer)], t)
	var fields []field
	for i := range t.NumField() {
		sf := t.Field(i)
		name, options, _ := strings.Cut(sf.Tag.Get("php"), ",")
		if name == "-" {
			continue
		}
		index := append(way[:len(way):len(way)], i)
		if inner := sf.Type; sf.Anonymous && name == "" {
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct && inner != timeType && !isValue(sf.Type) {
				fields = append(fields, collect(inner, index, outer)...)
				continue
			}
		}
		if !sf.IsExported() {
			continue
		}
		f := field{index: index, tagged: name != ""}
		f.key = StringKey(cmp.Or(name, sf.Name))
		f.omitEmpty = slices.Contains(strings.Split(options, ","), "omitempty")
		fields = append(fields, f)
	}
	return fields
}

// dominant leaves one field of each key, by Go's rule for embedded structs, with a tag deciding between fields of the
// same depth, as in encoding/json: where two are equal, neither counts.
func dominant(all []field) []field {
	byKey := map[Key][]field{}
	for _, f := range all {
		byKey[f.key] = append(byKey[f.key], f)
	}
	return slices.DeleteFunc(all, func(f field) bool {
		for _, other := range byKey[f.key] {
			if !slices.Equal(other.index, f.index) && rank(other) <= rank(f) {
				return true
			}
		}
		return false
	})
}

// rank is lower for a field that hides others.
func rank(f field) int {
	r := 2 * len(f.index)
	if f.tagged {
		r--
	}
	return r
}

func (e *encoder) goStruct(rv reflect.Value) error {
	s, err := structTypeOf(rv.Type())
	if err != nil {
		return err
	}
	present := make([]reflect.Value, len(s.fields))
	n := 0
	for i, f := range s.fields {
		fv, err := rv.FieldByIndexErr(f.index)
		if err != nil || f.omitEmpty && empty(fv) {
			continue // the error is a nil pointer to an embedded struct
		}
		present[i] = fv
		n++
	}
	if err := e.openArray(n); err != nil {
		return err
	}
	for i, fv := range present {
		if !fv.IsValid() {
			continue
		}
		k := s.fields[i].key
		e.dst = appendKey(e.dst, k)
		if err := e.goValue(fv); err != nil {
			return under(k, err)
		}
	}
	e.closeArray(n)
	return nil
}

func empty(rv reflect.Value) bool {
	switch rv.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return rv.Len() == 0
	case reflect.Struct:
		return false
	}
	return rv.IsZero()
}
