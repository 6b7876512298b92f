package php

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// seed adds the golden texts. Those of testdata/fuzz, where the interesting malformed ones are, go tool adds by itself.
func seed(f *testing.F) {
	for _, file := range []string{"values.jsonl", "lenient.jsonl"} {
		for _, row := range golden(f, file) {
			if len(row.Data) < 2000 {
				f.Add(row.Data)
			}
		}
	}
}

// FuzzDecode holds every reader of serialized data against any bytes at all.
func FuzzDecode(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		typeName, class := Head(data)
		v, err := Decode(data)

		var x any
		var nested tree
		var text string
		if anyErr := Unmarshal(data, &x); err != nil && anyErr == nil {
			t.Fatal("Unmarshal accepts what Decode refuses")
		}
		Unmarshal(data, &nested)
		Unmarshal(data, &text)

		if err != nil {
			var syntax *SyntaxError
			var limit *LimitError
			if !errors.As(err, &syntax) && !errors.As(err, &limit) {
				t.Fatalf("an error of type %T: %v", err, err)
			}
			return
		}
		if typeName != v.Type() {
			t.Errorf("Head says %s, Decode %s", typeName, v.Type())
		}
		switch v := v.(type) {
		case *Object:
			if v.Class != class {
				t.Errorf("Head says %q, Decode %q", class, v.Class)
			}
		case Enum:
			if v.Class != class {
				t.Errorf("Head says %q, Decode %q", class, v.Class)
			}
		}
		checkJSON(t, v)
		checkPretty(t, v)
	})
}

// checkJSON makes sure that the JSON of v says all of v.
func checkJSON(t *testing.T, v Value) {
	t.Helper()
	text, err := JSON(v)
	if err != nil || !json.Valid(text) {
		var limit *LimitError
		if depthOf(text) < 9000 && !errors.As(err, &limit) { // encoding/json gives up at 10,000 levels
			t.Fatalf("JSON: %s, %v", text, err)
		}
		return
	}
	back, err := FromJSON(text)
	if err != nil {
		var limit *LimitError
		if !errors.As(err, &limit) {
			t.Fatalf("FromJSON(%s): %v", text, err)
		}
		return
	}
	want, got := must(Encode(v)), must(Encode(untag(back)))
	if string(got) != string(want) {
		t.Errorf("JSON %s stands for %q, but was made from %q", text, got, want)
	}
}

func depthOf(text []byte) int {
	return strings.Count(string(text), "{") + strings.Count(string(text), "[")
}

func checkPretty(t *testing.T, v Value) {
	t.Helper()
	var out strings.Builder
	if err := Pretty(&out, v, WithMaxDepth(6)); err != nil {
		t.Fatal(err)
	}
	if !utf8.ValidString(out.String()) {
		t.Errorf("Pretty wrote text that is not UTF-8: %q", out.String())
	}
	for _, r := range out.String() {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("Pretty wrote %U: %q", r, out.String())
		}
	}
}

// FuzzRoundTrip makes sure that what was read can be written, that reading it again gives the same, and that PHP's own
// spelling is a fixed point.
func FuzzRoundTrip(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Decode(data)
		if err != nil {
			return
		}
		first, err := Encode(v)
		if err != nil {
			t.Fatalf("%q was read but not written: %v", data, err)
		}
		again, err := Decode(first)
		if err != nil {
			t.Fatalf("%q was written as %q, which is refused: %v", data, first, err)
		}
		second, err := Encode(again)
		if err != nil || string(first) != string(second) {
			t.Errorf("%q was written as %q, then as %q (%v)", data, first, second, err)
		}
		if string(must(JSON(v))) != string(must(JSON(again))) {
			t.Errorf("%q and %q have different JSON", data, first)
		}
	})
}

// FuzzFromJSON makes sure that whatever FromJSON reads, JSON can say again.
func FuzzFromJSON(f *testing.F) {
	for _, row := range golden(f, "fromjson.jsonl") {
		if len(row.Data) < 2000 {
			f.Add(row.Data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := FromJSON(data)
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("FromJSON accepts %q, which is not JSON", data)
		}
		checkJSON(t, v)
	})
}

// untag makes of the forms of JSON that start with $ what they stand for. It is the proof that they lose nothing.
func untag(v Value) Value {
	a, ok := v.(*Array)
	if !ok || a.Len() == 0 {
		return v
	}
	list := func(v Value) []entry { return v.(*Array).entries }
	switch tag := a.entries[0]; tag.key.String() {
	case "$float":
		return decodeString("d:" + string(tag.value.(String)) + ";")
	case "$bytes":
		return String(text(v))
	case "$enum":
		class, name, _ := strings.Cut(text(tag.value), "::")
		return Enum{Class: class, Case: name}
	case "$ref":
		_, object := a.Get(StringKey("object"))
		return Reference{Index: int64(tag.value.(Int)), Object: object}
	case "$custom":
		data, _ := a.Get(StringKey("data"))
		return &Custom{Class: text(tag.value), Data: text(data)}
	case "$array":
		out := &Array{}
		for _, pair := range list(tag.value) {
			kv := list(pair.value)
			if n, ok := kv[0].value.(Int); ok {
				out.Set(IntKey(int64(n)), untag(kv[1].value))
			} else {
				out.Set(StringKey(text(kv[0].value)), untag(kv[1].value))
			}
		}
		return out
	case "$object":
		out := &Object{Class: text(tag.value)}
		properties, _ := a.Get(StringKey("properties"))
		for _, e := range list(properties) {
			get := func(name string) Value { v, _ := e.value.(*Array).Get(StringKey(name)); return v }
			p := Property{Value: untag(get("value"))}
			if n, ok := get("name").(Int); ok {
				p.Name, p.IntKey = IntKey(int64(n)).String(), true
			} else {
				p.Name = text(get("name"))
			}
			switch get("visibility") {
			case String("protected"):
				p.Visibility = Protected
			case String("private"):
				p.Visibility, p.Class = Private, text(get("class"))
			}
			out.Properties = append(out.Properties, p)
		}
		return out
	}
	out := &Array{}
	for _, e := range a.entries {
		out.Set(e.key, untag(e.value))
	}
	return out
}

func decodeString(s string) Value { return must(Decode([]byte(s))) }

// text is a string, or what a $bytes stands for.
func text(v Value) string {
	if s, ok := v.(String); ok {
		return string(s)
	}
	var bytes []byte
	raw, _ := v.(*Array).Get(StringKey("$bytes"))
	if err := json.Unmarshal([]byte(`"`+string(raw.(String))+`"`), &bytes); err != nil {
		panic(err)
	}
	return string(bytes)
}
