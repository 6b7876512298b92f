package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/larder-cache/larder/internal/dotenv"
)

// connectionVariables are those of Laravel's config/database.php that say where the database is. If one of them is set and not blank,
// there are Laravel settings. A user, a password or a port alone, which may be there for other programs, is sent nowhere.
var connectionVariables = []string{"DB_CONNECTION", "DB_URL", "DATABASE_URL", "DB_HOST", "DB_DATABASE", "DB_SOCKET"}

// hasLaravel tells whether there are Laravel settings for a database.
func (l *loader) hasLaravel() bool {
	return slices.ContainsFunc(connectionVariables, func(name string) bool {
		v, _ := l.env.laravel(name)
		return v.String() != ""
	})
}

// elsewhere ends the errors about Laravel settings that larder cannot follow.
const elsewhere = "set LARDER_DATABASE, --database, or database in larder.yaml to the URL of the cache's database"

// laravelDatabase returns the URL of the database that Laravel's cache is in: that of the connection DB_CACHE_CONNECTION or else
// DB_CONNECTION, as Laravel 13's config/database.php sets it up.
func (l *loader) laravelDatabase() (Setting, bool) {
	if !l.hasLaravel() {
		return Setting{}, false
	}
	c := &connection{env: &l.env}
	address, err := c.url()
	if err != nil {
		l.errs = append(l.errs, err)
	}
	return Setting{address, together(c.used)}, true
}

// together names variables and their places: "CORP_ID, CORP_SECRET", ".env (DB_HOST, DB_DATABASE)".
func together(vars []variable) string {
	var names []string
	var file string
	inFile := 0
	for _, v := range vars {
		names = append(names, v.name)
		if v.file != "" {
			file = v.file
			inFile++
		}
	}
	list := strings.Join(names, ", ")
	switch inFile {
	case 0:
		return list
	case len(vars):
		return fmt.Sprintf("%s (%s)", file, list)
	}
	return fmt.Sprintf("%s and environment (%s)", file, list)
}

// A connection is one of Laravel's config/database.php, read from the environment.
type connection struct {
	env  *environment
	used []variable

	driver                                   string
	host, port, database, username, password string
	socket, prefix, ca                       string
}

// get returns a setting as env(name, absent) does, and notes that it was used.
func (c *connection) get(name, absent string) string {
	v, at := c.env.laravel(name)
	if v.Kind != dotenv.Absent {
		c.used = append(c.used, at)
	}
	return v.Or(absent)
}

// last is the variable that get returned last.
func (c *connection) last() string { return c.used[len(c.used)-1].at() }

func (c *connection) url() (string, error) {
	if err := c.read(); err != nil {
		return "", err
	}
	if c.driver == "sqlite" {
		if c.database != ":memory:" && !filepath.IsAbs(c.database) {
			c.database = filepath.Join(c.env.root, c.database)
		}
		return "sqlite:" + c.database, nil
	}
	hosts := "" // with a socket there is none
	if c.socket == "" {
		var err error
		if hosts, err = c.hosts(); err != nil {
			return "", err
		}
	}
	address := c.driver + "://"
	switch {
	case c.password != "":
		address += url.UserPassword(c.username, c.password).String() + "@"
	case c.username != "":
		address += url.User(c.username).String() + "@"
	}
	address += hosts + "/" + strings.ReplaceAll(url.PathEscape(c.database), "@", "%40")
	var options []string
	if c.socket != "" {
		options = append(options, "socket="+queryPath(c.socket))
	}
	if c.ca != "" {
		options = append(options, "ssl-ca="+queryPath(c.ca))
	}
	if options != nil {
		address += "?" + strings.Join(options, "&")
	}
	return address, nil
}

// queryPath encodes a file's name for a query, and leaves its slashes readable.
func queryPath(name string) string { return strings.ReplaceAll(url.QueryEscape(name), "%2F", "/") }

func (c *connection) read() error {
	name := c.get("DB_CONNECTION", "")
	w, ok := databaseStore(c.env.root, "connection")
	if !ok {
		w.variable = "DB_CACHE_CONNECTION"
	}
	if cache := c.get(w.variable, w.text); cache != "" {
		name = cache
	}
	at := "DB_CONNECTION"
	if len(c.used) > 0 {
		at = c.last()
	}
	if w.text != "" && name == w.text {
		at = "config/cache.php"
	}
	name = withoutReplica(name)
	switch {
	case name == "", name == "mysql", name == "mariadb", name == "sqlite":
	case unspoken[name]:
		return fmt.Errorf("%s: larder does not speak %s, only MySQL, MariaDB and SQLite; %s", at, name, elsewhere)
	default:
		return fmt.Errorf("%s: %s is not one of the connections that larder can follow, mysql, mariadb and sqlite; %s", at, quote(name), elsewhere)
	}

	address, urlAt := c.get("DB_URL", ""), "DB_URL"
	if address == "" {
		address, urlAt = c.get("DATABASE_URL", ""), "DATABASE_URL"
	}
	if address != "" {
		urlAt = c.last()
	}
	c.driver = name
	database, _ := c.env.laravel("DB_DATABASE")
	if c.driver == "" {
		c.driver = c.guessDriver(database.String())
	}
	override, err := parseLaravelURL(address)
	if err != nil {
		return fmt.Errorf("%s: %w", urlAt, err)
	}
	if override.driver != "" {
		c.driver = override.driver
	}
	switch c.driver {
	case "mysql", "mariadb":
		c.host = c.get("DB_HOST", "127.0.0.1")
		c.port = c.get("DB_PORT", "")
		c.database = c.get("DB_DATABASE", "laravel")
		c.username = c.get("DB_USERNAME", "root")
		c.password = c.get("DB_PASSWORD", "")
		c.socket = c.get("DB_SOCKET", "")
		c.ca = c.get("MYSQL_ATTR_SSL_CA", "")
	case "sqlite":
		c.database = c.get("DB_DATABASE", filepath.Join("database", "database.sqlite"))
	default:
		return fmt.Errorf("%s: larder does not speak this URL's scheme, only mysql, mariadb and sqlite; %s", urlAt, elsewhere)
	}
	override.apply(c)
	if c.database == "" {
		return fmt.Errorf("%s: it names no database, and Laravel has no default then; give it one, or %s", together(c.used), elsewhere)
	}
	return nil
}

// withoutReplica returns the connection of a name such as mysql::write, which is mysql on the primary.
func withoutReplica(name string) string {
	name, _, _ = strings.Cut(name, "::")
	return name
}

// guessDriver chooses when DB_CONNECTION is not set, whose default was mysql before Laravel 11 and is sqlite since.
func (c *connection) guessDriver(database string) string {
	for _, name := range []string{"DB_HOST", "DB_USERNAME", "DB_PASSWORD", "DB_SOCKET", "DB_PORT"} {
		if v, _ := c.env.laravel(name); v.String() != "" {
			return "mysql"
		}
	}
	ext := path.Ext(database)
	if strings.ContainsAny(database, `/\`) || database == ":memory:" || ext == ".sqlite" || ext == ".sqlite3" || ext == ".db" {
		return "sqlite"
	}
	return "mysql"
}

// hosts returns host:port, or a list of them if DB_HOST is a comma list.
func (c *connection) hosts() (string, error) {
	port := c.port
	if port == "" {
		port = "3306"
	}
	if err := checkPort(port); err != nil {
		return "", fmt.Errorf("%s: %w", together(c.used), err)
	}
	var hosts []string
	for host := range strings.SplitSeq(c.host, ",") {
		host = strings.TrimSpace(host)
		hostPort := port
		switch h, p, err := net.SplitHostPort(host); {
		case host == "":
			continue
		case err == nil && p != "" && !strings.Contains(h, ":"), err == nil && strings.HasPrefix(host, "["):
			host, hostPort = h, p
			if err := checkPort(p); err != nil {
				return "", fmt.Errorf("%s: %w", together(c.used), err)
			}
		}
		host = strings.Trim(host, "[]")
		if _, err := netip.ParseAddr(host); err != nil && strings.ContainsAny(host, ":/?#@ \t") {
			return "", fmt.Errorf("%s: DB_HOST is not a host's name or address; to use a socket set DB_SOCKET", together(c.used))
		}
		hosts = append(hosts, net.JoinHostPort(host, hostPort))
	}
	if hosts == nil {
		hosts = []string{net.JoinHostPort("127.0.0.1", port)}
	}
	return strings.Join(hosts, ","), nil
}

func checkPort(port string) error {
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("the port is not a number from 1 to 65535; correct it, or leave it out for 3306")
	}
	return nil
}

// laravelTable returns a function for the name of a table: Laravel's variable, or what config/cache.php says of its database store, and
// the table prefix that DB_URL may have.
func (l *loader) laravelTable(name, setting, otherwise string) func() (Setting, bool) {
	return func() (Setting, bool) {
		v, at := l.env.laravel(name)
		otherwise, inFile := otherwise, false
		if w, ok := databaseStore(l.env.root, setting); ok && l.hasLaravel() {
			v, at = l.env.laravel(w.variable)
			if w.text != "" && w.text != otherwise {
				otherwise, inFile = w.text, true
			}
		}
		c := &connection{env: &l.env}
		if l.hasLaravel() {
			_ = c.read() // its errors are laravelDatabase's
		}
		s := Setting{c.prefix + otherwise, together(c.used)}
		if inFile {
			s.Source = "config/cache.php"
		}
		switch {
		case v.Kind == dotenv.Absent, v.Kind == dotenv.Null:
			return s, inFile || c.prefix != ""
		case v.String() == "":
			l.failf("%s: the name is blank, and Laravel fails with a blank table name; remove the line for the default, %s", at.at(), otherwise)
			return s, true
		}
		s = Setting{c.prefix + v.String(), at.at()}
		if msg := checkTable(s.Value); msg != "" {
			l.failf("%s: %s", s.Source, msg)
		}
		return s, true
	}
}

// cachedConfig returns the file that Laravel reads in place of an .env file, if there are both.
func (l *loader) cachedConfig() string {
	cached := filepath.Join(l.env.root, "bootstrap", "cache", "config.php")
	if _, err := os.Stat(cached); err != nil || l.env.name == "" {
		return ""
	}
	return cached
}

// laravelNotices warns of Laravel settings that make PHP look elsewhere than larder does.
func (l *loader) laravelNotices() {
	if !l.hasLaravel() {
		return
	}
	if cached := l.cachedConfig(); cached != "" {
		l.noticef("%s exists, so Laravel does not read %s: after a change run php artisan config:cache", cached, l.env.name)
	}
	for _, name := range []string{"CACHE_STORE", "CACHE_DRIVER"} {
		if v, at := l.env.laravel(name); v.String() != "" {
			if v.String() != "database" {
				l.noticef("%s: PHP's default cache store is %s, not \"database\"; PHP reads larder's rows with Cache::store('database')", at.at(), quote(v.String()))
			}
			break
		}
	}
	lock, at := l.env.laravel("DB_CACHE_LOCK_CONNECTION")
	cache, _ := l.env.laravel("DB_CACHE_CONNECTION")
	if cache.String() == "" {
		cache, _ = l.env.laravel("DB_CONNECTION")
	}
	if lock.String() != "" && withoutReplica(lock.String()) != withoutReplica(cache.String()) {
		l.noticef("%s: PHP keeps its locks in another connection; larder keeps them with the cache, so the two do not exclude each other", at.at())
	}
}
