package php

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

func decode(t testing.TB, text string) Value {
	t.Helper()
	v, err := Decode([]byte(text))
	if err != nil {
		t.Fatalf("Decode(%s): %v", excerpt(text), err)
	}
	return v
}

// nest is n times open, then in, then n times closing.
func nest(open string, n int, in, closing string) string {
	return strings.Repeat(open, n) + in + strings.Repeat(closing, n)
}

const (
	inArray  = "a:1:{i:0;"
	inObject = `O:8:"stdClass":1:{s:1:"a";`
	empty0   = `O:8:"stdClass":0:{}`
)

func TestDecode_RefusesWhatFollowsTheValue(t *testing.T) {
	for _, text := range []string{"i:1;x", "N;N;", "N;\n", "a:0:{}}", "b:1;\x00"} {
		var syntax *SyntaxError
		if _, err := Decode([]byte(text)); !errors.As(err, &syntax) {
			t.Errorf("%q: got %v, want a SyntaxError", text, err)
		}
	}
}

func TestDecode_ErrorNamesThePlaceAndShowsNoData(t *testing.T) {
	for text, want := range map[string]string{
		`a:1:{s:6:"secret";s:9:"secret";}`: "invalid serialized PHP data at byte 20: the length of the string does not match its text",
		`a:1:{s:6:"secret";s:4:"secret";}`: "invalid serialized PHP data at byte 20: the length of the string does not match its text",
		`a:20000000:{}`:                    "invalid serialized PHP data at byte 2: the number of entries exceeds the data that follow",
		`O:8:"stdClass":`:                  "invalid serialized PHP data at byte 15: want a length in digits, but the data ends",
		`s:5:"abc";`:                       "invalid serialized PHP data at byte 2: the length of the string does not match its text",
		`s:500:"abc";`:                     "invalid serialized PHP data at byte 2: the length of the string exceeds the data that follow",
		`R:1;`:                             "invalid serialized PHP data at byte 0: the reference points at no earlier value",
		``:                                 "invalid serialized PHP data at byte 0: want a value, but the data ends",
		`secret`:                           "invalid serialized PHP data at byte 1: want :",
		`wrong`:                            "invalid serialized PHP data at byte 0: want a value, which starts with one of N b i d s a O C E r R",
	} {
		if _, err := Decode([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}

// Values side by side are on one level, however many they are.
func TestMaxDepth_IsOfLevelsAndNotOfSiblings(t *testing.T) {
	const siblings = MaxDepth + 1
	for name, one := range map[string]string{
		"arrays": "a:1:{i:0;i:1;}", "objects": `O:8:"stdClass":1:{s:1:"a";i:1;}`, "empty objects": `O:8:"stdClass":0:{}`,
		"arrays in arrays": "a:1:{i:0;a:1:{i:0;i:1;}}",
	} {
		var text strings.Builder
		fmt.Fprintf(&text, "a:%d:{", siblings)
		for i := range siblings {
			fmt.Fprintf(&text, "i:%d;%s", i, one)
		}
		text.WriteString("}")
		data := []byte(text.String())
		v, err := Decode(data)
		if err != nil {
			t.Errorf("Decode of %s: %v", name, err)
			continue
		}
		if back, err := Encode(v); err != nil || string(back) != string(data) {
			t.Errorf("Encode of %s: %d bytes, want %d: %v", name, len(back), len(data), err)
		}
		if _, err := JSON(v); err != nil {
			t.Errorf("JSON of %s: %v", name, err)
		}
		var anything any
		if err := Unmarshal(data, &anything); err != nil {
			t.Errorf("Unmarshal of %s: %v", name, err)
		}
		if strings.Contains(name, "objects") {
			continue // which are not written, and are read as a Value or any alone
		}
		var lists [][]any
		if err := Unmarshal(data, &lists); err != nil || len(lists) != siblings {
			t.Errorf("Unmarshal of %s into lists: %d, %v", name, len(lists), err)
		}
		if back, err := Marshal(lists); err != nil || string(back) != string(data) {
			t.Errorf("Marshal of %s: %d bytes, want %d: %v", name, len(back), len(data), err)
		}
	}
}

func TestDecode_AllowsPHPsDepthAndNoMore(t *testing.T) {
	for _, test := range []struct {
		open, in, closing string
		n                 int
		ok                bool
	}{
		{inArray, "N;", "}", 4096, true},
		{inArray, "a:0:{}", "}", 4096, true}, // an empty array is no level
		{inArray, empty0, "}", 4095, true},
		{inArray, empty0, "}", 4096, false}, // an empty object is
		{inArray, "N;", "}", 4097, false},
		{inObject, "N;", "}", 4096, true},
		{inObject, "N;", "}", 4097, false},
	} {
		text := nest(test.open, test.n, test.in, test.closing)
		v, err := Decode([]byte(text))
		if !test.ok {
			var limit *LimitError
			if !errors.As(err, &limit) || limit.Limit != MaxDepth {
				t.Errorf("%d times %s: got %v, want a LimitError", test.n, test.open, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%d times %s: %v", test.n, test.open, err)
			continue
		}
		if got, err := Encode(v); err != nil || string(got) != text {
			t.Errorf("%d times %s: not written back (%v)", test.n, test.open, err)
		}
		if _, err := JSON(v); err != nil {
			t.Errorf("%d times %s: JSON: %v", test.n, test.open, err)
		}
		if err := Pretty(new(strings.Builder), v); err != nil {
			t.Errorf("%d times %s: Pretty: %v", test.n, test.open, err)
		}
	}
}

func TestDecode_RefusesRepeatedKeysOnlyBesideReferences(t *testing.T) {
	if v := decode(t, `a:2:{i:0;i:1;i:0;i:2;}`); string(must(Encode(v))) != `a:1:{i:0;i:2;}` {
		t.Error("the last of two equal keys did not win")
	}
	for _, text := range []string{
		`a:3:{i:0;i:1;i:0;i:2;i:1;R:2;}`,
		`a:2:{i:0;` + `O:8:"stdClass":2:{s:1:"a";i:1;s:1:"a";i:2;}` + `i:1;r:2;}`,
	} {
		if _, err := Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), "repeated") {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestDecode_LetsTheLastOfManyPropertiesWin(t *testing.T) {
	var text strings.Builder
	text.WriteString(`O:8:"stdClass":21:{`)
	for i := range 20 {
		fmt.Fprintf(&text, `s:3:"p%02d";i:%d;`, i, i)
	}
	text.WriteString(`s:3:"p01";s:4:"last";}`)
	o := decode(t, text.String()).(*Object)
	if v, ok := o.Get("p01"); v != String("last") || !ok || len(o.Properties) != 20 {
		t.Errorf("got %v of %d properties", v, len(o.Properties))
	}
	if _, ok := o.Get("p20"); ok {
		t.Error("there is a property that the text lacks")
	}
}

func TestDecode_FindsTheTargetsOfReferences(t *testing.T) {
	v := decode(t, `a:5:{i:0;O:8:"stdClass":1:{s:1:"a";s:1:"x";}i:1;r:2;i:2;R:3;i:3;R:1;i:4;R:4;}`)
	root := v.(*Array)
	object, _ := root.Get(IntKey(0))
	for i, want := range map[int64]Value{1: object, 2: String("x"), 3: root, 4: object} {
		r, _ := root.Get(IntKey(i))
		if got := r.(Reference).Target(); got != want {
			t.Errorf("element %d points at %v", i, got)
		}
	}
}

// A Serializable object counts the values inside its own text, which only its class can read: PHP 8.2 wrote r:7 here,
// where 4 is the number that can be seen.
func TestDecode_LeavesReferencesPastASerializableObjectOpen(t *testing.T) {
	const text = `a:3:{i:0;C:3:"Old":45:{a:2:{i:0;i:1;i:1;O:8:"stdClass":1:{s:1:"a";i:2;}}}i:1;O:8:"stdClass":1:{s:1:"b";i:3;}i:2;r:7;}`
	text45 := strings.Replace(text, ":45:", fmt.Sprintf(":%d:", len(`a:2:{i:0;i:1;i:1;O:8:"stdClass":1:{s:1:"a";i:2;}}`)), 1)
	v := decode(t, text45)
	if r, _ := v.(*Array).Get(IntKey(2)); r.(Reference).Index != 7 || r.(Reference).Target() != nil {
		t.Errorf("got %#v", r)
	}
	if got := string(must(Encode(v))); got != text45 {
		t.Errorf("got %s", got)
	}
	var mismatch *TypeError
	var list []any
	if err := Unmarshal([]byte(text45), &list); !errors.As(err, &mismatch) || mismatch.Path != "[2]" {
		t.Errorf("Unmarshal: got %v", err)
	}
}

func TestDecode_NeverKeepsTheData(t *testing.T) {
	data := []byte(`a:1:{s:3:"key";s:5:"value";}`)
	v := must(Decode(data))
	for i := range data {
		data[i] = 'x'
	}
	if got := string(must(Encode(v))); got != `a:1:{s:3:"key";s:5:"value";}` {
		t.Error("the value changed with the data: ", got)
	}
}

// hostile are texts that claim or refer to much more than they hold.
func hostile() map[string]string {
	laughs := `a:10:{i:0;s:3:"lol";`
	for i := 1; i < 10; i++ {
		laughs += fmt.Sprintf("i:%d;a:10:{", i)
		for j := range 10 {
			laughs += fmt.Sprintf("i:%d;R:%d;", j, i+1)
		}
		laughs += "}"
	}
	laughs += "}"

	var many strings.Builder
	fmt.Fprintf(&many, "a:20001:{i:0;%s", empty0)
	for i := range 20000 {
		fmt.Fprintf(&many, "i:%d;r:2;", i+1)
	}
	many.WriteString("}")

	var repeated strings.Builder
	repeated.WriteString("a:50000:{")
	for i := range 50000 {
		fmt.Fprintf(&repeated, "i:%d;N;", i%2*9)
	}
	repeated.WriteString("}")

	var object strings.Builder
	object.WriteString(`O:8:"stdClass":30000:{`)
	for i := range 30000 {
		fmt.Fprintf(&object, "i:%d;N;", i)
	}
	object.WriteString("}")

	return map[string]string{
		"a count without entries":       `a:20000000:{}`,
		"counts within counts":          nest("a:600:{i:0;", 4000, "N;", "}"),
		"counts that share the rest":    nest("a:2:{i:0;", 4000, "N;", "}"),
		"a property count":              `O:8:"stdClass":20000000:{}`,
		"a string length":               `s:2000000000:"a";`,
		"an escaped string length":      `S:2000000000:"a";`,
		"a length beyond 64 bits":       `a:99999999999999999999999:{}`,
		"a payload length":              `C:3:"Old":2000000000:{}`,
		"a class length":                `O:2000000000:"a":0:{}`,
		"references to references":      laughs,
		"many references to one object": many.String(),
		"an array in itself":            `a:3:{i:0;R:1;i:1;R:1;i:2;R:1;}`,
		"an object in itself":           `O:8:"stdClass":2:{s:1:"a";r:1;s:1:"b";R:1;}`,
		"the same keys again and again": repeated.String(),
		"a property for each int":       object.String(),
		"deep arrays":                   nest(inArray, 100000, "N;", "}"),
		"deep objects":                  nest(inObject, 4096, "N;", "}"),
		"empty arrays":                  "a:5000:{" + strings.Repeat("i:0;a:0:{}", 5000) + "}",
	}
}

func TestHostileData_TakesMemoryAndTimeInProportion(t *testing.T) {
	for name, text := range hostile() {
		data := []byte(text)
		readers := map[string]func(){
			"Decode":           func() { Decode(data) },
			"Unmarshal any":    func() { var x any; Unmarshal(data, &x) },
			"Unmarshal list":   func() { var x []any; Unmarshal(data, &x) },
			"Unmarshal nested": func() { var x tree; Unmarshal(data, &x) },
			"Unmarshal map":    func() { var x map[string]any; Unmarshal(data, &x) },
			"JSON": func() {
				if v, err := Decode(data); err == nil {
					JSON(v)
				}
			},
			"Pretty": func() {
				if v, err := Decode(data); err == nil {
					Pretty(new(strings.Builder), v)
				}
			},
			"Head": func() { Head(data) },
		}
		for reader, read := range readers {
			start := time.Now()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			read()
			runtime.ReadMemStats(&after)
			// Sixty-four bytes for each byte, and a floor for what small texts may expand to.
			took, bound := after.TotalAlloc-before.TotalAlloc, uint64(64*len(data)+2<<20)
			if took > bound {
				t.Errorf("%s: %s of %d bytes allocated %d, more than %d", reader, name, len(data), took, bound)
			}
			quickest := time.Since(start)
			for range 4 { // what is too much work is so each time, and a busy machine is not
				if quickest <= 2*time.Second {
					break
				}
				start = time.Now()
				read()
				quickest = min(quickest, time.Since(start))
			}
			if quickest > 2*time.Second {
				t.Errorf("%s: %s of %d bytes took %v", reader, name, len(data), quickest)
			}
		}
	}
}

// A tree is a destination as deep as any data.
type tree struct {
	Children []tree          `php:"children"`
	ByName   map[string]tree `php:"a"`
	Next     *tree           `php:"0"`
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
