package php

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"testing"
)

// A token as an API hands it out, and its text.
const (
	token     = "96fc7a7axxx0123456789abcdef0123456789abcdef0123456789abcdef0123"
	tokenText = `s:63:"` + token + `";`
)

func TestUnmarshal_OfScalarsAllocatesAtMostOnce(t *testing.T) {
	var (
		s string
		b []byte
		n int64
		f float64
		o bool
		x any
	)
	for _, test := range []struct {
		name, text string
		dst        any
		most       float64
	}{
		{"string", tokenText, &s, 1},
		{"bytes", tokenText, &b, 1},
		{"int", "i:1735689600;", &n, 0},
		{"float", "d:0.1;", &f, 0},
		{"bool", "b:1;", &o, 0},
		{"any, null", "N;", &x, 0},
		{"any, bool", "b:1;", &x, 0},
		{"any, int", "i:1735689600;", &x, 1},
		{"any, string", tokenText, &x, 2}, // the bytes, and the header that the interface points at
	} {
		data := []byte(test.text)
		got := testing.AllocsPerRun(100, func() {
			if err := Unmarshal(data, test.dst); err != nil {
				t.Fatal(err)
			}
		})
		if got > test.most {
			t.Errorf("%s: %v allocations", test.name, got)
		}
	}
}

func TestAppend_OfScalarsAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 256)
	text := string(bytes.Repeat([]byte("x"), rand.IntN(9)+9)) // no constant, which would cost nothing to convert
	n := rand.Int64()
	runs := map[string]func(){
		"AppendString": func() { buf = AppendString(buf[:0], text) },
		"AppendInt":    func() { buf = AppendInt(buf[:0], n) },
	}
	for name, v := range map[string]any{"string": text, "bytes": []byte(text), "int64": n, "int": int(n), "float": rand.Float64(), "bool": n > 5, "nil": nil} {
		runs[name] = func() { buf, _ = Append(buf[:0], v) }
	}
	for name, run := range runs {
		if got := testing.AllocsPerRun(100, run); got > 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

func TestMarshal_OfAStringAllocatesOnce(t *testing.T) {
	var v any = token
	if got := testing.AllocsPerRun(100, func() { _, _ = Marshal(v) }); got > 1 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkUnmarshalToken(b *testing.B) {
	data := []byte(tokenText)
	b.Run("Unmarshal", func(b *testing.B) {
		b.ReportAllocs()
		var s string
		for b.Loop() {
			if err := Unmarshal(data, &s); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("by hand", func(b *testing.B) { // what a caller would write who trusts the row
		b.ReportAllocs()
		var s string
		for b.Loop() {
			colon := bytes.IndexByte(data[2:], ':') + 2
			n, err := strconv.Atoi(string(data[2:colon]))
			if err != nil {
				b.Fatal(err)
			}
			s = string(data[colon+2 : colon+2+n])
		}
		_ = s
	})
}

func BenchmarkAppendToken(b *testing.B) {
	buf := make([]byte, 0, 256)
	text := string([]byte(token))
	b.Run("Append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf, _ = Append(buf[:0], text)
		}
	})
	b.Run("AppendString", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = AppendString(buf[:0], text)
		}
	})
	b.Run("by hand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = append(buf[:0], "s:"...)
			buf = strconv.AppendInt(buf, int64(len(text)), 10)
			buf = append(buf, ':', '"')
			buf = append(buf, text...)
			buf = append(buf, '"', ';')
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"map", "list, long", "map, long", "Collection of models"} {
		for _, row := range golden(b, "values.jsonl") {
			if row.Name != name {
				continue
			}
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(row.Data)))
				for b.Loop() {
					if _, err := Decode(row.Data); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkMarshal(b *testing.B) {
	b.ReportAllocs()
	in := struct {
		Code  int    `php:"errcode"`
		Token string `php:"access_token"`
		TTL   int    `php:"expires_in"`
	}{0, token, 7200}
	var buf []byte
	for b.Loop() {
		var err error
		if buf, err = Append(buf[:0], &in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnmarshalStruct(b *testing.B) {
	b.ReportAllocs()
	data := []byte(`a:3:{s:7:"errcode";i:0;s:12:"access_token";` + tokenText + `s:10:"expires_in";i:7200;}`)
	var out struct {
		Code  int    `php:"errcode"`
		Token string `php:"access_token"`
		TTL   int    `php:"expires_in"`
	}
	for b.Loop() {
		if err := Unmarshal(data, &out); err != nil {
			b.Fatal(err)
		}
	}
}
