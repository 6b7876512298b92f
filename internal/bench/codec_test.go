package bench

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/larder-cache/larder/store/php"
)

// token is one as a vendor hands it out.
const token = "96fc7a7axxx0123456789abcdef0123456789abcdef0123456789abcdef0123"

// encoded keeps the compiler from leaving out what nobody looks at.
var encoded []byte

// inProcess compares what needs no server with what a caller would write who trusts the bytes.
func inProcess() []comparison {
	var (
		text    = []byte(`s:63:"` + token + `";`)
		value   = string([]byte(token)) // no constant, which the compiler would know the length of
		boxed   = any(value)            // as Put has it
		decoded string
	)
	decode := func() error { return php.Unmarshal(text, &decoded) }
	encode := func() error {
		var err error
		encoded, err = php.Marshal(boxed)
		return err
	}
	return []comparison{
		{
			name: "php-decode-token", reference: "strconv and a slice", goal: 1.5,
			larder: timed(decode),
			other: timed(func() (err error) {
				decoded, err = decodeByHand(text)
				return err
			}),
			allocs: &allocs{of: func() { _ = decode() }, most: 1},
		},
		{
			name: "php-encode-token", reference: "strconv and append", goal: 1.5,
			larder: timed(encode),
			other: timed(func() error {
				encoded = encodeByHand(value)
				return nil
			}),
			allocs: &allocs{of: func() { _ = encode() }, most: 1},
		},
	}
}

var errNoString = errors.New("not a string")

func decodeByHand(text []byte) (string, error) {
	if len(text) < 2 || text[0] != 's' || text[1] != ':' {
		return "", errNoString
	}
	colon := bytes.IndexByte(text[2:], ':') + 2
	n, err := strconv.Atoi(string(text[2:colon]))
	if err != nil {
		return "", err
	}
	if colon+2+n+2 != len(text) {
		return "", errNoString
	}
	return string(text[colon+2 : colon+2+n]), nil
}

func encodeByHand(s string) []byte {
	dst := append(make([]byte, 0, len(s)+16), "s:"...)
	dst = strconv.AppendInt(dst, int64(len(s)), 10)
	dst = append(dst, ':', '"')
	dst = append(dst, s...)
	return append(dst, '"', ';')
}
