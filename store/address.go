package store

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlConfigs returns one driver configuration for each host of the address. Errors do not repeat the address, which holds a
// password.
func mysqlConfigs(address string) ([]*mysql.Config, error) {
	scheme, rest, isURL := strings.Cut(address, "://")
	switch {
	case !isURL, strings.Contains(scheme, ":"): // a password may hold "://" too, and would be taken for a part of the scheme
		cfg, err := configOfDSN(address)
		if err != nil {
			return nil, err
		}
		return []*mysql.Config{cfg}, nil
	case scheme != "mysql" && scheme != "mariadb":
		return nil, fmt.Errorf("database address: scheme %q: want mysql, mariadb or sqlite", scheme)
	}
	return configsOfURL(rest)
}

var errMalformedOptions = errors.New("database address: the options after ? are malformed: want name=value&name=value")

// configOfDSN reads go-sql-driver's notation.
func configOfDSN(dsn string) (*mysql.Config, error) {
	cfg, err := parseDSN(dsn)
	if err != nil || cfg.DBName == "" {
		// The driver's message may quote what it took the password for.
		return nil, errors.New("database address: not understood: want mysql://user:password@host:3306/database, " +
			"user:password@tcp(host:3306)/database, or sqlite:path")
	}
	_, place, _ := cutLast(dsn, "/") // as the driver does: before it, anything may be part of the password
	_, query, _ := strings.Cut(place, "?")
	options, err := url.ParseQuery(query)
	if err != nil {
		return nil, errMalformedOptions
	}
	return cfg, checkCharset(options)
}

// configsOfURL reads what follows the scheme of an URL.
func configsOfURL(rest string) ([]*mysql.Config, error) {
	rest, query, _ := strings.Cut(rest, "?")
	if strings.Contains(query, "@") {
		return nil, errors.New(`database address: there is an "@" after the "?": in a password, write "?" as %3F; in an option, "@" as %40`)
	}
	account, place, hasAccount := cutLast(rest, "@")
	if !hasAccount {
		account, place = "", rest
	}
	hosts, name, _ := strings.Cut(place, "/")
	options, err := url.ParseQuery(query)
	if err != nil {
		return nil, errMalformedOptions
	}
	name, err = url.PathUnescape(name)
	if err != nil || name == "" {
		return nil, errors.New("database address: want the database's name after the host, as in mysql://user:password@host/database")
	}
	user, password, err := unescapeAccount(account)
	if err != nil {
		return nil, err
	}
	var configs []*mysql.Config
	for host := range strings.SplitSeq(hosts, ",") {
		cfg, err := configOfHost(host, maps.Clone(options))
		if err != nil {
			return nil, err
		}
		cfg.User, cfg.Passwd, cfg.DBName = user, password, name
		configs = append(configs, cfg)
	}
	return configs, nil
}

// configOfHost returns how to connect to one host, or to the socket that the options name in place of it.
func configOfHost(host string, options url.Values) (*mysql.Config, error) {
	socket, authority := options.Get("socket"), options.Get("ssl-ca")
	options.Del("socket")
	options.Del("ssl-ca")
	if err := checkOptions(options); err != nil {
		return nil, err
	}
	at := "unix(" + socket + ")"
	if socket == "" {
		address, err := hostPort(host)
		if err != nil {
			return nil, err
		}
		at = "tcp(" + address + ")" // with the host, so that the driver verifies its certificate for that name
	}
	cfg, err := parseDSN(at + "/?" + options.Encode())
	if err != nil {
		return nil, errors.New("database address: the options after ? are not understood together")
	}
	if authority != "" {
		cfg.TLS, err = trustOnly(authority, cfg.Addr)
	}
	return cfg, err
}

// checkOptions names the option that the driver does not understand. Values are not repeated: they may be part of a password with a "?".
func checkOptions(options url.Values) error {
	for _, name := range slices.Sorted(maps.Keys(options)) {
		one := url.Values{name: options[name]}
		if _, err := mysql.ParseDSN("/?" + one.Encode()); err != nil {
			return fmt.Errorf("database address: option %q: its value is not understood", name)
		}
	}
	return checkCharset(options)
}

// checkCharset refuses a connection that does not speak utf8mb4: keys would be stored as other characters than they are, and in some
// Asian character sets a quote can hide behind half a character.
func checkCharset(options url.Values) error {
	for name, values := range options {
		value := strings.Join(values, ",")
		switch lower := strings.ToLower(name); {
		case lower == "charset" && value != "utf8mb4", lower == "collation" && !strings.HasPrefix(value, "utf8mb4_"),
			strings.HasPrefix(lower, "character_set"), lower == "collation_connection":
			return fmt.Errorf("database address: option %q: larder speaks utf8mb4 alone: leave it out", name)
		}
	}
	return nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func unescapeAccount(account string) (user, password string, err error) {
	user, password, _ = strings.Cut(account, ":")
	user, err1 := url.PathUnescape(user)
	password, err2 := url.PathUnescape(password)
	if err1 != nil || err2 != nil {
		return "", "", errors.New(`database address: user or password has a "%" that is not followed by two hexadecimal digits: write it as %25`)
	}
	return user, password, nil
}

func hostPort(host string) (string, error) {
	if host == "" {
		host = "127.0.0.1"
	}
	u, err := url.Parse("//" + host)
	if err != nil || u.Host != host || u.Hostname() == "" {
		// Not quoted: it may be part of a password that was not escaped.
		return "", errors.New("database address: the host is malformed: want host, host:port or [IPv6]:port; " +
			`an "@", "/", "?" or "%" in the password must be written %40, %2F, %3F or %25`)
	}
	port := u.Port()
	if port == "" {
		port = "3306"
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

func trustOnly(authority, address string) (*tls.Config, error) {
	pem, err := os.ReadFile(authority)
	if err != nil {
		return nil, fmt.Errorf("database address: ssl-ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("database address: ssl-ca: %s holds no PEM certificate", authority)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address // a socket
	}
	return &tls.Config{RootCAs: pool, ServerName: host, MinVersion: tls.VersionTLS12}, nil
}

// sessionVariables are set on every connection: a strict mode, so that nothing is cut; and waits for other transactions that end before the
// driver stops waiting for the answer, so that the error says what it was and the statement can be repeated.
var sessionVariables = map[string]string{
	"sql_mode":                 "'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'",
	"innodb_lock_wait_timeout": "10",
	"lock_wait_timeout":        "20",
}

// parseDSN parses go-sql-driver's notation and sets larder's defaults for what it leaves open.
func parseDSN(dsn string) (*mysql.Config, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	given := func(option string) bool { return strings.Contains(dsn, option+"=") }
	setDefault(&cfg.Timeout, 5*time.Second)
	setDefault(&cfg.ReadTimeout, 30*time.Second)
	setDefault(&cfg.WriteTimeout, 30*time.Second)
	if !given("interpolateParams") {
		cfg.InterpolateParams = true
	}
	if !given("maxAllowedPacket") {
		cfg.MaxAllowedPacket = 0
	}
	for name, value := range sessionVariables {
		if !given(name) {
			if cfg.Params == nil {
				cfg.Params = map[string]string{}
			}
			cfg.Params[name] = value
		}
	}
	cfg.Logger = &mysql.NopLogger{} // what it would print comes back as an error too
	return cfg, nil
}

func setDefault(d *time.Duration, to time.Duration) {
	if *d == 0 {
		*d = to
	}
}
