package doctor

import (
	"slices"
	"unicode/utf8"
)

// latin1High are the characters of MySQL's latin1 from 0x80 to 0x9F: those of Windows-1252, and where that has none, the control characters.
var latin1High = []rune("€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ")

// encodedTwice reports whether a value that PHP cannot read is one whose UTF-8 the server took for latin1 and encoded once more, as it does for a
// connection of that charset. It is certain: undone, the lengths that PHP has written down fit, and the text is UTF-8.
func encodedTwice(value []byte) bool {
	once, ok := latin1Bytes(value)
	return ok && utf8.Valid(once) && !unreadable(once)
}

// latin1Bytes returns the bytes of a text in latin1, and false if it is none, or has other characters.
func latin1Bytes(text []byte) ([]byte, bool) {
	once := make([]byte, 0, len(text))
	for _, r := range string(text) { // a byte that is not UTF-8 is U+FFFD, which latin1 has not
		if r < 0x80 || 0xa0 <= r && r <= 0xff {
			once = append(once, byte(r))
			continue
		}
		at := slices.Index(latin1High, r)
		if at < 0 {
			return nil, false
		}
		once = append(once, byte(0x80+at))
	}
	return once, true
}
