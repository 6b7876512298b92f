package php

import (
	"iter"
	"strings"
)

// all ranges over the properties as if they were the entries of an array, without their visibility.
func (o *Object) all() iter.Seq2[Key, Value] {
	return func(yield func(Key, Value) bool) {
		for _, p := range o.Properties {
			if !yield(StringKey(p.Name), p.Value) {
				return
			}
		}
	}
}

// property makes a Property of a key as it stands in the text. PHP marks names by NUL bytes: \0*\0name is protected,
// \0Class\0name private to Class. A name with marks of no such form is left as it is, so that it is written back so.
func property(k Key, v Value) Property {
	if !k.isText {
		return Property{Name: k.String(), IntKey: true, Value: v}
	}
	if rest, marked := strings.CutPrefix(k.text, "\x00"); marked {
		switch class, name, ok := strings.Cut(rest, "\x00"); {
		case ok && class == "*":
			return Property{Name: name, Visibility: Protected, Value: v}
		case ok:
			return Property{Name: name, Visibility: Private, Class: class, Value: v}
		}
	}
	return Property{Name: k.text, Value: v}
}

// A propertyIndex finds the properties of one object that were added to it. Like [Array], it is no map until one pays.
type propertyIndex map[propertyID]int

type propertyID struct {
	name, class string
	visibility  Visibility
}

func (p *Property) id() propertyID { return propertyID{p.Name, p.Class, p.Visibility} }

// add returns the place of p among all, or -1 and notes that p is about to be appended to them.
func (x *propertyIndex) add(p Property, all []Property) int {
	if len(all) < shortArray {
		for i := range all {
			if all[i].id() == p.id() {
				return i
			}
		}
		return -1
	}
	if *x == nil {
		*x = make(propertyIndex, cap(all))
		for i := range all {
			(*x)[all[i].id()] = i
		}
	}
	if i, ok := (*x)[p.id()]; ok {
		return i
	}
	(*x)[p.id()] = len(all)
	return -1
}

// validClass reports whether PHP accepts name in front of an object's properties: letters, digits, underscores, bytes
// from 0x7F and, except at the start, backslashes.
func validClass[T string | []byte](name T) bool {
	for i := range len(name) {
		if c := name[i]; !word(c) && (c != '\\' || i == 0) {
			return false
		}
	}
	return len(name) > 0
}

// validCase reports whether name could be the name of an enum's case: a class name without backslashes or a digit first.
func validCase[T string | []byte](name T) bool {
	for i := range len(name) {
		if !word(name[i]) {
			return false
		}
	}
	return len(name) > 0 && (name[0] < '0' || name[0] > '9')
}

func word(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c >= 0x7f
}
