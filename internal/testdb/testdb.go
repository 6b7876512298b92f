// Package testdb gives tests real database servers.
//
// A test asks for a database and gets an empty one of its own, dropped when the test ends:
//
//	func TestMain(m *testing.M) { testdb.Main(m) }
//
//	func TestStore(t *testing.T) {
//		db := testdb.MySQL(t)
//		s, err := store.Open(db.URL())
//
// The server behind it is found in this order, and started at most once per test binary:
//
//  1. LARDER_TEST_MYSQL_DSN, a go-sql-driver DSN of an account that may create databases.
//  2. A private throwaway mariadbd or mysqld found on PATH (or in /usr/sbin), on a socket and a free loopback port.
//  3. Docker, if its daemon answers: mysql:8.4.
//
// With none of these the test fails and says which command installs a server. It is never skipped.
//
// [SQLite] is the same for SQLite: a fresh file in the test's own folder.
package testdb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// EnvDSN names the variable that points the tests at a server which is already there, as a go-sql-driver DSN.
// Its account must be allowed to create and drop databases.
const EnvDSN = "LARDER_TEST_MYSQL_DSN"

// A Database is one test's own empty database on a real server.
type Database struct {
	Server *Server
	cfg    *mysql.Config
}

// DSN returns the database's address in go-sql-driver's notation.
func (d *Database) DSN() string { return d.cfg.FormatDSN() }

// URL returns the database's address as larder's --database takes it: mysql://user:password@host:port/name.
func (d *Database) URL() string {
	u := url.URL{
		Scheme: "mysql",
		User:   url.UserPassword(d.cfg.User, d.cfg.Passwd),
		Host:   d.cfg.Addr,
		Path:   "/" + d.cfg.DBName,
	}
	return u.String()
}

// Config returns a copy of the database's driver configuration, for tests that alter it.
func (d *Database) Config() *mysql.Config { return d.cfg.Clone() }

// Open returns a connection pool on the database, closed when the test ends.
func (d *Database) Open(tb testing.TB) *sql.DB {
	tb.Helper()
	db, err := sql.Open("mysql", d.DSN())
	if err != nil {
		tb.Fatalf("open test database: %v", err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

var (
	once   sync.Once
	shared *Server
	failed error
)

const howToInstall = "\ninstall one with:  make test-deps   (on Debian: apt-get install mariadb-server-core mariadb-client-core)\n" +
	"or point " + EnvDSN + " at a server, for example root:secret@tcp(127.0.0.1:3306)/"

// MySQL returns an empty database of its own on a real MariaDB or MySQL server. The database is dropped when the test ends.
func MySQL(tb testing.TB) *Database {
	tb.Helper()
	once.Do(func() { shared, failed = start() })
	if failed != nil {
		tb.Fatalf("no MariaDB or MySQL server for the tests: %v%s", failed, howToInstall)
	}
	return shared.Database(tb)
}

// Database creates an empty database on the server and drops it when the test ends.
func (s *Server) Database(tb testing.TB) *Database {
	tb.Helper()
	name := "larder_test_" + randomHex(6)
	s.exec(tb, "CREATE DATABASE `"+name+"` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
	tb.Cleanup(func() { s.exec(tb, "DROP DATABASE `"+name+"`") })
	cfg := s.cfg.Clone()
	cfg.DBName = name
	return &Database{Server: s, cfg: cfg}
}

func (s *Server) exec(tb testing.TB, statement string) {
	tb.Helper()
	db, err := sql.Open("mysql", s.cfg.FormatDSN())
	if err != nil {
		tb.Fatalf("open test server: %v", err)
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		tb.Fatalf("test server: %s: %v", statement, err)
	}
}

// SQLite returns the path of a SQLite file that does not exist yet, in a folder that is removed when the test ends.
func SQLite(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "larder.db")
}

// Main runs the tests of a package, stops the server that they started, and fails if they left a goroutine behind. Call it from TestMain.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for a TestMain that has more to do: it returns the exit status.
func Run(m interface{ Run() int }) int {
	code := m.Run()
	if shared != nil {
		shared.Stop()
	}
	if code != 0 {
		return code // a test that failed may well have left something
	}
	if err := Leaked(); err != nil {
		fmt.Fprintln(os.Stderr, "the tests left goroutines behind:", err)
		return 1
	}
	return 0
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // crypto/rand never fails since Go 1.24
	return hex.EncodeToString(b)
}

// Roomy returns a server of its own for measurements, found as MySQL finds its own and stopped when the test ends. A private one has memory for
// some millions of rows. It does not wait for the disk at a commit either, so that what is measured is the work and not the disk.
func Roomy(tb testing.TB) *Server {
	tb.Helper()
	return ownServer(tb, "--innodb-buffer-pool-size=1G", "--innodb-log-file-size=1G")
}

// Durable is Roomy for what the disk decides: a private server waits for it at each commit, as servers do in production.
func Durable(tb testing.TB) *Server {
	tb.Helper()
	return ownServer(tb, "--innodb-flush-log-at-trx-commit=1", "--innodb-flush-method=fsync", "--innodb-doublewrite=1")
}

// Private returns a server of its own, stopped when the test ends, for tests that crash or pause it, or change its global variables. It never is
// the one of [EnvDSN].
func Private(tb testing.TB) *Server {
	tb.Helper()
	daemon := findDaemon()
	if daemon == "" {
		tb.Fatalf("no mariadbd or mysqld to start%s", howToInstall)
	}
	s, err := StartPrivate(daemon)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Stop)
	return s
}

func ownServer(tb testing.TB, options ...string) *Server {
	tb.Helper()
	s, err := start(options...)
	if err != nil {
		tb.Fatalf("no MariaDB or MySQL server for the measurements: %v%s", err, howToInstall)
	}
	tb.Cleanup(s.Stop)
	return s
}

func start(options ...string) (*Server, error) {
	if dsn := os.Getenv(EnvDSN); dsn != "" {
		return connect(EnvDSN, dsn)
	}
	if daemon := findDaemon(); daemon != "" {
		return StartPrivate(daemon, options...)
	}
	return startDocker()
}

// connect returns a server that is there already, at the address in the named variable.
func connect(variable, dsn string) (*Server, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	if cfg.Net != "tcp" {
		return nil, fmt.Errorf("%s: want an address of the form user:password@tcp(host:port)/, because some tests need its parts", variable)
	}
	return &Server{cfg: cfg, stop: func() {}}, nil
}

// IsUnlistable reports whether a server could not tell its list of processes, because one of them was at a statement with characters that Oracle
// MySQL's list, which is utf8mb3, does not take in. Ask again.
func IsUnlistable(err error) bool {
	const cannotConvertString = 3854
	var server *mysql.MySQLError
	return errors.As(err, &server) && server.Number == cannotConvertString
}
