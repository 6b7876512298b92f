package dump

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
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
	w := NewWriter(&file)
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
	w := NewWriter(&file)
	_ = w.Write(store.Row{Key: "k", Value: []byte("\xff"), Expiration: 7, TTL: time.Minute})
	_ = w.Flush()
	if want := `{"key":"k","value_base64":"/w==","expiration":7,"ttl":60}` + "\n"; file.String() != want {
		t.Errorf("%s, want %s", file.String(), want)
	}
}

func TestReader_NamesTheLineAndWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                                      "line 2: it ends in the middle of its JSON",
		`secret`:                                 "line 2: it is no JSON, at byte 1",
		`[1]`:                                    "line 2: want a JSON object, got array",
		`{"key":"k","value":1,"expiration":1}`:   `line 2: "value": got number`,
		`{"key":"k","value":"v"}`:                `line 2: "expiration" is missing`,
		`{"key":"k","expiration":1}`:             `line 2: "value" is missing`,
		`{"value":"k","expiration":1}`:           `line 2: "key" is missing`,
		`{"key":"k","valeu":"v","expiration":1}`: `line 2: json: unknown field "valeu"`,
		`{"key":"k","value":"v","value_base64":"dg==","expiration":1}`: `line 2: "value" and "value_base64": want one of them`,
		`{"key":"k","value_base64":"?","expiration":1}`:                `line 2: "value_base64" is no base64`,
		`{"key":"k","value":"v","expiration":1} {}`:                    `line 2: more than one JSON object on a line`,
		`{"key":"k","value":"\ud800","expiration":1}`:                  `line 2: "value": \uD800 to \uDFFF stand alone`,
		"{\"key\":\"k\",\"value\":\"\xff\",\"expiration\":1}":          `line 2: it is not UTF-8`,
		`{"key":"k","value":"v","expiration":1.5}`:                     `line 2: "expiration": got number 1.5`,
	} {
		_, err := NewReader(strings.NewReader("\n" + text + "\n")).Next()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
