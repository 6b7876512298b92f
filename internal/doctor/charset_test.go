package doctor

import "testing"

func TestEncodedTwice_IsCertain(t *testing.T) {
	for value, want := range map[string]bool{
		"s:3:\"\u00e6\u2013\u00b0\";": true,  // 新
		"s:2:\"\u00c3\u00a9\";":       true,  // é
		"s:5:\"\u00c3\u00a9\";":       false, // a length that neither fits
		"s:1:\"\u00e9\";":             false, // undone it is latin1 and no UTF-8
		"s:3:\"\u65b0":                false, // not of latin1's characters
		"s:2:\"\xc3\x83\xff":          false, "garbage": false, "": false,
	} {
		if got := encodedTwice([]byte(value)); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}
