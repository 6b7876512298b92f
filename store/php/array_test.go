package php

import (
	"fmt"
	"slices"
	"testing"
)

func TestStringKey_IsAnIntWherePHPHasOne(t *testing.T) {
	for _, s := range []string{"0", "5", "-3", "10", "9223372036854775807", "-9223372036854775808"} {
		if k := StringKey(s); k.isText || k.String() != s {
			t.Errorf("%q is not an int", s)
		}
	}
	for _, s := range []string{"", "-", "-0", "00", "05", "-05", "+5", " 5", "5 ", "5.0", "1e3", "0x1", "a", "/", ":", "9223372036854775808", "-9223372036854775809", "٣"} {
		if k := StringKey(s); !k.isText || k.String() != s {
			t.Errorf("%q is an int", s)
		}
	}
}

func TestKey_IsAnIntOrAString(t *testing.T) {
	if n, ok := StringKey("-7").Int(); n != -7 || !ok {
		t.Errorf("got %d, %v", n, ok)
	}
	if _, ok := StringKey("x").Int(); ok {
		t.Error("a string is an int")
	}
}

func TestArray_KeepsTheOrderOfFirstSets(t *testing.T) {
	var a Array
	want := []string{}
	for i := range 100 { // beyond what is searched one by one
		a.Set(StringKey(fmt.Sprint("k", i)), Int(i))
		want = append(want, fmt.Sprint("k", i))
	}
	a.Set(StringKey("k3"), String("changed"))
	var got []string
	for k := range a.All() {
		got = append(got, k.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	for i := range 100 {
		v, ok := a.Get(StringKey(fmt.Sprint("k", i)))
		if want := Value(Int(i)); !ok || v != want && i != 3 {
			t.Errorf("k%d is %v", i, v)
		}
	}
	if v, _ := a.Get(StringKey("k3")); v != String("changed") {
		t.Errorf("k3 is %v", v)
	}
	if _, ok := a.Get(StringKey("k100")); ok {
		t.Error("a key is there that was never set")
	}
}

func TestArray_IsAListWhileItsKeysAreInOrder(t *testing.T) {
	for _, test := range []struct {
		keys []Key
		want bool
	}{
		{nil, true},
		{[]Key{IntKey(0)}, true},
		{[]Key{IntKey(0), StringKey("1"), IntKey(2)}, true},
		{[]Key{IntKey(0), IntKey(1), IntKey(0)}, true},
		{[]Key{IntKey(1)}, false},
		{[]Key{IntKey(0), IntKey(2)}, false},
		{[]Key{IntKey(1), IntKey(0)}, false},
		{[]Key{IntKey(0), StringKey("a")}, false},
		{[]Key{IntKey(-1)}, false},
	} {
		var a Array
		for _, k := range test.keys {
			a.Set(k, Null{})
			if _, ok := a.Get(k); !ok {
				t.Errorf("%v: %v is not there after Set", test.keys, k)
			}
		}
		if a.IsList() != test.want {
			t.Errorf("%v: IsList is %v", test.keys, a.IsList())
		}
	}
}

func TestArray_NilIsEmpty(t *testing.T) {
	var a *Array
	_, ok := a.Get(IntKey(0))
	for range a.All() {
		ok = true
	}
	if ok || a.Len() != 0 || !a.IsList() {
		t.Error("a nil array is not empty")
	}
	if got := string(must(Encode(a))); got != "N;" {
		t.Errorf("it is written as %s", got)
	}
}

func TestArray_RangeMayStop(t *testing.T) {
	n := 0
	for range NewList(Int(1), Int(2), Int(3)).All() {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Error(n)
	}
}
