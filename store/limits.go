package store

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// maxRowKey is how many characters the key column holds in every Laravel's table (but where a team shortened it to 191,
// which the server reports).
const maxRowKey = 255

func checkRowKey(rowKey string) error {
	if err := checkText("row key", rowKey); err != nil {
		return err
	}
	if n := utf8.RuneCountInString(rowKey); n > maxRowKey {
		return &LimitError{
			What: "row key", Limit: fmt.Sprintf("at most %d characters, prefix included", maxRowKey), Got: fmt.Sprintf("%d characters", n),
			Remedy: "shorten the key, or store under a hash of it",
		}
	}
	return nil
}

// checkText refuses what a UTF-8 column would refuse, cut or replace, depending on the server.
func checkText(what, text string) error {
	if utf8.ValidString(text) {
		return nil
	}
	at := 0
	for at < len(text) {
		r, size := utf8.DecodeRuneInString(text[at:])
		if r == utf8.RuneError && size <= 1 {
			break
		}
		at += size
	}
	e := &LimitError{What: what, Limit: "UTF-8", Got: fmt.Sprintf("a byte that is not UTF-8 at offset %d", at)}
	if what == "value" {
		e.Remedy = "base64 binary data before storing it"
	}
	return e
}

// wholeSeconds rounds a TTL up, as Laravel does since 11.31, so that a positive TTL never becomes zero.
func wholeSeconds(ttl time.Duration) int64 {
	seconds := int64(ttl / time.Second)
	if ttl%time.Second > 0 {
		seconds++
	}
	return seconds
}

const whatExpiration = "expiration"
