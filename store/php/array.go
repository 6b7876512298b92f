package php

import (
	"cmp"
	"iter"
	"strconv"
	"strings"
)

// A Key is a key of a PHP array: an int or a string. Keys compare with ==. The zero Key is the int 0.
type Key struct {
	text   string
	num    int64
	isText bool
}

// IntKey returns the key n.
func IntKey(n int64) Key { return Key{num: n} }

// StringKey returns the key that PHP makes of the string s. A string that spells an int as PHP would ("5" and "-3", but
// not "05", "+5", "-0" or "5.0") is the key of that int, if it fits into 64 bits.
func StringKey(s string) Key {
	if n, ok := canonicalInt(s); ok {
		return Key{num: n}
	}
	return Key{text: s, isText: true}
}

// Int returns the int that k is, and whether k is one.
func (k Key) Int() (n int64, ok bool) { return k.num, !k.isText }

// String returns k as text: an int key in decimal.
func (k Key) String() string {
	if k.isText {
		return k.text
	}
	return strconv.FormatInt(k.num, 10)
}

// compare puts int keys before string keys, and each kind in its own order.
func (k Key) compare(other Key) int {
	switch {
	case k.isText != other.isText:
		if k.isText {
			return 1
		}
		return -1
	case k.isText:
		return strings.Compare(k.text, other.text)
	}
	return cmp.Compare(k.num, other.num)
}

// canonicalInt returns the int that s spells in the one way that PHP spells it.
func canonicalInt(s string) (int64, bool) {
	if s == "" || len(s) > len("-9223372036854775808") || s[0] > '9' {
		return 0, false // nearly every key ends here
	}
	digits := s
	if s[0] == '-' {
		digits = s[1:]
	}
	if digits == "" || digits[0] < '0' || digits[0] > '9' || digits[0] == '0' && len(s) > 1 {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// An Array is a PHP array: a map that keeps the order in which its keys were first set, and with the keys 0, 1, 2, ... in
// that order, a list. The zero Array is empty and ready to use.
type Array struct {
	entries []entry
	sparse  bool        // the keys are not 0, 1, 2, ... in order
	index   map[Key]int // the places of the keys; nil if the array is a list or short
}

type entry struct {
	key   Key
	value Value
}

// shortArray is how many entries are searched one by one, which is faster than a map up to about here and saves the
// memory of one for the many small arrays of a large value.
const shortArray = 8

// NewList returns an array with the keys 0, 1, 2, ... and the given values.
func NewList(values ...Value) *Array {
	a := &Array{entries: make([]entry, 0, len(values))}
	for i, v := range values {
		a.entries = append(a.entries, entry{IntKey(int64(i)), v})
	}
	return a
}

// Len returns the number of entries.
func (a *Array) Len() int {
	if a == nil {
		return 0
	}
	return len(a.entries)
}

// IsList reports whether the keys are 0, 1, 2, ... in order, as PHP's array_is_list. An empty array is a list.
func (a *Array) IsList() bool { return a == nil || !a.sparse }

// Get returns the value of k, and whether there is one.
func (a *Array) Get(k Key) (Value, bool) {
	if i := a.find(k); i >= 0 {
		return a.entries[i].value, true
	}
	return nil, false
}

// Set sets the value of k. A key that is there already keeps its place, a new one comes last.
func (a *Array) Set(k Key, v Value) {
	if i := a.find(k); i >= 0 {
		a.entries[i].value = v
		return
	}
	n := len(a.entries)
	a.entries = append(a.entries, entry{k, v})
	if !a.sparse {
		if k == IntKey(int64(n)) {
			return
		}
		a.sparse = true
	}
	switch {
	case a.index != nil:
		a.index[k] = n
	case n >= shortArray:
		a.index = make(map[Key]int, cap(a.entries))
		for i, e := range a.entries {
			a.index[e.key] = i
		}
	}
}

// All ranges over the entries in order. The array must not be changed meanwhile.
func (a *Array) All() iter.Seq2[Key, Value] {
	return func(yield func(Key, Value) bool) {
		if a == nil {
			return
		}
		for _, e := range a.entries {
			if !yield(e.key, e.value) {
				return
			}
		}
	}
}

// find returns the place of k, or -1.
func (a *Array) find(k Key) int {
	switch {
	case a == nil:
		return -1
	case !a.sparse:
		if !k.isText && k.num >= 0 && k.num < int64(len(a.entries)) {
			return int(k.num)
		}
		return -1
	case a.index != nil:
		if i, ok := a.index[k]; ok {
			return i
		}
		return -1
	}
	for i, e := range a.entries {
		if e.key == k {
			return i
		}
	}
	return -1
}
