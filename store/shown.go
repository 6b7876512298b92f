package store

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// maxShown is how many characters of a key an error repeats. A key may be as long as whatever a caller makes keys of, a request's path say, and
// an error ends in a log.
const maxShown = 64

// shown quotes a key, or a lock's name, for an error: a long one is cut after [maxShown] characters, and its length told.
func shown(key string) string {
	end := 0
	for range maxShown {
		_, size := utf8.DecodeRuneInString(key[end:]) // 0 at the end, 1 for a byte that is not UTF-8
		end += size
	}
	if end == len(key) {
		return strconv.Quote(key)
	}
	return fmt.Sprintf("%q… (%d bytes)", key[:end], len(key))
}
