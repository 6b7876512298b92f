package wire

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/larder-cache/larder/fetcher"
)

// A Secret is a function because package fmt prints functions as addresses, at any depth and with any verb. A string in an
// unexported field it would print, whatever methods the string's type has.
type Secret func() string

// NewSecret returns the secret s.
func NewSecret(s string) Secret { return func() string { return s } }

const redacted = "[redacted]"

// Redact replaces every occurrence of the secrets in text, as they are and as URLs, JSON, HTML, Go's %q, base64 and hexadecimal
// digits write them, and the beginning of a secret at which text was cut off.
func Redact(text string, secrets ...string) string {
	var forms []string
	for _, s := range secrets {
		forms = append(forms, formsOf(s)...)
	}
	// The replacer tries the forms in their order: a form that contains another must come first.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, form := range forms {
		if form != "" {
			pairs = append(pairs, form, redacted)
		}
	}
	return redactCut(strings.NewReplacer(pairs...).Replace(text), forms)
}

// Of a secret that a gateway cut off, so much must be left to be recognised: less at the end of a text, where a cut is likely. Fewer
// characters are part of ordinary messages too.
const (
	minCut    = 10
	minCutEnd = 6
)

// redactCut replaces the beginnings of forms.
func redactCut(text string, forms []string) string {
	for at := 0; at < len(text); at++ {
		longest := 0
		for _, form := range forms {
			n := commonPrefix(text[at:], form)
			// What a gateway marks a cut with may stand behind it.
			if n >= minCut || n >= minCutEnd && strings.Trim(text[at+n:], " .…\"')]}") == "" {
				longest = max(longest, n)
			}
		}
		if longest > 0 {
			text = text[:at] + redacted + text[at+longest:]
			at += len(redacted) - 1
		}
	}
	return text
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func formsOf(s string) []string {
	inJSON, _ := json.Marshal(s) // strings always marshal
	forms := []string{
		s,
		unquote(string(inJSON)),
		unquote(strconv.Quote(s)),
		unquote(strconv.QuoteToASCII(s)),
		strings.ReplaceAll(s, "/", `\/`), // PHP's json_encode
		html.EscapeString(s),
		base64.StdEncoding.EncodeToString([]byte(s)),
		base64.RawStdEncoding.EncodeToString([]byte(s)),
		base64.URLEncoding.EncodeToString([]byte(s)),
		base64.RawURLEncoding.EncodeToString([]byte(s)),
		hex.EncodeToString([]byte(s)),
		strings.ToUpper(hex.EncodeToString([]byte(s))),
	}
	for _, escaped := range []string{url.QueryEscape(s), url.PathEscape(s), url.QueryEscape(url.QueryEscape(s))} {
		forms = append(forms, escaped, lowerHex(escaped))
	}
	return forms
}

func unquote(s string) string { return s[1 : len(s)-1] }

// lowerHex turns %2F into %2f.
func lowerHex(escaped string) string {
	b := []byte(escaped)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			b[i+1], b[i+2] = byte(unicode.ToLower(rune(b[i+1]))), byte(unicode.ToLower(rune(b[i+2])))
		}
	}
	return string(b)
}

// maxMessage is how many characters of a vendor's text are kept.
const maxMessage = 300

// Seal names the source of failure and takes the secrets out of everything in it that a vendor or a network wrote. Every
// source's error leaves through here.
func Seal(failure *fetcher.SourceError, source string, secrets ...string) error {
	failure.Source = source
	failure.Message = oneLine(Redact(failure.Message, secrets...))
	failure.Code = oneLine(Redact(failure.Code, secrets...))
	failure.RequestID = oneLine(Redact(failure.RequestID, secrets...))
	return failure
}

// oneLine makes text fit for a log: no control characters, no invalid UTF-8, not long.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	if runes := []rune(strings.TrimSpace(text)); len(runes) > maxMessage {
		return string(runes[:maxMessage]) + "…"
	}
	return strings.TrimSpace(text)
}
