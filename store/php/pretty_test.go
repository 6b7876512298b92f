package php

import (
	"errors"
	"strings"
	"testing"
)

func pretty(t *testing.T, v Value, options ...PrettyOption) string {
	t.Helper()
	var out strings.Builder
	if err := Pretty(&out, v, options...); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func goldenValue(t *testing.T, name string) Value {
	t.Helper()
	for _, row := range golden(t, "values.jsonl") {
		if row.Name == name {
			return must(Decode(row.Data))
		}
	}
	t.Fatalf("no golden value %q", name)
	return nil
}

func TestPretty_NamesThingsAsPHPDoes(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"null", "null\n"},
		{"float 1.0", "1.0\n"},
		{"float NAN", "NAN\n"},
		{"float 1.0E+25", "1.0E+25\n"},
		{"array, empty", "array:0 []\n"},
		{"object, empty", "stdClass {}\n"},
		{"enum with strings", "App\\Enums\\Suit::Hearts\n"},
		{"enum, repeated", "array:4 [\n  0 => App\\Enums\\Suit::Hearts\n  1 => App\\Enums\\Suit::Spades\n  2 => App\\Enums\\Suit::Hearts\n  \"k\" => App\\Enums\\Suit::Hearts\n]\n"},
		{"object, inherited private", "Derived {\n  +open: 1\n  #half: \"two\"\n  -secret (Base): 3.5\n  -secret: \"mine\"\n  +next: null\n  +fixed: 9\n}\n"},
		{"object with __serialize, mixed", "Packed {\n  5 => \"five\"\n  +k: \"v\"\n  -1 => null\n  7 => \"seven\"\n  +\"\": true\n}\n"},
		{"object, Serializable", "Old (Serializable) \"any; \\\"text\\\" } at all\"\n"},
		{"same object", "array:6 [\n  0 => stdClass #2 {\n    +a: 1\n    +list: array:2 [\n      0 => 1\n      1 => 2\n    ]\n  }\n  1 => \"after\"\n  2 => stdClass #2 (see above)\n  3 => array:1 [\n    \"in\" => stdClass #2 (see above)\n  ]\n  4 => 9\n  5 => stdClass #2 (see above)\n]\n"},
		{"reference to a scalar", "array:4 [\n  0 => 7 #2\n  1 => &#2\n  2 => \"other\"\n  3 => &#2\n]\n"},
		{"reference of an array to itself", "array:1 [\n  \"all\" => array:2 #2 [\n    0 => \"x\"\n    1 => &#2\n  ]\n]\n"},
		{"Carbon", "Illuminate\\Support\\Carbon 2024-01-02 03:04:05.678901 UTC\n"},
		{"DateTimeImmutable, offset", "DateTimeImmutable 2024-01-02 03:04:05.000000 +05:30\n"},
		{"Collection", "Illuminate\\Support\\Collection:2 [\n  \"a\" => 1\n  \"b\" => array:1 [\n    0 => 2\n  ]\n]\n"},
		{"Collection, empty", "Illuminate\\Support\\Collection:0 []\n"},
		{"string of a terminal", "\"\\e[31mred\\e[0m\\x07\\u{9b}\\u{202e}\"\n"},
		{"string, not UTF-8", "b\"\\xff\\xfe\\x00\\x80\"\n"},
		{"string, UTF-8", "\"Grüße, 日本語, 😀\"\n"},
		{"string of lines", "\"one\\r\\ntwo\\tthree\\n\"\n"},
	} {
		if got := pretty(t, goldenValue(t, test.name)); got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
}

func TestPretty_NumbersReferencesPastWhatItLeavesOut(t *testing.T) {
	v := decode(t, `a:3:{i:0;a:2:{i:0;i:1;i:1;i:2;}i:1;`+"O:10:\"Collection\":2:{s:8:\"\x00*\x00items\";a:1:{i:0;i:3;}s:1:\"x\";i:4;}"+`i:2;a:2:{i:0;O:1:"A":0:{}i:1;r:10;}}`)
	got := pretty(t, v)
	if !strings.Contains(got, "0 => A #10 {}\n    1 => A #10 (see above)") {
		t.Errorf("got %s", got)
	}
	v = decode(t, `a:2:{i:0;a:2:{i:0;a:1:{i:0;i:1;}i:1;i:2;}i:1;a:2:{i:0;s:1:"x";i:1;R:7;}}`)
	for _, o := range []PrettyOption{WithMaxItems(2), WithMaxDepth(2)} {
		if got := pretty(t, v, o); !strings.Contains(got, `"x" #7`) || !strings.Contains(got, "&#7") {
			t.Errorf("got %s", got)
		}
	}
}

func TestPretty_KeepsItsBounds(t *testing.T) {
	v := decode(t, `a:3:{i:0;a:2:{i:0;i:1;i:1;a:0:{}}i:1;s:8:"aéééb";i:2;`+empty0+`}`)
	for _, test := range []struct {
		options []PrettyOption
		want    string
	}{
		{[]PrettyOption{WithMaxDepth(0)}, "array:3 [...]\n"},
		{[]PrettyOption{WithMaxDepth(1), WithMaxString(4)}, "array:3 [\n  0 => array:2 [...]\n  1 => \"aé\" ... (8 bytes)\n  2 => stdClass {}\n]\n"},
		{[]PrettyOption{WithMaxItems(1)}, "array:3 [\n  0 => array:2 [\n    0 => 1\n    ... 1 more\n  ]\n  ... 2 more\n]\n"},
		{[]PrettyOption{WithMaxItems(0)}, "array:3 [\n  ... 3 more\n]\n"},
		{[]PrettyOption{WithMaxItems(1), WithMaxString(0), WithMaxDepth(1)}, "array:3 [\n  0 => array:2 [...]\n  ... 2 more\n]\n"},
	} {
		if got := pretty(t, v, test.options...); got != test.want {
			t.Errorf("got\n%s\nwant\n%s", got, test.want)
		}
	}
	if err := Pretty(new(strings.Builder), v, WithMaxDepth(-1)); err == nil || err.Error() != "the depth to print must not be negative" {
		t.Errorf("got %v", err)
	}
}

func TestPretty_ShowsObjectsThatOnlyLookLikeDatesAndCollections(t *testing.T) {
	for text, want := range map[string]string{
		`O:1:"A":3:{s:4:"date";s:4:"soon";s:13:"timezone_type";i:3;s:8:"timezone";s:3:"UTC";}`:             "A {\n  +date: \"soon\"\n  +timezone_type: 3\n  +timezone: \"UTC\"\n}\n",
		`O:1:"A":4:{s:4:"date";s:4:"2024";s:13:"timezone_type";i:3;s:8:"timezone";s:3:"UTC";s:1:"x";i:1;}`: "A {\n  +date: \"2024\"\n  +timezone_type: 3\n  +timezone: \"UTC\"\n  +x: 1\n}\n",
		`O:12:"MyCollection":1:{s:5:"items";a:0:{}}`:                                                       "MyCollection {\n  +items: array:0 []\n}\n",
		"O:12:\"MyCollection\":2:{s:8:\"\x00*\x00items\";a:0:{}s:1:\"x\";i:1;}":                            "MyCollection {\n  #items: array:0 []\n  +x: 1\n}\n",
		`O:12:"MyCollection":0:{}`:                      "MyCollection {}\n",
		`O:300:"` + strings.Repeat("A", 300) + `":0:{}`: strings.Repeat("A", 256) + "... {}\n",
	} {
		if got := pretty(t, decode(t, text)); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

func TestPretty_IsSafeForTerminals(t *testing.T) {
	for _, row := range golden(t, "values.jsonl") {
		checkPretty(t, must(Decode(row.Data)))
	}
	checkPretty(t, &Object{Class: "A\x1b[2J\u202e\xff", Properties: []Property{
		{Name: "\x1b]0;x\x07"}, {Name: "p", Visibility: Private, Class: "\x9b\u009b"},
		{Name: "date", Value: String("2024\x1b")}, {Name: "timezone_type", Value: Int(3)}, {Name: "timezone", Value: String("\x1b")},
	}})
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestPretty_ReturnsTheErrorOfTheWriter(t *testing.T) {
	if err := Pretty(brokenWriter{}, Int(1)); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}
