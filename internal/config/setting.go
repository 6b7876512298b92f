package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
)

// A Setting is a value and where it came from, so that messages can say so. Where it is printed, logged or encoded, the password
// of a URL is hidden.
type Setting struct {
	Value string

	// Source is "--database" for a flag, "LARDER_DATABASE" for a variable of the environment, "larder.yaml:3",
	// ".env:3 (CACHE_PREFIX)", ".env (DB_HOST, DB_DATABASE)", or "default".
	Source string
}

// String returns the value, fit to be shown: the password of a URL reads "[secret]".
func (s Setting) String() string { return hidePassword(s.Value) }

// Format writes the value as String does under every verb, so that %#v, %q and %x do not reveal a password either.
func (s Setting) Format(f fmt.State, verb rune) {
	if verb == 'v' || verb == 's' {
		_, _ = fmt.Fprint(f, s.String())
		return
	}
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), s.String())
}

// LogValue returns what String returns, and the source.
func (s Setting) LogValue() slog.Value {
	return slog.GroupValue(slog.String("value", s.String()), slog.String("source", s.Source))
}

// MarshalJSON returns {"value": ..., "source": ...} with what String returns.
func (s Setting) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Value  string `json:"value"`
		Source string `json:"source"`
	}{s.String(), s.Source})
}

// hidePassword replaces the password of a URL. It hides rather too much than too little: a password that is not properly encoded
// may contain anything, so all from the first colon of the authority to the last @ goes.
func hidePassword(value string) string {
	scheme, rest, ok := strings.Cut(value, "://")
	if !ok {
		return value
	}
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return value
	}
	colon := strings.IndexByte(rest[:at], ':')
	if colon < 0 {
		return value
	}
	return scheme + "://" + rest[:colon+1] + hidden + rest[at:]
}
