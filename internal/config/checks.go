package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// checks say what is wrong with the value of a setting, and what to write instead; "" if nothing is.
var checks = map[string]func(string) string{
	"database":   checkDatabase,
	"prefix":     checkPrefix,
	"table":      checkTable,
	"lock_table": checkTable,
	"listen":     checkListen,
	"log_level":  checkLogLevel,
}

// checkDatabase looks at the scheme only; store.Open knows the rest. The URL holds a password, so it is never quoted.
func checkDatabase(value string) string {
	const want = "want mysql://user:pass@host/db, mariadb://user:pass@host/db or sqlite:path"
	scheme, rest, ok := strings.Cut(value, ":")
	switch {
	case !ok:
		return "this is not a database URL; " + want
	case scheme == "sqlite" && rest == "":
		return "the URL names no file; " + want
	case scheme == "sqlite":
		return ""
	case (scheme == "mysql" || scheme == "mariadb") && !strings.HasPrefix(rest, "//"):
		return "this is not a database URL; " + want
	case scheme == "mysql" || scheme == "mariadb":
		return ""
	case unspoken[scheme]:
		return fmt.Sprintf("larder does not speak %s, only MySQL, MariaDB and SQLite; %s", scheme, want)
	}
	return "the URL's scheme is not one that larder knows; " + want
}

// unspoken are schemes and Laravel drivers that people may well try.
var unspoken = map[string]bool{
	"pgsql": true, "postgres": true, "postgresql": true, "sqlsrv": true, "mssql": true, "mongodb": true, "redis": true,
}

// maxKey is how many characters the key column holds, prefix included.
const maxKey = 255

func checkPrefix(value string) string {
	switch {
	case !utf8.ValidString(value):
		return "the prefix is not UTF-8"
	case utf8.RuneCountInString(value) >= maxKey:
		return fmt.Sprintf("the prefix leaves no room for a key; prefix and key together have at most %d characters", maxKey)
	}
	return ""
}

var identifier = regexp.MustCompile(`^[A-Za-z0-9_$]{1,64}$`)

func checkTable(value string) string {
	if identifier.MatchString(value) {
		return ""
	}
	return fmt.Sprintf("%s is not a table's name; want letters, digits, $ and _, at most 64", quote(value))
}

func checkListen(value string) string {
	_, port, err := net.SplitHostPort(value)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Sprintf("%s is not an address to listen on; want host:port, such as 127.0.0.1:8420 or :8420", quote(value))
	}
	return ""
}

func checkLogLevel(value string) string {
	switch value {
	case "debug", "info", "warn", "error":
		return ""
	}
	return fmt.Sprintf("%s is not a log level; want debug, info, warn or error", quote(value))
}

// checkBaseURL returns the URL without the slash at its end, or what is wrong with it. The URL is never quoted, because people write
// passwords into URLs.
func checkBaseURL(value string) (base, msg string) {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return "", "this is not an address; want https://host, or http://host for a test server"
	case u.User != nil:
		return "", "the address must not contain a user or a password"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", "the address must end before ? and #; want https://host[:port][/path]"
	}
	return strings.TrimRight(value, "/"), ""
}

// inTheClear tells whether a secret sent to the (checked) address leaves this machine unencrypted.
func inTheClear(base string) bool {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() != "localhost" && (err != nil || !ip.IsLoopback())
}

// checkAPIKey says what is wrong with a key that nobody could present: a header's value ends with its last visible character, and has no line
// breaks. The key is never quoted.
func checkAPIKey(key string) string {
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "this API key has a blank, a line break or another character that the header Authorization cannot carry; want visible ASCII characters"
	}
	return ""
}

// quote quotes a value that is no secret, and shortens it.
func quote(value string) string {
	const most = 40
	if r := []rune(value); len(r) > most {
		value = string(r[:most]) + "…"
	}
	return strconv.Quote(value)
}
