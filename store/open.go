package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
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
	"github.com/jmoiron/sqlx"
)

// Open returns a store over connections of its own, to be closed with Close. It does not connect yet, so that it fails only for an
// address that makes no sense. The tables are made, or adopted, by larder migrate, or by package migrations, at each start of a program if it likes:
//
//	m, err := migrations.For(s)
//	report, err := m.Up(ctx)
//
// The address is one of
//
//	mysql://user:password@host:3306/database?tls=true      (mariadb:// is the same)
//	mysql://user:password@host1,host2:3307/database        tried in this order
//	mysql://user:password@/database?socket=/run/mysqld/mysqld.sock
//	user:password@tcp(host:3306)/database?tls=true         go-sql-driver's notation
//	sqlite:path/to/file.db
//
// The MySQL options are go-sql-driver's, besides socket and ssl-ca=/path/to/ca.pem (verify the server by that authority). Not
// given, they default to timeout=5s (of connecting, login included), readTimeout=30s, writeTimeout=30s;
// interpolateParams=true (one round trip instead of two),
// maxAllowedPacket=0 (ask the server), a strict sql_mode, innodb_lock_wait_timeout=10 and lock_wait_timeout=20. Refused are
// clientFoundRows, which hides what a statement changed, and character sets other than utf8mb4.
//
// A SQLite file is created when it is first used, for nobody else to read, as tokens go into it (mode 0600; one that is there keeps its own), opened
// in WAL mode, and waited for up to 5 s when another process writes it.
func Open(address string, opts ...Option) (*Store, error) {
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		return openSQLite(path, opts)
	}
	connectors, place, err := mysqlConnectors(address)
	if err != nil {
		return nil, err
	}
	db := sqlx.NewDb(sql.OpenDB(connectors), "mysql")
	limitPool(db.DB)
	return openStore(mysqlDialect{}, place, db, db, opts)
}

func openStore(d dialect, place string, read, write *sqlx.DB, opts []Option) (*Store, error) {
	pools := []*sqlx.DB{write}
	if read != write {
		pools = append(pools, read)
	}
	s, err := newStore(d, read, write, opts)
	if err != nil {
		for _, db := range pools {
			_ = db.Close() // it has no connection yet
		}
		return nil, err
	}
	s.place, s.owned = place, pools
	return s, nil
}

// DB returns the pool that the store writes through, for migrations and other work on the same database. Its DriverName is mysql or sqlite.
func (s *Store) DB() *sqlx.DB { return s.write }

// limitPool keeps as many connections as it opens, or a burst would pay for new ones each time, and none for so long that a server or
// a proxy in between has dropped it (the driver's authors advise less than 5 minutes).
func limitPool(db *sql.DB) {
	db.SetMaxOpenConns(32)
	db.SetMaxIdleConns(32)
	db.SetConnMaxLifetime(3 * time.Minute)
	db.SetConnMaxIdleTime(time.Minute)
}

func openSQLite(path string, opts []Option) (*Store, error) {
	path = strings.TrimPrefix(path, "//") // sqlite:///absolute and sqlite://relative, as some write it
	if path == "" {
		return nil, errors.New(`database address "sqlite:": want a path after it, as in sqlite:larder.db`)
	}
	connector, err := newSQLiteFile(path)
	if err != nil {
		return nil, fmt.Errorf("open sqlite:%s: %w", path, err)
	}
	write := sqlx.NewDb(sql.OpenDB(connector), "sqlite")
	write.SetMaxOpenConns(1) // SQLite has one writer; waiting here is fair, waiting in SQLite is polling
	if path == ":memory:" {
		return openStore(sqliteDialect{}, "", write, write, opts)
	}
	read := sqlx.NewDb(sql.OpenDB(connector), "sqlite")
	read.SetMaxOpenConns(8)
	read.SetMaxIdleConns(8)
	return openStore(sqliteDialect{}, "sqlite:"+path, read, write, opts)
}

// sqliteDSN sets what modernc.org/sqlite would otherwise leave at SQLite's defaults: wait for other writers, the WAL in which readers
// and the writer do not block each other, and transactions that take the write lock at once instead of failing when they first write.
func sqliteDSN(path string) string {
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	return "file:" + escaped + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate"
}

// A failover connects to the first server that can be reached.
type failover []driver.Connector

func (f failover) Connect(ctx context.Context) (driver.Conn, error) {
	var failed []error
	for _, c := range f {
		conn, err := c.Connect(ctx)
		if err == nil {
			return conn, nil
		}
		failed = append(failed, err)
		var server *mysql.MySQLError
		if errors.As(err, &server) && server.Number != erTooManyConnections || ctx.Err() != nil {
			break // the server was reached and said no
		}
	}
	if len(failed) == 1 {
		return nil, failed[0]
	}
	return nil, errors.Join(failed...)
}

func (f failover) Driver() driver.Driver { return f[0].Driver() }

// mysqlConnectors also returns the place: the hosts and the database's name.
func mysqlConnectors(address string) (f failover, place string, err error) {
	configs, err := mysqlConfigs(address)
	if err != nil {
		return nil, "", err
	}
	for _, cfg := range configs {
		if cfg.ClientFoundRows {
			return nil, "", errors.New("database address: clientFoundRows=true hides whether a statement changed a row: leave it out")
		}
		c, err := mysql.NewConnector(cfg)
		if err != nil {
			return nil, "", fmt.Errorf("database address: %w", err)
		}
		f = append(f, newGreeting(c, cfg))
		place += cfg.Addr + "/" + cfg.DBName + "\n"
	}
	return f, place, nil
}

// mysqlConfigs returns one driver configuration for each host of the address. Errors do not repeat the address, which holds a
// password.
func mysqlConfigs(address string) ([]*mysql.Config, error) {
	scheme, rest, isURL := strings.Cut(address, "://")
	if !isURL || strings.Contains(scheme, ":") { // a password may hold "://" too, and would be taken for a part of the scheme
		cfg, err := parseDSN(address)
		if err != nil || cfg.DBName == "" {
			// The driver's message may quote what it took the password for.
			return nil, errors.New("database address: not understood: want mysql://user:password@host:3306/database, " +
				"user:password@tcp(host:3306)/database, or sqlite:path")
		}
		_, place, _ := cutLast(address, "/") // as the driver does: before it, anything may be part of the password
		_, query, _ := strings.Cut(place, "?")
		options, err := url.ParseQuery(query)
		if err == nil {
			err = checkCharset(options)
		}
		if err != nil {
			return nil, err
		}
		return []*mysql.Config{cfg}, nil
	}
	if scheme != "mysql" && scheme != "mariadb" {
		return nil, fmt.Errorf("database address: scheme %q: want mysql, mariadb or sqlite", scheme)
	}
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
		return nil, errors.New("database address: the options after ? are malformed: want name=value&name=value")
	}
	name, err = url.PathUnescape(name)
	if err != nil || name == "" {
		return nil, errors.New("database address: want the database's name after the host, as in mysql://user:password@host/database")
	}
	user, password, err := unescapeAccount(account)
	if err != nil {
		return nil, err
	}
	socket, authority := options.Get("socket"), options.Get("ssl-ca")
	options.Del("socket")
	options.Del("ssl-ca")
	if err := checkOptions(options); err != nil {
		return nil, err
	}

	var configs []*mysql.Config
	for host := range strings.SplitSeq(hosts, ",") {
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
		cfg.User, cfg.Passwd, cfg.DBName = user, password, name
		if authority != "" {
			if cfg.TLS, err = trustOnly(authority, cfg.Addr); err != nil {
				return nil, err
			}
		}
		configs = append(configs, cfg)
	}
	return configs, nil
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
