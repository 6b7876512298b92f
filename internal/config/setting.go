package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
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
		return scheme + "://" + hideWithoutAccount(rest)
	}
	end := hideOptions(rest[at:])
	colon := strings.IndexByte(rest[:at], ':')
	if colon < 0 {
		return scheme + "://" + rest[:at] + end
	}
	return scheme + "://" + rest[:colon+1] + hidden + end
}

// harmless are the options of a database URL whose values are shown.
var harmless = []string{"tls", "ssl-ca", "socket", "timeout", "readTimeout", "writeTimeout", "charset", "collation", "prefix"}

// hideOptions hides the values of all other options after the first question mark: Laravel's URLs may have a password there.
func hideOptions(s string) string {
	place, query, ok := strings.Cut(s, "?")
	if !ok {
		return s
	}
	options := strings.Split(query, "&")
	for i, option := range options {
		if name, _, _ := strings.Cut(option, "="); !slices.Contains(harmless, name) {
			options[i] = hidden
		}
	}
	return place + "?" + strings.Join(options, "&")
}

var port = regexp.MustCompile(`^[0-9]*([/,\]]|$)`)

// hideWithoutAccount hides what may be a password where somebody has forgotten the host: what follows a colon and is no port.
func hideWithoutAccount(rest string) string {
	rest = hideOptions(rest)
	for i := range len(rest) {
		if rest[i] == ':' && rest[0] != '[' && !port.MatchString(rest[i+1:]) {
			return rest[:i+1] + hidden
		}
	}
	return rest
}
