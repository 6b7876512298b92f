package php

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// unmarshalInto decodes text into a new T.
func unmarshalInto[T any](text string) (any, error) {
	var x T
	err := Unmarshal([]byte(text), &x)
	return x, err
}

func ptr[T any](x T) *T { return &x }

type user struct {
	ID    int64    `php:"id"`
	Name  string   `php:"name"`
	Tags  []string `php:"tags"`
	Boss  *user    `php:"boss"`
	Score float32
	Raw   Value `php:"raw"`
}

func TestUnmarshal_StoresValuesOfTheSameKind(t *testing.T) {
	const mixed = `a:2:{i:1;s:1:"a";s:1:"k";b:1;}`
	for _, test := range []struct {
		text string
		into func(string) (any, error)
		want any
	}{
		{`s:3:"abc";`, unmarshalInto[string], "abc"},
		{`s:3:"abc";`, unmarshalInto[[]byte], []byte("abc")},
		{`s:3:"abc";`, unmarshalInto[[3]byte], [3]byte{'a', 'b', 'c'}},
		{`s:3:"abc";`, unmarshalInto[named], named("abc")},
		{`s:3:"abc";`, unmarshalInto[blob], blob("abc")},
		{`S:3:"a\62c";`, unmarshalInto[string], "abc"},
		{`s:0:"";`, unmarshalInto[[]byte], []byte{}},
		{`N;`, unmarshalInto[[]byte], []byte(nil)},
		{`i:7;`, unmarshalInto[int], 7},
		{`i:-128;`, unmarshalInto[int8], int8(-128)},
		{`i:255;`, unmarshalInto[uint8], uint8(255)},
		{`i:9223372036854775807;`, unmarshalInto[uint64], uint64(math.MaxInt64)},
		{`i:7;`, unmarshalInto[*int], ptr(7)},
		{`i:7;`, unmarshalInto[**int], ptr(ptr(7))},
		{`N;`, unmarshalInto[*int], (*int)(nil)},
		{`i:7;`, unmarshalInto[float64], 7.0},
		{`i:9007199254740992;`, unmarshalInto[float64], 9007199254740992.0},
		{`i:-9223372036854775808;`, unmarshalInto[float64], -9223372036854775808.0},
		{`d:0.1;`, unmarshalInto[float64], 0.1},
		{`d:0.1;`, unmarshalInto[float32], float32(0.1)},
		{`d:-INF;`, unmarshalInto[float32], float32(math.Inf(-1))},
		{`b:1;`, unmarshalInto[bool], true},
		{`a:2:{i:0;i:1;i:1;i:2;}`, unmarshalInto[[]int], []int{1, 2}},
		{`a:2:{i:0;i:1;i:1;i:2;}`, unmarshalInto[[2]int], [2]int{1, 2}},
		{`a:2:{i:0;i:1;i:1;i:2;}`, unmarshalInto[map[int]int], map[int]int{0: 1, 1: 2}},
		{`a:0:{}`, unmarshalInto[[]int], []int{}},
		{`N;`, unmarshalInto[[]int], []int(nil)},
		{`N;`, unmarshalInto[map[string]int], map[string]int(nil)},
		{mixed, unmarshalInto[map[string]any], map[string]any{"1": "a", "k": true}},
		{mixed, unmarshalInto[map[any]any], map[any]any{int64(1): "a", "k": true}},
		{mixed, unmarshalInto[map[Key]Value], map[Key]Value{IntKey(1): String("a"), StringKey("k"): Bool(true)}},
		{`N;`, unmarshalInto[any], nil},
		{`b:0;`, unmarshalInto[any], false},
		{`i:7;`, unmarshalInto[any], int64(7)},
		{`d:7;`, unmarshalInto[any], 7.0},
		{`s:1:"7";`, unmarshalInto[any], "7"},
		{`a:0:{}`, unmarshalInto[any], []any{}},
		{`a:2:{i:0;a:1:{i:0;N;}i:1;s:1:"x";}`, unmarshalInto[any], []any{[]any{nil}, "x"}},
		{mixed, unmarshalInto[any], decodeString(mixed)},
		{empty0, unmarshalInto[any], &Object{Class: "stdClass"}},
		{`E:6:"Suit:H";`, unmarshalInto[any], Enum{"Suit", "H"}},
		{`C:3:"Old":2:{xy}`, unmarshalInto[any], &Custom{"Old", "xy"}},
		{`i:7;`, unmarshalInto[Value], Int(7)},
		{`N;`, unmarshalInto[Value], Null{}},
		{`i:7;`, unmarshalInto[Int], Int(7)},
		{`i:7;`, unmarshalInto[*Int], ptr(Int(7))},
		{`N;`, unmarshalInto[*Int], (*Int)(nil)},
		{`E:6:"Suit:H";`, unmarshalInto[Enum], Enum{"Suit", "H"}},
		{empty0, unmarshalInto[*Object], &Object{Class: "stdClass"}},
		{`N;`, unmarshalInto[*Object], (*Object)(nil)},
		{mixed, unmarshalInto[*Array], decodeString(mixed)},
		{
			`a:6:{s:2:"id";i:7;s:4:"name";s:3:"Bob";s:4:"tags";a:1:{i:0;s:1:"x";}s:4:"boss";a:1:{s:2:"id";i:1;}s:5:"Score";d:1.5;s:3:"raw";a:0:{}}`,
			unmarshalInto[user],
			user{ID: 7, Name: "Bob", Tags: []string{"x"}, Boss: &user{ID: 1}, Score: 1.5, Raw: &Array{}},
		},
		{
			"O:8:\"App\\User\":3:{s:2:\"id\";i:7;s:7:\"\x00*\x00name\";s:3:\"Bob\";s:5:\"other\";N;}",
			unmarshalInto[user],
			user{ID: 7, Name: "Bob"},
		},
		{`a:3:{i:0;s:1:"x";i:1;R:2;i:2;R:2;}`, unmarshalInto[[]string], []string{"x", "x", "x"}},
		{`a:3:{i:0;a:1:{i:0;i:5;}i:1;R:2;i:2;R:3;}`, unmarshalInto[any], []any{[]any{int64(5)}, []any{int64(5)}, int64(5)}},
		{`a:2:{i:0;O:1:"A":1:{s:2:"id";i:7;}i:1;r:2;}`, unmarshalInto[[]user], []user{{ID: 7}, {ID: 7}}},
		{`a:2:{i:0;` + empty0 + `i:1;r:2;}`, unmarshalInto[[]*Object], []*Object{{Class: "stdClass"}, {Class: "stdClass"}}},
	} {
		got, err := test.into(test.text)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %#v, %v, want %#v", test.text, got, err, test.want)
		}
	}
}

func TestUnmarshal_RefusesToConvert(t *testing.T) {
	const users = `a:1:{s:5:"users";a:2:{i:0;a:1:{s:2:"id";i:1;}i:1;a:1:{s:2:"id";s:1:"7";}}}`
	type team struct {
		Users []user `php:"users"`
	}
	for _, test := range []struct {
		text string
		into func(string) (any, error)
		want string
	}{
		{`s:1:"7";`, unmarshalInto[int], "cannot store a PHP string in a Go int"},
		{`i:7;`, unmarshalInto[string], "cannot store a PHP int in a Go string"},
		{`i:1;`, unmarshalInto[bool], "cannot store a PHP int in a Go bool"},
		{`b:1;`, unmarshalInto[int], "cannot store a PHP bool in a Go int"},
		{`d:7;`, unmarshalInto[int], "cannot store a PHP float in a Go int"},
		{`s:1:"7";`, unmarshalInto[float64], "cannot store a PHP string in a Go float64"},
		{`N;`, unmarshalInto[string], "cannot store a PHP null in a Go string"},
		{`N;`, unmarshalInto[int], "cannot store a PHP null in a Go int"},
		{`N;`, unmarshalInto[user], "cannot store a PHP null in a Go php.user"},
		{`a:0:{}`, unmarshalInto[string], "cannot store a PHP list in a Go string"},
		{`a:1:{i:1;i:1;}`, unmarshalInto[[]int], "cannot store a PHP array with keys other than 0, 1, 2, ... in a Go []int"},
		{`a:1:{i:0;i:1;}`, unmarshalInto[[]byte], "cannot store a PHP list in a Go []uint8"},
		{`a:1:{i:0;i:1;}`, unmarshalInto[[2]int], "cannot store a PHP list of length 1 in a Go [2]int"},
		{`s:1:"a";`, unmarshalInto[[2]byte], "cannot store a PHP string of length 1 in a Go [2]uint8"},
		{`s:1:"a";`, unmarshalInto[[]string], "cannot store a PHP string in a Go []string"},
		{`s:1:"a";`, unmarshalInto[[1]string], "cannot store a PHP string in a Go [1]string"},
		{`a:1:{s:1:"k";i:1;}`, unmarshalInto[map[int]int], "k: cannot store a PHP string key in a Go int"},
		{`a:1:{i:300;i:1;}`, unmarshalInto[map[int8]int], "[300]: the number does not fit into int8"},
		{empty0, unmarshalInto[map[string]any], "cannot store a PHP object in a Go map[string]interface {}"},
		{`E:6:"Suit:H";`, unmarshalInto[string], "cannot store a PHP enum in a Go string"},
		{`i:7;`, unmarshalInto[*Array], "cannot store a PHP int in a Go *php.Array"},
		{`i:7;`, unmarshalInto[String], "cannot store a PHP int in a Go php.String"},
		{users, unmarshalInto[team], "users[1].id: cannot store a PHP string in a Go int64"},
		{users, unmarshalInto[map[string][]map[string]int], "users[1].id: cannot store a PHP string in a Go int"},
		{`a:1:{s:3:"a b";s:1:"x";}`, unmarshalInto[map[string]int], `["a b"]: cannot store a PHP string in a Go int`},
		{`i:128;`, unmarshalInto[int8], "the number does not fit into int8"},
		{`i:-1;`, unmarshalInto[uint], "the number does not fit into uint"},
		{`i:9007199254740993;`, unmarshalInto[float64], "the number does not fit into float64"},
		{`i:9223372036854775807;`, unmarshalInto[float64], "the number does not fit into float64"},
		{`i:16777217;`, unmarshalInto[float32], "the number does not fit into float32"},
		{`d:1e39;`, unmarshalInto[float32], "the number does not fit into float32"},
		{`i:1;`, unmarshalInto[time.Time], "Go type time.Time is not supported: convert it, for example with Unix or Format"},
		{`i:1;`, unmarshalInto[time.Duration], "Go type time.Duration is not supported: convert it, for example with Seconds"},
		{`i:1;`, unmarshalInto[chan int], "Go type chan int is not supported: no PHP value fits it"},
		{`i:1;`, unmarshalInto[error], "Go type error is not supported: only any and php.Value are interfaces that a PHP value fits"},
		{`a:1:{i:0;i:1;}`, unmarshalInto[map[bool]int], "[0]: Go type bool is not supported: a key of a PHP array is an integer or a string"},
		{`i:7;x`, unmarshalInto[int], "invalid serialized PHP data at byte 4: the value ends here, but more data follow"},
		{`s:9:"secret";`, unmarshalInto[string], "invalid serialized PHP data at byte 2: the length of the string exceeds the data that follow"},
		{``, unmarshalInto[string], "invalid serialized PHP data at byte 0: want a value, but the data ends"},
	} {
		_, err := test.into(test.text)
		if err == nil || err.Error() != test.want {
			t.Errorf("%s\ngot  %v\nwant %s", test.text, err, test.want)
		}
	}
}

func TestUnmarshal_WantsAPointer(t *testing.T) {
	type loop *loop
	for _, dst := range []any{nil, 7, "x", (*int)(nil), (*string)(nil), (*any)(nil), map[string]int{}, new(loop)} {
		for _, text := range []string{"i:7;", `s:1:"a";`, "a:0:{}", "b:1;"} {
			if err := Unmarshal([]byte(text), dst); !errors.As(err, new(*UnsupportedTypeError)) {
				t.Errorf("%s into %T: got %v", text, dst, err)
			}
		}
	}
}

func TestUnmarshal_LeavesOtherFieldsAsTheyAre(t *testing.T) {
	u := user{Name: "kept", Boss: &user{ID: 1, Name: "kept too"}}
	boss := u.Boss
	if err := Unmarshal([]byte(`a:2:{s:2:"id";i:7;s:4:"boss";a:1:{s:2:"id";i:2;}}`), &u); err != nil {
		t.Fatal(err)
	}
	if want := (user{ID: 7, Name: "kept", Boss: boss}); !reflect.DeepEqual(u, want) || boss.ID != 2 || boss.Name != "kept too" {
		t.Errorf("got %+v", u)
	}
}

func TestUnmarshal_MakesEmbeddedStructsOnTheWay(t *testing.T) {
	type Inner struct{ A int }
	var public struct{ *Inner }
	if err := Unmarshal([]byte(`a:1:{s:1:"A";i:7;}`), &public); err != nil || public.A != 7 {
		t.Errorf("got %+v, %v", public, err)
	}
	var hidden struct{ *embedded }
	if err := Unmarshal([]byte(`a:1:{s:2:"id";i:7;}`), &hidden); !errors.As(err, new(*UnsupportedTypeError)) {
		t.Errorf("got %v", err)
	}
}

func TestUnmarshal_EndsWhereReferencesDoNot(t *testing.T) {
	t.Run("cycles", func(t *testing.T) {
		for _, text := range []string{
			`a:2:{i:0;i:1;i:1;R:1;}`,
			`a:1:{i:0;a:1:{i:0;R:2;}}`,
			`a:2:{i:0;a:1:{i:0;R:1;}i:1;i:2;}`,
		} {
			if _, err := unmarshalInto[any](text); !errors.As(err, new(*TypeError)) || !strings.Contains(err.Error(), "contains it") {
				t.Errorf("%s into any: got %v", text, err)
			}
		}
		_, err := unmarshalInto[tree](`a:1:{s:1:"a";a:1:{s:1:"x";R:1;}}`)
		if err == nil || err.Error() != "a.x.a.x: cannot store a PHP reference to a value that contains it in a Go php.tree" {
			t.Errorf("into a struct: got %v", err)
		}
		// An object is not taken apart for an any, so here the cycle may stay.
		v, err := unmarshalInto[any](`O:8:"stdClass":1:{s:1:"a";r:1;}`)
		if r, _ := v.(*Object).Get("a"); err != nil || r.(Reference).Target() != v {
			t.Errorf("object in itself: got %#v, %v", v, err)
		}
	})
	t.Run("expansion", func(t *testing.T) {
		var list []any
		var limit *LimitError
		if err := Unmarshal([]byte(hostile()["references to references"]), &list); !errors.As(err, &limit) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an honest text", func(t *testing.T) {
		// Four hundred users of one team of a hundred members.
		text := "a:400:{i:0;a:100:{"
		for i := range 100 {
			text += "i:" + IntKey(int64(i)).String() + ";i:1;"
		}
		text += "}"
		for i := 1; i < 400; i++ {
			text += "i:" + IntKey(int64(i)).String() + ";R:2;"
		}
		var list [][]int
		if err := Unmarshal([]byte(text+"}"), &list); err != nil || len(list[399]) != 100 {
			t.Errorf("got %d, %v", len(list), err)
		}
	})
	t.Run("as deep as PHP goes", func(t *testing.T) {
		for _, in := range []string{"N;", "a:0:{}"} {
			if _, err := unmarshalInto[any](nest(inArray, MaxDepth, in, "}")); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("depth", func(t *testing.T) {
		// Ten towers of 4000 arrays, each standing on the one before.
		text := nest(inArray, 3998, "N;", "}")
		all := "i:0;" + text
		for i := range 9 {
			at := 2 + 3999*i
			all += "i:" + IntKey(int64(i+1)).String() + ";" + nest(inArray, 3998, "R:"+IntKey(int64(at)).String()+";", "}")
		}
		var list []any
		if err := Unmarshal([]byte("a:10:{"+all+"}"), &list); !errors.As(err, new(*LimitError)) {
			t.Errorf("got %v", err)
		}
	})
}

func TestUnmarshal_ReadsWhatMarshalWrote(t *testing.T) {
	in := account{
		embedded: embedded{ID: 7}, Name: "Bob", Tags: []string{"a"}, Meta: map[string]any{"x": int64(1), "l": []any{"y"}}, Numbers: map[int8]float64{-1: 0.5},
		Parent: &account{Name: "Ada", Numbers: map[int8]float64{}}, Hidden: true, Any: "any", Labels: map[Key]Value{IntKey(5): String("x")}, Hash: [3]byte{9, 0, 255},
	}
	var out account
	if err := Unmarshal(must(Marshal(in)), &out); err != nil || !reflect.DeepEqual(in, out) {
		t.Errorf("got  %+v, %v\nwant %+v", out, err, in)
	}
}

// A value of a stranger may be nested thousands of levels deep, and its keys may have any length.
func TestUnmarshal_ErrorsOfDeepValuesAreShort(t *testing.T) {
	type nest map[string]nest
	for _, key := range []string{"0", "abc", "钥", "é", strings.Repeat("钥x", 100)} {
		const depth = 4000
		text := strings.Repeat(fmt.Sprintf("a:1:{s:%d:%q;", len(key), key), depth) + "i:1;" + strings.Repeat("}", depth)
		_, err := unmarshalInto[nest](text)
		var failure *TypeError
		if !errors.As(err, &failure) || !utf8.ValidString(err.Error()) || len(err.Error()) > 400 || !strings.HasSuffix(failure.Path, "...") {
			t.Errorf("key %s: the error has %d bytes: %.500s", key, len(fmt.Sprint(err)), err)
		}
	}
	var nested any = func() {}
	for range 1000 {
		nested = map[string]any{"level": nested}
	}
	if _, err := Marshal(nested); err == nil || len(err.Error()) > 400 || !strings.Contains(err.Error(), "level.level") {
		t.Errorf("error is %v", err)
	}
}
