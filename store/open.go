package store

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

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
// given, they default to timeout=5s (of connecting, login included), readTimeout=30s, writeTimeout=30s; interpolateParams=true (one
// round trip instead of two), maxAllowedPacket=0 (ask the server), a strict sql_mode, innodb_lock_wait_timeout=10 and
// lock_wait_timeout=20. Refused are clientFoundRows, which hides what a statement changed, and character sets other than utf8mb4.
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
