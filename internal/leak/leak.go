// Package leak finds secrets in what programs print, whatever was done to them on the way.
package leak

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"log/slog"
	"net/url"
	"strings"
	"testing"
)

// Forms returns how a text may show a secret: as it is, escaped for URLs, JSON, HTML or Go, in hexadecimal, and in base64, also in the
// middle of something longer, as in the header Authorization. Of something shorter than 8 bytes it is only itself, because the rest would
// be found by chance.
func Forms(secret string) []string {
	if len(secret) < 8 {
		return []string{secret}
	}
	inJSON, _ := json.Marshal(secret) // strings always encode
	forms := []string{
		secret, strings.Trim(string(inJSON), `"`), strings.Trim(fmt.Sprintf("%q", secret), `"`), html.EscapeString(secret),
		url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)),
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 { // bytes, which base64 takes three at a time
			text := encoding.EncodeToString(append(make([]byte, before), secret...))
			forms = append(forms, text[(before*8+5)/6:(before+len(secret))*8/6])
		}
	}
	return forms
}

// None fails the test if text shows one of the secrets in any form. Letters' case does not count.
func None(tb testing.TB, what, text string, secrets ...string) {
	tb.Helper()
	lower := strings.ToLower(text)
	for _, secret := range secrets {
		if secret == "" {
			tb.Fatalf("%s: there is no secret to look for", what)
		}
		for _, form := range Forms(secret) {
			if i := strings.Index(lower, strings.ToLower(form)); i >= 0 {
				tb.Errorf("%s shows %q: … %s …", what, form, lower[max(0, i-300):min(len(lower), i+len(form)+300)])
				return
			}
		}
	}
}

// Printed is v printed and logged in every way.
func Printed(v any) string {
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("text", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("json", "v", v)
	inJSON, _ := json.Marshal(v) // what cannot be JSON is not shown by it
	b.Write(inJSON)
	return b.String()
}
