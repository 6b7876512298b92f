package php

import (
	"iter"
	"reflect"
	"strconv"
	"strings"
)

func (u *unmarshaler) storeSlice(rv reflect.Value, v Value) error {
	t := rv.Type()
	if s, ok := v.(String); ok && t.Elem().Kind() == reflect.Uint8 {
		if err := u.chargeText(len(s)); err != nil {
			return err
		}
		rv.SetBytes([]byte(s))
		return nil
	}
	a, ok := v.(*Array)
	if !ok || !a.IsList() || t.Elem().Kind() == reflect.Uint8 {
		return mismatch(t, v)
	}
	if err := u.enter(a.Len()); err != nil {
		return err
	}
	defer u.leave()
	list := reflect.MakeSlice(t, a.Len(), a.Len())
	err := u.storeList(list, a)
	rv.Set(list)
	return err
}

func (u *unmarshaler) storeArray(rv reflect.Value, v Value) error {
	t := rv.Type()
	n := 0
	switch v := v.(type) {
	case String:
		if t.Elem().Kind() != reflect.Uint8 {
			return mismatch(t, v)
		}
		if n = len(v); n == rv.Len() {
			reflect.Copy(rv, reflect.ValueOf([]byte(v)))
			return nil
		}
	case *Array:
		if !v.IsList() || t.Elem().Kind() == reflect.Uint8 {
			return mismatch(t, v)
		}
		if n = v.Len(); n == rv.Len() {
			if err := u.enter(n); err != nil {
				return err
			}
			defer u.leave()
			return u.storeList(rv, v)
		}
	default:
		return mismatch(t, v)
	}
	return &TypeError{Want: t.String(), Got: got(v) + " of length " + strconv.Itoa(n)}
}

// storeList stores the values of a list in a slice or array of its length.
func (u *unmarshaler) storeList(rv reflect.Value, a *Array) error {
	for i, e := range a.entries {
		if err := u.store(rv.Index(i), e.value); err != nil {
			return under(e.key, err)
		}
	}
	return nil
}

func (u *unmarshaler) storeMap(rv reflect.Value, a *Array) error {
	if err := u.enter(a.Len()); err != nil {
		return err
	}
	defer u.leave()
	t := rv.Type()
	m := reflect.MakeMapWithSize(t, a.Len())
	rv.Set(m)
	for _, e := range a.entries {
		k := reflect.New(t.Key()).Elem()
		if err := storeKey(k, e.key); err != nil {
			return under(e.key, err)
		}
		if err := u.chargeText(len(e.key.text)); err != nil {
			return under(e.key, err)
		}
		x := reflect.New(t.Elem()).Elem()
		if err := u.store(x, e.value); err != nil {
			return under(e.key, err)
		}
		m.SetMapIndex(k, x)
	}
	return nil
}

// storeKey puts k into rv, a new key of a Go map.
func storeKey(rv reflect.Value, k Key) error {
	t := rv.Type()
	switch {
	case t == keyType:
		rv.Set(reflect.ValueOf(k))
	case t.Kind() == reflect.String:
		rv.SetString(strings.Clone(k.String()))
	case rv.CanInt() || rv.CanUint():
		if k.isText {
			return &TypeError{Want: t.String(), Got: "string key"}
		}
		return setInt(rv, k.num)
	case t.Kind() == reflect.Interface && t.NumMethod() == 0:
		if k.isText {
			rv.Set(reflect.ValueOf(strings.Clone(k.text)))
		} else {
			rv.Set(reflect.ValueOf(k.num))
		}
	default:
		return unsupported(t, "a key of a PHP array is an integer or a string")
	}
	return nil
}

// storeStruct stores those of n entries that the struct rv has fields for.
func (u *unmarshaler) storeStruct(rv reflect.Value, n int, entries iter.Seq2[Key, Value]) error {
	s, err := structTypeOf(rv.Type())
	if err != nil {
		return err
	}
	if err := u.enter(n); err != nil {
		return err
	}
	defer u.leave()
	for k, v := range entries {
		i, ok := s.byKey[k]
		if !ok {
			continue
		}
		fv, err := fieldToSet(rv, s.fields[i].index)
		if err == nil {
			err = u.store(fv, v)
		}
		if err != nil {
			return under(k, err)
		}
	}
	return nil
}

// fieldToSet returns the field at index, with new structs behind nil pointers to embedded ones on the way.
func fieldToSet(rv reflect.Value, index []int) (reflect.Value, error) {
	for n, i := range index {
		if n > 0 && rv.Kind() == reflect.Pointer {
			if rv.IsNil() {
				if !rv.CanSet() {
					return rv, unsupported(rv.Type(), "it is embedded as a nil pointer and not exported")
				}
				rv.Set(reflect.New(rv.Type().Elem()))
			}
			rv = rv.Elem()
		}
		rv = rv.Field(i)
	}
	return rv, nil
}
