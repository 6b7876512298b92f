package php

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

type embedded struct {
	ID     int `php:"id"`
	Hidden string
}

type account struct {
	embedded
	Name    string            `php:"name"`
	Tags    []string          `php:"tags,omitempty"`
	Meta    map[string]any    `php:"meta,omitempty"`
	Parent  *account          `php:"parent,omitempty"`
	Secret  string            `php:"-"`
	private string            //lint:ignore U1000 to show that it is left out
	Numbers map[int8]float64  `php:"5"`
	Hidden  bool              // hides that of embedded
	Any     any               `php:",omitempty"`
	Labels  map[Key]Value     `php:"labels,omitempty"`
	Hash    [3]byte           `php:"hash"`
	Extra   map[string]string `php:"extra,omitempty"`
}

type (
	named  string
	number uint16
	blob   []byte
)

// marshalled are Go values and what PHP's serialize writes for the same.
var marshalled = []struct {
	name string
	in   any
	want string
}{
	{"nil", nil, `N;`},
	{"nil pointer", (*int)(nil), `N;`},
	{"bools", []bool{true, false}, `a:2:{i:0;b:1;i:1;b:0;}`},
	{"int", 7, `i:7;`},
	{"smallest int", int64(math.MinInt64), `i:-9223372036854775808;`},
	{"uint8", uint8(200), `i:200;`},
	{"largest uint64 that fits", uint64(math.MaxInt64), `i:9223372036854775807;`},
	{"float", 1.0, `d:1;`},
	{"float32 is its exact double", float32(0.1), `d:0.10000000149011612;`},
	{"infinities", []float64{math.Inf(1), math.Inf(-1), math.NaN()}, `a:3:{i:0;d:INF;i:1;d:-INF;i:2;d:NAN;}`},
	{"string", `it's "quoted" \x41`, `s:18:"it's "quoted" \x41";`},
	{"string of bytes", "\xff\x00", "s:2:\"\xff\x00\";"},
	{"bytes", []byte("ab"), `s:2:"ab";`},
	{"nil bytes", []byte(nil), `s:0:"";`},
	{"array of bytes", [2]byte{'a', 'b'}, `s:2:"ab";`},
	{"pointer to an array of bytes", &[2]byte{'a', 'b'}, `s:2:"ab";`},
	{"named types", []any{named("x"), number(1), blob("y")}, `a:3:{i:0;s:1:"x";i:1;i:1;i:2;s:1:"y";}`},
	{"slice", []int{5, 6}, `a:2:{i:0;i:5;i:1;i:6;}`},
	{"nil slice", []int(nil), `a:0:{}`},
	{"nil map", map[string]int(nil), `a:0:{}`},
	{"array", [2]string{"a", "b"}, `a:2:{i:0;s:1:"a";i:1;s:1:"b";}`},
	{"map in the order of keys", map[string]int{"b": 1, "a": 2, "10": 3, "9": 4, "-1": 5, "05": 6}, `a:6:{i:-1;i:5;i:9;i:4;i:10;i:3;s:2:"05";i:6;s:1:"a";i:2;s:1:"b";i:1;}`},
	{"map of ints", map[int]bool{2: true, -1: false}, `a:2:{i:-1;b:0;i:2;b:1;}`},
	{"map of uints", map[uint8]int{2: 1}, `a:1:{i:2;i:1;}`},
	{"map of anything", map[any]any{"x": 1, 3: nil}, `a:2:{i:3;N;s:1:"x";i:1;}`},
	{"pointers", func() any { x := 7; p := &x; return &p }(), `i:7;`},
	{"interfaces", []any{1, "a", nil, 2.5, []any{}}, `a:5:{i:0;i:1;i:1;s:1:"a";i:2;N;i:3;d:2.5;i:4;a:0:{}}`},
	{"values", []any{Int(1), String("a"), Null{}, Float(1), Bool(true), NewList(Int(1)), (*Array)(nil)}, `a:7:{i:0;i:1;i:1;s:1:"a";i:2;N;i:3;d:1;i:4;b:1;i:5;a:1:{i:0;i:1;}i:6;N;}`},
	{"pointers to values", []any{ptr(Int(7)), NewList(ptr(String("x")), ptr(Bool(true)), ptr(Float(0.5)))}, `a:2:{i:0;i:7;i:1;a:3:{i:0;s:1:"x";i:1;b:1;i:2;d:0.5;}}`},
	{"JSON numbers", []json.Number{"7", "1.5", "9223372036854775808", "-0"}, `a:4:{i:0;i:7;i:1;d:1.5;i:2;d:9.223372036854776E+18;i:3;i:0;}`},
	{"what omitempty leaves out", struct {
		A int            `php:",omitempty"`
		B []int          `php:",omitempty"`
		C *int           `php:",omitempty"`
		D bool           `php:",omitempty"`
		E struct{}       `php:",omitempty"`
		F map[string]int `php:",omitempty"`
	}{}, `a:1:{s:1:"E";a:0:{}}`},
	{"empty struct", struct{}{}, `a:0:{}`},
	{
		"struct",
		account{embedded: embedded{ID: 7}, Name: "Bob", Numbers: map[int8]float64{1: 2}, Secret: "s", Hash: [3]byte{1, 2, 3}},
		"a:5:{s:2:\"id\";i:7;s:4:\"name\";s:3:\"Bob\";i:5;a:1:{i:1;d:2;}s:6:\"Hidden\";b:0;s:4:\"hash\";s:3:\"\x01\x02\x03\";}",
	},
	{
		"struct in a struct",
		&account{Name: "A", Tags: []string{"x"}, Any: 1, Parent: &account{Name: "B"}},
		"a:8:{s:2:\"id\";i:0;s:4:\"name\";s:1:\"A\";s:4:\"tags\";a:1:{i:0;s:1:\"x\";}s:6:\"parent\";" +
			"a:5:{s:2:\"id\";i:0;s:4:\"name\";s:1:\"B\";i:5;a:0:{}s:6:\"Hidden\";b:0;s:4:\"hash\";s:3:\"\x00\x00\x00\";}" +
			"i:5;a:0:{}s:6:\"Hidden\";b:0;s:3:\"Any\";i:1;s:4:\"hash\";s:3:\"\x00\x00\x00\";}",
	},
}

func TestMarshal_WritesAsPHP(t *testing.T) {
	for _, test := range marshalled {
		t.Run(test.name, func(t *testing.T) {
			got, err := Marshal(test.in)
			if err != nil || string(got) != test.want {
				t.Errorf("got  %q, %v\nwant %q", got, err, test.want)
			}
			if v, err := Decode(got); err != nil || string(must(Encode(v))) != test.want {
				t.Errorf("Decode does not read it: %v", err)
			}
		})
	}
}

func TestMarshal_RefusesWhatPHPHasNoFormFor(t *testing.T) {
	type private struct{ x int }
	type loop *loop
	var self loop
	self = &self
	cycle := []any{nil, nil}
	cycle[0], cycle[1] = cycle, cycle
	node := &account{}
	node.Parent = node
	object := &Object{Class: "stdClass"}

	for _, test := range []struct {
		name string
		in   any
		as   any
		text string
	}{
		{"time", time.Now(), new(*UnsupportedTypeError), "Go type time.Time is not supported: convert it, for example with Unix or Format"},
		{"time in a struct", struct{ At time.Time }{}, new(*UnsupportedTypeError), "At: Go type time.Time is not supported: convert it, for example with Unix or Format"},
		{"duration", map[string]any{"ttl": time.Second}, new(*UnsupportedTypeError), "ttl: Go type time.Duration is not supported: convert it, for example with Seconds"},
		{"func", []any{1, func() {}}, new(*UnsupportedTypeError), "[1]: Go type func() is not supported: it has no form in PHP"},
		{"channel", make(chan int), new(*UnsupportedTypeError), "Go type chan int is not supported: it has no form in PHP"},
		{"complex", 1i, new(*UnsupportedTypeError), "Go type complex128 is not supported: it has no form in PHP"},
		{"private fields", private{1}, new(*UnsupportedTypeError), "Go type php.private is not supported: none of its fields can be stored; convert it"},
		{"large uint", map[string]any{"users": []any{uint64(1 << 63)}}, new(*OverflowError), "users[0]: the number does not fit into PHP int"},
		{"large key", map[uint64]int{1 << 63: 1}, new(*OverflowError), "the number does not fit into PHP int"},
		{"key of a kind that PHP lacks", map[float64]int{1: 1}, new(*UnsupportedTypeError), "Go type float64 is not supported: a key of a PHP array is an integer or a string"},
		{"equal keys", map[any]int{1: 1, "1": 2}, new(*UnsupportedTypeError), "[1]: Go type map[interface {}]int is not supported: two of its keys are the same key in PHP"},
		{"object", []any{object}, new(*UnsupportedTypeError), "[0]: Go type *php.Object is not supported: a PHP object is only read, never written; to copy one use Encode"},
		{"object in a Value", NewList(object), new(*UnsupportedTypeError), "[0]: Go type *php.Object is not supported: a PHP object is only read, never written; to copy one use Encode"},
		{"enum", Enum{"Suit", "Hearts"}, new(*UnsupportedTypeError), "Go type php.Enum is not supported: a PHP enum is only read, never written; to copy one use Encode"},
		{"custom", &Custom{Class: "A"}, new(*UnsupportedTypeError), "Go type *php.Custom is not supported: a PHP object is only read, never written; to copy one use Encode"},
		{"reference", Reference{Index: 1}, new(*UnsupportedTypeError), "Go type php.Reference is not supported: a PHP reference is only read, never written; to copy one use Encode"},
		{"bad JSON number", json.Number("1x"), new(*UnsupportedTypeError), "Go type json.Number is not supported: its text is not a JSON number"},
		{"value under a long key", map[string]any{strings.Repeat("k", 100): 1i}, new(*UnsupportedTypeError), `["` + strings.Repeat("k", 64) + `"...]: Go type complex128 is not supported: it has no form in PHP`},
		{"slice in itself", cycle, new(*LimitError), "the value has more than 4096 levels of nesting"},
		{"struct in itself", node, new(*LimitError), "the value has more than 4096 levels of nesting"},
		{"pointer to itself", self, new(*LimitError), "the value has more than 4096 pointers in a row"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dst := []byte("kept")
			got, err := Append(dst, test.in)
			if !errors.As(err, test.as) {
				t.Fatalf("got %v, want a %T", err, test.as)
			}
			if err.Error() != test.text {
				t.Errorf("got  %s\nwant %s", err, test.text)
			}
			if string(got) != "kept" {
				t.Errorf("the buffer was changed to %q", got)
			}
		})
	}
}

func TestMarshal_FollowsGosRuleForEmbeddedFields(t *testing.T) {
	type Inner struct{ A, B, C int }
	type Other struct{ B int }
	type Tagged struct {
		X int `php:"C"`
	}
	type outer struct {
		Inner
		*Other
		Tagged
		A string
	}
	for _, test := range []struct {
		in   any
		want string
	}{
		{outer{Inner: Inner{1, 2, 3}, Other: &Other{4}, Tagged: Tagged{5}, A: "a"}, `a:2:{s:1:"C";i:5;s:1:"A";s:1:"a";}`},
		{struct{ *Other }{}, `a:0:{}`},
		{struct{ *Other }{&Other{4}}, `a:1:{s:1:"B";i:4;}`},
		{struct {
			Other `php:"other"`
		}{Other{4}}, `a:1:{s:5:"other";a:1:{s:1:"B";i:4;}}`},
	} {
		if got, err := Marshal(test.in); err != nil || string(got) != test.want {
			t.Errorf("%T: got %s, %v\nwant %s", test.in, got, err, test.want)
		}
	}
}

func TestEncode_RefusesValuesThatPHPCouldNotRead(t *testing.T) {
	loop := NewList(Null{})
	loop.Set(IntKey(0), loop)
	for _, test := range []struct {
		in Value
		as any
	}{
		{&Object{}, new(*UnsupportedTypeError)},
		{&Object{Class: `\App`}, new(*UnsupportedTypeError)},
		{&Object{Class: "A", Properties: []Property{{Name: "x", IntKey: true}}}, new(*UnsupportedTypeError)},
		{&Custom{Class: "a b"}, new(*UnsupportedTypeError)},
		{Enum{Class: "Suit"}, new(*UnsupportedTypeError)},
		{Reference{}, new(*UnsupportedTypeError)},
		{loop, new(*LimitError)},
	} {
		if _, err := Encode(test.in); !errors.As(err, test.as) {
			t.Errorf("%#v: got %v", test.in, err)
		}
	}
	if _, err := JSON(loop); !errors.As(err, new(*LimitError)) {
		t.Errorf("JSON: got %v", err)
	}
	if err := Pretty(new(strings.Builder), loop); !errors.As(err, new(*LimitError)) {
		t.Errorf("Pretty: got %v", err)
	}
}
