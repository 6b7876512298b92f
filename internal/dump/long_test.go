package dump

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/larder-cache/larder/store"
)

// Whatever stands in a long line, and wherever a buffer ends in it, it is read, or refused, as encoding/json does with all of it at once.
func TestReader_ALongLineIsReadAsAShortOne(t *testing.T) {
	values := []string{
		`plain`, ``, `\"\\\/\b\f\n\r\t`, `ü😀\u00fc\ud83d\ude00\uD83D\uDE00`, `\ufffd \uFFFD`, "\uFFFD", `\u0000`, "\u2028",
		`\ud83d`, `\ud83dx`, `\ud83d\n`, `\ude00\ud83d`, `\ud83d\u0041`, `\ud83d\`, `\u12`, `\x`, `\`, "\x01", "\xff", "\xe2\x82", `\u00zz`,
	}
	lines := []string{}
	for _, v := range values {
		lines = append(lines,
			`{"key":"k","value":"`+v+`","expiration":1,"ttl":2}`,
			`{"key":"k\"","expiration":1 , "value" : "`+v+`x" }`,
			`{"key":"`+v+`","value":"v","expiration":1}`,
			`{"key":"k","value":"`+v)
	}
	for _, v := range []string{"", "AA==", "AAA=", "AAAA", "AA", "A", "AA==AA==", "AA==\\n", "AA=\\n=", "AA=\\nA", "AA==A", "AA\\nAA", "?", "AAAA\\u0041A==", `\`} {
		lines = append(lines, `{"key":"k","value_base64":"`+v+`","expiration":1}`)
	}
	lines = append(lines, `{"value":"x"`, `{"key":"k","value":"x","expiration":1} {}`, `{"key":"k","value":"x","value_base64":"AA==","expiration":1}`,
		`{"key":"k","valeu":"v","expiration":1}`, `{"key":"k","value":1,"expiration":1}`, `"value":"x"`, `{"key":"k" "value":"x"}`,
		`{"key":"value","value":"\"value\":\"x","expiration":1}`, `{"key":"\"value\":","value":"x","expiration":1}`)
	for _, line := range lines {
		want, _, wantErr := new(Reader).parse(longLine{text: []byte(line)})
		for _, slow := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
			l, err := readLong(bufio.NewReaderSize(slow(strings.NewReader(line+"\nnext")), 16), new(room))
			var got store.Row
			if err == nil || err == io.EOF {
				got, _, err = new(Reader).parse(l)
			} else {
				err = explain(err)
			}
			if err == nil && wantErr == nil {
				if got.Key != want.Key || !bytes.Equal(got.Value, want.Value) || got.Expiration != want.Expiration || got.TTL != want.TTL {
					t.Errorf("%s: %+v, want %+v", line, got, want)
				}
			} else if err == nil || wantErr == nil { // of several things that are wrong, another one may be named
				t.Errorf("%s: error %v, want %v", line, err, wantErr)
			}
		}
	}
}

func TestReader_ALongLineIsFollowedByTheNext(t *testing.T) {
	big := strings.Repeat(`ü\n`, 100_000)
	text := `{"key":"a","value":"` + big + `","expiration":1}` + "\n" + strings.Repeat(" ", 100_000) + "\n" + `{"key":"b","value":"x","expiration":2}` + "\n" +
		`{"key":"c","value":"` + big + `\q","expiration":1}`
	r := NewReader(iotest.HalfReader(strings.NewReader(text)))
	for _, want := range []store.Row{{Key: "a", Value: []byte(strings.Repeat("ü\n", 100_000)), Expiration: 1}, {Key: "b", Value: []byte("x"), Expiration: 2}} {
		got, err := r.Next()
		if err != nil || got.Key != want.Key || !bytes.Equal(got.Value, want.Value) || got.Expiration != want.Expiration {
			t.Fatalf("row %q with %d bytes, %v", got.Key, len(got.Value), err)
		}
	}
	_, err := r.Next()
	if want := "line 4: it is no JSON, at byte 400022"; err == nil || err.Error() != want || r.Line() != 4 {
		t.Errorf("%v, want %s", err, want)
	}
}
