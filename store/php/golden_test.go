package php

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

// The golden files were written by PHP itself: see testdata/generate.php.

// A goldenRow is a line of a golden file: a text, and what PHP makes of it.
type goldenRow struct {
	Name  string
	Data  []byte
	Value []byte // in lenient.jsonl and fromjson.jsonl: the value as serialized by PHP; nil if PHP refused the text
	JSON  []byte // in values.jsonl: json_encode's text; nil if it would not be exact
}

func golden(t testing.TB, file string) []goldenRow {
	t.Helper()
	var rows []goldenRow
	for _, line := range goldenLines(t, file) {
		var row goldenRow
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

func goldenLines(t testing.TB, file string) []string {
	t.Helper()
	f, err := os.Open("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []string
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// excerpt shortens a text for a message.
func excerpt[T string | []byte](text T) string {
	if len(text) > 200 {
		return strconv.Quote(string(text[:200])) + "..."
	}
	return strconv.Quote(string(text))
}

func TestEncode_GivesBackThePHPBytes(t *testing.T) {
	rows := golden(t, "values.jsonl")
	if len(rows) < 120 {
		t.Fatalf("only %d golden values", len(rows))
	}
	for _, row := range rows {
		t.Run(row.Name, func(t *testing.T) {
			v, err := Decode(row.Data)
			if err != nil {
				t.Fatalf("Decode(%s): %v", excerpt(row.Data), err)
			}
			got, err := Encode(v)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(row.Data) {
				t.Errorf("got  %s\nwant %s", excerpt(got), excerpt(row.Data))
			}
		})
	}
}

func TestDecode_MakesOfOddTextWhatPHPMakes(t *testing.T) {
	for _, row := range golden(t, "lenient.jsonl") {
		t.Run(excerpt(row.Data), func(t *testing.T) {
			v, err := Decode(row.Data)
			if row.Value == nil {
				if err == nil {
					t.Fatalf("PHP refuses this, but Decode returned a %s", v.Type())
				}
				return
			}
			if err != nil {
				t.Fatalf("PHP reads this as %s, but Decode: %v", excerpt(row.Value), err)
			}
			if got, err := Encode(v); string(got) != string(row.Value) || err != nil {
				t.Errorf("got %s, %v\nPHP %s", excerpt(got), err, excerpt(row.Value))
			}
		})
	}
}

func TestAppendFloat_WritesAsPHP(t *testing.T) {
	lines := goldenLines(t, "floats.txt")
	if len(lines) < 4000 {
		t.Fatalf("only %d floats", len(lines))
	}
	for _, line := range lines {
		bits, want, _ := strings.Cut(line, " ")
		b, err := hex.DecodeString(bits)
		if err != nil || len(b) != 8 {
			t.Fatal(line)
		}
		n, _ := strconv.ParseUint(bits, 16, 64)
		f := math.Float64frombits(n)
		got, err := Append(nil, f)
		if string(got) != want || err != nil {
			t.Errorf("bits %s: got %s, %v, PHP %s", bits, got, err, want)
		}
		var back float64
		if err := Unmarshal([]byte(want), &back); err != nil || math.Float64bits(back) != n {
			t.Errorf("%s: read as %x, %v", line, math.Float64bits(back), err)
		}
	}
}

func TestFromJSON_ReadsAsPHP(t *testing.T) {
	for _, row := range golden(t, "fromjson.jsonl") {
		t.Run(excerpt(row.Data), func(t *testing.T) {
			v, err := FromJSON(row.Data)
			if row.Value == nil {
				if err == nil {
					t.Fatalf("PHP refuses this, but FromJSON returned a %s", v.Type())
				}
				return
			}
			if err != nil {
				t.Fatalf("PHP reads this as %s, but FromJSON: %v", excerpt(row.Value), err)
			}
			if got, err := Encode(v); string(got) != string(row.Value) || err != nil {
				t.Errorf("got %s, %v\nPHP %s", excerpt(got), err, excerpt(row.Value))
			}
		})
	}
}

func TestJSON_WritesPlainValuesAsPHP(t *testing.T) {
	checked := 0
	for _, row := range golden(t, "values.jsonl") {
		if row.JSON == nil {
			continue
		}
		checked++
		v, err := Decode(row.Data)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := JSON(v); string(got) != string(row.JSON) || err != nil {
			t.Errorf("%s: got %s, %v\nPHP %s", row.Name, excerpt(got), err, excerpt(row.JSON))
		}
	}
	if checked < 60 {
		t.Fatalf("only %d values had JSON", checked)
	}
}
