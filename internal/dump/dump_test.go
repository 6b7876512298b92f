package dump

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/larder-cache/larder/store"
)

func TestDump_EveryByteComesBack(t *testing.T) {
	var every []byte
	for i := range 256 {
		every = append(every, byte(i))
	}
	rows := []store.Row{
		{Key: "greeting", Value: []byte(`s:5:"hello";`), Expiration: 1_788_000_000, TTL: 10 * time.Minute},
		{Key: "钉钉\n\"\\\u2028\x7f", Value: every, Expiration: -1, TTL: -time.Second},
		{Key: "k\xff", Value: nil, Expiration: 1 << 62, TTL: 1<<63 - 1},
		{Key: "", Value: []byte("\x00\x01 \uFFFD 😀 <&>"), Expiration: 0},
		{Key: "big", Value: bytes.Repeat([]byte(`"ü\`), 1<<20), Expiration: 1, TTL: time.Hour},
	}
	var file bytes.Buffer
	w := NewWriter(&file, 0)
	for _, r := range rows {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(file.String()) {
		if !json.Valid([]byte(line)) {
			t.Fatalf("no JSON: %.200s", line)
		}
	}
	r := NewReader(&file)
	for i, want := range rows {
		got, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if got.Key != want.Key || !bytes.Equal(got.Value, want.Value) || got.Expiration != want.Expiration || got.TTL != want.TTL.Truncate(time.Second) {
			t.Errorf("row %d: %.200q, want %.200q", i, got.Value, want.Value)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func TestDump_LineIsAsDocumented(t *testing.T) {
	var file bytes.Buffer
	w := NewWriter(&file, 0)
	_ = w.Write(store.Row{Key: "k", Value: []byte("\xff"), Expiration: 7, TTL: time.Minute})
	_ = w.Flush()
	if want := `{"key":"k","value_base64":"/w==","expiration":7,"ttl":60,"dump":1}` + "\n"; file.String() != want {
		t.Errorf("%s, want %s", file.String(), want)
	}
}

// dumpOf returns a dump of so many small rows, with its end.
func dumpOf(t *testing.T, n int, before int64) string {
	t.Helper()
	var file bytes.Buffer
	w := NewWriter(&file, before)
	for i := range n {
		if err := w.Write(store.Row{Key: fmt.Sprint("k", i), Value: []byte("i:1;\n"), Expiration: 7, TTL: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	return file.String()
}

// readAll reads to the end, or to the first error.
func readAll(r *Reader) (rows int64, err error) {
	for ; ; rows++ {
		if _, err := r.Next(); err == io.EOF {
			return rows, nil
		} else if err != nil {
			return rows, err
		}
	}
}

func TestWriter_TheFirstLineBeginsAndTheLastTellsHowManyRowsThereAre(t *testing.T) {
	for rows, want := range []string{
		`{"dump":1,"rows":0}` + "\n",
		`{"key":"k0","value":"i:1;\n","expiration":7,"ttl":60,"dump":1,"rows":1}` + "\n",
		`{"key":"k0","value":"i:1;\n","expiration":7,"ttl":60,"dump":1}` + "\n" + `{"key":"k1","value":"i:1;\n","expiration":7,"ttl":60,"rows":2}` + "\n",
	} {
		if got := dumpOf(t, rows, 0); got != want {
			t.Errorf("%d rows: %s, want %s", rows, got, want)
		}
	}
	var file bytes.Buffer
	w := NewWriter(&file, 4)
	if err := errors.Join(w.Write(store.Row{Key: "k"}), w.Flush()); err != nil || !strings.HasSuffix(file.String(), `"ttl":0}`+"\n") {
		t.Errorf("flushed, a row is no whole line: %s, %v", file.String(), err)
	}
	if err := w.End(); err != nil || !strings.HasSuffix(file.String(), "}\n"+`{"rows":5}`+"\n") {
		t.Errorf("behind a whole line the end is none of its own: %s, %v", file.String(), err)
	}
}

func TestReader_SeesEachCut(t *testing.T) {
	for _, n := range []int{0, 1, 5} {
		whole := dumpOf(t, n, 0)
		for at := range len(whole) - 1 { // without its last byte, the end of its last line, it has all the same
			r := NewReader(strings.NewReader(whole[:at]))
			if _, err := readAll(r); err == nil && at > 0 && !r.Count().Cut() {
				t.Errorf("cut after %d bytes of %d nobody sees it: %q", at, len(whole), whole[:at])
			}
		}
		for _, text := range []string{whole, whole[:len(whole)-1], strings.ReplaceAll(whole, "\n", "\r\n")} {
			r := NewReader(strings.NewReader(text))
			if rows, err := readAll(r); err != nil || rows != int64(n) || !r.Count().Whole() {
				t.Errorf("%q: %d rows, %v, %+v, want it to be whole", text, rows, err, r.Count())
			}
		}
	}
}

func TestReader_CountsWhatWasJoinedSortedOrLeftOut(t *testing.T) {
	three, none, two := dumpOf(t, 3, 0), dumpOf(t, 0, 0), dumpOf(t, 2, 0)
	interrupted := three[:strings.LastIndex(three, `,"rows"`)] + "}\n"
	sorted := slices.Sorted(strings.Lines(three + none))
	slices.Reverse(sorted)
	lines := strings.SplitAfter(three, "\n")
	for name, c := range map[string]struct {
		text  string
		whole bool
	}{
		"joined":                         {three + none + two, true},
		"sorted":                         {strings.Join(sorted, ""), true},
		"edited":                         {strings.ReplaceAll(three, `:"k`, `:"other`), true},
		"interrupted, and gone on":       {interrupted + dumpOf(t, 2, 3), true},
		"interrupted at the last row":    {interrupted + dumpOf(t, 0, 3), true},
		"interrupted":                    {interrupted, false},
		"interrupted, and another":       {interrupted + two, false},
		"whole, and an interrupted one":  {two + interrupted, false},
		"without a line in the middle":   {lines[0] + lines[2], false},
		"without the last line":          {lines[0] + lines[1], false},
		"with a line twice":              {lines[0] + three, false},
		"by hand":                        {`{"key":"k","value":"i:1;","expiration":1}`, false},
		"nothing":                        {"", false},
		"nothing but the ends of lines":  {"\n\n", false},
		"no rows":                        {none, true},
		"the end of more than there are": {`{"rows":1}`, false},
	} {
		r := NewReader(strings.NewReader(c.text))
		if _, err := readAll(r); err != nil || r.Count().Whole() != c.whole {
			t.Errorf("%s: %v, %+v, want whole: %v", name, err, r.Count(), c.whole)
		}
	}
}

// Lines that are passed over count as well, or an import that goes on would not know whether the dump is whole.
func TestReader_CountsTheLinesThatItPassesOver(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	text := dumpOf(t, 3, 0) + strings.ReplaceAll(dumpOf(t, 3, 0), "i:1;", long)
	for from := range 8 {
		r := NewReader(strings.NewReader(text[:strings.LastIndex(text, "{")] + `{"key":"last","value":"","expiration":1,"rows":3}`))
		r.From = from
		if rows, err := readAll(r); err != nil || !r.Count().Whole() || rows != int64(min(6, 7-from)) {
			t.Errorf("from line %d: %d rows, %v, %+v", from, rows, err, r.Count())
		}
	}
	r := NewReader(strings.NewReader("bad\n\n" + dumpOf(t, 3, 2)))
	r.From = 3
	if _, err := readAll(r); err != nil || !r.Count().Whole() {
		t.Errorf("what is no row any more is no row that was: %v, %+v", err, r.Count())
	}
}

func TestReader_NamesTheLineAndWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                                      "it ends in the middle of its JSON",
		`{"key":"k","value":"v","expiration":1`:  "it ends in the middle of its JSON",
		`{"key":"k","value":"v","expiration":`:   "it ends in the middle of its JSON",
		`{"key":"k","val`:                        "it ends in the middle of its JSON",
		`{"key":"k","value":"secret`:             "it ends in the middle of its JSON",
		`{"key":"k","value":"secret\u12`:         "it ends in the middle of its JSON",
		`secret`:                                 "it is no JSON, at byte 1",
		`{"key":"k" "value":"secret"}`:           "it is no JSON, at byte 11",
		`[1]`:                                    "it is no JSON object",
		`null`:                                   "it is no JSON object",
		`"secret"`:                               "it is no JSON object",
		`{"key":"k","value":1,"expiration":1}`:   `"value": got number`,
		`{"key":"k","value":"v"}`:                `"expiration" is missing`,
		`{"key":"k","expiration":1}`:             `"value" is missing`,
		`{"value":"k","expiration":1}`:           `"key" is missing`,
		`{"key":null,"value":"","expiration":1}`: `"key" is missing`,
		`{"key":"k","valeu":"v","expiration":1}`: `unknown field "valeu"`,
		`{"key":"k","rows":1}`:                   `"value" is missing`,
		`{"rows":1,"ttl":1}`:                     `"key" is missing`,
		`{"rows":null}`:                          `"key" is missing`,
		`{"rows":-1}`:                            `"rows" is no number of rows`,
		`{"rows":"1"}`:                           `"rows": got string`,
		`{"KEY":"k","value":"v","expiration":1}`: `unknown field "KEY"`,
		`{"key":"k","key":"l","value":"v","expiration":1}`:             `"key" comes twice`,
		`{"key":"k","value":"v","expiration":1,"expiration":1}`:        `"expiration" comes twice`,
		`{"key":"k","value":"v","value_base64":"dg==","expiration":1}`: `"value" and "value_base64": want one of them`,
		`{"key":"k","value_base64":"?","expiration":1}`:                `"value_base64" is no base64`,
		`{"key":"k","value_base64":"dg","expiration":1}`:               `"value_base64" is no base64`,
		`{"key":"k","value_base64":"dh==","expiration":1}`:             `"value_base64" is no base64`,
		`{"key":"k","value":"v","expiration":1} {}`:                    `something follows the JSON object`,
		`{"key":"k","value":"v","expiration":1}}`:                      `something follows the JSON object`,
		`{"key":"k","value":"\ud800","expiration":1}`:                  `\uD800 to \uDFFF stand alone`,
		`{"key":"\ufffd","value":"\udc00\ud800","expiration":1}`:       `\uD800 to \uDFFF stand alone`,
		`{"key":"\ufffd","value":"\ud83d\\ude00","expiration":1}`:      `\uD800 to \uDFFF stand alone`,
		"{\"key\":\"k\",\"value\":\"\xff\",\"expiration\":1}":          `it is not UTF-8`,
		`{"key":"k","value":"v","expiration":1.5}`:                     `"expiration": got number 1.5`,
		`{"key":"k","value":"v","expiration":99999999999999999999}`:    `"expiration": got number`,
		strings.Repeat("secret", 1<<20):                                `it is no JSON object`,
		`{"key":"` + strings.Repeat("secret", 1<<20):                   `longer than 1 GiB`,
	} {
		r := NewReader(strings.NewReader("\n" + text + "\n" + `{"key":"k","value":"v","expiration":1}` + "\n"))
		r.most = 3 << 20
		_, err := r.Next()
		var line *LineError
		if !errors.As(err, &line) || line.Line != 2 || !strings.Contains(line.Err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%.80s: %v, want line 2: %s", text, err, want)
		}
	}
}

func TestReader_TakesWhatEditorsAndShellsAdd(t *testing.T) {
	const row = `{"key":"k","value":"\ud83d\ude00","expiration":1}`
	for name, text := range map[string]string{
		"byte order mark":    "\uFEFF" + row + "\n" + row,
		"carriage returns":   row + "\r\n" + row + "\r\n",
		"empty lines":        "\n" + row + "\n \n\n" + row + "\n\n",
		"spaces":             "  " + row + "\t\n{ \"expiration\" : 1 , \"key\":\"k\", \"value\" : \"😀\" }\n",
		"no newline at last": row + "\n" + row,
	} {
		r := NewReader(strings.NewReader(text))
		for range 2 {
			if got, err := r.Next(); err != nil || got.Key != "k" || string(got.Value) != "😀" {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
		if _, err := r.Next(); err != io.EOF {
			t.Errorf("%s: at the end: %v", name, err)
		}
	}
	r := NewReader(strings.NewReader(row + "\n\uFEFF" + row))
	_, _ = r.Next()
	if _, err := r.Next(); err == nil {
		t.Error("a mark of the byte order in the middle is taken: two files were joined")
	}
}

func TestReader_GoesOnFromALine(t *testing.T) {
	r := NewReader(strings.NewReader("garbage\n" + strings.Repeat("x", 1<<20) + "\n" + `{"key":"third","value":"","expiration":1}` + "\n{"))
	r.From = 3
	if row, err := r.Next(); err != nil || row.Key != "third" || r.Line() != 3 {
		t.Errorf("%q, %v, line %d", row.Key, err, r.Line())
	}
	var line *LineError
	if _, err := r.Next(); !errors.As(err, &line) || line.Line != 4 {
		t.Errorf("%v, want one of line 4", err)
	}
	beyond := NewReader(strings.NewReader("\n\n"))
	beyond.From = 9
	if _, err := beyond.Next(); err != io.EOF {
		t.Errorf("beyond the end: %v", err)
	}
}

func TestReader_WantsATTLIfItIsNeeded(t *testing.T) {
	r := NewReader(strings.NewReader(`{"key":"k","value":"v","expiration":1}`))
	r.WantTTL = true
	if _, err := r.Next(); err == nil || !strings.Contains(err.Error(), `"ttl" is missing`) {
		t.Error(err)
	}
}

func TestReader_TroubleWithReadingIsNoLineError(t *testing.T) {
	broken := errors.New("broken")
	_, err := NewReader(io.MultiReader(strings.NewReader(`{"key"`), iotest.ErrReader(broken))).Next()
	var line *LineError
	if !errors.Is(err, broken) || errors.As(err, &line) {
		t.Error(err)
	}
}

// FuzzReader reads anything. A row that it gives is one that comes back when it is written; an error is about the line where it stopped.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		"", "\n", strings.Repeat(" ", 15) + "\v", "{}", `{"rows":0}`, `{"key":"k","value":"v","expiration":1,"rows":1}` + "\n" + `{"rows":-1}`, "\uFEFF{\"key\":\"k\",\"value\":\"s:1:\\\"a\\\";\",\"expiration\":1788000000,\"ttl\":600}\r\n",
		`{"key_base64":"/w==","value_base64":"AA==","expiration":-1}` + "\n" + `{"key":"\ud83d\ude00","value":"\\ud800","expiration":0}`,
		`{"key":"k","value":"\ud800","expiration":1}`, `{"key":"k","key":"k"}`, `[{"key":1}]`, `{"key":"k","value":"v","expiration":1e3}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		short, long := NewReader(bytes.NewReader(text)), NewReader(bytes.NewReader(text))
		long.in = bufio.NewReaderSize(long.source, 16) // for which most lines are long
		for {
			row, err := short.Next()
			same, sameErr := long.Next()
			if (err == nil) != (sameErr == nil) || errors.Is(err, io.EOF) != errors.Is(sameErr, io.EOF) || short.Line() != long.Line() {
				t.Fatalf("line %d: %v; as a long line, line %d: %v", short.Line(), err, long.Line(), sameErr)
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				var line *LineError
				if !errors.As(err, &line) || line.Line != short.Line() || line.Line > 1+bytes.Count(text, []byte("\n")) {
					t.Errorf("%v at line %d", err, short.Line())
				}
				return
			}
			if row.Key != same.Key || !bytes.Equal(row.Value, same.Value) || row.Expiration != same.Expiration || row.TTL != same.TTL {
				t.Errorf("%+v; as a long line %+v", row, same)
			}
			if short.Count() != long.Count() {
				t.Errorf("counted %+v; as long lines %+v", short.Count(), long.Count())
			}
			wantBack(t, row)
		}
	})
}

// FuzzDump writes any row and reads it again.
func FuzzDump(f *testing.F) {
	f.Add("k", []byte(`s:5:"hello";`), int64(1_788_000_000), int64(600))
	f.Add("", []byte("\x00\xff\\\"\n\u2028\uFFFD"), int64(-1), int64(-1))
	f.Fuzz(func(t *testing.T, key string, value []byte, expiration, ttl int64) {
		const most = int64(1<<63-1) / int64(time.Second)
		wantBack(t, store.Row{Key: key, Value: value, Expiration: expiration, TTL: time.Duration(ttl%most) * time.Second})
	})
}

func wantBack(t *testing.T, row store.Row) {
	t.Helper()
	var file bytes.Buffer
	w := NewWriter(&file, 0)
	if err := errors.Join(w.Write(row), w.End()); err != nil {
		t.Fatal(err)
	}
	r := NewReader(&file)
	got, err := r.Next()
	if err != nil || got.Key != row.Key || !bytes.Equal(got.Value, row.Value) || got.Expiration != row.Expiration || got.TTL != row.TTL {
		t.Errorf("%+v comes back as %+v, %v", row, got, err)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("%+v has more than one line: %v", row, err)
	}
	if !r.Count().Whole() {
		t.Errorf("%+v comes back as %+v", row, r.Count())
	}
}
