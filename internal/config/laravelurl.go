package config

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
)

// A laravelURL is what DB_URL overrides of a connection; nil is what it does not mention.
type laravelURL struct {
	driver                                           string
	host, port, database, username, password, socket *string
	prefix                                           string
}

// driverAliases are Laravel's names for drivers, of those that larder speaks.
var driverAliases = map[string]string{"mysql2": "mysql", "sqlite3": "sqlite"}

// parseLaravelURL reads DB_URL as Laravel's ConfigurationUrlParser does (7 to 13): the parts are percent-decoded, leniently, and
// then taken for JSON if they are; the query holds further options. Of these it knows those that name a part of the URL,
// unix_socket, and prefix, which stands before table names. It is not the net/url parser, which is stricter than PHP's parse_url and
// puts the URL with its password into errors.
func parseLaravelURL(address string) (laravelURL, error) {
	u := laravelURL{}
	if address == "" {
		return u, nil
	}
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		if scheme, rest, ok = strings.Cut(address, ":"); !ok || !strings.HasPrefix(scheme, "sqlite") {
			return u, errors.New("this is not a URL; want mysql://user:pass@host:port/db, or remove it and use DB_HOST, DB_DATABASE and so on")
		}
		rest = "/" + rest // sqlite:path
	}
	u.driver = strings.ToLower(scheme)
	if alias := driverAliases[u.driver]; alias != "" {
		u.driver = alias
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, hasPath := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, password, hasPassword := strings.Cut(authority[:at], ":")
		u.username = part(user)
		if hasPassword {
			u.password = part(password)
		}
		authority = authority[at+1:]
	}
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') && !strings.Contains(authority, ",") {
		u.port = part(authority[colon+1:])
		authority = authority[:colon]
	}
	if authority != "" {
		u.host = part(authority)
	}
	if hasPath && path != "" {
		u.database = part(path)
	}
	return u, u.options(query)
}

// options reads the query, whose entries win over the URL's other parts.
func (u *laravelURL) options(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the part after ? is not properly encoded")
	}
	for name, into := range map[string]**string{
		"host": &u.host, "port": &u.port, "database": &u.database, "username": &u.username, "password": &u.password, "unix_socket": &u.socket,
	} {
		if v, ok := values[name]; ok {
			*into = typed(v[len(v)-1])
		}
	}
	if v := typed(values.Get("prefix")); v != nil {
		u.prefix = *v
	}
	return nil
}

// part decodes one part of the URL.
func part(raw string) *string { return typed(rawURLDecode(raw)) }

// typed returns the text that remains of a part after Laravel took it for JSON: null is as if it were not there, "1" is 1. Numbers stay
// as they are.
func typed(text string) *string {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return &text
	}
	switch v := v.(type) {
	case nil:
		return nil
	case bool:
		text = ""
		if v {
			text = "1"
		}
	case string:
		text = v
	}
	return &text
}

// rawURLDecode is PHP's rawurldecode: what is no escape stays as it is.
func rawURLDecode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b.WriteByte(hexDigit(s[i+1])<<4 | hexDigit(s[i+2]))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func hexDigit(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

// apply overrides the connection's parts.
func (u *laravelURL) apply(c *connection) {
	for _, p := range []struct {
		from *string
		to   *string
	}{
		{u.host, &c.host}, {u.port, &c.port}, {u.database, &c.database}, {u.username, &c.username}, {u.password, &c.password}, {u.socket, &c.socket},
	} {
		if p.from != nil {
			*p.to = *p.from
		}
	}
	c.prefix = u.prefix
}
